# SPDX-License-Identifier: MIT
"""gen/descriptor.{h,c}: the whole schema as a blob of bytes, for programs that learn at run
time what an interface has: the shell, the tracer, dynamic languages.  lib/descriptor.h reads
it and is the manual of the format; this file writes it.

All numbers are little-endian.  A string is the offset of a NUL-terminated UTF-8 text in the
section of strings, whose first byte is the empty string.  Structs and enums are named by
their index in their section; so are the first method, field and enumerant of their owner.
"""

import struct
import sys

from codegen import HEAD, SCALAR_BITS, is_kernel_homed

MAGIC, VERSION = 0x53445043, 1     # "CPDS"
HEADER = struct.Struct('<IIII')
SECTION = struct.Struct('<II')     # offset in bytes, count of records or bytes
INTERFACE = struct.Struct('<QIIIHH')
METHOD = struct.Struct('<IIIIHH')
STRUCT = struct.Struct('<IIIHHHHHHII')
FIELD = struct.Struct('<IIIBBHIIIIQQ')
ENUM = struct.Struct('<IIII')
ENUMERANT = struct.Struct('<II')
SECTIONS = ('interfaces', 'methods', 'structs', 'fields', 'enums', 'enumerants', 'strings')
DEPTH_MAX = 16

# The order is the values of enum descriptor_kind.
KINDS = ('void bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 '
         'text data list enum struct capability group').split()
UNBOUNDED = 0xffffffff

FLAG_KERNEL = FLAG_PENDING = FLAG_GROUP = 1


class Strings:
    def __init__(self):
        self.bytes, self.offsets = bytearray(1), {'': 0}

    def add(self, text):
        if text not in self.offsets:
            self.offsets[text] = len(self.bytes)
            self.bytes += text.encode() + b'\0'
        return self.offsets[text]


def kind_of(type):
    kind = {'interface': 'capability', 'pointer': 'void'}.get(type.kind, type.kind)
    return KINDS.index(kind)


