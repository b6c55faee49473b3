#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`capos run --tmp`, booted: directories in memory of a size of their own."""

import os

from case import capos, expect, main, temporary_folder

KIB = 1024


def it_holds_what_it_was_given_and_no_more():
    with temporary_folder() as folder:
        for name, size in (('half', 128 * KIB), ('whole', 256 * KIB)):
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(os.urandom(size))
        done = capos('shell', '--tmp', '256K', '--tmp', '1M:more', '--dir', f'{folder}:host', '--',
                     '-c',
                     'run cp with { stdio, host, tmp } host/half tmp/a',
                     'run cp with { stdio, host, tmp } host/half tmp/b',     # names take memory too
                     'run rm with { stdio, tmp } tmp/a tmp/b',
                     'run cp with { stdio, host, tmp } host/half tmp/a',
                     'run cp with { stdio, host, more } host/whole more',
                     'run cp with { stdio, host, tmp } tmp/a host/back',
                     'run ls with { stdio, tmp, more } -l tmp more')
        expect(done, 0, stderr='cp: host/half: no space left')
        assert done.stdout.decode().splitlines() == [
            'cp exited with 1',
            'tmp:', f'-0644 {128 * KIB:12} a', '',
            'more:', f'-0644 {256 * KIB:12} whole'], (done.stdout, done.stderr)
        with open(os.path.join(folder, 'half'), 'rb') as half, \
                open(os.path.join(folder, 'back'), 'rb') as back:
            assert half.read() == back.read()


def the_machine_has_the_memory_unless_it_is_told_how_much():
    expect(capos('run', '--tmp', '200M', 'ls', 'tmp'), 0, b'')
    expect(capos('run', '--tmp', '200M', '--mem', '64', 'ls', 'tmp'), 125, b'',
           'the directory "tmp" can\'t be granted: the machine has too little memory (--mem)')


def it_is_there_with_a_terminal_too():
    expect(capos('run', '--tty', '--tmp', '1M', 'ls'), 0, b'tmp/\n')


def what_cannot_be_is_refused():
    words = '--tmp takes SIZE[:GUEST], SIZE being 64K to 64G'
    for operand, reason in (('10X', words), ('', words), ('scratch', words), ('1K', words),
                            ('65G:big', words), ('1M:a b', '"a b" is no name for a capability'),
                            ('1M:stdio', 'has another capability called stdio; --tmp SIZE:NAME')):
        expect(capos('run', '--tmp', operand, 'ls'), 125, b'', reason)
    with temporary_folder() as folder:
        expect(capos('run', '--dir', f'{folder}:tmp', '--tmp', '1M', 'ls'), 125, b'',
               'two directories are called tmp; --tmp SIZE:NAME gives another name')
    expect(capos('run', *['--tmp', '1M'] * 5, 'ls'), 125, b'', 'at most 4 times')
    expect(capos('run', '--system', 'serial', '--tmp', '1M', 'ls'), 125, b'',
           'the system serial has no directories in memory')


main([it_holds_what_it_was_given_and_no_more,
      the_machine_has_the_memory_unless_it_is_told_how_much, it_is_there_with_a_terminal_too,
      what_cannot_be_is_refused])
