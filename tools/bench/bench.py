#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what the operations of capOS cost, in guest instructions.

Boots the program `bench` in QEMU under -icount shift=0 with the counting plug-in
(insn_count.c), pairs the regions that it marked with the names that it printed, and
writes a table and build/bench/latest.json.  Counts are exact and repeat; a string
instruction with a rep prefix counts once.  Wall times are measured without icount.

--check compares with a limit per row and fails when one is exceeded.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / 'build' / 'bench'
CAPOS = ROOT / 'build' / 'host' / 'capos'

# The figures that are owed, in instructions per operation.
LIMITS = {
    'kernel_entry': 200,
    'nop_1': 350,
    'nop_32_per_op': 100,
    'call_timer_now': 700,
    'ipc_rt_32': 1200,
    'ipc_rt_cap': 1500,
    'page_fault': 700,
    'thread_create_join': 8000,
    'spawn_exit_wait': 60000,
    'first_line_wall_s': 0.3,
}


def qemu_api(qemu):
    """The version of the plug-in interface that this QEMU speaks."""
    text = subprocess.run([qemu, '--version'], capture_output=True, text=True, check=True).stdout
    major, minor = map(int, re.search(r'version (\d+)\.(\d+)', text).groups())
    return 1 if (major, minor) < (8, 2) else 2 if (major, minor) < (9, 1) else 4


def build_plugin(qemu, compiler):
    plugin = OUT / 'insn_count.so'
    subprocess.run([compiler, '-std=gnu23', '-O2', '-fPIC', '-shared', '-w',
                    f'-DINSN_COUNT_API={qemu_api(qemu)}',
                    str(ROOT / 'tools/bench/insn_count.c'), '-o', str(plugin)], check=True)
    return plugin


def run_capos(program, *options):
    """Runs a program; its standard output and the time until its first line, in seconds."""
    start = time.monotonic()
    process = subprocess.Popen([str(CAPOS), 'run', *options, *program],
                               stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    elapsed = time.monotonic() - start
    rest = process.stdout.read()
    if process.wait() != 0:
        sys.exit(f'bench: `{" ".join(program)}` ended with status {process.returncode}')
    return first + rest, elapsed


def measure_instructions(plugin):
    counts = OUT / 'counts.txt'
    options = ['--qemu=-icount', '--qemu=shift=0,sleep=off',
               '--qemu=-plugin', f'--qemu={plugin},out={counts}']
    for grant in ('timer', 'spawner', 'boot', 'entropy', 'threads'):
        options += ['--grant', grant]
    text, _ = run_capos(['bench'], *options)
    # One line per region that the program measured: "NAME OPERATIONS".
    names = [line.split()[1:] for line in text.splitlines() if line.startswith('region ')]
    regions = [list(map(int, line.split())) for line in counts.read_text().splitlines()]
    if len(names) != len(regions):
        sys.exit(f'bench: {len(names)} regions were named and {len(regions)} counted')
    batches = {}
    for (name, operations), (_, total, _user, _kernel, rep_bytes) in zip(names, regions):
        if name == 'nop_32_enter':  # one operation of the program is 32 NOPs
            name, operations = 'nop_32_per_op', int(operations) * 32
        batch = batches.setdefault(name, {'ins': [], 'rep_bytes': []})
        batch['ins'].append(total / int(operations))
        batch['rep_bytes'].append(rep_bytes / int(operations))
    rows = []
    for name, batch in batches.items():
        # The first batch warms up.
        rows.append({'name': name, 'unit': 'instructions',
                     'capos': round(statistics.median(batch['ins'][1:]), 1),
                     'rep_bytes': round(statistics.median(batch['rep_bytes'][1:]), 1)})
    return rows


def measure_wall():
    times = [run_capos(['welcome'])[1] for _ in range(5)]
    return [{'name': 'first_line_wall_s', 'unit': 's', 'capos': round(min(times), 3)}]


def measure_memory():
    """The smallest --mem, in MiB, with which a program runs."""
    for mib in (16, 24, 32, 64):
        done = subprocess.run([str(CAPOS), 'run', '--mem', str(mib), 'welcome'],
                              capture_output=True, text=True)
        if done.returncode == 0:
            return [{'name': 'ram_min_mib', 'unit': 'MiB', 'capos': mib}]
    sys.exit('bench: welcome runs with none of the memory sizes that were tried')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='fail when a figure is exceeded')
    parser.add_argument('--exact', action='store_true',
                        help='leave out wall times, which depend on what else the machine does')
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    qemu = os.environ.get('CAPOS_QEMU', 'qemu-system-x86_64')
    plugin = build_plugin(qemu, os.environ.get('CC', 'clang-19'))
    rows = measure_instructions(plugin) + measure_memory()
    if not arguments.exact:
        rows += measure_wall()
    print(f'{"operation":24} {"capOS":>10} {"owed":>8}  unit')
    exceeded = 0
    for row in rows:
        limit = LIMITS.get(row['name'])
        over = limit is not None and row['capos'] > limit
        exceeded += over
        print(f'{row["name"]:24} {row["capos"]:>10} {limit if limit is not None else "":>8}  '
              f'{row["unit"]}{"  EXCEEDED" if over else ""}')
    (OUT / 'latest.json').write_text(json.dumps({'rows': rows}, indent=1) + '\n')
    return 1 if arguments.check and exceeded else 0


if __name__ == '__main__':
    sys.exit(main())
