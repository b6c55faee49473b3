# SPDX-License-Identifier: MIT
"""The rules of a manifest beyond its types, which `capnp` checks.

Each rule has a bad manifest in tests/manifest/test_manifest.py.  A message is
`file:line: what is wrong, and what to do`.  init checks again what it depends on: a
manifest that comes another way is hostile to it.
"""

import re

PAGE_BYTES = 4096
STACK_BYTES = 256 * 1024         # of libcapos, for a program that asks for no other
# Of a machine's memory; the rest is for the kernel, the boot package and the requested program.
SERVICES_SHARE = (2, 3)
RESERVED_OF_PROGRAMS = ('memory', 'thread', 'park', 'budget')
RESERVED_OF_SERVICES = (*RESERVED_OF_PROGRAMS, 'endpoint')


class Facts:
    """What a manifest is checked against.

    schema            the model of schema/*.capnp
    kernel            names of the capabilities that the kernel gives to init
    programs          name -> least bytes of its budget, 0 if that isn't known
    machine_bytes     memory of the smallest machine
    """

    def __init__(self, schema, kernel, programs, machine_bytes):
        self.kernel, self.programs, self.machine_bytes = kernel, programs, machine_bytes
        self.interfaces, self.structs = {}, {}
        for file in schema.files:
            for node in file.declarations:
                if node.kind == 'interface':
                    self.interfaces[node.id] = node
                elif node.kind == 'struct':
                    self.structs[node.path] = node
        self.schema = schema


class Part:
    """A value and where it stands."""

    def __init__(self, value, node, sources):
        self.value, self.node, self.sources = value, node, sources

    def __getitem__(self, name):
        """A field; None as its value if it wasn't given."""
        return Part((self.value or {}).get(name), self.sources.field(self.node, name),
                    self.sources)

    def __iter__(self):
        for index, value in enumerate(self.value or []):
            yield Part(value, self.sources.item(self.node, index), self.sources)

    def comment(self):
        return self.sources.comment(self.node)


def quoted(names):
    return ', '.join(sorted(names)) or 'none'


