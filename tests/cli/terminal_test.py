#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The terminal, booted: real keystrokes through a pty, and what a person sees."""

import os
import signal
import subprocess

from case import CAPOS, HANG_SECONDS, ROOT, capos, expect, machines_of, main, temporary_folder
from keyboard import Person

UP, LEFT, HOME = '\x1b[A', '\x1b[D', '\x1b[H'
TALK = ('run', '--tty', 'talk')
RUN_TALK = ('run', '--tty', '--grant', 'spawner', '--grant', 'boot', 'talk')


def a_line_is_edited_and_obeyed():
    with Person(*TALK) as person:
        person.wait_for('talk>')
        person.type('sy hello' + HOME + '\x1b[C' + 'a')
        person.wait_for('talk> say hello')
        person.type('\x1b[F!\r')
        person.wait_for('hello!', 'talk>')
        person.type('quit\r')
        assert person.status() == 0


def history_comes_back_and_is_searched():
    with Person(*TALK) as person:
        person.wait_for('talk>')
        person.type('say one\rsay two\r')
        person.wait_for('two', 'talk>')
        person.type(UP + UP)
        person.wait_for('talk> say one')
        person.type('\x03')
        person.wait_for('talk> say one^C', 'interrupted', 'talk>')
        person.type('\x12tw')
        person.wait_for('(search: tw) say two')
        person.type('\r')
        person.wait_for('talk> say two', 'two', 'talk>')
        person.type('history\r')
        person.wait_for('0: history', '1: say two', '2: say one', 'talk>')


def wide_characters_keep_their_columns():
    with Person(*TALK, columns=20) as person:
        person.wait_for('talk>')
        person.type('say 日本語e\u0301')
        person.wait_for('talk> say 日本語e')
        person.type(LEFT + LEFT + '\x7f')
        person.wait_for('talk> say 日語e')
        person.type('\x05一二三四五')
        person.wait_for('talk> say 日語e一二', '三四五')
        person.type('\r')
        person.wait_for('日語e一二三四五', 'talk>')


def a_paste_runs_nothing_until_enter():
    with Person(*TALK) as person:
        person.wait_for('talk>')
        person.type('\x1b[200~say one\rsay\ttwo\x03\x1b[201~')
        person.wait_for('talk> say one', 'say^Itwo^C')
        person.type('\x15say fine\r')
        person.wait_for('fine', 'talk>')


def tab_completes_within_one_key():
    with Person(*TALK) as person:
        person.wait_for('talk>')
        person.type('qu\t')
        person.wait_for('talk> quit')
        person.type('\x15h\t')
        person.wait_for('talk> h', 'help     history', 'talk> h')
        person.type('el\t\r')
        person.wait_seen('help history keys quit run PROGRAM say TEXT size')


def the_window_tells_its_size_when_it_changes():
    with Person(*TALK, columns=30, rows=10) as person:
        person.wait_for('talk>')
        person.type('size\r')
        person.wait_for('30 columns, 10 rows', 'talk>')
        person.type('say a line of some length')
        person.wait_for('talk> say a line of some lengt', 'h')
        person.resize(60, 12)
        person.wait_for('talk> say a line of some length')
        person.type('\x15size\r')
        person.wait_for('60 columns, 12 rows', 'talk>')


def raw_keys_come_as_they_are():
    with Person(*TALK) as person:
        person.wait_for('talk>')
        person.type('keys\r')
        person.wait_for('press keys, q ends', '')
        person.type('\x03\x04\x1b[A\r')
        person.wait_for('<03><04><1b><5b><41><0d>')
        person.type('q')
        person.wait_for('<03><04><1b><5b><41><0d><71>', 'talk>')


def control_c_ends_the_program_in_the_foreground_only():
    with Person(*RUN_TALK) as person:
        person.wait_for('talk>')
        person.type('run spin\r')
        person.wait_for('talk> run spin', '')
        person.type('\x03')
        person.wait_for('spin: killed 0', 'talk>')
        person.type('say still here\r')
        person.wait_for('still here', 'talk>')


def a_program_in_the_foreground_reads_lines_until_control_d():
    with Person(*RUN_TALK) as person:
        person.wait_for('talk>')
        person.type('run echo\r')
        person.wait_for('talk> run echo', '')
        person.type('onee\x7f\r')
        person.wait_for('one', 'one', '')
        person.type('two\r')
        person.wait_for('two', 'two', '')
        person.type('\x04')
        person.wait_for('echo: exited 0', 'talk>')
        person.type('run echo\rthree')
        person.wait_for('talk> run echo', 'three')
        person.type('\x03')
        person.wait_for('three^C', 'echo: killed 0', 'talk>')


def control_d_ends_talk():
    with Person(*TALK) as person:
        person.wait_for('talk>')
        person.type('\x04')
        assert person.status() == 0
        assert person.screen.text()[-2:] == ['bye', ''], person.screen.text()


