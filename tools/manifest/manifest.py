#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Manifests at build time.

    manifest.py check --programs FILE... -- system/X.capnp    checks, prints errors
    manifest.py binaries system/X.capnp [PROGRAM...]          the programs that it names,
                                                              without those given
    manifest.py graph --out FILE.svg system/X.capnp           draws who holds what

Run from the top of the tree.  The errors of `capnp` itself come first, in its own words.
"""

import argparse
import json
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(1, os.path.join(os.path.dirname(HERE), 'schemac'))

from check import PAGE_BYTES, STACK_BYTES, Check, Facts, kernel_names   # noqa: E402
import graph                                                           # noqa: E402
from located import Sources                                            # noqa: E402
from model import Schema                                               # noqa: E402

KERNEL_GRANTS = 'kernel/boot/main.c'
MACHINE_MIB_MIN = 12             # RUN_MEMORY_MIB_MIN of tools/capos/run_options.h
PT_LOAD, PT_GNU_STACK = 1, 0x6474e551
WRITABLE = 2


def capnp(arguments):
    """What a run of capnp prints; ends the program with its messages if it fails."""
    command = [os.environ.get('CAPNP', 'capnp'), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False,
                          env=dict(os.environ, PWD=os.getcwd()))
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout


def read_manifest(path, root='.'):
    return json.loads(capnp(['eval', f'-I{root}', '-ojson', path, 'manifest']))


def read_schema(root='.'):
    folder = os.path.join(root, 'schema')
    files = sorted(name for name in os.listdir(folder) if name.endswith('.capnp'))
    return Schema(capnp(['compile', f'-I{root}', '-o-',
                         *(os.path.join(folder, name) for name in files)]))


def least_budget(path):
    """The bytes that a program's writable segments and its stack take; 0: no such file."""
    try:
        with open(path, 'rb') as file:
            elf = file.read(4096)
    except OSError:
        return 0
    if elf[:4] != b'\x7fELF':
        return 0
    offset, = struct.unpack_from('<Q', elf, 32)
    size, count = struct.unpack_from('<HH', elf, 54)
    total, stack = 0, 0
    for at in range(offset, min(offset + size * count, len(elf) - 55), size):
        kind, flags = struct.unpack_from('<II', elf, at)
        address, memory_bytes = struct.unpack_from('<Q', elf, at + 16)[0], \
            struct.unpack_from('<Q', elf, at + 40)[0]
        if kind == PT_LOAD and flags & WRITABLE:
            first = address // PAGE_BYTES * PAGE_BYTES
            total += -(-(address + memory_bytes - first) // PAGE_BYTES) * PAGE_BYTES
        elif kind == PT_GNU_STACK:
            stack = memory_bytes
    return total + (stack or STACK_BYTES)


def check(arguments):
    with open(KERNEL_GRANTS, encoding='utf-8') as file:
        kernel = kernel_names(file.read())
    if not kernel:
        sys.exit(f'{KERNEL_GRANTS}: the grants to init are not where this tool looks for them')
    programs = {os.path.basename(path): least_budget(path) for path in arguments.programs}
    facts = Facts(read_schema(), kernel, programs, MACHINE_MIB_MIN << 20)
    value = read_manifest(arguments.manifest)
    messages = Check(facts, value, arguments.manifest, Sources(['.'])).messages()
    if messages:
        sys.exit('\n'.join(messages))


def binaries(arguments):
    manifest = read_manifest(arguments.manifest)
    services = manifest.get('services', [])
    # The service of disks is packed when a machine is to have one: not everybody can build it.
    services += [manifest[name] for name in ('hostDirectory', 'diskDriver')
                 if 'binary' in manifest.get(name, {})]
    print('\n'.join(sorted({service['binary'] for service in services} - set(arguments.packed))))


def draw(arguments):
    interfaces = {interface_id: node.path for interface_id, node in
                  Facts(read_schema(), set(), {}, 0).interfaces.items()}
    name = os.path.splitext(os.path.basename(arguments.manifest))[0]
    with open(arguments.out, 'w', encoding='utf-8') as file:
        file.write(graph.svg(read_manifest(arguments.manifest), name, interfaces))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser('check', help='check a manifest')
    verb.add_argument('--programs', nargs='*', default=[], metavar='FILE')
    verb.add_argument('manifest')
    verb.set_defaults(run=check)
    verb = verbs.add_parser('binaries', help='print the programs that a manifest names')
    verb.add_argument('manifest')
    verb.add_argument('packed', nargs='*', metavar='PROGRAM')
    verb.set_defaults(run=binaries)
    verb = verbs.add_parser('graph', help='draw who holds what')
    verb.add_argument('--out', required=True, metavar='FILE')
    verb.add_argument('manifest')
    verb.set_defaults(run=draw)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == '__main__':
    main()
