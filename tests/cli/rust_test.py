#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs in Rust, booted: tests/rust/smoke.rs runs its own tests in one machine."""

import os
import sys

from case import ROOT, Skip, capos, expect, main

PROBLEM = os.path.join(ROOT, 'build/rust/problem')      # why Rust can't be built here
PROGRAMS = os.path.join(ROOT, 'build/rust/bin')


def program(name):
    path = os.path.join(PROGRAMS, name)
    if os.path.exists(PROBLEM):
        with open(PROBLEM, encoding='utf-8') as file:
            raise Skip(file.read().strip())
    return path


def hello_in_rust_comes_back():
    done = capos('run', program('hello'))
    expect(done, 0, b'Hello from capOS!\n')
    assert done.stderr == b'', done.stderr


def the_rust_runtime_passes_its_booted_tests():
    done = capos('run', '--grant', 'timer', '--grant', 'console', '--grant', 'threads', '--env',
                 'MODE=smoke', '--verbose', program('smoke'), 'one', 'two words')
    lines = done.stdout.decode(errors='replace').splitlines()
    sys.stdout.write(''.join(f'ok rust/{line[3:]}\n' for line in lines
                             if line.startswith('ok ') and line != 'ok all'))
    expect(done, 0)
    assert lines[-1:] == ['ok all'], lines[-3:]


def a_panic_in_rust_says_where():
    done = capos('run', program('panic'))
    assert done.returncode == 132, (done.returncode, done.stderr)
    assert b'panic: the sum is 3 at tests/rust/panic.rs:' in done.stderr, done.stderr


def rust_without_a_grant_ends_with_an_error():
    done = capos('run', program('smoke'))
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert b'the grant \\"timer\\" is missing: a capability of Timer' in done.stderr, done.stderr


if __name__ == '__main__':
    main([hello_in_rust_comes_back, the_rust_runtime_passes_its_booted_tests,
          a_panic_in_rust_says_where, rust_without_a_grant_ends_with_an_error])
