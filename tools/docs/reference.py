#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reference of the interfaces, from the schema.

    reference.py --out build/docs/reference schema/*.capnp

Writes Markdown: a page per interface, `errors.md`, `manifest.md`, `invariants.md` and an index, and
`names.json`, which tells the site builder where each name is explained.  What a page says
comes from the schema and its comments; who holds a capability comes from the manifests and
from what the kernel gives to init; the C signatures from the generator of the C clients.

Run from the top of the tree; needs `capnp` and nothing else.  Tested by tests/docs/test_reference.py.
"""

import argparse
import glob
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TOOLS, 'schemac'), os.path.join(TOOLS, 'manifest')]

from codegen import is_kernel_homed, stem, wrap_call                         # noqa: E402
from gen_capos import Client, Server                                         # noqa: E402
from gen_kernel import methods_of                                            # noqa: E402
from manifest import read_manifest                                           # noqa: E402
from model import NO_DISCRIMINANT, Schema                                    # noqa: E402
from schemac import find_parts, read_request                                 # noqa: E402
from slug import slug                                                        # noqa: E402
import invariants                                                            # noqa: E402
from reasons import Sources                                                  # noqa: E402

FIRST_RELEASE = '0.1'
SCALARS = {'void': 'Void', 'bool': 'Bool', 'text': 'Text', 'data': 'Data',
           'int8': 'Int8', 'int16': 'Int16', 'int32': 'Int32', 'int64': 'Int64',
           'uint8': 'UInt8', 'uint16': 'UInt16', 'uint32': 'UInt32', 'uint64': 'UInt64',
           'float32': 'Float32', 'float64': 'Float64'}
# Of every process, from init or its parent; no manifest names them.
ALWAYS = {'VirtualMemory': 'memory', 'ThreadControl': 'thread', 'ParkSpace': 'park',
          'MemoryBudget': 'budget'}
DEFAULT_SYSTEM = 'default'         # of `capos run`
# What methods of the kernel call to do their work, beside their own file.
KERNEL_HELPERS = ('kernel/mm/space.c', 'kernel/mm/region.c')
ROOTS_TABLE = 'tools/capos/inspect.c'   # tests/cli/trace_test.py compares it with a system


def cell(text):
    """Text for a cell of a table."""
    return ' '.join(text.split()).replace('|', '\\|')


def table(head, rows):
    """A Markdown table; columns that are empty in every row are left out."""
    used = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [[head[i] for i in used], ['---'] * len(used)]
    lines += [[cell(row[i]) for i in used] for row in rows]
    return ''.join('| %s |\n' % ' | '.join(line) for line in lines) + '\n'


def sentences(text):
    """Sentences, for short prose that has no abbreviations."""
    return re.split(r'(?<=[.;])\s+(?=[A-Z`])', ' '.join(text.split()))


class Holders:
    """Who holds a capability, and by which name."""

    def __init__(self, schema, root):
        self.paths = {node.id: node.path for file in schema.files
                      for node in schema.of_file(file, 'interface')}
        self.roots = self._roots(schema, root)
        self.given, self.grantable, self.services = {}, {}, {}
        for path in sorted(glob.glob('system/*.capnp', root_dir=root)):
            system = os.path.basename(path).removesuffix('.capnp')
            if not system.startswith('test'):
                self._manifest(system, read_manifest(path))

    def _roots(self, schema, root):
        """Interface path by the name under which the kernel gives it to init."""
        constants = {'INTERFACE_' + path_constant(path): path for path in self.paths.values()}
        with open(os.path.join(root, ROOTS_TABLE), encoding='utf-8') as file:
            found = re.findall(r'\{"(\w+)", (INTERFACE_\w+)\}', file.read())
        return {name: constants[constant] for name, constant in found}

    def _manifest(self, system, manifest):
        exports = {(service['name'], export['name']): self.paths[int(export['interfaceId'])]
                   for service in manifest.get('services', [])
                   for export in service.get('exports', [])}

        def note(place, grant, holder):
            source = grant['source']
            path = self.roots.get(source['kernel']) if 'kernel' in source else exports.get(
                (source['service']['service'], source['service']['export']))
            place.setdefault(path, {}).setdefault((holder, grant['name']), []).append(system)

        for grant in manifest.get('programGrants', []):
            note(self.given, grant, '')
        for grant in manifest.get('grantable', []):
            note(self.grantable, grant, '')
        for service in manifest.get('services', []):
            for grant in service.get('grants', []):
                note(self.services, grant, service['name'])

    def rows(self, path):
        """(who, under which name, how) of everyone who gets it at the start."""
        rows = []
        if path in ALWAYS:
            rows.append(('every process', '`%s`' % ALWAYS[path], 'from who started it'))
        for (_, name), systems in self.given.get(path, {}).items():
            rows.append(('every program', '`%s`' % name, 'always, in ' + in_systems(systems)))
        for (_, name), systems in self.grantable.get(path, {}).items():
            rows.append(('a program', '`%s`' % name, '`capos run --grant %s`, in %s'
                         % (name, in_systems(systems))))
        for (service, name), systems in self.services.get(path, {}).items():
            rows.append(('the service `%s`' % service, '`%s`' % name,
                         'by the manifest, in ' + in_systems(systems)))
        for name, held in self.roots.items():
            if held == path and path not in ALWAYS:
                rows.append(('`init`', '`%s`' % name, 'from the kernel'))
        return rows

    def summary(self, path):
        """One cell: how an ordinary program comes to hold it."""
        if path in ALWAYS:
            return 'always, as `%s`' % ALWAYS[path]
        for place, text in ((self.given, 'always, as `%s`'), (self.grantable, '`--grant %s`')):
            for (_, name), systems in place.get(path, {}).items():
                if DEFAULT_SYSTEM in systems:
                    return text % name
        for (_, name), systems in self.given.get(path, {}).items():
            return 'in %s, as `%s`' % (in_systems(systems), name)
        return ''


def in_systems(systems):
    return ', '.join('`%s`' % system for system in systems)


def path_constant(path):
    from model import snake
    return '_'.join(snake(part) for part in path.split('.')).upper()


class Reference:
    """All pages; `pages()` is a dict from file name to text."""

    def __init__(self, schema, root):
        self.schema, self.root = schema, root
        self.holders = Holders(schema, root)
        self.interfaces = [node for file in schema.files
                           for node in schema.of_file(file, 'interface')]
        self.statuses = next(node for file in schema.files for node in file.declarations
                             if node.kind == 'enum' and node.path == 'Status')
        self.places = {}             # id of an enum or free struct -> page
        for file in schema.files:
            for node in file.declarations:
                if node.kind in ('enum', 'struct') and not self._is_hidden(node):
                    self.places[node.id] = self._place(file, node)
        self.makers = self._makers()

    def _is_hidden(self, node):
        """Groups, and the structs of methods, which are shown with their methods."""
        if node.kind != 'struct':
            return bool(self.schema.of_file(node.file, 'annotation'))
        return node.is_group or any(
            node.id in (method.params_id, method.results_id)
            for interface in self.schema.of_file(node.file, 'interface')
            for method in interface.methods)

    def _place(self, file, node):
        """The page of a type: of the interface around it, else of the first one of its
        file that uses it, else of its file."""
        owners = self.schema.of_file(file, 'interface')
        for interface in owners:
            if node.scope_id == interface.id:
                return interface.path
        for interface in owners:
            if node.id in self._used(interface):
                return interface.path
        return owners[0].path if owners else stem(file)

    def _used(self, interface):
        """Ids of the types that an interface's messages are made of, at any depth."""
        used, ids = set(), [id for method in interface.methods
                            for id in (method.params_id, method.results_id)]
        while ids:
            for member in self.schema.nodes[ids.pop()].fields:
                id = member.group_id
                if member.type:
                    id = (member.type.element or member.type).type_id
                if id and id not in used:
                    used.add(id)
                    ids.append(id)
        return used

    def _makers(self):
        """Interface id -> the methods whose results carry it."""
        makers = {}
        for interface in self.interfaces:
            for method in interface.methods:
                for member in self.schema.nodes[method.results_id].fields:
                    if member.type and member.type.kind == 'interface':
                        makers.setdefault(member.type.type_id, []).append((interface, method))
        return makers

    # ---- Types and fields

    def link(self, node):
        if node.kind == 'interface':
            return '[%s](%s.md)' % (node.path, node.path)
        page = self.places[node.id]
        if node is self.statuses:
            return '[Status](errors.md#statuses)'
        return '[%s](%s.md#%s)' % (node.name, page, slug(node.name))

    def type(self, type):
        if type.kind == 'list':
            return 'List of ' + self.type(type.element)
        if type.kind == 'capability':
            return 'any capability'
        if type.kind in ('enum', 'struct', 'interface'):
            return self.link(self.schema.nodes[type.type_id])
        return SCALARS[type.kind]

    def bounds(self, member):
        notes = member.annotations
        out = []
        if 'maxCount' in notes:
            out.append('at most %d' % notes['maxCount'])
        if 'maxBytes' in notes:
            out.append('at most %d bytes%s' % (notes['maxBytes'],
                                               ' each' if member.type.kind == 'list' else ''))
        if member.explicit_default:
            out.append('default %s' % member.default)
        return ', '.join(out)

    def fields(self, node, what, prefix=''):
        return table([what, 'type', 'unit', 'bounds', 'meaning'], self.field_rows(node, prefix))

    def field_rows(self, node, prefix):
        rows = []
        for member in node.fields:
            name = prefix + member.name
            choice = 'One of the choices of `%s`. ' % prefix.rstrip('.') \
                if member.discriminant != NO_DISCRIMINANT and prefix else ''
            if member.type is None:
                group = self.schema.nodes[member.group_id]
                kind = 'union' if group.union_count else 'group'
                rows.append(('`%s`' % name, kind, '', '', choice + (member.doc or group.doc)))
                rows += self.field_rows(group, name + '.')
                continue
            rows.append(('`%s`' % name, self.type(member.type), member.annotations.get('unit', ''),
                         self.bounds(member), choice + member.doc))
        return rows

    def type_section(self, node):
        out = ['### %s\n\n%s\n\n' % (node.name, node.doc)]
        if node.kind == 'enum':
            out.append(table(['value', 'name', 'meaning'],
                             [(str(i), '`%s`' % e.name, e.doc)
                              for i, e in enumerate(node.enumerants)]))
        else:
            out.append(self.fields(node, 'field'))
        return ''.join(out)

    # ---- Errors

    def errors(self, interface, names):
        """(status, when) rows: from the types, what the comments say, and the reasons that
        the implementation gives."""
        method = names.method
        params, results = (self.schema.nodes[id] for id in (method.params_id, method.results_id))
        rows = {}
        add = lambda status, when: rows.setdefault(status, []).append(when)
        for member in params.fields:
            name = '`%s`' % member.name
            kind = member.type and member.type.kind
            if 'maxCount' in member.annotations:
                add('badMessage', '%s has more than %d elements.'
                    % (name, member.annotations['maxCount']))
            if 'maxBytes' in member.annotations:
                add('badMessage', '%s is longer than %d bytes.'
                    % (name, member.annotations['maxBytes']))
            if kind in ('struct', 'list') or member.type is None:
                add('badMessage', 'A part of %s exceeds its bound.' % name)
            if kind == 'enum':
                add('badMessage', '%s is no %s.' % (name, self.type(member.type)))
            if kind == 'interface':
                add('wrongInterface', '%s is no %s.' % (name, self.type(member.type)))
        for text, name in [(method.doc, '')] + [(m.doc, '`%s`: ' % m.name)
                                                for m in params.fields + results.fields]:
            for sentence in sentences(text):
                for status in self.named_statuses(sentence):
                    add(status, name + sentence)
        if any(member.type is None or member.type.kind in ('text', 'data', 'list', 'struct')
               for member in results.fields):
            add('noResultSpace', 'The results are longer than the room for them.')
        if 'pending' in method.annotations:
            add('cancelled', 'CANCEL withdrew the call.')
        for status, reasons in self.reasons(interface, names).items():
            add(status, ', '.join('“%s”' % reason for reason in reasons))
        order = [e.name for e in self.statuses.enumerants]
        return [('[%s](errors.md#%s)' % (status, slug(status)), ' '.join(rows[status]))
                for status in sorted(rows, key=order.index)]

    def reasons(self, interface, names):
        arguments = {m.name for m in self.schema.nodes[names.method.params_id].fields}
        found, _ = self.files(interface)
        full = [os.path.join(self.root, path) for path in found]
        if is_kernel_homed(interface):
            helpers = [os.path.join(self.root, path) for path in KERNEL_HELPERS]
            sources = Sources(full + [path for path in helpers if os.path.exists(path)])
            return sources.reasons(names.name, arguments)
        merged = {}
        for folder in dict.fromkeys(os.path.dirname(path) for path in full):
            sources = Sources(sorted(path for path in glob.glob(folder + '/*.c')
                                     if not path.endswith(('_test.c', '_fuzz.c'))))
            handlers = sources.handlers(path_constant(interface.path).lower())
            handler = handlers.get(names.name.removeprefix(
                path_constant(interface.path).lower() + '_'))
            for status, texts in (sources.reasons(handler, arguments) if handler else {}).items():
                merged.setdefault(status, []).extend(
                    text for text in texts if text not in merged.get(status, []))
        return merged

    def named_statuses(self, text):
        return [e.name for e in self.statuses.enumerants if '`%s`' % e.name in text]

    # ---- Interfaces

    def signature(self, method):
        def part(id):
            node = self.schema.nodes[id]
            return ', '.join('%s: %s' % (m.name, self.plain_type(m.type)) for m in node.fields)
        return '%s(%s) → (%s)' % (method.name, part(method.params_id), part(method.results_id))

    def plain_type(self, type):
        if type is None:
            return 'union'
        if type.kind == 'list':
            return 'List(%s)' % self.plain_type(type.element)
        if type.kind == 'capability':
            return 'Capability'
        if type.kind in ('enum', 'struct', 'interface'):
            return self.schema.nodes[type.type_id].name
        return SCALARS[type.kind]

    def method(self, interface, names):
        method = names.method
        facts = ['Method %d' % method.ordinal]
        if 'pending' in method.annotations:
            facts.append('may complete later')
        facts.append('since ' + method.annotations.get(
            'since', interface.annotations.get('since', FIRST_RELEASE)))
        out = ['### %s\n\n' % method.name, '`%s`\n\n' % self.signature(method),
               '%s.\n\n' % '; '.join(facts), method.doc + '\n\n']
        for id, what in ((method.params_id, 'argument'), (method.results_id, 'result')):
            if self.schema.nodes[id].fields:
                out.append(self.fields(self.schema.nodes[id], what))
        errors = self.errors(interface, names)
        if errors:
            out.append(table(['error', 'when'], errors))
        out.append('```c\n%s```\n\n' % self.c_signatures(interface, names))
        return ''.join(out)

    def c_signatures(self, interface, names):
        client = Client(self.schema, interface, names)
        heads = [(prefix, arguments) for prefix, arguments, _ in client.functions()]
        heads.append(client.finish_head())
        return ''.join(wrap_call(prefix, arguments) + '\n' for prefix, arguments in heads)

    def files(self, interface):
        """Where it is implemented and tested."""
        name = path_constant(interface.path).lower()
        if is_kernel_homed(interface):
            method = methods_of(self.schema, interface)[0].name if interface.methods else None
            pattern = r'^enum status %s\(' % method if method else None
            found = self.files_with(pattern, 'kernel/object/*.c', 'kernel/ipc/*.c')
        else:
            found = self.files_with(r'\b%s_server_ops\b' % name, 'services/*/*.c',
                                    'programs/*/*.c')
        tests = [path for path in sorted(glob.glob('tests/*/%s*_test.c' % stem(interface.file),
                                                   root_dir=self.root))]
        return found, tests

    def files_with(self, pattern, *globs):
        found = []
        for path in sorted(path for g in globs for path in glob.glob(g, root_dir=self.root)):
            if path.endswith('_test.c') or pattern is None:
                continue
            with open(os.path.join(self.root, path), encoding='utf-8') as file:
                if re.search(pattern, file.read(), re.M):
                    found.append(path)
        return found

    def interface_page(self, interface):
        home = 'kernel' if is_kernel_homed(interface) else 'service'
        found, tests = self.files(interface)
        as_code = lambda paths: ', '.join('`%s`' % path for path in paths)
        facts = [('Home', 'the kernel' if home == 'kernel' else 'a service'),
                 ('Interface id', '`0x%016x`' % interface.id),
                 ('Since', interface.annotations.get('since', FIRST_RELEASE)),
                 ('Schema', '`schema/%s.capnp`' % stem(interface.file)),
                 ('C header', '`<gen/capos/%s.h>`' % stem(interface.file)),
                 ('Implemented in', as_code(found)), ('Tested in', as_code(tests))]
        out = ['# %s\n\n%s\n\n' % (interface.path, interface.doc),
               ''.join('* %s: %s\n' % fact for fact in facts if fact[1]) + '\n',
               self.who(interface), '## Methods\n\n']
        names = methods_of(self.schema, interface)
        out.append(table(['method', 'what it does'], [
            ('[%s](#%s)' % (n.method.name, slug(n.method.name)), sentences(n.method.doc)[0])
            for n in names]))
        out.append('Besides the errors named with a method, every call can end with those of '
                   '[every call](errors.md#every-call). Text in quotation marks is the reason that '
                   'comes with an error.\n\n')
        out += [self.method(interface, n) for n in names]
        types = [node for file in self.schema.files for node in file.declarations
                 if self.places.get(node.id) == interface.path]
        if types:
            out.append('## Types\n\n')
            out += [self.type_section(node) for node in types]
        if home == 'service':
            out.append(self.server(interface))
        return ''.join(out).rstrip() + '\n'

    def who(self, interface):
        out = ['## Who gets it\n\n']
        rows = self.holders.rows(interface.path)
        if rows:
            out.append(table(['who', 'under the name', 'how'], rows))
        makers = self.makers.get(interface.id, [])
        if makers:
            out.append('It is a result of %s.\n\n' % ', '.join(
                '[%s.%s](%s.md#%s)' % (maker.path, method.name, maker.path, slug(method.name))
                for maker, method in makers))
        if not rows and not makers:
            out.append('No system hands it out by name: whoever serves it passes it on in a '
                       'call.\n\n')
        return ''.join(out)

    def server(self, interface):
        return ('## Server glue\n\nA process that serves the interface fills the table of '
                'functions and passes received calls to `%s_serve`; a function that it leaves '
                'out is `unimplemented`. See [how to write a '
                'service](../how-to/service.md).\n\n```c\n%s```\n'
                % (path_constant(interface.path).lower(),
                   without_docs(Server(self.schema, interface).declarations())))

    # ---- Pages of files without interfaces, and the index

    def file_page(self, file, title, intro):
        out = ['# %s\n\n%s\n\n' % (title, intro)]
        out += [self.type_section(node) for node in file.declarations
                if self.places.get(node.id) == stem(file)]
        return ''.join(out).rstrip() + '\n'

    def errors_page(self, file):
        """A heading per status, so that each can be linked to."""
        statuses = ''.join('### %s\n\nStatus %d. %s\n\n' % (status.name, number, status.doc)
                           for number, status in enumerate(self.statuses.enumerants))
        others = ''.join(self.type_section(node) for node in file.declarations
                         if self.places.get(node.id) == stem(file) and node != self.statuses)
        return ('# Errors\n\n%s\n\n%s\n## Statuses\n\n%s## Types\n\n%s'
                % (file.doc or self.statuses.doc, EVERY_CALL, statuses, others)).rstrip() + '\n'

    def index(self):
        rows = [('[%s](%s.md)' % (node.path, node.path), sentences(node.doc)[0],
                 'kernel' if is_kernel_homed(node) else 'service',
                 self.holders.summary(node.path))
                for node in sorted(self.interfaces, key=lambda node: node.path)]
        return ('# Reference\n\nThe interfaces of capOS. Generated from `schema/*.capnp`; the C '
                'signatures are those of `<gen/capos/X.h>`, whose rules are in '
                '[how capOS is put together](../design.md#generated-code-toolsschemac).\n\n'
                + table(['interface', 'what it is', 'home', 'a program gets it'], rows)
                + 'An empty last column: only services hold it, or it is the result of a call. '
                'The page of each interface says which.\n\n'
                '* [Errors](errors.md): every status and what it means.\n'
                '* [Manifest](manifest.md): the types of `system/*.capnp`.\n'
                '* [Invariants](invariants.md) of the modules, from their heads.\n')

    def pages(self):
        pages = {node.path + '.md': self.interface_page(node) for node in self.interfaces}
        for file in self.schema.files:
            if stem(file) == 'errors':
                pages['errors.md'] = self.errors_page(file)
            elif stem(file) in self.places.values():
                title = stem(file).replace('_', ' ').capitalize()
                pages[stem(file) + '.md'] = self.file_page(
                    file, title, 'The types of `schema/%s.capnp`.' % stem(file))
        pages['README.md'] = self.index()
        pages['invariants.md'] = invariants.page(self.root)
        return pages

    def names(self):
        """Where each name is explained: page and anchor."""
        names = {}
        for node in self.interfaces:
            names[node.path] = node.path + '.md'
            for method in node.methods:
                names['%s.%s' % (node.path, method.name)] = '%s.md#%s' % (node.path,
                                                                          slug(method.name))
        for id, page in self.places.items():
            node = self.schema.nodes[id]
            names.setdefault(node.name, '%s.md#%s' % (page, slug(node.name)))
        names['Status'] = 'errors.md#statuses'
        for status in self.statuses.enumerants[1:-1]:      # not ok, nor pending
            names.setdefault(status.name, 'errors.md#' + slug(status.name))
        return names


