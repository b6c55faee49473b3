#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that each floor includes, calls and contains only what floors.txt allows.

    check-floors.py [ROOT]

1. #include: a file includes only headers of floors that its own may include; services and
   programs include nothing of each other.
2. Assembly is only in kernel/arch/x86_64 and libcapos/arch.
3. Undefined symbols of the objects that were built (build/kernel, build/user): lib calls
   lib, the core calls the core, lib, and the machine by arch_*; libcapos calls libcapos
   and lib.
"""

import glob
import os
import re
import subprocess
import sys

COMPILER_HEADERS = {'stdint.h', 'stddef.h', 'stdarg.h', 'stdbool.h', 'limits.h', 'stdalign.h',
                    'stdnoreturn.h', 'float.h', 'cpuid.h', 'immintrin.h'}
C_HEADERS = {'stdio.h', 'stdlib.h', 'string.h', 'ctype.h', 'errno.h', 'assert.h', 'time.h',
             'math.h', 'inttypes.h', 'unistd.h', 'strings.h', 'signal.h'}
SEPARATE = ('services', 'programs')     # each folder below is a floor of its own
ASSEMBLY_FOLDERS = ('kernel/arch/x86_64/', 'libcapos/arch/')
MACHINE_FOLDER = 'libcapos/arch/x86_64/'    # its headers have a twin for host tests
ASSEMBLY = re.compile(r'\b(__asm__|__asm|asm)\b\s*(volatile|goto|inline|__volatile__)?\s*\(')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
FOLDERS = ('abi', 'lib', 'kernel', 'libcapos', 'posix', 'services', 'programs', 'examples', 'tests',
           'tools', 'volume')


def read_table(root):
    floors, allowed, names = {}, {}, {}
    with open(os.path.join(root, 'floors.txt'), encoding='utf-8') as file:
        for line in file:
            words = line.split()
            if not words or words[0].startswith('#'):
                continue
            if words[0].startswith('@'):
                names[words[0]] = set(words[1:])
                continue
            floors[words[1]] = words[0]
            allowed[words[0]] = set(words[2:]) - {'-'}
    return floors, allowed, names


def floor_of(path, floors):
    best = max((folder for folder in floors if path.startswith(folder + '/')), key=len,
               default=None)
    return floors.get(best)


def unit_of(path):
    """Folders below services/ and programs/ that must not know each other."""
    parts = path.split('/')
    return '/'.join(parts[:2]) if parts[0] in SEPARATE else None


def target_of(path, quote, name, root):
    """The floor, or the kind of header, that an include names; a path for our own files."""
    if quote == '"':
        return os.path.normpath(os.path.join(os.path.dirname(path), name))
    for prefix, folder in (('abi/', 'abi/include/'), ('lib/', 'lib/include/'),
                           ('capos/', 'libcapos/include/'), ('test/', 'tests/include/'),
                           ('volume/', 'volume/include/'), ('kernel/', ''), ('posix/', ''),
                           ('tests/', '')):
        if name.startswith(prefix):
            return folder + name
    if name.startswith('gen/'):
        part = name.split('/')[1]
        return f'gen-{part}' if part in ('kernel', 'capos') else 'gen-wire'
    if name in COMPILER_HEADERS:
        return None
    if name == 'sqlite3.h':
        return 'sqlite'
    if os.path.exists(os.path.join(root, MACHINE_FOLDER, name)):
        return MACHINE_FOLDER + name
    return 'c' if name in C_HEADERS else 'host'


def check_includes(path, text, floors, allowed, root):
    floor = floor_of(path, floors)
    may = allowed.get(floor, set()) | {floor}
    if re.search(r'_(test|fuzz)\.[ch]$', path) and floor not in ('iface', 'system-tests'):
        may |= {'test', 'host', 'c'}
        if floor in ('core', 'arch-x86_64'):
            may |= {'arch-host', 'core-tests'}
    if 'host' in may:
        may |= {'c'}
    for match in INCLUDE.finditer(text):
        target = target_of(path, match[1], match[2], root)
        if target is None:
            continue
        other = floor_of(target, floors) if '/' in target else target
        line = text.count('\n', 0, match.start()) + 1
        if other not in may:
            yield f'{path}:{line}: {floor} may not include {match[2]} (of {other})'
        elif unit_of(path) and '/' in target and unit_of(target) not in (None, unit_of(path)):
            yield f'{path}:{line}: {unit_of(path)} may not include {match[2]}'


def check_assembly(path, text):
    if path.startswith(ASSEMBLY_FOLDERS) or path.startswith(('tests/', 'tools/')):
        return
    if path.endswith('.S'):
        yield f'{path}:1: assembly belongs to {" and ".join(ASSEMBLY_FOLDERS)}'
    for match in ASSEMBLY.finditer(re.sub(r'//[^\n]*', '', text)):
        yield f'{path}: assembly ({match[0]}...) belongs to {" and ".join(ASSEMBLY_FOLDERS)}'


def sources(root):
    for folder in FOLDERS:
        for where, _, files in os.walk(os.path.join(root, folder)):
            for name in sorted(files):
                if name.endswith(('.c', '.h', '.S')):
                    yield os.path.relpath(os.path.join(where, name), root)


# ---- Symbols -------------------------------------------------------------------------

def symbols_of(objects):
    """(defined, {undefined name: object}) of object files."""
    defined, undefined = set(), {}
    if not objects:
        return defined, undefined
    nm = os.environ.get('NM', 'llvm-nm-19')
    text = subprocess.run([nm, '-A', '-P', *objects], capture_output=True, text=True,
                          check=True).stdout
    for line in text.splitlines():
        match = re.match(r'(\S+?):? (\S+) ([A-Za-z])\b', line)
        if match and match[3] in 'Uwv':
            undefined.setdefault(match[2], match[1].rstrip(':'))
        elif match:
            defined.add(match[2])
    return defined, undefined


def objects_below(root, build, *folders):
    found = []
    for folder in folders:
        pattern = os.path.join(root, 'build', build, 'obj', folder, '**', '*.o')
        found += glob.glob(pattern, recursive=True)
    return [path for path in found if is_current(root, build, path)]


def is_current(root, build, path):
    source = os.path.relpath(path, os.path.join(root, 'build', build, 'obj')).removesuffix('.o')
    return any(os.path.exists(os.path.join(root, source + end)) for end in ('', '.c'))


def check_symbols(root, names):
    compiler, arch = names['@compiler'], tuple(names['@arch'])
    gen = ('build/gen',)
    layers = [
        # build, floor, its folders, what it may call besides, prefix of the machine
        ('kernel', 'lib', ('lib', 'build/gen/wire'), ('build/gen',), ()),
        ('kernel', 'core', tuple(f'kernel/{part}' for part in
                                 ('object', 'cap', 'ipc', 'sched', 'mm', 'boot', 'debug')),
         ('lib', *gen), arch),
        ('user', 'libcapos', ('libcapos',), ('lib', *gen), ()),
    ]
    for build, floor, folders, others, prefix in layers:
        own, undefined = symbols_of(objects_below(root, build, *folders))
        below, _ = symbols_of(objects_below(root, build, *others))
        for name, where in sorted(undefined.items()):
            if name in own or name in below or name in compiler:
                continue
            if prefix and name.startswith(prefix):
                continue
            if floor == 'libcapos' and (name.startswith('__') or name in names['@program']):
                continue    # clang's builtins; what the program and the linker define
            yield f'{os.path.relpath(where, root)}: {floor} may not use {name}'


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                           os.path.join(os.path.dirname(__file__), '..'))
    floors, allowed, names = read_table(root)
    problems = []
    for path in sources(root):
        with open(os.path.join(root, path), encoding='utf-8') as file:
            text = file.read()
        problems += check_includes(path, text, floors, allowed, root)
        problems += check_assembly(path, text)
    problems += check_symbols(root, names)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