def an_ordinary_program_has_lines_and_ends_by_control_c():
    with Person('run', '--tty', 'echo') as person:
        person.wait_raw()
        person.type('helo' + LEFT + 'l')
        person.wait_for('hello')
        person.type('\r')
        person.wait_for('hello', 'hello', '')
        person.type('some\x03')
        assert person.status() == 130, person.status()
    with Person('run', '--tty', 'spin') as person:
        person.wait_raw()
        person.type('\x03')
        assert person.status() == 130, person.status()


def what_was_written_is_the_prompt_of_a_program():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'ask.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('#include <stdio.h>\nint main(void) {\n    char name[80];\n'
                       '    fputs("name? ", stdout);\n    fflush(stdout);\n'
                       '    fgets(name, sizeof name, stdin);\n'
                       '    printf("hello %s", name);\n    return 0;\n}\n')
        with Person('run', '--tty', path) as person:
            person.wait_for('name?')
            person.type('Ada' + LEFT + LEFT + LEFT + '~')
            person.wait_for('name? ~Ada')
            person.type('\r')
            assert person.status() == 0
            assert person.screen.text() == ['name? ~Ada', 'hello ~Ada', '']


def signals_leave_the_terminal_as_it_was():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        with Person(*TALK) as person:
            person.wait_for('talk>')
            person.process.send_signal(number)
            assert person.status() == 128 + number
    with Person(*TALK) as person:
        person.wait_for('talk>')
        person.type('\x1c')
        assert person.status() == 128 + signal.SIGQUIT


def control_c_of_a_plain_run_ends_the_machine():
    with Person('run', 'spin') as person:
        machines_of(person.process.pid)
        person.type('\x03')
        assert person.status() == 130, person.status()


def without_a_person_lines_come_as_they_are():
    done = capos(*TALK, stdin=b'say one\nsay two\x03\nsize\nsay \xc3\xa9')
    expect(done, 0, b'one\ntwo\x03\n0 columns, 0 rows, no terminal\n\xc3\xa9\nbye\n')
    data = bytes(range(256)) * 100
    expect(capos('run', '--tty', 'echo', stdin=data), 0, data)


SESSIONS = r'''
#include <capos/call.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/stdio.h>
#include <gen/capos/terminal.h>
#include <stdio.h>
#include <string.h>

static void expect(const char *what, enum status got, enum status wanted)
{
    if (got != wanted)
        printf("%s: %s, not %s\n", what, status_name(got), status_name(wanted));
}

static void refused(const char *what, enum status got)
{
    if (got == STATUS_OK || got > STATUS_INVALID_ARGUMENT)
        printf("%s: %s\n", what, status_name(got));
    else
        puts(capos_last_exception()->reason);
}

// A process without memory: it ends by a fault.
static enum status start_nothing(process_handle_cap *out_process)
{
    process_spawner_cap spawner;
    process_builder_cap builder;
    memory_budget_cap budget;
    enum status status = process_spawner_cap_find("spawner", &spawner);
    if (status == STATUS_OK)
        status = memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = process_spawner_create(spawner, "x", 1, budget, &builder);
    if (status == STATUS_OK)
        status = process_builder_start(builder, 4096, 4096, 0, out_process);
    return status;
}

int main(void)
{
    process_handle_cap process;
    struct capos_call calls[2];
    terminal_session_cap first, second, many[8];
    stdio_cap stdio, programs[30];
    bool found;
    char line[64];
    uint8_t data[8];
    size_t bytes;
    uint32_t program;
    enum line_end end;
    expect("find", terminal_session_cap_find("terminal", &first), STATUS_OK);
    expect("open", terminal_session_open_session(first, &second), STATUS_OK);
    expect("add", terminal_session_add_history(second, "old", 3), STATUS_OK);
    expect("read", terminal_session_read_line(second, "", 0, &end, line,
                                              sizeof line, &bytes), STATUS_OK);
    printf("%d %s\n", (int)end, line);
    expect("history", terminal_session_history_line(second, 0, &found, line, sizeof line,
                                                    &bytes), STATUS_OK);
    printf("%d %s\n", found, line);
    expect("history", terminal_session_history_line(first, 0, &found, line, sizeof line,
                                                    &bytes), STATUS_OK);
    printf("%d\n", found);
    refused("no bytes", terminal_session_read(first, 0, data, 8, &bytes));
    expect("bytes", terminal_session_read(first, 2, data, 8, &bytes), STATUS_OK);
    printf("%.*s\n", (int)bytes, (const char *)data);
    expect("program", terminal_session_open_program(first, &program, &stdio), STATUS_OK);
    expect("write", stdio_write(stdio, OUTPUT_STREAM_OUTPUT, "w\n", 2), STATUS_OK);
    refused("no bytes", stdio_read(stdio, 0, data, 8, &bytes));
    refused("no process", terminal_session_foreground(first, program,
                                                      (process_handle_cap){first.id}));
    refused("no completer", terminal_session_set_completer(first, (completer_cap){first.id}));
    expect("process", start_nothing(&process), STATUS_OK);
    refused("no program", terminal_session_foreground(first, 0, process));
    for (int i = 0; i < 6; i++)
        expect("open", terminal_session_open_session(first, &many[i]), STATUS_OK);
    refused("one more", terminal_session_open_session(first, &many[6]));
    expect("interrupt", terminal_session_wait_interrupt_begin(&calls[0], first), STATUS_OK);
    expect("interrupt", terminal_session_wait_interrupt_begin(&calls[1], first), STATUS_OK);
    refused("interrupt", terminal_session_wait_interrupt_finish(&calls[0]));
    terminal_session_cap_release(&many[3]);
    expect("size", terminal_session_size(first, nullptr, nullptr, &found), STATUS_OK);
    expect("open", terminal_session_open_session(first, &many[3]), STATUS_OK);
    for (int i = 0; i < 30; i++)
        expect("program", terminal_session_open_program(first, &program, &programs[i]),
               STATUS_OK);
    refused("one more", terminal_session_open_program(first, &program, &stdio));
    return 0;
}
'''


