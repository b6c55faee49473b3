#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks what every source file must look like.

    check-style.py [ROOT]

1. An SPDX line at its start.
2. No function in C of more than 70 lines.
3. No line of more than 100 columns in C, no tab, no blank at the end of a line.
4. No note to self, no path of a machine, no package registry's name.
5. A header has #pragma once, or says why it has "No include guard".
"""

import os
import re
import subprocess
import sys

SPDX = 'SPDX-License-Identifier: MIT'
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
WITH_SPDX = ('.c', '.h', '.rs', '.S', '.py', '.sh', '.capnp', '.mk', '.ld')
NOTES = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b')
PATHS = re.compile(r'(?<![\w.])/(work|home|root|Users|mnt)/\w')
REGISTRIES = re.compile(r'\b(pypi\.org|npmjs\.(org|com)|crates\.io|proxy\.golang\.org|'
                        r'deb\.debian\.org|rubygems\.org|files\.pythonhosted\.org)\b')


def sources(root):
    """Files that git knows or would add."""
    done = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard'],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [path for path in done.stdout.splitlines()
                if os.path.isfile(os.path.join(root, path))]
    return [os.path.relpath(os.path.join(where, name), root)
            for where, _, names in os.walk(root) for name in names]


def check_functions(path, lines):
    """A function's body begins with a line `{` and ends with a line `}`."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == '{':
            start = number
        elif line == '}' and start is not None:
            length = number - start + 1
            if length > FUNCTION_LINES_MAX:
                yield f'{path}:{start}: a function of {length} lines'
            start = None


def check_lines(path, lines):
    is_c = path.endswith(('.c', '.h'))
    for number, line in enumerate(lines, 1):
        where = f'{path}:{number}:'
        if line != line.rstrip():
            yield f'{where} blanks at the end'
        if is_c and '\t' in line:
            yield f'{where} a tab'
        if is_c and len(line) > COLUMNS_MAX:
            yield f'{where} {len(line)} columns'
        if NOTES.search(line):
            yield f'{where} a note to self'
        if PATHS.search(line):
            yield f'{where} a path of one machine'
        if REGISTRIES.search(line):
            yield f'{where} a registry by its name'


def check_file(root, path):
    with open(os.path.join(root, path), encoding='utf-8', errors='replace') as file:
        lines = file.read().split('\n')
    named = path.endswith(WITH_SPDX) or path in ('Makefile', 'capos', '.ci/run')
    if named and not any(SPDX in line for line in lines[:3]):
        yield f'{path}:1: no SPDX line'
    if path.endswith('.h') and '#pragma once' not in lines and \
            not any('No include guard' in line for line in lines):
        yield f'{path}:1: no #pragma once'
    if path.endswith('.c'):
        yield from check_functions(path, lines)
    if not path.endswith(('.package', '.bin', '.iso')) and not path.startswith('tests/fuzz/corpus'):
        yield from check_lines(path, lines)


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                           os.path.join(os.path.dirname(__file__), '..'))
    problems = [problem for path in sources(root) for problem in check_file(root, path)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
