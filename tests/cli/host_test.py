#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The `capos` command against machines that are faked (fake_machine.py): the link, the
statuses, the ends, and everything that happens before a machine is started."""

import os
import random
import signal
import subprocess
import threading
import time

from case import (CAPOS, HANG_SECONDS, ROOT, capos, expect, is_gone, machines_of, main,
                  temporary_folder)

FAKE = os.path.join(ROOT, 'tests/cli/fake_machine.py')


def fake(behaviour, **more):
    return {'CAPOS_QEMU': FAKE, 'FAKE_MACHINE': behaviour, **more}


def any_program():
    """The name of a program in the image."""
    done = capos('list')
    for line in done.stdout.decode().splitlines():
        if line.startswith('  '):
            return line.split()[0]
    raise AssertionError('the image has no program')


def run_fake(behaviour, *options, stdin=b'', **more):
    return capos('run', *options, any_program(), stdin=stdin, env=fake(behaviour, **more))


def start_fake(behaviour, **streams):
    return subprocess.Popen([CAPOS, 'run', any_program()],
                            env={**os.environ, **fake(behaviour)}, **streams)


# ---- Statuses and streams ------------------------------------------------------------

def output_error_and_status_come_back_apart():
    done = run_fake('hello', FAKE_STATUS='42')
    expect(done, 42, b'out\n')
    assert done.stderr == b'err\n', done.stderr


def an_exit_code_is_cut_to_a_byte():
    expect(run_fake('hello', FAKE_STATUS='-1'), 255)
    expect(run_fake('hello', FAKE_STATUS='256'), 0)


def a_fault_is_named():
    expect(run_fake('segfault'), 139, b'', 'access to unmapped address 0x10 in ')
    expect(run_fake('segfault'), 139, stderr=', thread 3')


def instructions_are_counted_also_where_the_host_has_kvm():
    expect(run_fake('counts'), 0, b'out\n')
    expect(run_fake('counts', '--qemu=-icount', '--qemu=shift=0,sleep=off'), 0, b'out\n')


def ten_megabytes_pass_unharmed():
    data = random.Random(1).randbytes(10_000_001)
    expect(run_fake('cat', stdin=data), 0, data)


def an_empty_input_ends_at_once():
    expect(run_fake('cat'), 0, b'')


def a_closed_input_is_an_empty_one():
    done = subprocess.run(f'exec "{CAPOS}" run {any_program()} <&-', shell=True, check=False,
                          env={**os.environ, **fake('cat')}, capture_output=True,
                          timeout=HANG_SECONDS)
    expect(done, 0, b'')


def a_slow_reader_loses_nothing():
    with start_fake('cat', stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        data = random.Random(2).randbytes(2_000_000)
        feeder = threading.Thread(target=lambda: (process.stdin.write(data),
                                                  process.stdin.close()))
        feeder.start()
        time.sleep(0.5)     # so that everything in between fills up; passes without it too
        assert process.stdout.read() == data
        feeder.join()
        assert process.wait(HANG_SECONDS) == 0


def a_reader_that_leaves_is_told_to_the_program():
    with start_fake('ends_after_closed', stdout=subprocess.PIPE) as process:
        assert process.stdout.read(10) == b'y\ny\ny\ny\ny\n'
        process.stdout.close()
        assert process.wait(HANG_SECONDS) == 7


# ---- Bad ends ------------------------------------------------------------------------

def the_time_out_has_its_status():
    expect(run_fake('waits', '--timeout', '0.5'), 124, b'', 'ended after 0.5 s')


def a_machine_that_ends_is_our_failure():
    done = run_fake('crashes')
    expect(done, 125, b'', 'capos: capOS failed: the machine ended by itself')
    assert b'kernel: starting' in done.stderr and b'something broke' in done.stderr


def a_panic_is_our_failure_and_shows_the_log():
    done = run_fake('panics')
    expect(done, 125, b'', 'capos: capOS failed: the kernel panicked')
    assert b'it broke' in done.stderr and b'backtrace: here' in done.stderr


def guests_that_break_the_rules_are_ended():
    with start_fake('floods', stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        # Nobody reads until the machine is gone, so no credit is given.
        assert all(is_gone(machine) for machine in machines_of(process.pid))
        _, error = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 125 and b'more output than it had credit' in error, error
    expect(run_fake('babbles'), 125, b'', "something that isn't a frame")


def a_refusal_says_why():
    expect(run_fake('refuses'), 125, b'', 'the grant is gone')


def a_missing_qemu_is_named():
    expect(capos('run', any_program(), env={'CAPOS_QEMU': 'no-such-qemu'}), 125, b'',
           'is not installed')


def end_by(number, status):
    with start_fake('waits', stdin=subprocess.PIPE) as process:
        children = machines_of(process.pid)
        process.send_signal(number)
        assert process.wait(HANG_SECONDS) == status, process.returncode
        assert all(is_gone(child) for child in children), 'the machine is still there'


def signals_end_the_machine():
    end_by(signal.SIGINT, 130)
    end_by(signal.SIGTERM, 143)
    end_by(signal.SIGKILL, -9)      # nothing of ours runs after it


# ---- Before the machine --------------------------------------------------------------

def an_unknown_grant_is_refused_before_boot():
    expect(capos('run', '--grant', 'no-such-grant', any_program(),
                 env=fake('crashes')), 125, b'', 'there is no grant no-such-grant')


def what_is_not_there_is_127():
    expect(capos('run', './no/such/file'), 127, b'', 'No such file')
    expect(capos('run', 'no-such-program'), 127, b'', 'no such program')
    expect(capos('run', 'missing.c'), 127, b'', 'No such file')


def what_is_not_a_program_is_126():
    expect(capos('run', '/bin/sh'), 126, b'', '/bin/sh: ')
    expect(capos('run', './README.md'), 126, b'', 'README.md: ')
    expect(capos('run', './docs'), 126, b'', 'Is a directory')
    with temporary_folder() as folder:
        path = os.path.join(folder, 'cut')
        with open(CAPOS, 'rb') as whole, open(path, 'wb') as cut:
            cut.write(whole.read(100))
        expect(capos('run', path), 126, b'', 'cut: ')


def c_that_does_not_compile_is_126():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'bad.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('int main(void) { return }\n')
        expect(capos('run', path, env={'XDG_CACHE_HOME': folder}), 126, b'', 'bad.c:1:')


def who_has_no_home_compiles_among_the_temporary_files():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'small.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('int main(void) { return 0; }\n')
        cache = os.path.join(folder, f'capos-{os.getuid()}')
        homeless = {'XDG_CACHE_HOME': '/proc/none', 'TMPDIR': folder}
        done = capos('run', path, env=fake('hello', FAKE_STATUS='42', **homeless))
        expect(done, 42, b'out\n')
        assert os.stat(cache).st_mode & 0o777 == 0o700
        assert len(os.listdir(cache)) == 1, os.listdir(cache)
        os.chmod(cache, 0o777)  # somebody else could have put a program there
        expect(capos('run', path, env=fake('hello', **homeless)), 125, b'', 'yours alone')


def typing_errors_get_a_suggestion():
    expect(capos('rnu'), 2, b'', 'did you mean run?')
    expect(capos('frobnicate'), 2, b'', 'capos --help')
    expect(capos('run', '--gratn', 'x', 'y'), 125, b'', 'did you mean --grant?')
    expect(capos('run', '--mem', '1', 'y'), 125, b'', 'whole MiB from 12')
    expect(capos('run'), 125, b'', 'which program?')
    expect(capos(), 2, b'', 'Usage: capos COMMAND')


def every_command_has_help_with_an_example():
    for command in ('run', 'cc', 'list', 'doctor', 'pack'):
        done = capos(command, '--help')
        expect(done, 0)
        assert done.stdout == capos('help', command).stdout
        assert f'Usage: capos {command}'.encode() in done.stdout, done.stdout
        assert command == 'doctor' or b'Example' in done.stdout, command
    expect(capos('--help'), 0)


def a_missing_tool_is_diagnosed():
    with temporary_folder() as folder:
        done = capos('doctor', env={'PATH': folder})
        expect(done, 1)
        assert b'MISSING  clang-19' in done.stdout and b'qemu-system-x86' in done.stdout
    expect(capos('doctor'), 0)


def packages_are_made_of_files():
    with temporary_folder() as folder:
        out = os.path.join(folder, 'out.package')
        expect(capos('pack', out, 'a=README.md', 'b=LICENSE'), 0)
        with open(out, 'rb') as file:
            assert file.read(7) == b'BOOPACK'
        expect(capos('pack', out, 'a=README.md', 'a=LICENSE'), 2, b'', 'two files')
        expect(capos('pack', out, 'a=missing'), 1, b'', 'missing: No such file')
        expect(capos('pack', out, 'README.md'), 2, b'', 'NAME=FILE')


main([output_error_and_status_come_back_apart, an_exit_code_is_cut_to_a_byte,
      a_fault_is_named, instructions_are_counted_also_where_the_host_has_kvm,
      ten_megabytes_pass_unharmed, an_empty_input_ends_at_once,
      a_closed_input_is_an_empty_one, a_slow_reader_loses_nothing,
      a_reader_that_leaves_is_told_to_the_program, the_time_out_has_its_status,
      a_machine_that_ends_is_our_failure, a_panic_is_our_failure_and_shows_the_log,
      guests_that_break_the_rules_are_ended, a_refusal_says_why, a_missing_qemu_is_named,
      signals_end_the_machine, an_unknown_grant_is_refused_before_boot,
      what_is_not_there_is_127, what_is_not_a_program_is_126,
      c_that_does_not_compile_is_126, who_has_no_home_compiles_among_the_temporary_files,
      typing_errors_get_a_suggestion,
      every_command_has_help_with_an_example, a_missing_tool_is_diagnosed,
      packages_are_made_of_files])
