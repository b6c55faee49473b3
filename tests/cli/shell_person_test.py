#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A person at the typed shell, booted: real keystrokes through a pty, and what the screen shows."""

import os

from case import main, temporary_folder
from keyboard import Person

WIDE = 200  # so that no message is wrapped


def shell(**options):
    return Person('shell', **options)


def at_prompt(person):
    person.wait_for('capos>')
    return person


def a_person_is_greeted_and_leaves():
    with shell(columns=WIDE) as person:
        at_prompt(person).wait_seen('This is capOS.')
        person.wait_seen('memory thread park budget stdio terminal timer')
        person.type('exit 4\r')
        assert person.status() == 4
    with shell() as person:
        at_prompt(person).type('\x04')
        assert person.status() == 0


def tab_completes_what_a_line_may_go_on_with():
    with shell(columns=WIDE, rows=60) as person:
        at_prompt(person).type('tim\tn\t')
        person.wait_for('capos> timer.now')
        person.type('\x15timer.\t')
        person.wait_for('now         Reads the clock', 'sleep       Completes once at least the '
                        'given time has passed', 'sleepUntil  Completes once the clock has reached '
                        'a deadline; at once if it has passed', 'capos> timer.')
        person.type('sleep d\t5\r')
        person.wait_for('capos> timer.sleep durationNs: 5', 'capos>')
        person.type('let c\t\x15run exi\t')
        person.wait_for('capos> run exitcode')
        person.type('w\tstd\t } 7\r')
        person.wait_for('capos> run exitcode with { stdio } 7', 'exitcode exited with 7', 'capos>')


def completion_serves_while_programs_run():
    with shell() as person:
        at_prompt(person).type('spawn spin\rtim\t')
        person.wait_for('[1] spin', 'capos> timer.')


def the_line_is_edited_and_remembered():
    with shell() as person:
        at_prompt(person).type('"hllo"\x1b[D\x1b[D\x1b[D\x1b[De\r')
        person.wait_for('capos> "hello"', '"hello"', 'capos>')
        person.type('\x1b[A')
        person.wait_for('capos> "hello"')
        person.type('\x03')
        person.wait_for('capos> "hello"^C', 'capos>')
        person.type('\x12hel\r')
        person.wait_for('capos> "hello"', '"hello"', 'capos>')


def control_c_ends_what_is_under_way_and_not_the_shell():
    with shell() as person:
        at_prompt(person).type('run spin\r\x03')
        person.wait_for('spin was killed', 'capos>')
        person.type('timer.sleep 1000 s\r\x03')
        person.wait_for('Timer.sleep: interrupted', 'capos>')
        person.type('spawn spin\r')
        person.wait_for('[1] spin', 'capos>')
        person.type('wait 1\r\x03')
        person.wait_for('interrupted; job 1 goes on', 'capos>')
        person.type('run flood with { stdio } 1000000000000 | spin with { stdio }\r\x03')
        person.wait_for('flood was killed, spin was killed', 'capos>')
        person.type('kill 1\r')
        person.wait_for('[1] spin was killed', 'capos>')
        person.type('jobs\r')
        person.wait_for('capos> jobs', 'capos>')


def a_program_in_the_foreground_has_the_keyboard():
    with shell() as person:
        at_prompt(person).type('run echo with { stdio } | echo with { stdio }\ronee\x7f\r')
        person.wait_for('one', 'one', '')
        person.type('\x04')
        person.wait_for('capos>')
        person.type('"still here"\r')
        person.wait_for('"still here"', 'capos>')


def a_program_with_a_session_reads_lines_itself():
    with shell() as person:
        at_prompt(person).type('run talk with { stdio, terminal }\r')
        person.wait_for('talk>')
        person.type('sa\t')
        person.wait_for('talk> say')
        person.type('\x15hello\x03')
        person.wait_for('talk> hello^C', 'interrupted', 'talk>')
        person.type('quit\r')
        person.wait_for('bye', 'capos>')
        person.type('run shell with { stdio, terminal, timer }\r')
        person.wait_for('Try `ls`, `timer.now`, `help`.  Tab completes.', '', 'capos>')
        person.type('timer.sleep 1000 s\r\x03')
        person.wait_for('Timer.sleep: interrupted', 'capos>')
        person.type('exit 3\r')
        person.wait_for('shell exited with 3', 'capos>')


