# SPDX-License-Identifier: MIT
"""Reads Cap'n Proto messages: the little that a CodeGeneratorRequest needs.

The input comes from the `capnp` command on the same machine, so this reader is
short, not hardened; the hardened one is lib/wire.c.  Encoding:
https://capnproto.org/encoding.html
"""

import struct


class Struct:
    """A struct in a message.  Offsets are in units of the field, as the schema has them."""

    def __init__(self, segments, segment, data, data_bytes, pointers, pointer_count):
        self.segments, self.segment = segments, segment
        self.data, self.data_bytes = data, data_bytes
        self.pointers, self.pointer_count = pointers, pointer_count

    def _load(self, form, size, offset):
        start = offset * size
        if start + size > self.data_bytes:
            return 0
        return struct.unpack_from(form, self.segments[self.segment], self.data + start)[0]

    def u16(self, offset):
        return self._load('<H', 2, offset)

    def u32(self, offset):
        return self._load('<I', 4, offset)

    def u64(self, offset):
        return self._load('<Q', 8, offset)

    def bit(self, offset):
        return bool(self._load('<B', 1, offset // 8) >> (offset % 8) & 1)

    def number(self, kind, offset):
        form = {'int8': '<b', 'int16': '<h', 'int32': '<i', 'int64': '<q', 'uint8': '<B',
                'uint16': '<H', 'uint32': '<I', 'uint64': '<Q', 'float32': '<f',
                'float64': '<d', 'enum': '<H'}[kind]
        return self._load(form, struct.calcsize(form), offset)

    def _pointer(self, index):
        if index >= self.pointer_count:
            return None
        return self.segments, self.segment, self.pointers + 8 * index

    def struct(self, index):
        place = self._pointer(index)
        return read_struct(*place) if place else None

    def list(self, index):
        place = self._pointer(index)
        return read_struct_list(*place) if place else []

    def data_bytes_of(self, index):
        place = self._pointer(index)
        return read_bytes(*place) if place else b''

    def text(self, index):
        return self.data_bytes_of(index)[:-1].decode()


def _follow(segments, segment, position):
    """Resolves far pointers: (segment, start of the target, pointer word that describes it)."""
    (word,) = struct.unpack_from('<Q', segments[segment], position)
    if word & 3 != 2:
        offset = (word & 0xffffffff) >> 2
        if offset >= 1 << 29:
            offset -= 1 << 30
        return segment, position + 8 + 8 * offset, word
    pad_segment, pad = word >> 32, 8 * ((word & 0xffffffff) >> 3)
    if not word & 4:
        return _follow(segments, pad_segment, pad)
    far, tag = struct.unpack_from('<QQ', segments[pad_segment], pad)
    return far >> 32, 8 * ((far & 0xffffffff) >> 3), tag


def read_struct(segments, segment, position):
    segment, start, word = _follow(segments, segment, position)
    if word == 0:
        return None
    data_bytes, pointer_count = 8 * (word >> 32 & 0xffff), word >> 48
    return Struct(segments, segment, start, data_bytes, start + data_bytes, pointer_count)


def read_bytes(segments, segment, position):
    segment, start, word = _follow(segments, segment, position)
    return bytes(segments[segment][start:start + (word >> 35)]) if word else b''


def read_struct_list(segments, segment, position):
    segment, start, word = _follow(segments, segment, position)
    if word == 0:
        return []
    size = word >> 32 & 7
    if size != 7:
        raise ValueError('a list of structs with element size %d' % size)
    (tag,) = struct.unpack_from('<Q', segments[segment], start)
    count, data_bytes, pointer_count = (tag & 0xffffffff) >> 2, 8 * (tag >> 32 & 0xffff), tag >> 48
    step = data_bytes + 8 * pointer_count
    return [Struct(segments, segment, start + 8 + i * step, data_bytes,
                   start + 8 + i * step + data_bytes, pointer_count) for i in range(count)]


def read_root(stream_bytes):
    """The root struct of a framed message."""
    segment_count = struct.unpack_from('<I', stream_bytes)[0] + 1
    sizes = struct.unpack_from('<%dI' % segment_count, stream_bytes, 4)
    position = (4 + 4 * segment_count + 7) & ~7
    segments = []
    for size in sizes:
        segments.append(stream_bytes[position:position + 8 * size])
        position += 8 * size
    return read_struct(segments, 0, 0)
