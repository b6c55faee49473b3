#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`capos cc` and the C library: programs of tests/libc, each compiled and run in a machine.

What depends on no capability runs on the host as well, compiled for it: the two must agree.
"""

import os
import re
import subprocess
import sys

from case import ROOT, Skip, capos, expect, main, temporary_folder

PROBLEM = os.path.join(ROOT, 'build/libc/problem')    # why there is no C library here
SOURCES = os.path.join(ROOT, 'tests/libc')
FLAGS = ['-std=gnu23', '-O1', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-fno-builtin']
HOST_CC = os.environ.get('CC', 'clang-19')
TIMEOUT = 240
HELLO_BYTES_MAX = 80 * 1024
HELLO = '''
#include <stdio.h>
int main(void) { printf("Hello, %s!\\n", "world"); return 0; }
'''


def need_libc():
    if os.path.exists(PROBLEM):
        with open(PROBLEM, encoding='utf-8') as file:
            raise Skip(file.read().strip())


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def compiled(folder, text, *options):
    """A program of a C text."""
    program = os.path.join(folder, 'program')
    expect(capos('cc', *options, '-o', program, write(folder, 'program.c', text)), 0)
    return program


def run_text(text, *arguments, options=(), stdin=b''):
    with temporary_folder() as folder:
        program = compiled(folder, text)
        return capos('run', '--timeout', str(TIMEOUT), *options, program, *arguments,
                     stdin=stdin)


def verdicts(output):
    """(names that passed, lines of those that failed)."""
    text = output.decode(errors='replace')
    return re.findall(r'^ok (\w+)', text, re.M), re.findall(r'^FAIL .*', text, re.M)


def on_host(folder, name, arguments):
    program = os.path.join(folder, f'{name}.host')
    done = subprocess.run([HOST_CC, *FLAGS, '-o', program, os.path.join(SOURCES, f'{name}.c'),
                           '-lm', '-lpthread'], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([program, *arguments], capture_output=True, timeout=TIMEOUT,
                          check=False)
    passed, failed = verdicts(done.stdout)
    assert done.returncode == 0 and not failed, failed or done
    return passed


def in_machine(folder, name, *arguments, options=()):
    program = os.path.join(folder, name)
    source = os.path.join(SOURCES, f'{name}.c')
    expect(capos('cc', *FLAGS, '-o', program, source, '-lm', '-lpthread'), 0)
    done = capos('run', '--timeout', str(TIMEOUT), *options, program, *arguments)
    passed, failed = verdicts(done.stdout)
    print(done.stdout.decode(errors='replace'), end='')
    assert not failed and passed and done.returncode == 0, f'{failed}, {done.stderr}'
    return passed


# ---- What the library does -----------------------------------------------------------

def c_is_as_on_linux():
    need_libc()
    with temporary_folder() as folder:
        assert in_machine(folder, 'c_test') == on_host(folder, 'c_test', [])


def files_are_as_on_linux():
    need_libc()
    with temporary_folder() as folder:
        here, there = os.path.join(folder, 'here'), os.path.join(folder, 'there')
        os.mkdir(here)
        os.mkdir(there)
        passed = in_machine(folder, 'files_test', '/rw', options=['--dir', f'{there}:rw:rw'])
        assert passed == on_host(folder, 'files_test', [here])
        assert os.listdir(there) == os.listdir(here) == []


def threads_are_as_on_linux():
    need_libc()
    with temporary_folder() as folder:
        passed = in_machine(folder, 'threads_test',
                            options=['--cpus', '2', '--grant', 'threads', '--grant', 'timer'])
        assert passed == on_host(folder, 'threads_test', [])


def without_a_grant_each_area_says_so():
    need_libc()
    with temporary_folder() as folder:
        in_machine(folder, 'authority_test', 'without')


def directories_are_all_there_is():
    need_libc()
    with temporary_folder() as folder:
        for name in ('rw', 'ro'):
            os.mkdir(os.path.join(folder, name))
        write(folder, 'ro/given', 'given')
        in_machine(folder, 'authority_test', 'with',
                   options=['--dir', f'{folder}/rw:rw:rw', '--dir', f'{folder}/ro:ro:ro'])


# What musl has no constant for in its headers, or no number.
NOT_MUSLS = ('O_ACCMODE', 'FUTEX_', 'SIGCANCEL', 'SIGNAL_COUNT', 'SIG_DFL', 'SIG_IGN',
             'RLIMIT_COUNT')


def constants(header):
    """The names in the enums of a header."""
    with open(os.path.join(ROOT, 'posix', header), encoding='utf-8') as file:
        text = re.sub(r'//.*', '', file.read())
    bodies = ','.join(re.findall(r'\benum\b[^{;]*\{([^}]*)\}', text))
    names = [part.split('=')[0].strip() for part in bodies.split(',') if part.strip()]
    return [name for name in names if not name.startswith(NOT_MUSLS)]


def constants_and_layouts_are_musls():
    need_libc()
    names = constants('abi.h') + constants('errno.h')
    assert len(names) > 100, names
    with open(os.path.join(SOURCES, 'abi_check.c'), encoding='utf-8') as file:
        layouts = file.read()
    # Ours are taken down before the names become musl's macros.
    text = '\n'.join([f'#include "{ROOT}/posix/abi.h"', f'#include "{ROOT}/posix/errno.h"',
                      'enum : long {', *(f'ours_{name} = {name},' for name in names), '};',
                      layouts, *(f'static_assert(ours_{name} == (long)({name}), "{name}");'
                                 for name in names), ''])
    with temporary_folder() as folder:
        expect(capos('cc', '-std=gnu23', '-D_GNU_SOURCE', '-fsyntax-only',
                     write(folder, 'check.c', text)), 0)


def the_table_of_calls_is_in_the_documentation():
    done = subprocess.run([sys.executable, '-B', 'tools/libc/calls.py', 'docs',
                           'docs/posix-calls.md', '--check'], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- Programs as people write them ---------------------------------------------------

def a_program_has_arguments_an_environment_and_streams():
    need_libc()
    done = run_text('''
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int c, sum = 0;
    while ((c = getchar()) != EOF)
        sum += c;
    printf("%d %s %s %d\\n", argc, argv[2], getenv("NAME"), sum);
    fprintf(stderr, "aside\\n");
    return 42;
}
''', 'a', 'b c', options=['--env', 'NAME=value'], stdin=bytes(range(256)) * 1000)
    expect(done, 42, b'3 b c value 32640000\n', 'aside')


def abort_and_assertions_are_134():
    need_libc()
    done = run_text('#include <assert.h>\nint main(int n, char **v) { assert(n == 7); }\n')
    expect(done, 134, b'', 'Assertion failed: n == 7')


def random_numbers_are_entropys():
    need_libc()
    done = run_text('''
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
int main(void)
{
    char first[5000], second[5000];
    FILE *file = fopen("/dev/urandom", "r");
    if (file == NULL || getrandom(first, sizeof first, 0) != sizeof first)
        return 1;
    return fread(second, 1, sizeof second, file) != sizeof second ||
           memcmp(first, second, sizeof first) == 0;
}
''', options=['--grant', 'entropy'])
    expect(done, 0, b'')


def exit_runs_handlers_and_flushes():
    need_libc()
    done = run_text('''
#include <stdio.h>
#include <stdlib.h>
static void last(void) { printf("last"); }
__attribute__((constructor)) static void first(void) { printf("first "); }
int main(void) { atexit(last); printf("main "); exit(3); }
''')
    expect(done, 3, b'first main last')


def a_null_pointer_is_a_fault_with_its_place():
    need_libc()
    with temporary_folder() as folder:
        program = compiled(folder, 'int main(void) { return *(volatile int *)16; }\n', '-g')
        expect(capos('run', program), 139, b'', 'unmapped address 0x10 in main')


def libc_and_native_calls_mix():
    need_libc()
    with temporary_folder() as folder:
        program = compiled(folder, '''
#include <capos/capset.h>
#include <gen/capos/timer.h>
#include <stdio.h>
#include <time.h>
int main(void)
{
    timer_cap timer;
    uint64_t before, after;
    struct timespec time;
    if (timer_cap_find("timer", &timer) != STATUS_OK || timer_now(timer, &before) != STATUS_OK)
        return 1;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0 || timer_now(timer, &after) != STATUS_OK)
        return 2;
    uint64_t between = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
    printf("%d\\n", before <= between && between <= after);
    return 0;
}
''', '-std=gnu23')
        expect(capos('run', '--grant', 'timer', program), 0, b'1\n')


# ---- The compiler ----------------------------------------------------------------------

def parts_are_compiled_linked_and_preprocessed():
    need_libc()
    with temporary_folder() as folder:
        write(folder, 'part.c', '#include <math.h>\ndouble root(double x) { return sqrt(x); }\n')
        write(folder, 'main.c', 'double root(double);\nint main(void) { return (int)root(49); }\n')
        expect(capos('cc', '-O0', '-c', 'part.c', cwd=folder), 0)
        expect(capos('cc', '-static', '-pthread', '-o', 'whole', 'part.o', 'main.c', '-lm',
                     cwd=folder), 0)
        expect(capos('run', 'whole', cwd=folder), 7, b'')
        done = capos('cc', '-E', '-P', '-x', 'c', '-', stdin=b'__linux__ __x86_64__', cwd=folder)
        expect(done, 0, b'1 1\n')


def errors_are_the_compilers():
    need_libc()
    with temporary_folder() as folder:
        write(folder, 'wrong.c', 'int main(void) { return missing(); }\n')
        done = capos('cc', '-Wno-implicit-function-declaration', '-std=gnu89', 'wrong.c',
                     cwd=folder)
        assert done.returncode != 0 and b'undefined symbol: missing' in done.stderr, done
        assert not os.path.exists(os.path.join(folder, 'a.out'))


def hello_is_small_and_asks_for_little():
    need_libc()
    with temporary_folder() as folder:
        program = compiled(folder, HELLO, '-O2', '-s')
        assert os.path.getsize(program) <= HELLO_BYTES_MAX, os.path.getsize(program)
        done = capos('inspect', program)
        asked = re.findall(r'^  (\w+)', done.stdout.decode(), re.M)
        assert sorted(asked) == ['Console', 'ParkSpace', 'StdIO', 'ThreadControl',
                                 'VirtualMemory'], asked


main([c_is_as_on_linux, files_are_as_on_linux, threads_are_as_on_linux,
      without_a_grant_each_area_says_so, directories_are_all_there_is,
      constants_and_layouts_are_musls,
      the_table_of_calls_is_in_the_documentation,
      a_program_has_arguments_an_environment_and_streams, abort_and_assertions_are_134,
      random_numbers_are_entropys, exit_runs_handlers_and_flushes, a_null_pointer_is_a_fault_with_its_place,
      libc_and_native_calls_mix, parts_are_compiled_linked_and_preprocessed,
      errors_are_the_compilers, hello_is_small_and_asks_for_little])