class Check:
    """Checks one manifest; `messages()` are its findings by file and line."""

    def __init__(self, facts, value, path, sources):
        self.facts, self.sources, self.errors = facts, sources, []
        node = sources.constant(path, 'manifest')
        self.manifest = Part(value, node, sources)
        self.services = list(self.manifest['services'])
        self.order = {}              # name -> position of the first service of that name
        for position, service in enumerate(self.services):
            self.order.setdefault(service['name'].value, position)
        self.given_twice(node)
        self.bounds(self.manifest, facts.structs['SystemManifest'])
        for position, service in enumerate(self.services):
            self.service(service, position)
        self.cycles()
        self.budgets()
        self.host_directory(self.manifest['hostDirectory'])
        self.disk(self.manifest['disk'], self.manifest['diskDriver'])
        self.program()

    def report(self, part, message):
        self.errors.append((*part.node.place(), message))

    def messages(self):
        return ['%s:%d: %s' % error for error in sorted(set(self.errors))]

    # ---- What is true of any message

    def given_twice(self, node):
        for path, line, name, first in self.sources.given_twice(node):
            self.errors.append((path, line, 'field "%s" is given twice, first on line %d: '
                                'remove one' % (name, first)))
        for source in self.sources.files.values():
            for name, line, first in source.twice:
                self.errors.append((source.path, line, 'constant "%s" is declared twice, first '
                                    'on line %d: remove one' % (name, first)))

    def bounds(self, part, struct):
        """The bounds that the schema annotates."""
        for member in struct.fields:
            value = part[member.name]
            if value.value is None:
                continue
            if member.type is None:
                self.bounds(value, self.facts.schema.nodes[member.group_id])
                continue
            if member.type.kind == 'list':
                self.bounds_of_list(value, member)
            elif 'maxBytes' in member.annotations:
                self.text(value, member.name, member.annotations['maxBytes'])

    def bounds_of_list(self, part, member):
        most = member.annotations['maxCount']
        if len(part.value) > most:
            self.report(part, '%s has %d elements, the most is %d'
                        % (member.name, len(part.value), most))
        for element in part:
            if member.type.element.kind == 'struct':
                self.bounds(element, self.facts.schema.nodes[member.type.element.type_id])

    def text(self, part, name, most):
        size = len(part.value.encode())
        if size > most:
            self.report(part, '%s "%s" has %d bytes, the most is %d'
                        % (name, part.value, size, most))

    def unique(self, parts, what, place):
        """Names of CapSet entries, exports, services: there, and each one once."""
        seen = {}
        for part in parts:
            name = part['name'].value
            if not name:
                self.report(part, '%s: %s has no name' % (place, what))
            elif name in seen:
                self.report(part['name'], '%s: two %ss are called "%s", the first on line %d'
                            % (place, what, name, seen[name]))
            else:
                seen[name] = part['name'].node.line
        return seen

    # ---- Services

    def service(self, service, position):
        name = service['name'].value
        place = 'service %s' % (name or position)
        if not name:
            self.report(service, 'service %d has no name' % position)
        elif self.order[name] != position:
            first = self.services[self.order[name]]['name']
            self.report(service['name'], 'two services are called "%s", the first on line %d'
                        % (name, first.node.line))
        self.binary(service['binary'], place)
        self.grants(service['grants'], place, RESERVED_OF_SERVICES)
        self.exports(service['exports'], place)
        self.restart(service, place)

    def restart(self, service, place):
        """init itself calls HostControl; it can't wait for what it has to restart."""
        for export in service['exports']:
            interface = self.facts.interfaces.get(int(export['interfaceId'].value or 0))
            if interface and interface.path == 'HostControl' and \
                    service['restart'].value not in (None, 'never'):
                self.report(service['restart'], '%s serves HostControl, which init calls, so it '
                            'can\'t be restarted: write restart = never' % place)

    def binary(self, binary, place):
        if not binary.value:
            self.report(binary, '%s has no binary: add binary = "PROGRAM"' % place)
        elif binary.value not in self.facts.programs:
            self.report(binary, '%s: no program "%s" is built: services/%s, programs/%s and '
                        'programs/%s.c are not there'
                        % (place, *[binary.value] * 4))

    def exports(self, exports, place):
        self.unique(exports, 'export', place)
        words = {}
        for export in exports:
            named = '%s: export %s' % (place, export['name'].value)
            self.interface(export['interfaceId'], named)
            word = int(export['word'].value or 0)
            if word in words:
                self.report(export['word'], '%s has the word %d of export %s: the service could '
                            'not tell them apart' % (named, word, words[word]))
            words.setdefault(word, export['name'].value)

    def interface(self, part, named):
        interface_id = int(part.value or 0)
        interface = self.facts.interfaces.get(interface_id)
        by_name = {node.path: node for node in self.facts.interfaces.values()}
        meant = by_name.get(part.comment())
        if interface is None:
            self.report(part, '%s: no interface of the schema has the id 0x%016x%s'
                        % (named, interface_id, meant and ': %s has 0x%016x'
                           % (meant.path, meant.id) or ''))
        elif meant not in (None, interface):
            self.report(part, '%s: the id is that of %s, the comment says %s, which has 0x%016x'
                        % (named, interface.path, meant.path, meant.id))
        elif interface.annotations.get('home') == 0:
            self.report(part, '%s: %s is an interface of the kernel, which no service can serve'
                        % (named, interface.path))

    # ---- Grants

    def grants(self, grants, place, reserved):
        self.unique(grants, 'grant', place)
        for grant in grants:
            name = grant['name'].value
            if name in reserved:
                self.report(grant['name'], '%s: the grant "%s" is made by init: give this one '
                            'another name' % (place, name))
            self.source(grant, '%s: grant %s' % (place, name))

    def source(self, grant, named):
        source = grant['source']
        if (source.value or {}).get('service') is not None:
            self.export_source(source['service'], named)
        elif not (source.value or {}).get('kernel'):
            self.report(grant, '%s has no source: add source = (kernel = "NAME") or (service = '
                        '(service = "NAME", export = "NAME"))' % named)
        elif source['kernel'].value not in self.facts.kernel:
            self.report(source['kernel'], '%s: the kernel gives no "%s"; it gives: %s'
                        % (named, source['kernel'].value, quoted(self.facts.kernel)))

    def export_source(self, source, named):
        service, export = source['service'], source['export']
        if service.value not in self.order:
            self.report(service, '%s: there is no service "%s"; there are: %s'
                        % (named, service.value, quoted(filter(None, self.order))))
            return
        exports = self.services[self.order[service.value]]['exports']
        names = [part['name'].value for part in exports]
        if export.value not in names:
            self.report(export, '%s: service %s has no export "%s"; it exports: %s'
                        % (named, service.value, export.value, quoted(filter(None, names))))

    # ---- Cycles

    def cycles(self):
        """A service is granted exports of earlier services only, so there is no cycle."""
        uses = [self.used_services(service) for service in self.services]
        for position, used in enumerate(uses):
            user = self.services[position]['name'].value
            for target, grant in used:
                if target < position:
                    continue
                other = self.services[target]['name'].value
                back = self.path_between(uses, target, position)
                if target == position:
                    text = 'service %s is granted an export of its own' % user
                elif back:
                    text = 'a cycle: service %s is granted an export of %s' \
                        % (user, ', which is granted one of '.join(
                            self.services[step]['name'].value for step in back))
                else:
                    text = ('service %s is granted an export of %s, which starts later: move %s '
                            'before it' % (user, other, other))
                self.report(grant['source'], text)

    def used_services(self, service):
        """[(position, grant)] of the services whose exports it is granted."""
        used = []
        for grant in service['grants']:
            name = ((grant['source'].value or {}).get('service') or {}).get('service')
            if name in self.order:
                used.append((self.order[name], grant))
        return used

    def path_between(self, uses, start, end):
        """Positions from start to end along grants; [] if there is no way."""
        paths, seen = [[start]], {start}
        while paths:
            path = paths.pop(0)
            if path[-1] == end:
                return path
            for target, _ in uses[path[-1]]:
                if target not in seen:
                    seen.add(target)
                    paths.append(path + [target])
        return []

    # ---- Budgets

    def budgets(self):
        """Of what every machine starts; who asks for more gives the machine the memory."""
        share, whole = SERVICES_SHARE
        total, most = 0, self.facts.machine_bytes * share // whole
        for service in self.services:
            size = int(service['budgetBytes'].value or 0)
            self.budget(service, size)
            if service['onDemand'].value:
                continue
            if total <= most < total + size:
                self.report(service['budgetBytes'], 'the budgets of the services up to %s are %d '
                            'bytes, the most is %d: two thirds of the smallest '
                            'machine'
                            % (service['name'].value, total + size, most))
            total += size

    def budget(self, service, size):
        name, binary = service['name'].value, service['binary'].value
        least = self.facts.programs.get(binary, 0)
        if size == 0:
            self.report(service['budgetBytes'], 'service %s has no budget: add budgetBytes'
                        % name)
        elif size % PAGE_BYTES != 0:
            self.report(service['budgetBytes'], 'service %s: budgetBytes is %d, which is no '
                        'multiple of %d' % (name, size, PAGE_BYTES))
        elif size < least:
            self.report(service['budgetBytes'], 'service %s: budgetBytes is %d, less than the %d '
                        'that the data and the stack of %s take' % (name, size, least, binary))

    # ---- What is started for a request

    def on_request(self, service, place, *interfaces):
        """It is started when all services have been, so it may use the exports of each.
        False: the system has none."""
        if not (service.value or {}).get('name'):
            return False
        self.binary(service['binary'], place)
        self.grants(service['grants'], place, (*RESERVED_OF_SERVICES, 'device'))
        self.exports(service['exports'], place)
        self.budget(service, int(service['budgetBytes'].value or 0))
        exported = {int(export['interfaceId'].value or 0) for export in service['exports']}
        for node in self.facts.interfaces.values():
            if node.path in interfaces and node.id not in exported:
                self.report(service['exports'], '%s exports no %s, which has 0x%016x'
                            % (place, node.path, node.id))
        return True

    def host_directory(self, service):
        if self.on_request(service, 'hostDirectory', 'Directory', 'ReadOnlyDirectory') and \
                service['restart'].value not in (None, 'never'):
            self.report(service['restart'], 'hostDirectory can\'t be restarted: what its clients '
                        'hold would be gone: write restart = never')

    def disk(self, service, driver):
        served = self.on_request(service, 'disk', 'Directory')
        driven = self.on_request(driver, 'diskDriver', 'BlockDevice')
        if served != driven:
            self.report(service if served else driver, 'disk and diskDriver need each other: '
                        'give both or none')

    # ---- The requested program

    def program(self):
        given, offered = self.manifest['programGrants'], self.manifest['grantable']
        self.grants(given, 'programGrants', RESERVED_OF_PROGRAMS)
        self.grants(offered, 'grantable', RESERVED_OF_PROGRAMS)
        names = {grant['name'].value for grant in given}
        for grant in offered:
            if grant['name'].value in names:
                self.report(grant['name'], 'grantable: every program has "%s" from '
                            'programGrants: remove one' % grant['name'].value)


def kernel_names(text):
    """The capabilities that the kernel gives to init, from the code that does."""
    return set(re.findall(r'\bgrant(?:_own)?\(init, "(\w+)"', text))
