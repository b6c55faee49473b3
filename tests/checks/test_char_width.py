#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of lib/char_width.c against Python's copy of the Unicode database: the
characters of both versions must have the same width."""

import os
import re
import unicodedata
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST = unicodedata.ucd_3_2_0  # its characters are in every version, with few changes since


def tables():
    with open(os.path.join(ROOT, 'lib/char_width.c'), encoding='utf-8') as file:
        text = file.read()
    found = {}
    for name, body in re.findall(r'struct range (\w+)\[\] = \{(.*?)\n\};', text, re.S):
        pairs = re.findall(r'\{0x(\w+), 0x(\w+)\}', body)
        found[name] = [(int(first, 16), int(last, 16)) for first, last in pairs]
    return found


def width_by_database(code_point):
    character = chr(code_point)
    if code_point != 0xad and unicodedata.category(character) in ('Mn', 'Me', 'Cf'):
        return 0
    if 0x1160 <= code_point <= 0x11ff:
        return 0
    return 2 if unicodedata.east_asian_width(character) in 'WF' else 1


class Widths(unittest.TestCase):
    def test_ranges_are_sorted_and_apart(self):
        for ranges in tables().values():
            ends = [end for pair in ranges for end in pair]
            self.assertEqual(ends, sorted(ends))
            self.assertEqual(len({first for first, _ in ranges}), len(ranges))

    def test_widths_are_those_of_the_database(self):
        width = {}
        for name, value in (('wide', 2), ('zero_width', 0)):
            for first, last in tables()[name]:
                width.update((point, value) for point in range(first, last + 1))
        wrong = [hex(point) for point in range(0xa0, 0x110000)
                 if OLDEST.category(chr(point)) not in ('Cn', 'Cs', 'Co')
                 and OLDEST.category(chr(point)) == unicodedata.category(chr(point))
                 and OLDEST.east_asian_width(chr(point)) ==
                 unicodedata.east_asian_width(chr(point))
                 and width.get(point, 1) != width_by_database(point)]
        self.assertEqual(wrong, [])


if __name__ == '__main__':
    unittest.main()
