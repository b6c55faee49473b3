#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make gdb`: a debugger attaches to the kernel and stops where it is told to."""

import os
import shutil
import subprocess

from case import HANG_SECONDS, ROOT, Skip, main, temporary_folder

SCRIPT = 'break process_start\ncontinue\nbacktrace 1\ncapos processes\nkill\n'


def gdb_stops_in_the_kernel_and_shows_its_processes():
    if shutil.which('gdb') is None:
        raise Skip('gdb is not installed')
    with temporary_folder() as folder:
        script = os.path.join(folder, 'script')
        with open(script, 'w', encoding='utf-8') as file:
            file.write(SCRIPT)
        done = subprocess.run([os.path.join(ROOT, 'tools/gdb/debug.sh'), 'welcome'],
                              env={**os.environ, 'GDB_SCRIPT': script}, cwd=ROOT, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=HANG_SECONDS)
    text = done.stdout.decode(errors='replace')
    assert 'Breakpoint' in text and 'process_start' in text, text
    assert 'init' in text.split('process_start', 1)[1], text


main([gdb_stops_in_the_kernel_and_shows_its_processes])
