#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Virtio devices on a PCI bus: what is tested with those of microvm, on a PC (q35.py)."""

import os

import block_test
import dir_test
from case import ROOT, expect, main, temporary_folder

os.environ['CAPOS_QEMU'] = os.path.join(ROOT, 'tests/cli/q35.py')


def a_device_without_messages_is_passed_over():
    with temporary_folder() as folder:
        disk = block_test.node(block_test.disk_file(folder, 64 * 1024))
        done = block_test.run(disk, 'facts', device='virtio-blk-device,drive=disk,vectors=0')
        expect(done, 1)
        assert b'the machine has no block device that works' in done.stdout, done.stdout


# The firmware reads from the disk as well, and what is left of its slowness isn't enough.
BLOCK_TESTS = [test for test in block_test.TESTS
               if test is not block_test.a_device_that_goes_on_writes_over_nothing]

main([*BLOCK_TESTS, dir_test.files_are_read_written_and_removed, dir_test.a_large_file_streams,
      dir_test.several_directories_are_apart, a_device_without_messages_is_passed_over])
