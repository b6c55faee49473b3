#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The store service, booted: `capos run --disk`, the suite of all file services, power cuts."""

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


main([the_store_does_what_every_file_service_does,
      a_file_of_a_machine_is_there_in_the_next_and_on_the_host, what_is_no_disk_stays_as_it_is,
      a_machine_that_is_killed_leaves_a_clean_disk])