def a_job_writes_above_the_line_and_comes_back():
    with shell() as person:
        at_prompt(person).type('spawn sleep with { stdio, timer } 300\r')
        person.type('typed')
        person.wait_seen('[1] sleep exited with 0')
        person.wait_for('[1] sleep exited with 0', 'capos> typed')
        person.wait_seen('slept')
        person.type('\x15spawn echo with { stdio }\rjobs\r')
        person.wait_for('[1] echo running', 'capos>')
        person.type('fg 1\rline\r')
        person.wait_for('capos> fg 1', 'line', 'line', '')
        person.type('\x04')
        person.wait_for('capos>')
        person.type('fg 1\r')
        person.wait_for('there is no job 1; `jobs` lists them', 'capos>')


def a_paste_runs_up_to_what_is_wrong():
    with shell() as person:
        at_prompt(person).type('\x1b[200~let a = 5\nlet b = "日本"\ntiemr.now\nlet a = 6\x1b[201~\r')
        person.wait_for('there is no tiemr; did you mean timer?', 'the lines below it were not run',
                        'capos>')
        person.type('[a, b]\r')
        person.wait_for('[5, "日本"]', 'capos>')


def a_narrow_window_loses_nothing():
    with shell(columns=24) as person:
        at_prompt(person).type('timer.\t')
        person.wait_for('now         Reads the cl', 'sleep       Completes on',
                        'sleepUntil  Completes on', 'capos> timer.')
        person.type('\x15"日本語日本語日本語"')
        person.wait_for('capos> "日本語日本語日本', '語"')
        person.type('\r')
        person.wait_for('"日本語日本語日本語"', 'capos>')


def a_program_without_stdio_is_explained():
    with shell() as person:
        at_prompt(person).type('run args one\r')
        person.wait_for('args was granted no stdio: run args with { stdio }', 'capos>')


def files_are_worked_with_by_plain_lines():
    with temporary_folder() as folder:
        os.mkdir(os.path.join(folder, 'notes'))
        for name in ('notes/today', 'notes/a b', b'notes/\xff\x1b'):
            with open(os.path.join(os.fsencode(folder), os.fsencode(name)), 'w',
                      encoding='utf-8') as file:
                file.write('milk\n')
        with Person('shell', '--dir', folder + ':data', '--tmp', '1M', columns=WIDE) as person:
            at_prompt(person).type('ls\r')
            person.wait_for('capos> ls', 'boot-files/', 'data/', 'tmp/', 'capos>')
            person.type('cat da\tno\tt\t| wc -l\r')
            person.wait_for('capos> cat data/notes/today | wc -l', '      1 -', 'capos>')
            person.type('cd d\tn\t\r')
            person.wait_for('capos:data/notes>')
            person.type('cat a\t')
            person.wait_for('capos:data/notes> cat "a b"')
            person.type('\x15rm \t\t')      # what they have in common, then all of them
            person.wait_for(r'a b       today     \xff\x1b', 'capos:data/notes> rm "')
            person.type('\\xff\t\r')
            person.wait_for(r'capos:data/notes> rm "\xff\x1b"', 'capos:data/notes>')
            person.type('cp today "a b" /tmp\rcd\rmv tmp/today data/moved\rtree data tmp\r')
            person.wait_for('capos> tree data tmp', 'data', '|-- moved', '`-- notes/',
                            '    |-- a b', '    `-- today', 'tmp', '`-- a b',
                            '1 directories, 4 files', 'capos>')
            person.type('cat ../x\r')
            person.wait_for('capos> cat ../x', 'cat: ../x: leads out of the directory that was granted',
                            'cat exited with 1', 'capos>')
            person.type('run cat tmp/x\r')
            person.wait_for('cat exited with 1', 'cat was granted no stdio: run cat with '
                            '{ stdio }', 'capos>')
            person.type('exit\r')
            assert person.status() == 0
        assert sorted(os.listdir(folder)) == ['moved', 'notes']
        assert sorted(os.listdir(os.path.join(folder, 'notes'))) == ['a b', 'today']


