#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The typed shell, booted: what a person types and what comes back.  The language itself is
tested on the host (programs/shell/eval_test.c)."""

import os
import pty
import re
import select
import struct
import subprocess
import time

from case import CAPOS, ROOT, capos, expect, main, temporary_folder

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
    assert held == [['memory', 'VirtualMemory'], ['thread', 'ThreadControl'],
                    ['park', 'ParkSpace'],
                    ['budget', 'MemoryBudget'],
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
    assert held == ['memory', 'thread', 'park', 'budget', 'stdio'], held
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
    done = capos('run', '--grant', 'spawner', 'shell', stdin=b'run args\n', timeout=TIMEOUT)
    expect(done, 1, b'', 'finding programs needs a BootPackage: --grant boot')


def flood(size_bytes):
    """What the program flood writes."""
    words = b''.join(struct.pack('<Q', offset) for offset in range(0, size_bytes + 8, 8))
    return words[:size_bytes]


def programs_are_piped_byte_by_byte():
    done = shell('run flood with { stdio } 300001 | echo with { stdio } | echo with { stdio }\n')
    expect(done, 0, flood(300001), '')
    said = output('run flood with { stdio } 100000000 | count with { stdio }\n'
                  'run echo with { stdio } | count with { stdio }\n')
    assert said.startswith('100000000 bytes\n'), said


def a_reader_that_ends_disconnects_its_writer():
    said = output('run flood with { stdio } 100000000 | exitcode with { stdio } 3\n'
                  'run exitcode with { stdio } 0 | count with { stdio }\n'
                  'spawn flood with { stdio } 100000000 | spin with { stdio }\nkill 1\nwait 1\n')
    assert said == ('flood exited with 1, exitcode exited with 3\n0 bytes\n[1] flood | spin\n'
                    'flood was killed, spin was killed\n'), said


def a_pipe_keeps_to_the_contract_of_stdio():
    def client(line):
        done = capos('run', '--system', 'test', 'shell', '-c', line, timeout=TIMEOUT)
        expect(done, 0)
        return done.stderr.decode()
    both = 'run pipe_client with { stdio } %s | pipe_client with { stdio } %s'
    assert client(both % ('info', 'info')) == 2 * 'input 0 output 0 error 0\n'
    assert client(both % ('refused', 'x')) == 'read: invalidArgument: maxBytes: 1 to 61440\n'
    assert client(both % ('write', 'x')) == 'write: disconnected: nobody reads the pipe any more\n'
    assert client('run args with { stdio } | pipe_client with { stdio } many') == 'read argume\n'
    assert client('run exitcode with { stdio } 0 | pipe_client with { stdio } many') == \
        'read ------\n'


def pipelines_leave_nothing_behind():
    line = ('run flood with { stdio } 200000 | count with { stdio }\n'
            'run flood with { stdio } 200000 | exitcode with { stdio } 1\n')
    said = output(4 * line + 'let a = budget.info\n' + 4 * line + 'let b = budget.info\n'
                  'a.usedBytes\nb.usedBytes\n').splitlines()
    assert said[-2] == said[-1], said


def a_budget_is_what_the_line_says():
    said = output('let a = budget.info\nspawn spin with { budget: 4 MiB }\nlet b = budget.info\n'
                  'spawn spin with { budget: 1000000 }\nlet c = budget.info\n'
                  'a.splitBytes\nb.splitBytes\nc.splitBytes\n').splitlines()
    assert said[-2:] == ['4 MiB (4194304 bytes)', '4.957 MiB (5197824 bytes)'], said


def there_is_a_limit_to_jobs():
    said = shell(13 * 'spawn spin with { budget: 512 KiB }\n')
    expect(said, 1, None, 'shell: line 13: there are 12 jobs, the most there can be; wait for one')


def a_script_of_the_host_runs_and_names_its_lines():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'measure.capos')

        def script(text, *arguments):
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            return capos('shell', path, *arguments, timeout=TIMEOUT)
        expect(script('# a comment\nlet a = 5\r\na\nexit 7\n'), 7, b'5\n')
        expect(script('timer.sleep 0\n\ntiemr.now\nexit 7'), 1, b'',
               'measure.capos:3: there is no tiemr; did you mean timer?')
        expect(script(''), 0, b'')
        expect(script('run echo with { stdio }\n'), 0, b'')
        expect(script('', 'more'), 125, b'', 'a script takes no arguments: more')
        expect(capos('shell', path + 'x', timeout=TIMEOUT), 127, b'', 'No such file')
    done = capos('run', 'shell', 'script/nothing', timeout=TIMEOUT)
    expect(done, 1, b'', 'shell: a script of the boot package needs --grant boot')
    done = capos('run', '--grant', 'boot', 'shell', 'script/nothing', timeout=TIMEOUT)
    expect(done, 1, b'', 'shell: no script script/nothing is in the boot package')


def read_until(fd, wanted, seconds=TIMEOUT):
    seen = b''
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([fd], [], [], left)[0], seen
        seen += os.read(fd, 4096)
    return seen


def a_person_without_a_terminal_service_gets_a_prompt():
    master, slave = pty.openpty()
    child = subprocess.Popen([CAPOS, 'run', '--grant', 'timer', 'shell'], stdin=slave, stdout=slave, stderr=slave, cwd=ROOT)
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
          a_program_that_cannot_start_is_explained, programs_are_piped_byte_by_byte,
          a_reader_that_ends_disconnects_its_writer, a_pipe_keeps_to_the_contract_of_stdio,
          pipelines_leave_nothing_behind, a_budget_is_what_the_line_says,
          there_is_a_limit_to_jobs, a_script_of_the_host_runs_and_names_its_lines,
          a_person_without_a_terminal_service_gets_a_prompt])
