# SPDX-License-Identifier: MIT
"""The schema as Python objects, from a CodeGeneratorRequest.

Layout of the request: schema.capnp of the Cap'n Proto distribution (the numbers in the
calls below are the offsets that `capnp compile -ocapnp` prints for it).

This file knows Cap'n Proto and nothing of capOS but the names of its annotations.
"""

from dataclasses import dataclass, field
import re

from message import read_root

TYPE_KINDS = ('void bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 '
              'text data list enum struct interface pointer').split()
NO_DISCRIMINANT = 0xffff


@dataclass
class Type:
    kind: str                    # of TYPE_KINDS; 'capability' for the generic Capability
    type_id: int = 0             # of an enum, struct or interface
    element: 'Type' = None       # of a list


@dataclass
class Field:
    name: str
    doc: str
    annotations: dict
    discriminant: int            # NO_DISCRIMINANT outside unions
    code_order: int
    offset: int = 0              # of a slot: in units of the field's size
    type: Type = None            # None: a group
    default: object = 0
    explicit_default: bool = False
    group_id: int = 0


@dataclass
class Method:
    name: str
    doc: str
    annotations: dict
    ordinal: int
    params_id: int
    results_id: int


@dataclass
class Enumerant:
    name: str
    doc: str


@dataclass
class Node:
    id: int
    name: str                    # without the scopes
    scope_id: int
    kind: str                    # file struct enum interface const annotation
    doc: str = ''
    annotations: dict = field(default_factory=dict)
    file: 'Node' = None
    path: str = ''               # names from the file's level on, joined by dots
    nested: list = field(default_factory=list)
    # structs
    data_words: int = 0
    pointer_count: int = 0
    is_group: bool = False
    union_count: int = 0
    union_offset: int = 0
    fields: list = field(default_factory=list)
    # enums, interfaces
    enumerants: list = field(default_factory=list)
    methods: list = field(default_factory=list)
    superclasses: list = field(default_factory=list)
    # files
    filename: str = ''
    imports: list = field(default_factory=list)
    requested: bool = False


class Schema:
    """All nodes of a request, by id, and the requested files in the order of their names."""

    def __init__(self, request_bytes):
        request = read_root(request_bytes)
        documents = {info.u64(0): info for info in request.list(3)}
        raw = {node.u64(0): node for node in request.list(0)}
        self.annotation_names = {
            id: short_name(node) for id, node in raw.items() if node.u16(6) == 5}
        self.nodes = {}
        for id, node in raw.items():
            self.nodes[id] = self._node(node, documents.get(id))
        for node in self.nodes.values():
            self._place(node)
        self.files = []
        for requested in request.list(1):
            file = self.nodes[requested.u64(0)]
            file.requested = True
            file.filename = requested.text(0)
            file.imports = [imported.u64(0) for imported in requested.list(1)]
            self.files.append(file)
        self.files.sort(key=lambda file: file.filename)
        # Declarations in the order of the source, then by id for determinism.
        for file in self.files:
            file.declarations = list(self._declarations(file))

    def _declarations(self, scope):
        for id in scope.nested:
            node = self.nodes[id]
            yield node
            yield from self._declarations(node)

    def of_file(self, file, kind):
        return [node for node in file.declarations if node.kind == kind]

    def _place(self, node):
        names, scope = [], node
        while scope.kind != 'file' and scope.scope_id:
            names.append(scope.name)
            scope = self.nodes[scope.scope_id]
        if scope.kind == 'file':
            node.file = scope
        node.path = '.'.join(reversed(names))

    def _node(self, raw, document):
        kind = 'file struct enum interface const annotation'.split()[raw.u16(6)]
        node = Node(raw.u64(0), short_name(raw), raw.u64(2), kind)
        node.nested = [nested.u64(0) for nested in raw.list(1)]
        node.annotations = self._annotations(raw.list(2))
        node.doc = document.text(0).strip() if document else ''
        docs = [member.text(0).strip() for member in document.list(1)] if document else []
        doc_of = lambda i: docs[i] if i < len(docs) else ''
        if kind == 'struct':
            node.data_words, node.pointer_count = raw.u16(7), raw.u16(12)
            node.is_group = raw.bit(224)
            node.union_count, node.union_offset = raw.u16(15), raw.u32(8)
            node.fields = [self._field(f, doc_of(i)) for i, f in enumerate(raw.list(3))]
        elif kind == 'enum':
            node.enumerants = [Enumerant(e.text(0), doc_of(i)) for i, e in enumerate(raw.list(3))]
        elif kind == 'interface':
            node.methods = [
                Method(m.text(0), doc_of(i), self._annotations(m.list(1)), i, m.u64(1), m.u64(2))
                for i, m in enumerate(raw.list(3))]
            node.superclasses = [s.u64(0) for s in raw.list(4)]
        return node

    def _field(self, raw, doc):
        member = Field(raw.text(0), doc, self._annotations(raw.list(1)), raw.u16(1) ^ 0xffff,
                       raw.u16(0))
        if raw.u16(4) == 1:
            member.group_id = raw.u64(2)
            return member
        member.offset = raw.u32(1)
        member.type = read_type(raw.struct(2))
        member.default = read_value(raw.struct(3))
        member.explicit_default = raw.bit(128)
        return member

    def _annotations(self, raws):
        return {self.annotation_names[raw.u64(0)]: read_value(raw.struct(0)) for raw in raws}


def short_name(raw):
    return raw.text(0)[raw.u32(2):]


def read_type(raw):
    kind = TYPE_KINDS[raw.u16(0)]
    if kind == 'list':
        return Type(kind, element=read_type(raw.struct(0)))
    if kind == 'pointer':
        generic = raw.u16(4) == 0 and raw.u16(5) == 3
        return Type('capability' if generic else 'pointer')
    return Type(kind, raw.u64(1) if kind in ('enum', 'struct', 'interface') else 0)


def read_value(raw):
    if raw is None:
        return None
    kind = TYPE_KINDS[raw.u16(0)]
    if kind == 'bool':
        return raw.bit(16)
    if kind == 'text':
        return raw.text(0)
    if kind == 'data':
        return raw.data_bytes_of(0)
    if kind in ('void', 'list', 'struct', 'interface', 'pointer'):
        return None
    # A number lies at the first place of its size behind the 16-bit discriminant.
    sizes = {'8': 2, '6': 1, '2': 1, '4': 1, 'm': 1}
    return raw.number(kind, sizes[kind[-1]])


def snake(name):
    """capOS's C name of a schema name: `durationNs` is duration_ns, `StdIO` is stdio."""
    return re.sub(r'(?<=.)([A-Z])(?=[a-z])', r'_\1', name).lower()
