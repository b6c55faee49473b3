#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The typed shell, booted: what a person types and what comes back.  The language itself is
tested on the host (programs/shell/eval_test.c)."""

import os
import pty
import re
import select
import subprocess
import time

from case import CAPOS, ROOT, capos, expect, main

TIMEOUT = 120


def shell(text, *options):
    return capos('shell', '--mem', '32', *options, stdin=text.encode(), timeout=TIMEOUT)


def output(text, status=0, stderr=''):
    """What a script writes."""
    done = shell(text)
    expect(done, status, stderr=stderr)
    return done.stdout.decode()


def fails(line, *words):
    """A script of a line that works and one that doesn't."""
    done = shell('timer.sleep 0\n' + line + '\nexit 3\n')
    expect(done, 1, b'', 'shell: line 2: ')
    for word in words:
        assert word in done.stderr.decode(), done.stderr.decode()


def the_shell_calls_what_it_holds():
    said = output('timer.now\n'
                  'let r = memory.reserve 64KiB\n'
                  'memory.commit r 4096 protection: readWrite\n'
                  'let n = budget.createNotification\n'
                  'n.signal bits: 5\n'
                  'n.wait 0xff\n')
    lines = said.splitlines()
    assert re.fullmatch(r'timeNs: [0-9.]+ m?s \([0-9]+ ns\)', lines[0]), lines
    assert lines[1:] == ['bits: 5'], lines


def it_lists_what_it_holds_and_nothing_else():
    done = capos('run', '--grant', 'timer', 'shell', stdin=b'caps\n', timeout=TIMEOUT)
    expect(done, 0)
    held = [line.split() for line in done.stdout.decode().splitlines()]
    assert held == [['memory', 'VirtualMemory'], ['budget', 'MemoryBudget'],
                    ['stdio', 'StdIO'], ['timer', 'Timer']], held


def results_carry_capabilities():
    said = output('let file = boot.open "args"\n'
                  'file.object.info\n'
                  'boot.open "args"\n')
    assert 'writable: false\nexecutable: true\n' in said, said
    assert 'object: <MemoryObject>' in said and 'released again' in said, said


def released_capabilities_are_gone():
    # Once before, so that the shell's own heap has its size.
    once = 'let object = budget.createMemoryObject 1MiB\nrelease object\nlet n = budget.info\n'
    said = output(once + 'let a = budget.info\n' + once + 'let b = budget.info\n'
                  'a.usedBytes\nb.usedBytes\n').splitlines()
    assert said[0] == said[1], said


def programs_run_with_what_they_are_given():
    said = output('run args with { stdio } a "b c"\n'
                  'run exitcode with { stdio } 3\n'
                  'run fault with { stdio } null\n')
    assert 'argument 1: a\nargument 2: b c\n' in said, said
    held = re.findall(r'capability: (\w+)', said)
    assert held == ['memory', 'budget', 'stdio'], held
    assert 'exitcode exited with 3\n' in said, said
    assert 'fault faulted: unmapped at 0x' in said, said


def jobs_run_beside_the_shell():
    said = output('spawn spin\nspawn sleep with { stdio, timer } 50\njobs\nps\n'
                  'wait 2\nkill 1\nwait 1\njobs\n')
    assert '[1] spin\n[2] sleep\n' in said and '[1] spin running\n' in said, said
    assert 'slept' in said and said.endswith('spin was killed\n'), said
    assert re.search(r'^ +JOB +PROCESS', said, re.M), said


def programs_leave_nothing_behind():
    line = 'run exitcode with { stdio } 0\n'
    once = line + 'let a = budget.info\n'
    said = output(once * 4 + line * 5 + 'let b = budget.info\n'
                  'a.usedBytes\nb.usedBytes\n').splitlines()
    assert said[0] == said[1], said


def help_comes_from_the_schema():
    said = output('help timer.sleep\nhelp Notification\nhelp run\nhelp\n')
    for text in ('durationNs: UInt64 in ns', 'Completes once at least the given time',
                 'A word of 64 event bits', 'Needs: spawner, boot, budget.', 'release NAME'):
        assert text in said, text


def a_script_ends_at_its_first_error_with_the_line():
    expect(shell('exit 5\ntimer.now\n'), 5, b'')
    done = capos('shell', '--', '-c', 'timer.sleep 1', 'tiemr.now', 'exit 9', timeout=TIMEOUT)
    expect(done, 1, b'', 'shell: line 2: there is no tiemr; did you mean timer?')


def a_wrong_name_is_explained():
    fails('tiemr.now', 'there is no tiemr; did you mean timer?')
    fails('timer.slep 1', 'Timer has no method slep; did you mean sleep?')
    fails('memory.protect protection: raed', 'did you mean read?')


def a_wrong_value_is_explained():
    fails('timer.sleep "long"', 'Timer.sleep: invalidArgument: durationNs: expected a number')
    fails('memory.map timer', 'object: expected MemoryObject, got Timer')
    fails('stdio.read 4294967296', 'maxBytes: 4294967296 is out of range: 0 to 4294967295')


def what_a_method_refuses_is_explained():
    fails('memory.reserve 0', 'VirtualMemory.reserve: invalidArgument: length')
    fails('boot.open "nothing"', 'BootPackage.open: failed: name')


def a_program_that_cannot_start_is_explained():
    fails('run nothing', 'no program nothing is in the boot package')
    fails('run manifest', 'manifest: ')
    fails('wait 4', 'there is no job 4; `jobs` lists them')
    done = capos('run', 'shell', stdin=b'run args\n', timeout=TIMEOUT)
    expect(done, 1, b'', 'starting programs needs a ProcessSpawner: --grant spawner')


def read_until(fd, wanted, seconds=TIMEOUT):
    seen = b''
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([fd], [], [], left)[0], seen
        seen += os.read(fd, 4096)
    return seen


def a_person_gets_a_prompt_and_another_try():
    master, slave = pty.openpty()
    child = subprocess.Popen([CAPOS, 'shell'], stdin=slave, stdout=slave, stderr=slave, cwd=ROOT)
    os.close(slave)
    try:
        read_until(master, b'capos> ')
        os.write(master, b'tiemr.now\n')
        assert b'did you mean timer?' in read_until(master, b'capos> ')
        os.write(master, b'exit 4\n')
        assert child.wait(TIMEOUT) == 4
    finally:
        child.kill()
        child.wait()
        os.close(master)


if __name__ == '__main__':
    main([the_shell_calls_what_it_holds, it_lists_what_it_holds_and_nothing_else,
          results_carry_capabilities, released_capabilities_are_gone,
          programs_run_with_what_they_are_given, jobs_run_beside_the_shell,
          programs_leave_nothing_behind, help_comes_from_the_schema,
          a_script_ends_at_its_first_error_with_the_line, a_wrong_name_is_explained,
          a_wrong_value_is_explained, what_a_method_refuses_is_explained,
          a_program_that_cannot_start_is_explained, a_person_gets_a_prompt_and_another_try])