EVERY_CALL = '''## Every call

A call through any capability can end with these, whatever its method says:

| error | when |
| --- | --- |
| `badCapability` | The CapId names nothing that the caller holds. |
| `wrongInterface` | The capability is of another interface than the call names. |
| `unimplemented` | The interface has no such method, or its server doesn't have it. |
| `badMessage` | The parameters are malformed or exceed a bound. |
| `badAddress`, `badLength` | A buffer isn't the caller's to use, or is too long. |
| `badTransfer` | A capability of the parameters is missing or may not be handed over. |
| `noResultSpace` | The results don't fit the caller's buffer. |
| `overloaded` | A budget, a queue or a table is full. |
| `disconnected` | The object is gone, was revoked, or its server ended. |
| `cancelled`, `timedOut` | The caller withdrew the call, or its time ran out. |
'''


def without_docs(text):
    """C declarations without the comments, which the page has already."""
    return ''.join(line + '\n' for line in text.splitlines()
                   if not line.strip().startswith('//')).strip('\n') + '\n'


def read_schema(paths):
    schema = Schema(read_request(paths))
    find_parts(schema)
    return schema


def write(directory, pages, names):
    os.makedirs(directory, exist_ok=True)
    for name in os.listdir(directory):
        if name.endswith('.md') and name not in pages:
            os.remove(os.path.join(directory, name))
    for name, text in pages.items():
        with open(os.path.join(directory, name), 'w', encoding='utf-8') as file:
            file.write(text)
    with open(os.path.join(directory, 'names.json'), 'w', encoding='utf-8') as file:
        json.dump(names, file, indent=1, sort_keys=True)


def main():
    parser = argparse.ArgumentParser(description='Writes the reference of the interfaces.')
    parser.add_argument('--out', metavar='DIRECTORY', required=True)
    parser.add_argument('schema', nargs='+', help='all schema files')
    arguments = parser.parse_args()
    reference = Reference(read_schema(arguments.schema), '.')
    write(arguments.out, reference.pages(), reference.names())


if __name__ == '__main__':
    main()
