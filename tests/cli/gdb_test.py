#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make gdb`: a debugger attaches to the kernel, stops where it is told to, and shows processes,
rings, capabilities and messages in words."""

import os
import re
import shutil
import subprocess

from case import HANG_SECONDS, ROOT, Skip, main, temporary_folder

# Stops where the kernel starts init, then where hostlink, process 2, has begun to receive, then
# where the program, process 4 behind the launcher, sleeps.
SCRIPT = '''break process_start
continue
backtrace 1
capos processes
delete
break submit_receive if thread->process->id == 2
continue
finish
capos ring 2
delete
break timer_sleep
continue
capos processes
capos caps 4
capos ring 4
capos symbols 4
info address main
capos trace 5
kill
'''


def debug(script, *program):
    if shutil.which('gdb') is None:
        raise Skip('gdb is not installed')
    with temporary_folder() as folder:
        path = os.path.join(folder, 'script')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(script)
        done = subprocess.run([os.path.join(ROOT, 'tools/gdb/debug.sh'), *program],
                              env={**os.environ, 'GDB_SCRIPT': path}, cwd=ROOT, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=HANG_SECONDS)
    return done.stdout.decode(errors='replace')


def gdb_stops_in_the_kernel_and_shows_what_is_there():
    text = debug(SCRIPT, '--grant', 'timer', 'sleep', '5')
    assert 'Breakpoint' in text and 'process_start' in text, text
    assert re.search(r'^ +1 init +building', text, re.M), text
    assert re.search(r'^ +4 sleep +alive +6 caps', text, re.M), text
    assert re.search(r'^   \* thread 1 at 0x\w+ priority 16 running +rip 0x\w+ rsp 0x\w+, 0 pending',
                     text, re.M), text
    assert re.search(r'^  0x\w+ StdIO object 0x\w+ mode 0, served by a process', text, re.M), text
    assert re.search(r'^  0x\w+ Timer object 0x\w+ mode 0$', text, re.M), text
    assert re.search(r'taken last: Timer\.sleep\(durationNs: 5000000 ns\) on cap 0x', text), text
    assert re.search(r'^  under way: recv, user_data 0x', text, re.M), text
    assert re.search(r'Symbol "main" is a function at address 0x\w+\.', text), text
    assert re.search(r'^ +\d+ switch ', text, re.M), text


def a_wrong_command_is_explained():
    for line, words in (('capos ring 99', 'no live process has the number 99'),
                        ('capos symbols', 'capos symbols PROCESS [FILE]'),
                        ('capos symbols 1 /nowhere', 'there is no /nowhere')):
        text = debug(f'break process_start\ncontinue\n{line}\n', 'welcome')
        assert words in text, text


if __name__ == '__main__':
    main([gdb_stops_in_the_kernel_and_shows_what_is_there, a_wrong_command_is_explained])
