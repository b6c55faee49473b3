#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`capos run` end to end, booted: what a person types and what comes back."""

import hashlib
import os
import pty
import random
import signal
import subprocess
import termios

from case import CAPOS, ROOT, capos, expect, is_gone, main, processes_of, temporary_folder
from case import HANG_SECONDS as TIMEOUT


def run_c(text, *options, arguments=(), stdin=b'', timeout=TIMEOUT):
    """Compiles and runs a C program."""
    with temporary_folder() as folder:
        path = os.path.join(folder, 'program.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return capos('run', *options, path, *arguments, stdin=stdin, timeout=timeout)


def hello_comes_back():
    done = capos('run', 'examples/c/hello.c', timeout=TIMEOUT)
    expect(done, 0, b'Hello from capOS!\n')
    assert done.stderr == b'', done.stderr


def the_exit_status_is_the_programs():
    expect(run_c('int main(void) { return 42; }\n'), 42, b'')
    expect(run_c('#include <stdlib.h>\nint main(void) { exit(-1); }\n'), 255, b'')


def arguments_and_environment_arrive():
    program = ('#include <stdio.h>\n#include <stdlib.h>\n'
               'int main(int argc, char **argv) {\n'
               '    for (int i = 0; i < argc; i++) printf("%s|", argv[i]);\n'
               '    printf("%s|%s\\n", getenv("MODE"), getenv("HOME") ? "leak" : "none");\n'
               '    return 0;\n}\n')
    expect(run_c(program, '--env', 'MODE=a=b c', arguments=['x y', '', '--mem']), 0,
           b'program|x y||--mem|a=b c|none\n')


def stdout_and_stderr_are_apart():
    done = run_c('#include <stdio.h>\nint main(void) {\n'
                 '    fputs("one\\n", stdout);\n    fputs("two\\n", stderr);\n'
                 '    return 0;\n}\n')
    expect(done, 0, b'one\n')
    assert done.stderr == b'two\n', done.stderr


CAT = ('#include <stdio.h>\nstatic char buffer[65536];\nint main(void) {\n'
       '    size_t count;\n'
       '    while ((count = fread(buffer, 1, sizeof buffer, stdin)) > 0)\n'
       '        if (fwrite(buffer, 1, count, stdout) != count) return 1;\n'
       '    return fflush(stdout) == 0 ? 0 : 1;\n}\n')


def every_byte_value_passes_both_ways():
    data = bytes(range(256)) * 300
    expect(run_c(CAT, stdin=data), 0, data)
    expect(run_c(CAT), 0, b'')


def a_hundred_megabytes_pass_intact():
    with temporary_folder() as folder:
        program = os.path.join(folder, 'cat')
        source = program + '.c'
        with open(source, 'w', encoding='utf-8') as file:
            file.write(CAT)
        expect(capos('cc', '-fnative', '-o', program, source), 0)
        data = os.path.join(folder, 'data')
        block = random.Random(7).randbytes(1_000_000)
        with open(data, 'wb') as file:
            for i in range(100):
                file.write(block[i:] + block[:i])
        with open(data, 'rb') as file:
            wanted = hashlib.file_digest(file, 'sha256').hexdigest()
        got = hashlib.sha256()
        with open(data, 'rb') as stdin, subprocess.Popen(
                [CAPOS, 'run', program], stdin=stdin, stdout=subprocess.PIPE) as process:
            while part := process.stdout.read(1 << 20):
                got.update(part)
            assert process.wait(TIMEOUT) == 0
        assert got.hexdigest() == wanted


def output_has_a_limit_if_asked_for():
    done = capos('run', '--output-max', '100000', 'flood', '1000000', timeout=TIMEOUT)
    expect(done, 1)  # it is told, and says so
    assert 90000 <= len(done.stdout) <= 100000, len(done.stdout)
    pattern = b''.join(at.to_bytes(8, 'little') for at in range(0, 100000, 8))
    assert done.stdout == pattern[:len(done.stdout)]
    expect(capos('run', '--output-max', '100000', 'flood', '100000', timeout=TIMEOUT), 0,
           pattern)


def input_that_is_not_read_stays_in_its_file():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'lines')
        with open(path, 'wb') as file:
            file.write(b'a line\n' * 1000)
        with open(path, 'rb') as stdin:
            done = subprocess.run([CAPOS, 'run', 'examples/c/hello.c'], stdin=stdin, cwd=ROOT,
                                  capture_output=True, timeout=TIMEOUT, check=False)
            expect(done, 0, b'Hello from capOS!\n')
            assert os.lseek(stdin.fileno(), 0, os.SEEK_CUR) == 0


def a_system_whose_link_to_the_host_ends_is_our_failure():
    name = f'broken-{os.getpid()}'
    package = os.path.join(ROOT, f'build/system/{name}.package')
    programs = os.path.join(ROOT, 'build/user/stripped')
    try:
        expect(capos('pack', package, 'manifest=build/system/default.manifest',
                     f'init={programs}/init', f'hostlink={programs}/exitcode'), 0)
        expect(capos('run', '--system', name, 'examples/c/hello.c', timeout=TIMEOUT), 125, b'',
               'capos: capOS failed: ')
    finally:
        os.unlink(package)


def faults_are_named_with_their_function():
    cases = (
        ('*(volatile int *)0x10 = 1;', 139, 'access to unmapped address 0x10 in crash+0x'),
        ('__builtin_trap();', 132, 'illegal instruction in crash+0x'),
        ('volatile int zero = 0; zero = 7 / zero;', 136, 'division by zero'),
        ('*(volatile char *)(void *)main = 1;', 139, 'forbidden access to address'),
    )
    for statement, status, text in cases:
        done = run_c('int main(void);\n__attribute__((noinline)) void crash(void)\n{\n'
                     f'    {statement}\n}}\nint main(void) {{ crash(); return 0; }}\n')
        expect(done, status, b'', f'capos: program: {text}')
        assert b'(program.c:4)' in done.stderr, done.stderr


