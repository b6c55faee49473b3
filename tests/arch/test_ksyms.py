#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the tables that tools/ksyms.py put into the kernel against the image itself."""

import os
import struct
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools'))

import ksyms                                                    # noqa: E402

FIRST = os.path.join(ROOT, 'build/kernel/unnamed.elf')
SECOND = os.path.join(ROOT, 'build/kernel/kernel.elf')


def read(path):
    with open(path, 'rb') as file:
        return ksyms.Image(file.read())


def section_bytes(image, address, end):
    """What is loaded at [address, end)."""
    for _, _, _, base, offset, size_bytes, *_ in image.sections:
        if base <= address and end <= base + size_bytes:
            start = offset + address - base
            return image.data[start:start + end - address]
    raise AssertionError(f'{address:#x} is not in the image')


class Tables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.first, cls.second = read(FIRST), read(SECOND)
        cls.image_start = cls.second.address_of('image_start')

    def table(self, name):
        return section_bytes(self.second, self.second.address_of(f'{name}_start'),
                             self.second.address_of(f'{name}_end'))

    def test_the_tables_moved_nothing(self):
        end = self.first.address_of('ksyms_start')

        def named(image):   # the first link also has symbols of sections, without names
            return {(name, value) for name, _, value in image.symbols if name and value < end}
        self.assertEqual(named(self.first), named(self.second))

    def test_names_are_those_of_the_image(self):
        data = self.table('ksyms')
        count, = struct.unpack_from('<I', data)
        offsets = struct.unpack_from(f'<{count}I', data, 4)
        names = data[4 + 4 * count:].split(b'\0')[:count]
        self.assertEqual(list(offsets), sorted(set(offsets)))
        found = {offset: name.decode() for offset, name in zip(offsets, names)}
        self.assertEqual(found, ksyms.functions(self.second))
        self.assertIn('kernel_cap_enter', found.values())

    def test_words_that_move_hold_addresses_of_the_image(self):
        data = self.table('krelocs')
        offsets = struct.unpack(f'<{len(data) // 4}I', data)
        self.assertEqual(list(offsets), sorted(set(offsets)))
        self.assertGreater(len(offsets), 100)
        base = self.second.address_of('KERNEL_BASE') & 0xFFFFFFFF
        outside = 0
        for offset in offsets:
            address = self.image_start + offset
            word, = struct.unpack('<I', section_bytes(self.second, address, address + 4))
            outside += not base <= word < base + 0x200000
        # A difference to a constant, as in how far the kernel was moved, is no address.
        self.assertLessEqual(outside, 2)

    def test_no_word_overlaps_the_next(self):
        data = self.table('krelocs')
        offsets = struct.unpack(f'<{len(data) // 4}I', data)
        self.assertTrue(all(b - a >= 4 for a, b in zip(offsets, offsets[1:])))

    def test_what_is_no_kernel_is_refused(self):
        with self.assertRaises(ValueError):
            ksyms.Image(b'\x7fELF\x01\x01' + bytes(64))


if __name__ == '__main__':
    unittest.main(verbosity=2)
