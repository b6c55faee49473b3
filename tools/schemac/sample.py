# SPDX-License-Identifier: MIT
"""Valid messages for tests: what the fuzzer starts from and what the negative tests spoil."""

from codegen import SCALAR_BITS, Layout, default_bits, is_capability, offset_bits

TEXT = b'sample 1'


class Sample:
    """A message of a struct with every field set: texts and data of eight bytes, lists of
    two elements, the highest member of each union.  `places` maps the path of each leaf
    of the root to the word with its pointer or value."""

    def __init__(self, schema, layout, capability=0):
        self.schema, self.words, self.places = schema, [0], {}
        self.capability = capability
        self.words[0] = layout.data_words << 32 | layout.pointer_count << 48
        start = self.take(layout.words)
        for leaf in self.active(layout):
            self.places[leaf.path] = self.word_of(layout, leaf, start)
        self.fill(layout, start)

    def take(self, count):
        start = len(self.words)
        self.words += [0] * count
        return start

    @staticmethod
    def word_of(layout, leaf, start):
        if leaf.type.kind in SCALAR_BITS:
            return start + offset_bits(leaf) // 64
        return start + layout.data_words + leaf.field.offset

    @staticmethod
    def active(layout):
        """The leaves that the highest members of all unions leave."""
        highest = {}
        for leaf in layout.leaves:
            for guard in leaf.guards:
                highest[guard.which] = max(highest.get(guard.which, 0), guard.value)
        return [leaf for leaf in layout.leaves
                if all(guard.value == highest[guard.which] for guard in leaf.guards)]

    def fill(self, layout, start):
        for leaf in self.active(layout):
            for guard in leaf.guards:
                self.set_bits(start, guard.offset_bits, 16, guard.value)
            place = self.word_of(layout, leaf, start)
            if leaf.type.kind in SCALAR_BITS:
                self.scalar(leaf, start)
            elif is_capability(leaf.type):
                self.words[place] = self.capability << 32 | 3
            elif leaf.type.kind == 'struct':
                self.struct(leaf.type, place)
            elif leaf.type.kind == 'list':
                self.list(leaf.type.element, place)
            else:
                self.bytes(place, leaf.type.kind, leaf.bound)

    def set_bits(self, start, offset, bits, value):
        word, shift = start + offset // 64, offset % 64
        self.words[word] &= ~(((1 << bits) - 1) << shift)
        self.words[word] |= value << shift

    def scalar(self, leaf, start):
        value = 1                    # in the range of every enum with two values
        if leaf.type.kind == 'enum':
            value = len(self.schema.nodes[leaf.type.type_id].enumerants) - 1
        self.set_bits(start, offset_bits(leaf), SCALAR_BITS[leaf.type.kind],
                      value ^ default_bits(leaf))

    def bytes(self, place, kind, bound):
        content = TEXT[:min(len(TEXT), bound if bound is not None else len(TEXT))]
        content += b'\0' if kind == 'text' else b''
        start = self.take((len(content) + 7) // 8)
        self.point(place, start, 2, len(content))
        for i, byte in enumerate(content):
            self.words[start + i // 8] |= byte << 8 * (i % 8)

    def point(self, place, target, size, count):
        self.words[place] = (target - place - 1) << 2 | 1 | size << 32 | count << 35

    def struct(self, type, place):
        inner = Layout(self.schema, self.schema.nodes[type.type_id])
        start = self.take(inner.words)
        self.words[place] = ((start - place - 1) << 2 | inner.data_words << 32
                             | inner.pointer_count << 48)
        self.fill(inner, start)

    def list(self, element, place):
        if element.kind == 'struct':
            inner = Layout(self.schema, self.schema.nodes[element.type_id])
            tag = self.take(1 + 2 * inner.words)
            self.words[tag] = 2 << 2 | inner.data_words << 32 | inner.pointer_count << 48
            self.point(place, tag, 7, 2 * inner.words)
            for i in range(2):
                self.fill(inner, tag + 1 + i * inner.words)
        elif element.kind in ('text', 'data'):
            start = self.take(2)
            self.point(place, start, 6, 2)
            for i in range(2):
                self.bytes(start + i, element.kind, None)
        else:
            bits = SCALAR_BITS[element.kind]
            start = self.take((2 * bits + 63) // 64)
            self.point(place, start, {8: 2, 16: 3, 32: 4, 64: 5}[bits], 2)


def c_words(words):
    return ', '.join('0x%x' % word for word in words)