def a_stack_overflow_is_a_fault():
    done = run_c('int main(void);\nint (*volatile again)(void);\n'
                 'int main(void) { volatile char a[4096]; a[0] = 1; again = main;\n'
                 '    return again() + a[0]; }\n')
    expect(done, 139, b'', 'stack overflow')


def output_before_a_fault_is_kept():
    done = run_c('#include <stdio.h>\nint main(void) {\n    puts("before"); fflush(stdout);\n'
                 '    *(volatile int *)0 = 1;\n}\n')
    expect(done, 139, b'before\n')


def a_loop_without_end_times_out():
    expect(run_c('int main(void) { for (volatile int i = 0;; i++) {} }\n', '--timeout', '2'),
           124, b'', 'ended after 2 s')


def a_program_without_the_grant_lacks_it_and_one_with_it_has_it():
    program = ('#include <capos/capset.h>\n#include <gen/interfaces.h>\n#include <stdio.h>\n'
               'int main(void) {\n    capos_cap_id timer;\n'
               '    bool found = capos_find("timer", INTERFACE_TIMER, &timer) == STATUS_OK;\n'
               '    puts(found ? "yes" : "no");\n    return 0;\n}\n')
    expect(run_c(program), 0, b'no\n')
    expect(run_c(program, '--grant', 'timer'), 0, b'yes\n')


def sixteen_megabytes_are_enough():
    expect(capos('run', '--mem', '12', 'examples/c/hello.c', timeout=TIMEOUT), 0,
           b'Hello from capOS!\n')


def a_reader_that_leaves_ends_the_pipe():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'yes.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('#include <stdio.h>\nint main(void) {\n'
                       '    while (puts("y") >= 0 && fflush(stdout) == 0) {}\n    return 9;\n}\n')
        with subprocess.Popen([CAPOS, 'run', path], stdout=subprocess.PIPE) as process:
            assert process.stdout.read(4) == b'y\ny\n'
            process.stdout.close()
            assert process.wait(TIMEOUT) == 9, process.returncode


def control_c_ends_the_machine():
    with temporary_folder() as folder:
        path = os.path.join(folder, 'loop.c')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('#include <stdio.h>\nint main(void) {\n    puts("ready");\n'
                       '    fflush(stdout);\n    for (volatile int i = 0;; i++) {}\n}\n')
        with subprocess.Popen([CAPOS, 'run', path], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b'ready\n'
            machines = processes_of(process.pid)
            assert machines
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT) == 130
            assert all(is_gone(machine) for machine in machines)


def a_terminal_carries_lines_control_d_and_control_c():
    for keys, expected, status in ((b'one line\n\x04', b'one line', 0), (b'\x03', b'^C', 130)):
        with temporary_folder() as folder:
            path = os.path.join(folder, 'cat.c')
            with open(path, 'w', encoding='utf-8') as file:
                file.write('#include <stdio.h>\nint main(void) {\n    puts("ready");\n'
                           '    for (int c; (c = getchar()) != EOF;) putchar(c);\n}\n')
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(CAPOS, [CAPOS, 'run', path])
            before = termios.tcgetattr(terminal)
            seen = b''
            while b'ready' not in seen:
                seen += os.read(terminal, 4096)
            os.write(terminal, keys)
            try:
                while part := os.read(terminal, 4096):
                    seen += part
            except OSError:     # how Linux says that the other side is gone
                pass
            _, ended = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(ended) == status, (ended, seen)
            assert seen.count(expected) == (2 if status == 0 else 1), seen  # echo and output
            assert termios.tcgetattr(terminal) == before
            os.close(terminal)


def a_full_disk_is_named_and_is_no_success():
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([CAPOS, 'run', 'args'], stdout=full, stderr=subprocess.PIPE,
                              timeout=TIMEOUT, check=False)
    assert done.returncode == 125, done
    assert b'standard output: No space left on device' in done.stderr, done


def programs_are_compiled_from_any_folder_and_from_parts():
    with temporary_folder() as folder:
        for name, text in (('part.c', 'int answer(void);\nint answer(void) { return 6; }\n'),
                           ('main.c', 'int answer(void);\nint main(void) { return answer(); }\n')):
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write(text)
        expect(capos('cc', '-fnative', '-c', 'part.c', cwd=folder), 0)
        expect(capos('cc', '-fnative', '-O1', '-o', 'whole', 'part.o', 'main.c', cwd=folder), 0)
        expect(capos('run', './whole', cwd=folder, timeout=TIMEOUT), 6, b'')
        expect(capos('run', 'whole', cwd=folder, timeout=TIMEOUT), 6, b'')


main([hello_comes_back, the_exit_status_is_the_programs, arguments_and_environment_arrive,
      stdout_and_stderr_are_apart, every_byte_value_passes_both_ways,
      a_hundred_megabytes_pass_intact, output_has_a_limit_if_asked_for, input_that_is_not_read_stays_in_its_file,
      a_system_whose_link_to_the_host_ends_is_our_failure, faults_are_named_with_their_function,
      a_stack_overflow_is_a_fault, output_before_a_fault_is_kept,
      a_loop_without_end_times_out,
      a_program_without_the_grant_lacks_it_and_one_with_it_has_it,
      sixteen_megabytes_are_enough, a_reader_that_leaves_ends_the_pipe,
      a_full_disk_is_named_and_is_no_success,
      control_c_ends_the_machine, a_terminal_carries_lines_control_d_and_control_c,
      programs_are_compiled_from_any_folder_and_from_parts])
