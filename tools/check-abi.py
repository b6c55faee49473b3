#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keeps abi.golden: everything that a program compiled today relies on tomorrow.

    tools/check-abi.py              fails, with the difference, if the ABI isn't what
                                    abi.golden says
    tools/check-abi.py --write      rewrites abi.golden (make abi)

Every interface, method, struct, field and enum of schema/, and every struct and constant
of abi/include/abi, a line each, sorted: a change of the ABI is a difference that a
reviewer reads.  Documentation, and the order of declarations, are not part of it.
"""

import argparse
import difflib
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tools', 'schemac'))

from codegen import SCALAR_BITS, is_capability                  # noqa: E402
from model import NO_DISCRIMINANT, Schema                       # noqa: E402
from schemac import read_request                                # noqa: E402

HEADER = '# Written by tools/check-abi.py (make abi).  A difference here is a change of the ABI.\n'


# ---- Schema ------------------------------------------------------------------------

def schema_lines(schema):
    for file in schema.files:
        if schema.of_file(file, 'annotation'):
            continue
        for node in file.declarations:
            if node.kind == 'interface':
                yield from interface_lines(schema, node)
            elif node.kind == 'struct':
                yield 'struct %s 0x%016x words %d pointers %d' % (
                    node.path, node.id, node.data_words, node.pointer_count)
                yield from field_lines(schema, node, node.path)
            elif node.kind == 'enum':
                for value, enumerant in enumerate(node.enumerants):
                    yield 'enum %s %3d %s' % (node.path, value, enumerant.name)


def interface_lines(schema, node):
    home = ('kernel', 'service')[node.annotations['home']]
    yield 'interface %s 0x%016x %s' % (node.path, node.id, home)
    for method in node.methods:
        pending = ' pending' if 'pending' in method.annotations else ''
        yield 'interface %s method %3d %s(%s) -> (%s)%s' % (
            node.path, method.ordinal, method.name,
            struct_summary(schema, method.params_id),
            struct_summary(schema, method.results_id), pending)


def struct_summary(schema, id):
    return ', '.join(member.name for member in schema.nodes[id].fields)


def field_lines(schema, node, path):
    if node.union_count:
        yield 'struct %s union of %d at data bit %d' % (path, node.union_count,
                                                        node.union_offset * 16)
    for member in node.fields:
        name = '%s.%s' % (path, member.name)
        tag = '' if member.discriminant == NO_DISCRIMINANT else ' tag %d' % member.discriminant
        if member.type is None:
            yield 'struct %s group%s' % (name, tag)
            yield from field_lines(schema, schema.nodes[member.group_id], name)
            continue
        yield 'struct %s %s %s%s%s' % (name, type_name(schema, member.type), place(member), tag,
                                       extras(member))


def type_name(schema, type):
    if type.kind == 'list':
        return 'List(%s)' % type_name(schema, type.element)
    if type.kind in ('enum', 'struct', 'interface'):
        return schema.nodes[type.type_id].path
    return type.kind


def place(member):
    bits = SCALAR_BITS.get(member.type.kind)
    if bits is None:
        return 'capability at pointer %d' % member.offset if is_capability(member.type) \
            else 'pointer %d' % member.offset
    return 'data bits %d to %d' % (member.offset * bits, (member.offset + 1) * bits)


def extras(member):
    out = ''
    if member.default:
        out += ' default %s' % member.default
    for annotation, text in (('maxBytes', 'at most %d bytes'), ('maxCount', 'at most %d elements')):
        if annotation in member.annotations:
            out += ' ' + text % member.annotations[annotation]
    return out


# ---- Headers -----------------------------------------------------------------------

def compiler():
    return os.environ.get('CC', 'clang-19')


def header_lines(folder):
    headers = sorted(glob.glob(os.path.join(folder, 'abi', '*.h')))
    includes = ''.join('#include <abi/%s>\n' % os.path.basename(path) for path in headers)
    command = [compiler(), '-std=gnu23', '-I', folder]
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, 'probe.c')
        yield from layout_lines(command, source, includes)
        yield from constant_lines(command, scratch, source, includes, headers)


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def layout_lines(command, source, includes):
    """From clang's own dump of the records: offset, type and name of every member."""
    with open(source, 'w', encoding='utf-8') as file:
        file.write(includes)
    text = run(command + ['-fsyntax-only', '-Xclang', '-fdump-record-layouts-complete', source])
    for dump in text.split('*** Dumping AST Record Layout')[1:]:
        lines = [line for line in dump.splitlines() if '|' in line]
        name = lines[0].split('|', 1)[1].strip()
        if not name.startswith('struct capos_'):
            continue
        size = re.search(r'\[sizeof=(\d+), align=(\d+)', dump)
        yield 'layout %s size %s align %s' % (name, size[1], size[2])
        for line in lines[1:]:
            offset, _, member = line.partition('|')
            member = re.sub(r' at [^)]*\)', ')', member)     # no paths in anonymous unions
            if offset.strip():
                yield 'layout %s offset %4d %s' % (name, int(offset), ' '.join(member.split()))


def constant_lines(command, scratch, source, includes, headers):
    names = set(re.findall(r'^#define (CAPOS_\w+) ', run(command + ['-E', '-dM', source]), re.M))
    for path in headers:
        with open(path, encoding='utf-8') as file:
            text = re.sub(r'//[^\n]*', '', file.read())
        for body in re.findall(r'\benum \w+ \{(.*?)\}', text, re.S):
            names.update(re.findall(r'\b(CAPOS_\w+)\b\s*[=,}\n]', body))
    names = sorted(names)
    with open(source, 'w', encoding='utf-8') as file:
        file.write(includes + '#include <stdio.h>\nint main(void)\n{\n')
        for name in names:
            file.write('    printf("constant %s 0x%%llx\\n", (unsigned long long)(%s));\n'
                       % (name, name))
        file.write('}\n')
    program = os.path.join(scratch, 'probe')
    run(command + [source, '-o', program])
    yield from run([program]).splitlines()


def golden(schema_folder, abi_folder):
    paths = sorted(glob.glob(os.path.join(schema_folder, '*.capnp')))
    lines = list(schema_lines(Schema(read_request(paths)))) + list(header_lines(abi_folder))
    return HEADER + ''.join(line + '\n' for line in sorted(lines))


def main():
    parser = argparse.ArgumentParser(description='Compares the ABI with abi.golden.')
    parser.add_argument('--write', action='store_true', help='rewrite abi.golden')
    parser.add_argument('--schema', default=os.path.join(ROOT, 'schema'), help='the schema files')
    parser.add_argument('--abi', default=os.path.join(ROOT, 'abi', 'include'),
                        help='the include root of the headers')
    parser.add_argument('--golden', default=os.path.join(ROOT, 'abi.golden'))
    arguments = parser.parse_args()
    text = golden(arguments.schema, arguments.abi)
    if arguments.write:
        with open(arguments.golden, 'w', encoding='utf-8') as file:
            file.write(text)
        return
    with open(arguments.golden, encoding='utf-8') as file:
        recorded = file.read()
    if recorded != text:
        sys.stdout.writelines(difflib.unified_diff(
            recorded.splitlines(True), text.splitlines(True), 'abi.golden', 'the ABI now', n=0))
        sys.exit('check-abi: the ABI has changed.  If that is meant: make abi, and say so in '
                 'the commit')
    print('ok abi.golden')


if __name__ == '__main__':
    main()
