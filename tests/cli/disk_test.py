#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`capos disk`: volumes in files of the host."""

import os

from case import ROOT, Skip, capos, expect, main, temporary_folder

PROBLEM = os.path.join(ROOT, 'build/third_party/sqlite/problem')


def folder_of_disks():
    if os.path.exists(PROBLEM):
        with open(PROBLEM, encoding='utf-8') as file:
            raise Skip(file.read().strip())
    return temporary_folder()


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)
    return path


def files_go_in_and_come_back():
    with folder_of_disks() as folder:
        disk, data = os.path.join(folder, 'disk'), os.urandom(3_000_000)
        source = write(os.path.join(folder, 'source'), data)
        expect(capos('disk', 'make', disk, '16M'), 0, b'')
        expect(capos('disk', 'put', disk, source, 'some/where/file'), 0, b'')
        expect(capos('disk', 'put', disk, write(source, b'short'), 'text'), 0, b'')
        expect(capos('disk', 'ls', disk), 0, b'd          1 some\n-          5 text\n')
        expect(capos('disk', 'ls', disk, 'some/where'), 0, b'-    3000000 file\n')
        expect(capos('disk', 'get', disk, 'some/where/file'), 0, data)
        expect(capos('disk', 'put', disk, source, 'some/where/file'), 0)    # replaced
        expect(capos('disk', 'get', disk, 'some/where/file', source), 0, b'')
        with open(source, 'rb') as file:
            assert file.read() == b'short'
        done = capos('disk', 'fsck', disk)
        expect(done, 0)
        assert done.stdout.startswith(b'clean: 5 files and directories, '), done.stdout


def what_cannot_be_done_is_said():
    with folder_of_disks() as folder:
        disk, source = os.path.join(folder, 'disk'), write(os.path.join(folder, 'source'), b'x')
        expect(capos('disk', 'make', disk, '1000'), 1, b'', 'SIZE is at least 1M')
        expect(capos('disk', 'make', disk, '2X'), 1, b'', 'not 2X')
        expect(capos('disk', 'ls', disk), 1, b'', 'No such file')
        expect(capos('disk', 'ls', write(disk, bytes(1 << 20))), 1, b'', 'no volume on it yet')
        expect(capos('disk', 'ls', write(disk, b'a' * (1 << 20))), 1, b'', 'this is no volume')
        os.remove(disk)
        expect(capos('disk', 'make', disk, '2M'), 0)
        expect(capos('disk', 'make', disk, '2M'), 1, b'', 'File exists')
        expect(capos('disk', 'get', disk, 'nothing'), 1, b'', 'nothing: notFound')
        expect(capos('disk', 'put', disk, source, '../out'), 1, b'', 'notFound')
        expect(capos('disk', 'put', disk, source, 'file'), 0)
        expect(capos('disk', 'put', disk, source, 'file/below'), 1, b'', 'notDirectory')
        write(source, bytes(4 << 20))
        expect(capos('disk', 'put', disk, source, 'large'), 1, b'', 'large: noSpace')
        expect(capos('disk', 'fsck', disk), 0)
        expect(capos('disk', 'frobnicate', disk), 2, b'', 'Usage: capos disk make')


def damage_is_found():
    with folder_of_disks() as folder:
        disk = os.path.join(folder, 'disk')
        source = write(os.path.join(folder, 'source'), os.urandom(400_000))
        expect(capos('disk', 'make', disk, '2M'), 0)
        expect(capos('disk', 'put', disk, source, 'file'), 0)
        # Opened again: what was in the log is in its place, and the log begins anew.
        expect(capos('disk', 'put', disk, write(source, b'x'), 'other'), 0)
        with open(disk, 'r+b') as file:
            file.seek(800 * 1024)
            file.write(b'damage')
        done = capos('disk', 'fsck', disk)
        expect(done, 1, stderr='corrupted')
        assert b'checksum' in done.stdout, done.stdout
        expect(capos('disk', 'get', disk, 'file', os.devnull), 1, stderr='corrupted')
        expect(capos('disk', 'get', disk, 'other'), 0, b'x')


main([files_go_in_and_come_back, what_cannot_be_done_is_said, damage_is_found])
