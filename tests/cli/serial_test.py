#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A terminal at the serial port, booted: keystrokes through a pty to a machine that has
nothing else, as the ISO image finds it."""

import os

from case import ROOT, main
from keyboard import Person

HOME, RIGHT, ESCAPE = '\x1b[H', '\x1b[C', '\x1b'


def serial(program, **more):
    """A person at the serial port of a machine that runs a program."""
    return Person(command=[
        os.environ.get('QEMU', 'qemu-system-x86_64'),
        '-M', 'microvm,acpi=off,pic=off,rtc=off,x-option-roms=off,isa-serial=on',
        '-accel', 'tcg', '-cpu', 'max', '-m', '64', '-nodefaults', '-no-user-config',
        '-display', 'none', '-no-reboot',
        # QEMU takes all keys from the pty, those that would be signals too.
        '-chardev', 'stdio,id=keys,signal=off', '-serial', 'chardev:keys',
        '-kernel', os.path.join(ROOT, 'build/kernel/kernel.elf'),
        '-initrd', os.path.join(ROOT, 'build/system/serial.package'),
        '-append', f'program={program}'], **more)


def a_line_is_edited_and_obeyed():
    with serial('talk') as person:
        person.wait_for('talk>')
        person.type('sy hello' + HOME + RIGHT + 'a')
        person.wait_for('talk> say hello')
        person.type('\x1b[F!\r')
        person.wait_for('hello!', 'talk>')


def control_c_ends_the_program_in_the_foreground_only():
    with serial('talk') as person:
        person.wait_for('talk>')
        person.type('run spin\r')
        person.wait_for('talk> run spin', '')
        person.type('\x03')
        person.wait_for('spin: killed 0', 'talk>')
        person.type('say still here\r')
        person.wait_for('still here', 'talk>')


def the_terminal_is_asked_for_its_size():
    with serial('talk', columns=50, rows=20) as person:
        person.wait_for('talk>')
        person.type('say a line that is longer than fifty columns, so it wraps')
        person.wait_for('talk> say a line that is longer than fifty columns', ', so it wraps')
        person.type('\x15size\r')
        person.wait_for('50 columns, 20 rows', 'talk>')
        person.resize(60, 30)   # which is seen at the next line
        person.type('\r')
        person.wait_for('talk>', 'talk>')
        person.type('size\r')
        person.wait_for('60 columns, 30 rows', 'talk>')


def a_terminal_that_does_not_answer_is_taken_for_one_of_80_columns():
    with serial('talk', answers=False) as person:
        person.wait_for('talk>')
        person.type('size\r')
        person.wait_for('0 columns, 0 rows', 'talk>')
        person.type('say ' + 'x' * 80)
        person.wait_for('talk> say ' + 'x' * 70, 'x' * 10)
        person.type('\x15keys\r')
        person.wait_for('press keys, q ends', '')
        person.type(ESCAPE)     # is not kept until another key comes
        person.wait_for('<1b>')
        person.type('q')
        person.wait_for('talk>')
        person.type('keys\r' + ESCAPE)   # nor if it came before somebody reads it
        person.wait_for('press keys, q ends', '<1b>')


def a_long_paste_arrives_whole():
    words = ' '.join(str(number) for number in range(400))
    with serial('talk') as person:
        person.wait_for('talk>')
        person.type('run echo\r')
        person.wait_for('talk> run echo', '')
        person.type(f'\x1b[200~{words}\x1b[201~\r\x04')
        person.wait_for('echo: exited 0', 'talk>')
        text = ''.join(row.ljust(80) for row in person.screen.text())
        assert text.count(words) == 2, text     # as it was typed, and as it came back


def the_shell_is_there():
    with serial('shell') as person:
        person.wait_for('capos>')
        person.type('timer.nwo\x7f\x7fow\r')
        person.wait_seen('timeNs: ')
        person.wait_for('capos>')
        person.type('tiemr.now\r')
        person.wait_seen('did you mean timer?')
        person.wait_for('capos>')
        person.type('run spin\r')
        person.wait_for('capos> run spin', '')
        person.type('\x03')
        person.wait_seen('spin was killed')
        person.wait_for('capos>')


main([a_line_is_edited_and_obeyed, control_c_ends_the_program_in_the_foreground_only,
      the_terminal_is_asked_for_its_size,
      a_terminal_that_does_not_answer_is_taken_for_one_of_80_columns,
      a_long_paste_arrives_whole, the_shell_is_there])
