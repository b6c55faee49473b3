#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is made of posix/calls.txt, the table of the C library's calls.

    calls.py musl FILE      the header that musl is compiled with
    calls.py posix FOLDER   calls.h and calls.c, that posix/ is compiled with
    calls.py symbols FILE   how the functions are called in the object that programs link
    calls.py docs FILE      the table of docs/posix-calls.md, in place; --check: only compares
"""

import os
import re
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = 'posix/calls.txt'
ERRNO_HEADER = 'posix/errno.h'
ARGUMENTS_MAX = 6
LETTERS = 'abcdef'
NOTE = f'made by tools/libc/calls.py of {TABLE}'
# What musl calls besides; posix/ has them under the names without the underscores.
OTHERS = ('clone', 'unmap_self')
BEGIN, END = '<!-- calls: begin -->', '<!-- calls: end -->'


class Wrong(Exception):
    """What is wrong with the table."""


@dataclass
class Call:
    number: int
    name: str
    arguments: int
    file: str       # '-': none
    needs: list
    refused: str    # '-': never

    @property
    def function(self):
        return f'call_{self.name}'

    @property
    def symbol(self):
        return f'__capos_{self.name}'

    def expression(self, name):
        return f'{name}({", ".join(LETTERS[:self.arguments])})'


def read_errnos():
    with open(os.path.join(ROOT, ERRNO_HEADER), encoding='utf-8') as file:
        return {name: int(value)
                for name, value in re.findall(r'^\s+(E\w+) = (\d+)', file.read(), re.M)}


def parse(line, errnos):
    words = line.split()
    if len(words) != 6:
        raise Wrong(f'{TABLE}: {line.strip()}: six columns are needed')
    number, name, arguments, file, needs, refused = words
    call = Call(int(number), name, int(arguments), file,
                [] if needs == '-' else needs.split(','), refused)
    if call.arguments > ARGUMENTS_MAX:
        raise Wrong(f'{TABLE}: {name}: at most {ARGUMENTS_MAX} arguments')
    if refused != '-' and refused not in errnos:
        raise Wrong(f'{TABLE}: {name}: {ERRNO_HEADER} has no {refused}')
    if refused == '-' and (needs != '-' or file == '-'):
        raise Wrong(f'{TABLE}: {name}: what is its errno?')
    return call


def read_calls():
    errnos = read_errnos()
    with open(os.path.join(ROOT, TABLE), encoding='utf-8') as table:
        calls = [parse(line, errnos) for line in table
                 if line.strip() and not line.startswith('#')]
    if [call.number for call in calls] != sorted({call.number for call in calls}):
        raise Wrong(f'{TABLE}: the numbers are not in order')
    return calls, errnos


def declaration(call, name):
    return f'long {name}({", ".join(["long"] * call.arguments) or "void"});'


def cases(calls, errnos, name_of):
    """The cases of a switch over the number."""
    for call in calls:
        value = call.expression(name_of(call)) if call.file != '-' else \
            f'-{errnos[call.refused]} /* {call.refused} */'
        yield f'case {call.number}: return {value};'
    yield f'default: return -{errnos["ENOSYS"]} /* ENOSYS */;'


def musl_header(calls, errnos):
    present = [call for call in calls if call.file != '-']
    parameters = ', '.join(f'long {letter}' for letter in LETTERS)
    return '\n'.join([
        f'/* SPDX-License-Identifier: MIT */\n/* {NOTE} */',
        *(f'__attribute__((__visibility__("hidden"))) {declaration(call, call.symbol)}'
          for call in present),
        '__attribute__((__visibility__("hidden")))',
        f'long __capos_numbered(long n, {parameters});',
        'static __inline __attribute__((__always_inline__, __unused__))',
        f'long __capos_call(long n, {parameters})',
        '{',
        '\tif (!__builtin_constant_p(n))',
        f'\t\treturn __capos_numbered(n, {", ".join(LETTERS)});',
        '\tswitch (n) {',
        *(f'\t{case}' for case in cases(calls, errnos, lambda call: call.symbol)),
        '\t}', '}', ''])


def posix_header(calls):
    return '\n'.join([
        f'// SPDX-License-Identifier: MIT\n// {NOTE}', '#pragma once', '',
        *(declaration(call, call.function) for call in calls if call.file != '-'),
        'long numbered(long number, ' + ', '.join(f'long {c}' for c in LETTERS) + ');', ''])


def posix_source(calls, errnos):
    parameters = ', '.join(f'long {letter}' for letter in LETTERS)
    return '\n'.join([
        f'// SPDX-License-Identifier: MIT\n// {NOTE}', '#include <posix/calls.h>', '',
        '// Calls whose number is known only when they are made.',
        f'long numbered(long number, {parameters})', '{', '    switch (number) {',
        *(f'    {case}' for case in cases(calls, errnos, lambda call: call.function)),
        '    }', '}', ''])


def symbols(calls):
    """For llvm-objcopy --redefine-syms."""
    names = [call.function for call in calls if call.file != '-']
    return ''.join(f'{name} {name.replace("call_", "__capos_", 1)}\n' for name in names) + \
        ''.join(f'{name} __capos_{name}\n' for name in ('numbered', *OTHERS))


def docs_table(calls):
    def needs(call):
        return ' or '.join(f'`{grant}`' for grant in call.needs) or '–'

    def fails(call):
        return 'always: ' + call.refused if call.file == '-' else call.refused.replace('-', '–')
    return '\n'.join([BEGIN, '| call | needs | without it |', '|---|---|---|',
                      *(f'| {call.name} | {needs(call)} | {fails(call)} |' for call in calls),
                      END])


def docs(path, calls, check):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    new = before + docs_table(calls) + rest.split(END)[1]
    if new == text:
        return 0
    if check:
        print(f'{path}: its table is not that of {TABLE}: run `make posix-docs`')
        return 1
    write(path, new)
    return 0


def write(path, text):
    """Leaves a file alone that is right."""
    try:
        with open(path, encoding='utf-8') as file:
            if file.read() == text:
                return
    except OSError:
        pass
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def main():
    what, path = sys.argv[1:3]
    try:
        calls, errnos = read_calls()
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    if what == 'musl':
        write(path, musl_header(calls, errnos))
    elif what == 'posix':
        write(os.path.join(path, 'calls.h'), posix_header(calls))
        write(os.path.join(path, 'calls.c'), posix_source(calls, errnos))
    elif what == 'symbols':
        write(path, symbols(calls))
    else:
        return docs(path, calls, '--check' in sys.argv)
    return 0


if __name__ == '__main__':
    sys.exit(main())