class Blob:
    def __init__(self, schema):
        self.schema, self.strings = schema, Strings()
        self.struct_order, self.struct_index, self.struct_names = [], {}, {}
        self.enum_order, self.enum_index = [], {}
        self.fields = []
        self.parts = {name: bytearray() for name in SECTIONS}
        nodes = [node for file in schema.files for node in file.declarations]
        interfaces = sorted((node for node in nodes if node.kind == 'interface'),
                            key=lambda node: node.id)
        for node in nodes:
            if node.kind == 'struct' and not node.is_group:
                self.struct_of(node.id)
            elif node.kind == 'enum':
                self.enum_of(node.id)
        for node in interfaces:
            self.interface(node)
        # Grows while it is walked: a field may lead to a group.
        for id in self.struct_order:
            self.struct(schema.nodes[id])
        for id in self.enum_order:
            self.enum(schema.nodes[id])

    def struct_of(self, id, name=None):
        if id not in self.struct_index:
            self.struct_index[id] = len(self.struct_order)
            self.struct_order.append(id)
            self.struct_names[id] = name or self.schema.nodes[id].path
        return self.struct_index[id]

    def enum_of(self, id):
        if id not in self.enum_index:
            self.enum_index[id] = len(self.enum_order)
            self.enum_order.append(id)
        return self.enum_index[id]

    def interface(self, node):
        first = len(self.parts['methods']) // METHOD.size
        self.parts['interfaces'] += INTERFACE.pack(
            node.id, self.strings.add(node.path), self.strings.add(node.doc), first,
            len(node.methods), FLAG_KERNEL if is_kernel_homed(node) else 0)
        for method in node.methods:
            # An inline parameter list is a struct without a name.
            stem = node.path + '.' + method.name[:1].upper() + method.name[1:]
            self.parts['methods'] += METHOD.pack(
                self.strings.add(method.name), self.strings.add(method.doc),
                self.struct_of(method.params_id, self.name_of(method.params_id, stem + 'Params')),
                self.struct_of(method.results_id,
                               self.name_of(method.results_id, stem + 'Results')),
                method.ordinal, FLAG_PENDING if 'pending' in method.annotations else 0)

    def name_of(self, id, otherwise):
        node = self.schema.nodes[id]
        return node.path if node.scope_id else otherwise

    def struct(self, node):
        first = len(self.parts['fields']) // FIELD.size
        for member in node.fields:
            self.field(node, member)
        self.parts['structs'] += STRUCT.pack(
            self.strings.add(self.struct_names[node.id]), self.strings.add(node.doc), first,
            len(node.fields), node.data_words, node.pointer_count, self.depth(node, ()),
            node.union_count, FLAG_GROUP if node.is_group else 0, node.union_offset * 16, 0)

    def field(self, node, member):
        kind, element, index, interface_id, offset = KINDS.index('group'), 0, 0, 0, 0
        if member.type is None:
            index = self.struct_of(member.group_id, self.struct_names[node.id] + '.' + member.name)
        else:
            inner = member.type.element or member.type
            kind = kind_of(member.type)
            element = kind_of(inner) if member.type.element else 0
            offset = member.offset * SCALAR_BITS.get(member.type.kind, 1)
            if inner.kind == 'struct':
                index = self.struct_of(inner.type_id)
            elif inner.kind == 'enum':
                index = self.enum_of(inner.type_id)
            elif inner.kind == 'interface':
                interface_id = inner.type_id
        self.parts['fields'] += FIELD.pack(
            self.strings.add(member.name), self.strings.add(member.doc),
            self.strings.add(member.annotations.get('unit', '')), kind, element,
            member.discriminant, offset, member.annotations.get('maxBytes', UNBOUNDED),
            member.annotations.get('maxCount', UNBOUNDED), index, default_of(member),
            interface_id)

    def enum(self, node):
        self.parts['enums'] += ENUM.pack(
            self.strings.add(node.path), self.strings.add(node.doc),
            len(self.parts['enumerants']) // ENUMERANT.size, len(node.enumerants))
        for enumerant in node.enumerants:
            self.parts['enumerants'] += ENUMERANT.pack(self.strings.add(enumerant.name),
                                                       self.strings.add(enumerant.doc))

    def depth(self, node, above):
        """How deep structs nest in a struct; readers recurse that far and no further."""
        if node.id in above or len(above) >= DEPTH_MAX:
            sys.exit('schemac: %s nests in itself or deeper than %d' % (node.path, DEPTH_MAX))
        deepest = 0
        for member in node.fields:
            inner = member.type and (member.type.element or member.type)
            below = member.group_id if inner is None else (
                inner.type_id if inner.kind == 'struct' else 0)
            if below:
                deepest = max(deepest, 1 + self.depth(self.schema.nodes[below],
                                                      above + (node.id,)))
        return deepest

    def bytes(self):
        self.parts['strings'] = self.strings.bytes
        sizes = {'interfaces': INTERFACE.size, 'methods': METHOD.size, 'structs': STRUCT.size,
                 'fields': FIELD.size, 'enums': ENUM.size, 'enumerants': ENUMERANT.size,
                 'strings': 1}
        at = HEADER.size + SECTION.size * len(SECTIONS)
        table, body = b'', b''
        for name in SECTIONS:
            part = bytes(self.parts[name])
            table += SECTION.pack(at, len(part) // sizes[name])
            part += b'\0' * (-len(part) % 8) if name != 'strings' else b''
            body, at = body + part, at + len(part)
        return HEADER.pack(MAGIC, VERSION, at, 0) + table + body


def default_of(member):
    """The bits of a scalar's default, which are XORed into what is stored."""
    value = member.default
    if member.type is None or not value or member.type.kind not in SCALAR_BITS:
        return 0
    if member.type.kind in ('float32', 'float64'):
        form = ('<f', '<I') if member.type.kind == 'float32' else ('<d', '<Q')
        return struct.unpack(form[1], struct.pack(form[0], value))[0]
    return int(value) & ((1 << SCALAR_BITS[member.type.kind]) - 1)


def descriptor_files(schema):
    blob = Blob(schema).bytes()
    head = HEAD % 'schema/*.capnp'
    header = head + '''// The whole schema at run time; lib/descriptor.h reads it and states the format.
#pragma once

#include <stdint.h>

constexpr uint32_t DESCRIPTOR_BLOB_BYTES = %d;
extern const uint8_t descriptor_blob[DESCRIPTOR_BLOB_BYTES];
''' % len(blob)
    lines = [', '.join('%d' % byte for byte in blob[i:i + 24]) for i in range(0, len(blob), 24)]
    source = (head + '#include <gen/descriptor.h>\n\n'
              'const uint8_t descriptor_blob[DESCRIPTOR_BLOB_BYTES] = {\n    '
              + ',\n    '.join(lines) + ',\n};\n')
    return {'descriptor.h': header, 'descriptor.c': source}
