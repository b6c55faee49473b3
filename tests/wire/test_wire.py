#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lib/wire and the generated codecs against the reference implementation, the `capnp`
command, in both directions, on random values of every struct of a schema.

    test_wire.py DRIVER [SCHEMA...]

DRIVER is driver.c, built with the codecs of the schema files (default: schema/*.capnp).

Forward: a value goes through `capnp convert text:binary`; the driver must decode it to
the same value.  Back: the driver's encoding goes through `capnp convert binary:json` and
must be the same value.  The canonical form, which cuts trailing zeros off, must decode to
the same value too.  Capability fields can't be written as text; see check_capabilities.

The values depend on a seed that a failure names: SEED=N repeats them.  Prints `ok NAME`
or `FAIL NAME`.
"""

import glob
import json
import os
import random
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools', 'schemac'))

from codegen import SCALAR_BITS, is_capability, stem            # noqa: E402
from model import NO_DISCRIMINANT, Schema                       # noqa: E402
from schemac import read_request                                # noqa: E402

VALUES_PER_STRUCT = 24
LETTERS = 'abcXYZ09 -_/=.:{}[]"\\\u00e9\u20ac'
ENVIRONMENT = dict(os.environ, PWD=ROOT)


class Values:
    """Random values of a schema's structs, as capnp's JSON with every field present."""

    def __init__(self, schema, source):
        self.schema, self.random = schema, source

    def struct(self, node):
        out, union = {}, [m for m in node.fields if m.discriminant != NO_DISCRIMINANT]
        chosen = self.random.choice(union) if union else None
        for member in node.fields:
            if member.discriminant != NO_DISCRIMINANT and member is not chosen:
                continue
            out[member.name] = self.field(member)
        return out

    def field(self, member):
        if member.type is None:
            return self.struct(self.schema.nodes[member.group_id])
        bytes_max = member.annotations.get('maxBytes', 40)
        if member.type.kind == 'list':
            count_max = member.annotations['maxCount']
            count = count_max if self.random.random() < 0.02 else self.random.randint(0, 3)
            return [self.value(member.type.element, bytes_max) for _ in range(count)]
        return self.value(member.type, bytes_max)

    def value(self, type, bytes_max):
        kind = type.kind
        if kind == 'struct':
            return self.struct(self.schema.nodes[type.type_id])
        if kind == 'enum':
            return self.random.choice(self.schema.nodes[type.type_id].enumerants).name
        if kind == 'bool':
            return self.random.random() < 0.5
        if kind == 'text':
            return self.text(self.size(bytes_max))
        if kind == 'data':
            return list(self.random.randbytes(self.size(bytes_max)))
        if is_capability(type) or kind == 'void':
            return None
        return self.number(kind)

    def text(self, size):
        """Exactly `size` bytes of UTF-8."""
        out = ''
        while len(out.encode()) < size:
            letter = self.random.choice(LETTERS)
            out += letter if len((out + letter).encode()) <= size else 'x'
        return out

    def size(self, bytes_max):
        """Mostly short, sometimes exactly at the bound."""
        if self.random.random() < 0.1:
            return bytes_max
        return self.random.randint(0, min(bytes_max, 20))

    def number(self, kind):
        bits = SCALAR_BITS[kind]
        if kind.startswith('float'):
            return self.random.choice([0.0, -1.5, 1024.25, 2.0 ** 60])
        value = self.random.choice([0, 1, (1 << bits) - 1, 1 << (bits - 1),
                                    self.random.getrandbits(bits)])
        if kind.startswith('int') and value >= 1 << (bits - 1):
            value -= 1 << bits
        return str(value)


class Normal:
    """Brings JSON of either side into the form of Values: every field there, numbers as text."""

    def __init__(self, schema):
        self.schema = schema

    def struct(self, node, value):
        out, value = {}, value or {}
        for member in node.fields:
            if member.discriminant != NO_DISCRIMINANT and member.name not in value:
                continue
            out[member.name] = self.field(member, value.get(member.name))
        return out

    def field(self, member, value):
        if member.type is None:
            return self.struct(self.schema.nodes[member.group_id], value)
        if member.type.kind == 'list':
            return [self.value(member.type.element, item) for item in value or []]
        return self.value(member.type, value)

    def value(self, type, value):
        if type.kind == 'struct':
            return self.struct(self.schema.nodes[type.type_id], value)
        if type.kind == 'text':
            return value or ''
        if type.kind == 'data':
            return value or []
        if is_capability(type) or type.kind in ('void', 'bool', 'enum', 'float32', 'float64'):
            return value
        return str(value)


def capnp(conversion, node, data):
    command = ['capnp', 'convert', '--short', '--quiet', '--segment-size=200000', conversion,
               node.file.filename, node.path]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, cwd=ROOT,
                          env=ENVIRONMENT).stdout


def unframe(stream):
    """The single-segment messages of a framed stream."""
    position = 0
    while position < len(stream):
        count, words = struct.unpack_from('<II', stream, position)
        assert count == 0, 'more than one segment'
        yield stream[position + 8:position + 8 + 8 * words]
        position += 8 + 8 * words


def frame(message):
    return struct.pack('<II', 0, len(message) // 8) + message


def drive(driver, index, messages):
    """(decoded JSON, encoding, encoding with marked capabilities) of each message."""
    data = b''.join(struct.pack('<QQ', index, len(m)) + m for m in messages)
    lines = subprocess.run([driver], input=data, stdout=subprocess.PIPE, check=True).stdout
    for line in lines.decode().splitlines():
        if '\t' not in line or '!' in line.rsplit('\t', 1)[-1]:
            raise AssertionError('the driver says ' + line[-60:])
        text, plain, marked = line.split('\t')
        yield json.loads(text), bytes.fromhex(plain), bytes.fromhex(marked)


def check_struct(schema, source, driver, index, node):
    """None, or what is wrong."""
    normal = Normal(schema)
    values = [Values(schema, source).struct(node) for _ in range(VALUES_PER_STRUCT)]
    written = '\n'.join(text_of(schema, node, value) for value in values).encode()
    reference = list(unframe(capnp('text:binary', node, written)))
    canonical = capnp('binary:canonical', node, frame(reference[-1]))
    answers = list(drive(driver, index, reference + [canonical]))
    for value, (decoded, _, _) in zip(values + values[-1:], answers):
        if normal.struct(node, decoded) != value:
            return 'forward: %s became %s' % (value, decoded)
    back = capnp('binary:json', node, b''.join(frame(plain) for _, plain, _ in answers))
    for value, line in zip(values + values[-1:], back.decode().splitlines()):
        if normal.struct(node, json.loads(line)) != value:
            return 'back: %s became %s' % (value, line)
    return check_capabilities(node, answers[0][2])


def check_capabilities(node, marked):
    """Capability i, from 1, is a pointer word of kind 3 with i in its upper half, where the
    schema has the field.  capnp prints only generic ones."""
    members = [m for m in node.fields if m.type is not None and is_capability(m.type)]
    for i, member in enumerate(members, 1):
        place = 8 * (1 + node.data_words + member.offset)
        if struct.unpack_from('<II', marked, place) != (3, i):
            return 'no capability in %s' % member.name
    if members and all(member.type.kind == 'capability' for member in members):
        text = capnp('binary:text', node, frame(marked)).decode()
        for member in members:
            if member.name + ' = <' not in text:
                return 'capnp finds no pointer in %s: %s' % (member.name, text)
    return None


def text_of(schema, node, value):
    """A value in the schema language, which `capnp convert text:...` reads."""
    fields = []
    for member in node.fields:
        item = value.get(member.name)
        if item is None:
            continue
        if member.type is None:
            text = text_of(schema, schema.nodes[member.group_id], item)
        elif member.type.kind == 'list':
            text = '[%s]' % ', '.join(text_of_value(schema, member.type.element, i) for i in item)
        else:
            text = text_of_value(schema, member.type, item)
        fields.append('%s = %s' % (member.name, text))
    return '(%s)' % ', '.join(fields)


def text_of_value(schema, type, value):
    if type.kind == 'struct':
        return text_of(schema, schema.nodes[type.type_id], value)
    if type.kind == 'text':
        return '"%s"' % value.replace('\\', '\\\\').replace('"', '\\"')
    if type.kind == 'data':
        return '0x"%s"' % bytes(value).hex() if value else '""'
    return str(value).lower() if isinstance(value, bool) else str(value)


def main():
    driver = os.path.abspath(sys.argv[1])
    seed = int(os.environ.get('SEED', random.SystemRandom().getrandbits(32)))
    source = random.Random(seed)
    os.chdir(ROOT)
    schema = Schema(read_request(sys.argv[2:] or sorted(glob.glob('schema/*.capnp'))))
    nodes = {(stem(file), node.path): node for file in schema.files
             for node in schema.of_file(file, 'struct')}
    table = subprocess.run([driver, '--table'], stdout=subprocess.PIPE, check=True).stdout
    failed = False
    for index, line in enumerate(table.decode().splitlines()):
        file, path = line.split()
        try:
            wrong = check_struct(schema, source, driver, index, nodes[file, path])
        except (AssertionError, subprocess.CalledProcessError) as error:
            wrong = str(error)
        failed |= wrong is not None
        print('FAIL wire %s SEED=%d: %s' % (path, seed, wrong[:600]) if wrong
              else 'ok wire %s' % path)
    sys.exit(failed)


if __name__ == '__main__':
    main()
