#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what the operations of capOS cost, in guest instructions.

    bench.py                        measures all, prints a table, writes build/bench/latest.json
    bench.py --check                compares the instructions with what is owed and with the
                                    recorded baseline; fails if a figure is exceeded
    bench.py --accept [--why TEXT]  records the figures in baseline.json

Instructions are counted by a plug-in of QEMU (insn_count.c), exactly and the same in each
run; a string instruction with a rep prefix counts once.  Wall times are measured in a run
that isn't counted.  docs/performance.md explains each row.
"""

import argparse
import json
import re
import sys

import baseline
import figures
import guest

# The figures that are owed.
LIMITS = {
    'kernel_entry': 110,
    'nop_1': 250,
    'nop_32_per_op': 70,
    'call_timer_now': 500,
    'ipc_rt_32': 600,
    'ipc_rt_cap': 1000,
    'park_pingpong': 900,
    'page_fault': 500,
    'map_touch_unmap': 2400,
    'thread_create_join': 5800,
    'spawn_exit_wait': 23000,
    'file_open_close': 6000,
    'file_read_4096': 2500,
    'file_read_mib': 142900,
    'boot_prompt_wall_s': 0.3,
}
MEMORY_MIB = 512        # of the machine whose free memory is looked at


def instructions(measured):
    """{name: instructions}, those until user code runs among them."""
    return {name: row['instructions'] for name, row in measured.rows.items()} | \
        {'boot_user_insns': measured.boot_instructions}


def check(plugin):
    """What is exceeded: lines for people."""
    counts = instructions(guest.measure_capos(plugin))
    for name, limit in LIMITS.items():
        if round(counts.get(name, 0)) > limit:  # a batch's marks are a fraction
            yield f'{name}: {counts[name]}, and {limit} are owed'
    yield from baseline.compare(baseline.load(), counts)


def accept(plugin, why):
    rows, unexplained = baseline.accept(baseline.load(), instructions(
        guest.measure_capos(plugin)), why)
    if unexplained:
        sys.exit(f'bench: these cost more than before: {", ".join(unexplained)}.  Say why: '
                 "make bench-accept WHY='...'")
    baseline.save(rows)


def mem_after_boot_mib(measured):
    """What isn't free when a program starts."""
    free_bytes = int(re.search(r'^free_bytes (\d+)$', measured.output, re.M)[1])
    return round(MEMORY_MIB - free_bytes / 2**20, 1)


def measure(plugin):
    counted = guest.measure_capos(plugin, memory_mib=MEMORY_MIB)
    timed = guest.measure_capos(plugin, memory_mib=MEMORY_MIB, wall=True)
    rows = [{'name': name, 'unit': 'instructions', 'capos': row['instructions'],
             'rep_bytes': row['rep_bytes'], 'cr3_writes': row['cr3_writes'],
             'wall_us': round(timed.rows[name]['wall_ns'] / 1000, 2)}
            for name, row in counted.rows.items()]
    system = guest.ROOT / 'build/system/default.package', guest.ROOT / 'build/kernel/kernel.elf'
    return rows + [
        {'name': 'boot_user_insns', 'unit': 'instructions', 'capos': counted.boot_instructions},
        {'name': 'boot_prompt_wall_s', 'unit': 's', 'capos': figures.prompt_wall_s()},
        {'name': 'mem_after_boot_mib', 'unit': 'MiB', 'capos': mem_after_boot_mib(counted)},
        {'name': 'ram_min_mib', 'unit': 'MiB', 'capos': figures.ram_min_mib()},
        {'name': 'image_mib', 'unit': 'MiB', 'capos': figures.image_mib(*system)},
    ]


def show(rows):
    print(f'{"operation":24} {"capOS":>10} {"rep bytes":>10} {"CR3":>4} {"wall us":>9}  unit')
    for row in rows:
        print(f'{row["name"]:24} {row["capos"]:>10} {row.get("rep_bytes", ""):>10} '
              f'{row.get("cr3_writes", ""):>4} {row.get("wall_us", ""):>9}  {row["unit"]}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='fail when a figure is exceeded')
    parser.add_argument('--accept', action='store_true', help='record the figures')
    parser.add_argument('--why', default='', help='why figures grew')
    arguments = parser.parse_args()
    plugin = guest.build_plugin()
    if arguments.check:
        problems = list(check(plugin))
        print('\n'.join(problems), end='\n' if problems else '')
        return 1 if problems else 0
    if arguments.accept:
        accept(plugin, arguments.why)
        return 0
    rows = measure(plugin)
    show(rows)
    (guest.OUT / 'latest.json').write_text(json.dumps({'rows': rows}, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except guest.GuestError as error:
        sys.exit(f'bench: {error}')
