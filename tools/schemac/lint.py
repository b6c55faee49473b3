# SPDX-License-Identifier: MIT
"""The rules that a capOS schema keeps beyond those of Cap'n Proto.

Each rule has a test in tests/schemac/test_schemac.py that breaks it.  A message is
`file:line: what is wrong, and what to do`.  Duplicate type ids and ordinals are not here:
`capnp` refuses them itself, in the same form.
"""

from codegen import C_KEYWORDS, SCALAR_BITS, Layout, c_name, is_kernel_homed
from model import snake

CAPS_MAX = 16                    # CAPOS_TRANSFER_COUNT_MAX
PARAMS_BYTES_MAX = 4096 - 64     # INVOCATION_PARAMS_BYTES_MAX, less room for newer fields
RESULTS_BYTES_MAX = 4608         # INVOCATION_RESULTS_BYTES_MAX
MESSAGE_BYTES_MAX = 65536        # CAPOS_MESSAGE_BYTES_MAX
NESTING_MAX = 16
LIST_ELEMENTS = {'struct', 'text', 'data', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16',
                 'uint32', 'uint64'}


class Lint:
    """Checks a schema; `errors` are its findings, in the order of the files."""

    def __init__(self, schema, sources):
        self.schema, self.sources, self.errors = schema, sources, []
        self.method_structs = {}     # id of a params or results struct -> (interface, method)
        for file in schema.files:
            for node in file.declarations:
                if node.kind == 'interface':
                    self.interface(node)
        for file in schema.files:
            if schema.of_file(file, 'annotation'):
                continue
            for node in file.declarations:
                if node.kind == 'struct' and not node.is_group:
                    self.struct(node)
                elif node.kind == 'enum':
                    self.enum(node)
        self.c_name_clashes()
        self.errors.sort()

    def report(self, file, path, message):
        source = self.sources[file.filename]
        self.errors.append((source.path, source.line(path), message))

    def messages(self):
        return ['%s:%d: %s' % error for error in self.errors]

    # ---- Documentation, names, ids

    def documented(self, file, path, what, doc):
        if not doc:
            self.report(file, path, '%s has no documentation: add a comment behind it' % what)

    def c_name_clashes(self):
        seen = {}
        for file in self.schema.files:
            for node in file.declarations:
                if node.kind not in ('struct', 'enum', 'interface'):
                    continue
                key = (node.kind == 'interface', c_name(node))
                if key in seen:
                    self.report(file, node.path, '%s and %s have the same name in C: %s'
                                % (node.path, seen[key], c_name(node)))
                seen[key] = node.path

    # ---- Interfaces

    def interface(self, node):
        self.documented(node.file, node.path, 'interface %s' % node.path, node.doc)
        if 'home' not in node.annotations:
            self.report(node.file, node.path,
                        'interface %s has no home: add $home(kernel) or $home(service)' % node.path)
        if node.superclasses:
            self.report(node.file, node.path,
                        'interface %s extends another one, which capOS does not support: '
                        'the interface is the permission' % node.path)
        for method in node.methods:
            self.method(node, method)

    def method(self, node, method):
        path = '%s.%s' % (node.path, method.name)
        self.documented(node.file, path, 'method %s' % path, method.doc)
        for struct_id, suffix in ((method.params_id, 'Params'), (method.results_id, 'Results')):
            struct = self.schema.nodes[struct_id]
            expected = method.name[0].upper() + method.name[1:] + suffix
            if struct.scope_id == 0:         # written in place
                if struct.fields:
                    self.report(node.file, path, 'the %s of method %s are written in place: '
                                'declare struct %s in the interface'
                                % (suffix.lower(), path, expected))
                continue
            if struct.name != expected or struct.scope_id != node.id:
                self.report(node.file, path, 'method %s uses struct %s: it must be %s.%s'
                            % (path, struct.path, node.path, expected))
                continue
            self.method_structs[struct_id] = (node, method)
            self.method_struct(node, path, Layout(self.schema, struct), suffix)

    def method_struct(self, node, path, layout, suffix):
        if not layout.is_flat and is_kernel_homed(node):
            self.report(node.file, layout.node.path, '%s of %s is not flat: a kernel-homed method '
                        'has scalars, enums, bounded Text and Data, and capabilities only'
                        % (layout.node.name, path))
            return
        self.inner_capabilities(layout)
        for leaf in layout.leaves:
            if is_kernel_homed(node) and leaf.is_optional:
                self.report(node.file, '%s.%s' % (layout.node.path, leaf.field.name),
                            'field %s.%s is optional: the kernel always takes and gives '
                            'a capability' % (layout.node.path, leaf.field.name))
            if is_kernel_homed(node) and leaf.type.kind in ('float32', 'float64'):
                self.report(node.file, '%s.%s' % (layout.node.path, leaf.field.name),
                            'field %s.%s is a float: the kernel has no floating point'
                            % (layout.node.path, leaf.field.name))
        if len(layout.capabilities) > CAPS_MAX:
            self.report(node.file, layout.node.path, '%s has %d capabilities, the most is %d'
                        % (layout.node.path, len(layout.capabilities), CAPS_MAX))
        limit = MESSAGE_BYTES_MAX
        if is_kernel_homed(node):
            limit = PARAMS_BYTES_MAX if suffix == 'Params' else RESULTS_BYTES_MAX
        size = layout.bytes_max()
        if size is not None and size > limit:
            self.report(node.file, layout.node.path, '%s takes up to %d bytes, the most is %d'
                        % (layout.node.path, size, limit))

    def inner_capabilities(self, layout):
        """No capability lies within a list or struct of a message: who takes or releases it
        would have to search for it."""
        for leaf in layout.leaves:
            for type in (leaf.type, leaf.type.element):
                if type is None or type.kind != 'struct':
                    continue
                inner = Layout(self.schema, self.schema.nodes[type.type_id])
                for capability in inner.capabilities:
                    path = '%s.%s' % (inner.node.path, capability.field.name)
                    self.report(inner.node.file, path, 'field %s is a capability within a list or '
                                'struct of %s: only its own fields may be'
                                % (path, layout.node.path))
                self.inner_capabilities(inner)

    # ---- Structs and enums

    def struct(self, node):
        if node.id not in self.method_structs:
            self.documented(node.file, node.path, 'struct %s' % node.path, node.doc)
        self.fields(node, node.path)
        self.nesting(node)

    def fields(self, node, path):
        for member in node.fields:
            member_path = '%s.%s' % (path, member.name)
            if member.type is None:
                self.fields(self.schema.nodes[member.group_id], member_path)
                continue
            self.documented(node.file, member_path, 'field %s' % member_path, member.doc)
            self.field(node.file, member, member_path)

    def field(self, file, member, path):
        kind = member.type.kind
        if kind in ('text', 'data') and 'maxBytes' not in member.annotations:
            self.report(file, path, 'field %s has no bound: add $maxBytes' % path)
        if kind == 'list':
            if 'maxCount' not in member.annotations:
                self.report(file, path, 'field %s has no bound: add $maxCount' % path)
            if member.type.element.kind not in LIST_ELEMENTS:
                self.report(file, path, 'field %s is a list of %s, which the compiler does not '
                            'support' % (path, member.type.element.kind))
        if 'optional' in member.annotations and kind not in ('interface', 'capability'):
            self.report(file, path, 'field %s is optional: only capabilities can be' % path)
        if kind == 'pointer':
            self.report(file, path, 'field %s is an AnyPointer: name its type' % path)
        if member.explicit_default and kind not in SCALAR_BITS:
            self.report(file, path, 'field %s has a default: only numbers, Bool and enums may'
                        % path)
        if snake(member.name) in C_KEYWORDS:
            self.report(file, path, 'field %s is a keyword of C: rename it' % path)

    def nesting(self, node, above=()):
        """No struct contains itself, so a decoder's recursion is bounded by the schema."""
        if node.id in above:
            if node.id == above[0]:
                self.report(node.file, node.path, 'struct %s contains itself' % node.path)
            return
        if len(above) >= NESTING_MAX:
            self.report(node.file, node.path, 'struct %s nests deeper than %d'
                        % (node.path, NESTING_MAX))
            return
        for leaf in Layout(self.schema, node).leaves:
            for type in (leaf.type, leaf.type.element):
                if type is not None and type.kind == 'struct':
                    self.nesting(self.schema.nodes[type.type_id], above + (node.id,))

    def enum(self, node):
        for enumerant in node.enumerants:
            path = '%s.%s' % (node.path, enumerant.name)
            self.documented(node.file, path, 'enumerant %s' % path, enumerant.doc)