def sessions_are_apart_and_bounded_and_name_wrong_arguments():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'sessions.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(SESSIONS)
        expect(capos('run', '--tty', '--grant', 'spawner', path, stdin=b'line\nabc'), 0,
               b'w\n0 line\n1 old\n0\nmaxBytes: 1 to 4096\nab\nmaxBytes: 1 to 61440\n'
               b'the parameters are malformed or exceed a bound\n'
               b'the parameters are malformed or exceed a bound\n'
               b'program: a number from openProgram whose StdIO is still held\n'
               b'a terminal has at most 8 sessions\n'
               b'a later call waits now\na terminal has at most 31 programs\n')


TO_NOBODY = r'''
#include <capos/call.h>
#include <gen/capos/stdio.h>
#include <stdio.h>

int main(void)
{
    stdio_cap stdio;
    enum status status = stdio_cap_find("stdio", &stdio);
    while (status == STATUS_OK)
        status = stdio_write(stdio, OUTPUT_STREAM_OUTPUT, "text\n", 5);
    fprintf(stderr, "%s: %s\n", status_name(status), capos_last_exception()->reason);
    return 0;
}
'''


def a_writer_hears_that_nobody_reads():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'to_nobody.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(TO_NOBODY)
        reader, writer = os.pipe()
        os.close(reader)
        with subprocess.Popen([CAPOS, 'run', '--tty', path], stdin=subprocess.DEVNULL,
                              stdout=writer, stderr=subprocess.PIPE, cwd=ROOT) as run:
            os.close(writer)
            said = run.communicate(timeout=HANG_SECONDS)[1].decode()
        assert 'disconnected: nobody reads that any more' in said, said


BACKGROUND = r'''
#include <gen/capos/terminal.h>
#include <gen/capos/timer.h>
#include <string.h>

int main(void)
{
    terminal_session_cap terminal;
    timer_cap timer;
    struct capos_call line;
    enum line_end end;
    char text[64];
    if (terminal_session_cap_find("terminal", &terminal) != STATUS_OK ||
        timer_cap_find("timer", &timer) != STATUS_OK)
        return 1;
    if (terminal_session_read_line_begin(&line, terminal, "> ", 2) !=
            STATUS_OK ||
        timer_sleep(timer, 500000000) != STATUS_OK ||
        terminal_session_write(terminal, "news", 4) != STATUS_OK)
        return 1;
    return terminal_session_read_line_finish(&line, &end, text, sizeof text, nullptr) ==
                   STATUS_OK && strcmp(text, "typed on") == 0 ? 0 : 1;
}
'''


def what_is_written_while_a_line_is_edited_goes_above_it():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'background.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(BACKGROUND)
        with Person('run', '--tty', '--grant', 'timer', path) as person:
            person.wait_for('>')
            person.type('typed')
            person.wait_for('news', '> typed')
            person.type(' on\r')
            assert person.status() == 0
            assert person.screen.text() == ['news', '> typed on', ''], person.screen.text()


if __name__ == '__main__':
    main([
        a_line_is_edited_and_obeyed,
        history_comes_back_and_is_searched,
        wide_characters_keep_their_columns,
        a_paste_runs_nothing_until_enter,
        tab_completes_within_one_key,
        the_window_tells_its_size_when_it_changes,
        raw_keys_come_as_they_are,
        control_c_ends_the_program_in_the_foreground_only,
        a_program_in_the_foreground_reads_lines_until_control_d,
        control_d_ends_talk,
        an_ordinary_program_has_lines_and_ends_by_control_c,
        what_was_written_is_the_prompt_of_a_program,
        signals_leave_the_terminal_as_it_was,
        control_c_of_a_plain_run_ends_the_machine,
        without_a_person_lines_come_as_they_are,
        sessions_are_apart_and_bounded_and_name_wrong_arguments,
        a_writer_hears_that_nobody_reads,
        what_is_written_while_a_line_is_edited_goes_above_it,
    ])
