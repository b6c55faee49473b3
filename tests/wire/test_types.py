#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/wire/test_wire.py on types.capnp: the types, defaults and unions that the schema
compiler supports and no interface uses yet.

Generates and compiles the codecs of types.capnp into build/host/wire_types, with the
sanitizers.  Prints `ok NAME` or `FAIL NAME`.
"""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUTPUT = 'build/host/wire_types'
SCHEMA = ['schema/annotations.capnp', 'schema/errors.capnp', 'tests/wire/types.capnp']
FLAGS = ['-std=gnu23', '-Wall', '-Wextra', '-Wconversion', '-Wsign-conversion', '-Wshadow',
         '-Werror', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
         '-Iabi/include', '-Ilib/include', '-I' + OUTPUT]


def build_driver():
    subprocess.run([sys.executable, '-B', 'tools/schemac/schemac.py', '--out', OUTPUT + '/gen',
                    *SCHEMA], check=True)
    sources = [os.path.join(OUTPUT, 'gen', name) for name in (
        'status.c', 'wire/errors.c', 'wire/types.c')]
    subprocess.run([os.environ.get('CC', 'clang-19'), *FLAGS, 'tests/wire/driver.c',
                    'lib/wire.c', *sources, '-o', OUTPUT + '/driver'], check=True)
    return OUTPUT + '/driver'


def main():
    os.chdir(ROOT)
    driver = build_driver()
    sys.exit(subprocess.run([sys.executable, '-B', 'tests/wire/test_wire.py', driver,
                             *SCHEMA], check=False).returncode)


if __name__ == '__main__':
    main()