MISTAKES = (
    ('dir', 'there is no dir; did you mean mkdir?'),
    ('xyzzy', 'there is no xyzzy; `caps` lists the names, `help` the commands'),
    ('let x = echo', 'echo is a program, which is run: run echo with { stdio }'),
    ('ecoh hello', 'there is no ecoh; did you mean echo?'),
    ('cat x', 'cat: x: no such file or directory; no directory was granted'),
    ('cd x', 'cd: the shell holds no directory x; `ls /` lists them'),
    ('timer now', 'timer is a Timer, whose methods follow a point: timer.now'),
    ('run ech', 'no program ech is in the boot package; did you mean echo?'),
    ('run xyzzy', 'no program xyzzy is in the boot package; Tab behind `run` lists them'),
    ('run ' + 64 * 'x', 'the name of a program has at most 63 bytes'),
    ('run args with { ' + 32 * 'x' + ': timer }', f'{32 * "x"}: the name of a grant has at most '
     '31 bytes'),
    ('run args with { ' + ', '.join(f'a{i}: timer' for i in range(33)) + ' }',
     'too many grants: at most 32'),
    ('run args' + 64 * ' a', 'too many arguments: at most 63'),
    (r'run args "a\x00b"', "an argument can't contain a zero byte"),
    ('run args | count with { stdio }', "args is in a pipeline and isn't granted the shell's stdio"),
    ('run args with { budget: 100 GiB }', "args needs 104857600 KiB, and the shell's budget has "),
    ('run args with { budget: 1 }', "args can't be started: "),
    ('run args with { stdio }}', 'argument 1: }'),
    ('run manifest', 'manifest: '),
    ('let b = {a: 1', 'expected , or } (column 14)'),
    ('fg 1', 'there is no job 1; `jobs` lists them'),
)


def what_is_wrong_is_explained():
    with shell(columns=600, rows=100) as person:
        at_prompt(person)
        for line, message in MISTAKES:
            person.type(line + '\r')
            person.wait_seen(message)
        person.wait_for('capos>')


def what_there_is_too_much_of_is_refused():
    four = ' | '.join(4 * ['spin with { stdio }'])
    with shell(columns=200) as person:
        at_prompt(person).type(f'spawn {four}\r')
        person.wait_for('[1] spin | spin | spin | spin', 'capos>')
        person.type(f'spawn {four}\r')
        person.wait_for('[2] spin | spin | spin | spin', 'capos>')
        person.type('run args with { stdio } | count with { stdio }\r')
        person.wait_for('at most 8 programs are in pipelines at once, if memory allows', 'capos>')
        for number in range(3, 7):
            person.type('spawn spin with { budget: 512 KiB }\r')
            person.wait_for(f'[{number}] spin', 'capos>')
        person.type('spawn spin\r')
        person.wait_for('12 programs run, and at most 12 can at once', 'capos>')
        person.type('tim\t')
        person.wait_for('capos> timer.')
        person.type('now\r')
        person.wait_seen('timeNs:')
        person.wait_for('capos>')


if __name__ == '__main__':
    main([
        a_person_is_greeted_and_leaves,
        tab_completes_what_a_line_may_go_on_with,
        completion_serves_while_programs_run,
        the_line_is_edited_and_remembered,
        control_c_ends_what_is_under_way_and_not_the_shell,
        a_program_in_the_foreground_has_the_keyboard,
        a_program_with_a_session_reads_lines_itself,
        a_job_writes_above_the_line_and_comes_back,
        a_paste_runs_up_to_what_is_wrong,
        a_narrow_window_loses_nothing,
        a_program_without_stdio_is_explained,
        files_are_worked_with_by_plain_lines,
        what_is_wrong_is_explained,
        what_there_is_too_much_of_is_refused,
    ])
