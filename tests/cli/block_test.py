#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The block driver, booted with disks of all kinds."""

import json
import os

from case import capos, expect, main, temporary_folder

KIB = 1024


def disk_file(folder, size_bytes):
    path = os.path.join(folder, 'disk')
    with open(path, 'wb') as file:
        file.truncate(size_bytes)
    return path


def node(path):
    return {'driver': 'raw', 'node-name': 'disk',
            'file': {'driver': 'file', 'filename': path}}


def run(block_node, *arguments, device='virtio-blk-device,drive=disk', grant=True):
    """Boots the client with a disk; a grant of the driver that the manifest names."""
    options = ['--qemu=-blockdev', '--qemu=' + json.dumps(block_node),
               '--qemu=-device', '--qemu=' + device]
    if grant:
        options += ['--grant', 'block']
    return capos('run', '--system', 'test', *options, 'block_client', *arguments)


def blocks_are_written_and_outlive_the_machine():
    with temporary_folder() as folder:
        disk = node(disk_file(folder, 1024 * KIB + 512))    # the last piece is short
        expect(run(disk, 'facts'), 0, b'2049 blocks of 512 bytes\n')
        expect(run(disk, 'write', '7'), 0, b'wrote 2049 blocks\n')
        expect(run(disk, 'read', '7'), 0, b'read 2049 blocks\n')


def large_blocks_are_blocks():
    with temporary_folder() as folder:
        disk = node(disk_file(folder, 256 * KIB))
        device = 'virtio-blk-device,drive=disk,logical_block_size=4096,physical_block_size=4096'
        expect(run(disk, 'write', '3', device=device), 0, b'wrote 64 blocks\n')
        expect(run(disk, 'read', '3', device=device), 0, b'read 64 blocks\n')


def every_wrong_request_is_refused():
    with temporary_folder() as folder:
        expect(run(node(disk_file(folder, 256 * KIB)), 'bounds'), 0, b'refused\n')
    with temporary_folder() as folder:
        disk = {**node(disk_file(folder, 256 * KIB)), 'read-only': True}
        expect(run(disk, 'read-only'), 0, b'readOnly\n')


def an_error_of_the_device_is_an_outcome():
    with temporary_folder() as folder:
        raw = {'driver': 'raw', 'file': {'driver': 'file',
                                         'filename': disk_file(folder, 64 * KIB)}}
        disk = {'driver': 'blkdebug', 'node-name': 'disk', 'image': raw,
                'inject-error': [{'event': 'none', 'iotype': 'read', 'errno': 5, 'sector': 77}]}
        expect(run(disk, 'errors', '77'), 0, b'block 77: inputOutput\n')


def drivers_are_killed_in_the_middle():
    with temporary_folder() as folder:
        expect(run(node(disk_file(folder, 256 * KIB)), 'kill', grant=False), 0,
               b'killed 41 drivers\n')


def a_device_that_goes_on_writes_over_nothing():
    with temporary_folder() as folder:
        slow = {'driver': 'throttle', 'node-name': 'slow', 'throttle-group': 'group',
                'file': {**node(disk_file(folder, 256 * KIB))}}
        done = capos('run', '--system', 'test', '--qemu=-object',
                     '--qemu=throttle-group,id=group,x-iops-total=4', '--qemu=-blockdev',
                     '--qemu=' + json.dumps(slow), '--qemu=-device',
                     '--qemu=virtio-blk-device,drive=slow', 'block_client', 'reuse')
        expect(done, 0, b'nothing was written over\n')


def a_machine_without_a_disk_says_so():
    done = capos('run', '--system', 'test', '--grant', 'block', 'block_client', 'facts')
    expect(done, 1)
    assert b'the machine has no block device that works' in done.stdout, done.stdout


TESTS = [blocks_are_written_and_outlive_the_machine, large_blocks_are_blocks,
         every_wrong_request_is_refused, an_error_of_the_device_is_an_outcome,
         drivers_are_killed_in_the_middle, a_device_that_goes_on_writes_over_nothing,
         a_machine_without_a_disk_says_so]

if __name__ == '__main__':
    main(TESTS)
