#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The store service, booted: `capos run --disk`, the suites of file services and of stores,
power cuts."""

import os
import random
import signal
import subprocess
import time

from case import CAPOS, HANG_SECONDS, ROOT, Skip, capos, expect, main, processes_of, \
    temporary_folder

PROBLEM = os.path.join(ROOT, 'build/third_party/sqlite/problem')
CUTS = 4


def folder_of_disks():
    if os.path.exists(PROBLEM):
        with open(PROBLEM, encoding='utf-8') as file:
            raise Skip(file.read().strip())
    return temporary_folder()


def is_clean(disk):
    done = capos('disk', 'fsck', disk)
    expect(done, 0)
    assert done.stdout.startswith(b'clean: '), done.stdout


def the_store_does_what_every_file_service_does():
    with folder_of_disks() as folder:
        disk = os.path.join(folder, 'disk')
        done = capos('run', '--system', 'test-disk', '--mem', '128', '--disk', f'{disk}:64M',
                     'files_test')
        failed = [line for line in done.stdout.splitlines() if line.startswith(b'FAIL')]
        assert done.returncode == 0 and not failed, (failed, done.stderr[-500:])
        assert done.stdout.count(b'ok disk_') > 20, done.stdout
        is_clean(disk)


def a_store_keeps_blobs_and_names():
    with folder_of_disks() as folder:
        disk = os.path.join(folder, 'disk')
        out = os.path.join(folder, 'out')
        os.mkdir(out)
        done = capos('run', '--system', 'test-disk', '--mem', '128', '--cpus', '2',
                     '--disk', f'{disk}:16M', '--grant', 'store', '--grant', 'namespace',
                     '--grant', 'snapshot', '--dir', f'{out}:out:rw', 'store_test')
        failed = [line for line in done.stdout.splitlines() if line.startswith(b'FAIL')]
        assert done.returncode == 0 and not failed, (failed, done.stderr[-500:])
        assert done.stdout.count(b'\nok ') >= 16 and b'skip' not in done.stdout, done.stdout
        is_clean(disk)
        # What was copied meanwhile is a disk as it was before.
        copy = os.path.join(out, 'copy')
        is_clean(copy)
        expect(capos('disk', 'get', copy, 'before'), 0, b'before')
        listing = capos('disk', 'ls', copy).stdout
        assert b'during' not in listing, listing


def a_quota_is_for_programs_too():
    with folder_of_disks() as folder:
        disk, large = os.path.join(folder, 'disk'), os.path.join(folder, 'large')
        with open(large, 'wb') as file:
            file.write(bytes(200_000))
        expect(capos('run', '--disk', f'{disk}:8M', 'mkdir', '-q', '100000', 'disk/small'), 0)
        for _ in range(2):
            done = capos('run', '--disk', disk, '--dir', f'{folder}:host:ro', 'cp',
                         'host/large', 'disk/small/large')
            expect(done, 1, b'', 'quota')
        expect(capos('run', '--disk', disk, '--dir', f'{folder}:host:ro', 'cp', 'host/large',
                     'disk/large'), 0)
        is_clean(disk)


def versions_are_kept_from_machine_to_machine():
    with folder_of_disks() as folder:
        disk = os.path.join(folder, 'disk')

        def keep(*arguments, **options):
            return capos('run', '--disk', f'{disk}:8M', '--grant', 'store', '--grant',
                         'namespace', 'keep', *arguments, **options)

        expect(capos('run', '--disk', f'{disk}:8M', 'keep', 'ls'), 1, b'', 'I hold no Store')
        expect(capos('run', '--grant', 'store', 'keep', 'ls'), 125, b'', 'is of a disk')
        expect(capos('run', '--disk', f'{disk}:8M', '--grant', 'other.store', 'keep', 'ls'), 125,
               b'', 'there is no grant')
        expect(capos('run', '--disk', f'{disk}:8M:mine', '--grant', 'mine.store', 'args'), 0)
        large = bytes(range(256)) * 1000
        expect(keep('put', 'notes', stdin=b'first'), 0, b'')
        expect(keep('put', 'notes', stdin=large), 0, b'')
        expect(keep('get', 'notes'), 0, large)
        expect(keep('get', 'notes', '1'), 0, b'first')
        snapshot = keep('snapshot').stdout.strip().decode()
        assert len(snapshot) == 64, snapshot
        expect(keep('rm', 'notes'), 0, b'')
        expect(keep('get', 'notes'), 1, b'', 'no such file')
        expect(keep('restore', snapshot), 0, b'')
        log = keep('log', 'notes').stdout.split(b'\n')
        assert len(log) == 5 and b'256000' in log[0] and b' 5 ' in log[3], log
        expect(keep('clean'), 0, b'1 blobs removed\n')
        expect(keep('ls'), 0, b'       4     256000 notes\n')
        expect(keep('get', 'notes', '1'), 1, b'', 'no such file')
        is_clean(disk)


def a_file_of_a_machine_is_there_in_the_next_and_on_the_host():
    with folder_of_disks() as folder:
        disk, source = os.path.join(folder, 'disk'), os.path.join(folder, 'source')
        with open(source, 'wb') as file:
            file.write(b'from the host\n')
        expect(capos('run', '--disk', disk, 'ls', 'disk'), 125, b'', ':64M makes one')
        expect(capos('run', '--disk', f'{disk}:8M', 'mkdir', 'disk/inner'), 0, b'')
        expect(capos('disk', 'put', disk, source, 'inner/file'), 0)
        expect(capos('run', '--disk', disk, 'cat', 'disk/inner/file'), 0, b'from the host\n')
        expect(capos('run', '--disk', disk, 'cp', 'disk/inner/file', 'disk/copy'), 0, b'')
        expect(capos('disk', 'get', disk, 'copy'), 0, b'from the host\n')
        is_clean(disk)


def several_disks_have_names_beside_a_terminal_and_other_directories():
    with folder_of_disks() as folder:
        notes, photos = os.path.join(folder, 'no,tes:x'), os.path.join(folder, 'photos')
        given = ['--disk', f'{notes}:8M:notes', '--disk', f'{photos}:8M:photos', '--tmp', '1M',
                 '--dir', folder + ':host:ro']
        expect(capos('run', '--tty', *given, 'mkdir', 'notes/one', 'photos/two'), 0, b'')
        expect(capos('disk', 'ls', notes), 0, b'd          0 one\n')
        expect(capos('disk', 'ls', photos), 0, b'd          0 two\n')
        done = capos('shell', *given[2:], '--disk', notes + ':', '--', '-c',
                     'run ls with { stdio, disk, photos, host, tmp } disk photos host tmp')
        expect(done, 0, b'disk:\none/\n\nphotos:\ntwo/\n\nhost:\nno,tes:x\nphotos\n\ntmp:\n')
        is_clean(notes)
        is_clean(photos)


def a_disk_that_cannot_be_is_refused():
    with folder_of_disks() as folder:
        disk, small = os.path.join(folder, 'disk'), os.path.join(folder, 'small')
        with open(small, 'wb') as file:
            file.write(b'x')
        for operand, words in (
                (disk, ':64M makes one of 64 MiB'), (folder + '/no/such', 'No such file'),
                (f'{disk}:1K', 'a disk has 1M or more'), (':8M', '--disk takes FILE'),
                (f'{disk}:0', 'a disk has 1M or more'), (folder, 'Is a directory'),
                (small, 'has 1 bytes; a disk has 1 MiB or more'),
                (f'{disk}:8M:a b', '"a b" is no name for a capability'),
                (f'{disk}:8M:stdio', 'has another capability called stdio; --disk FILE:NAME')):
            expect(capos('run', '--disk', operand, 'ls'), 125, b'', words)
        expect(capos('run', '--grant', 'block', '--disk', f'{disk}:8M', 'ls'), 125, b'',
               '--grant block: the block devices are those of --disk')
        expect(capos('run', '--disk', disk, '--disk', f'{disk}:other', 'ls'), 125, b'',
               'is given twice')


def what_is_no_disk_stays_as_it_is():
    with folder_of_disks() as folder:
        disk = os.path.join(folder, 'disk')
        with open(disk, 'wb') as file:
            file.write(b'something else' * 100_000)
        done = capos('run', '--disk', disk, 'ls', 'disk')
        assert done.returncode not in (0, 124), done
        with open(disk, 'rb') as file:
            assert file.read() == b'something else' * 100_000


def a_machine_that_is_killed_leaves_a_clean_disk():
    with folder_of_disks() as folder:
        disk = os.path.join(folder, 'disk')
        expect(capos('disk', 'make', disk, '64M'), 0)
        for _ in range(CUTS):
            with subprocess.Popen([CAPOS, 'run', '--system', 'test-disk', '--mem', '128',
                                   '--timeout', str(HANG_SECONDS), '--disk', disk,
                                   'files_test'], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
                # In the middle of the tests of the disk, whenever that is.
                for line in run.stdout:
                    if line.startswith(b'ok disk_'):
                        break
                time.sleep(random.random())
                for machine in processes_of(run.pid):
                    try:
                        os.kill(machine, signal.SIGKILL)
                    except ProcessLookupError:
                        pass    # it came to its end before
                run.stdout.read()
            is_clean(disk)


main([the_store_does_what_every_file_service_does, a_store_keeps_blobs_and_names,
      versions_are_kept_from_machine_to_machine, a_quota_is_for_programs_too,
      a_file_of_a_machine_is_there_in_the_next_and_on_the_host, what_is_no_disk_stays_as_it_is,
      several_disks_have_names_beside_a_terminal_and_other_directories,
      a_disk_that_cannot_be_is_refused, a_machine_that_is_killed_leaves_a_clean_disk])
