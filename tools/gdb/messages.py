# SPDX-License-Identifier: MIT
"""Submissions and their messages in words, by the schema of the tree that gdb runs in.

Knows nothing of gdb: numbers and bytes in, text out.  The schema is read when it is first
needed, by the `capnp` that builds capOS; without it numbers are shown.
"""
import glob
import os
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "schemac"))

from message import read_struct      # noqa: E402
from model import Schema             # noqa: E402

OPCODES = ("nop", "call", "recv", "return", "return_recv", "release", "cancel")
SHOWN_BYTES_MAX = 64
_schema = None


def schema():
    """The schema's nodes by id; empty without capnp."""
    global _schema
    if _schema is None:
        files = sorted(glob.glob(os.path.join(ROOT, "schema", "*.capnp")))
        try:
            done = subprocess.run(["capnp", "compile", f"-I{ROOT}", "-o-", *files],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            _schema = Schema(done.stdout).nodes
        except (OSError, subprocess.CalledProcessError):
            _schema = {}
    return _schema


def opcode_name(opcode):
    return OPCODES[opcode] if opcode < len(OPCODES) else f"operation {opcode}"


def interface_name(interface_id):
    node = schema().get(interface_id)
    return node.path if node is not None else f"{interface_id:#x}"


def method_of(interface_id, ordinal):
    node = schema().get(interface_id)
    return node.methods[ordinal] if node is not None and ordinal < len(node.methods) else None


def method_name(interface_id, ordinal):
    method = method_of(interface_id, ordinal)
    return f"{interface_name(interface_id)}.{method.name if method else f'method{ordinal}'}"


def quoted(data):
    shown = "".join(chr(byte) if 0x20 <= byte < 0x7f and byte not in b'"\\' else f"\\x{byte:02x}"
                    for byte in data[:SHOWN_BYTES_MAX])
    return f'"{shown}"' + (f"... ({len(data)} bytes)" if len(data) > SHOWN_BYTES_MAX else "")


def field_text(root, field):
    kind = field.type.kind
    if kind == "bool":
        return "true" if root.bit(field.offset) != bool(field.default) else "false"
    if kind == "text":
        return quoted(root.data_bytes_of(field.offset)[:-1])
    if kind == "data":
        return quoted(root.data_bytes_of(field.offset))
    if kind in ("interface", "capability"):
        return "capability"
    if kind in ("list", "struct", "void", "pointer"):
        return kind
    number = root.number(kind, field.offset)
    if kind == "enum":
        names = schema()[field.type.type_id].enumerants
        return names[number].name if number < len(names) else str(number)
    unit = field.annotations.get("unit")
    return f"{number} {unit}" if unit else str(number)


def fields_text(struct_id, data):
    """A flat message as "name: value, ..."; its size if it can't be read."""
    node = schema().get(struct_id)
    if node is None or (data and len(data) < 8):
        return f"{len(data)} bytes"
    try:
        root = read_struct([data], 0, 0) if data else None
        if root is None:
            root = read_struct([bytes(8)], 0, 0) or _empty()
        return ", ".join(f"{field.name}: {field_text(root, field)}"
                         for field in node.fields if field.type is not None)
    except (struct.error, IndexError, ValueError):
        return f"{len(data)} bytes that are no such message"


def _empty():
    return read_struct([struct.pack("<QQ", 1 << 32, 0)], 0, 0)


def call_text(interface_id, ordinal, data):
    """A call: `Timer.sleep(durationNs: 5 ns)`.  data: None if it isn't at hand."""
    method = method_of(interface_id, ordinal)
    name = method_name(interface_id, ordinal)
    if data is None or method is None:
        return f"{name}(...)"
    return f"{name}({fields_text(method.params_id, data)})"
