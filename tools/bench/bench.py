#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what the operations of capOS cost, beside Linux on the same machine.

    bench.py                        measures all; prints a table, writes build/bench/latest.json
                                    and pictures beside it
    bench.py --docs                 the same, and writes the figures into docs/performance.md and
                                    Linux's into recorded.json
    bench.py --growth [WHAT]        only how costs grow; fails if one grows faster than O(log n)
    bench.py --disk                 only files on a disk in the host's memory
    bench.py --check                compares the instructions with what is owed and with the
                                    recorded baseline; fails if a figure is exceeded
    bench.py --accept [--why TEXT]  records the figures in baseline.json

Instructions are counted by a plug-in of QEMU (insn_count.c), exactly and the same in each
run; a string instruction with a rep prefix counts once.  Wall times are measured in a run
that isn't counted.  docs/performance.md explains each row.
"""

import argparse
import json
import os
import re
import sys
import tempfile

import baseline
import chart
import figures
import growth
import guest
import hostfs
import linux
import linux_kernel
import report
from rows import NAMES

# The figures that are owed.
LIMITS = {
    'kernel_entry': 110,
    'nop_1': 250,
    'nop_32_per_op': 70,
    'call_timer_now': 400,
    'ipc_rt_32': 600,
    'ipc_rt_cap': 1000,
    'park_pingpong': 900,
    'page_fault': 500,
    'map_touch_unmap': 1200,
    'thread_create_join': 5000,
    'spawn_exit_wait': 20000,
    'file_open_close': 6000,
    'file_read_4096': 2500,
    'file_read_mib': 142900,
}
MEMORY_MIB = 512        # of the machine whose free memory is looked at
DOCS = guest.ROOT / 'docs'
IMAGE = guest.ROOT / 'build/kernel/kernel.elf', guest.ROOT / 'build/system/default.package'


def instructions(measured):
    """{name: instructions}, those until user code runs among them."""
    return {name: row['instructions'] for name, row in measured.rows.items()} | \
        {'boot_user_insns': measured.boot_instructions}


def check(plugin):
    """What is exceeded: lines for people."""
    counts = instructions(guest.measure_capos(plugin, memory_mib=MEMORY_MIB))
    for name, limit in LIMITS.items():
        if round(counts.get(name, 0)) > limit:  # a batch's marks are a fraction
            yield f'{name}: {counts[name]}, and {limit} are owed'
    yield from baseline.compare(baseline.load(), counts)


def accept(plugin, why):
    counts = instructions(guest.measure_capos(plugin, memory_mib=MEMORY_MIB))
    rows, unexplained = baseline.accept(baseline.load(), counts, why)
    if unexplained:
        sys.exit(f'bench: these cost more than before: {", ".join(unexplained)}.  Say why: '
                 "make bench-accept WHY='...'")
    baseline.save(rows)


# ---- Files on a disk ----------------------------------------------------------------

# What is owed, and Linux's: ext4 on a block device in memory, tmpfs for one that is opened.
DISK_ROWS = {
    'disk_open_close': (6000, 5200),
    'disk_read_4096': (2500, None),
    'disk_read_mib': (97800, 97800),
    'disk_create_write_sync_remove': (352700, 352700),
    'disk_create_first_1000': (None, None),
    'disk_create_last_1000': (None, None),
}


def measure_disk(plugin):
    """{row: figure}; not repeatable to the last instruction, as the device's answers aren't."""
    memory = '/dev/shm' if os.path.isdir('/dev/shm') else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        return guest.measure_capos(plugin, ('bench', 'disk'), more=(
            '--disk', f'{folder}/disk:256M')).rows


def disk_table(rows):
    yield f'{"":32}{"capOS":>12}{"owed":>12}{"Linux":>12}'
    for name, (owed, theirs) in DISK_ROWS.items():
        numbers = (round(rows[name]['instructions']), owed, theirs)
        yield f'{name:32}' + ''.join(f'{"" if n is None else n:>12}' for n in numbers)
    first, last = (rows[f'disk_create_{which}_1000']['instructions']
                   for which in ('first', 'last'))
    yield f'of 100,000 small files the last cost {last / first:.2f} times what the first do'


# ---- All of it ----------------------------------------------------------------------

def mem_after_boot_mib(measured):
    """What isn't free when a program starts."""
    free_bytes = int(re.search(r'^free_bytes (\d+)\s*$', measured.output, re.M)[1])
    return round(MEMORY_MIB - free_bytes / 2**20, 1)


def plain(**values):
    return {name: {'value': value} for name, value in values.items()}


def measure_capos(plugin):
    """({row: figure}, the same of what Linux has no counterpart of)"""
    counted = guest.measure_capos(plugin, memory_mib=MEMORY_MIB)
    timed = guest.measure_capos(plugin, memory_mib=MEMORY_MIB, wall=True)
    all_figures = report.with_wall({name: report.figure_of(row)
                                    for name, row in counted.rows.items()}, timed.rows)
    all_figures |= plain(boot_user_insns=counted.boot_instructions,
                         boot_prompt_wall_s=figures.prompt_wall_s(),
                         hostfs_read_100mb_wall_s=hostfs.capos_wall_s(),
                         mem_after_boot_mib=mem_after_boot_mib(counted),
                         ram_min_mib=figures.ram_min_mib(),
                         image_mib=figures.image_mib(*IMAGE))
    return ({name: all_figures[name] for name in NAMES if name in all_figures},
            {name: figure for name, figure in all_figures.items() if name not in NAMES})


def hostfs_linux_wall_s(recorded):
    """Of another package than the rest: without it what was measured last."""
    try:
        return hostfs.linux_wall_s()
    except (linux_kernel.Unavailable, guest.GuestError) as error:
        print(f'hostfs_read_100mb_wall_s of Linux is RECORDED, not measured now: {error}',
              file=sys.stderr)
        return report.recorded_linux(recorded)['hostfs_read_100mb_wall_s']['value']


def measure_linux(plugin, kernel, recorded):
    """{row: figure}"""
    machine = linux.Machine(kernel.path, plugin)
    counted, _ = machine.measure(MEMORY_MIB)
    timed, _ = machine.measure(MEMORY_MIB, wall=True)
    found = report.with_wall({name: report.figure_of(row, way) for name, (way, row)
                              in linux.cheapest(counted.rows).items()}, timed.rows)
    return found | plain(boot_user_insns=counted.boot_instructions,
                         boot_prompt_wall_s=machine.ready_wall_s(MEMORY_MIB),
                         hostfs_read_100mb_wall_s=hostfs_linux_wall_s(recorded),
                         mem_after_boot_mib=mem_after_boot_mib(counted),
                         ram_min_mib=machine.ram_min_mib(),
                         image_mib=figures.image_mib(kernel.path, machine.initrd))


def linux_figures(plugin, recorded):
    """({row: figure}, where they come from in words, the version if they were measured)"""
    try:
        kernel = linux_kernel.fetch()
        print(f'Linux {kernel.version} ...', file=sys.stderr)
        return measure_linux(plugin, kernel, recorded), describe(kernel.version), kernel.version
    except (linux_kernel.Unavailable, guest.GuestError) as error:
        version = recorded.get('linux', {}).get('version', 'none')
        return report.recorded_linux(recorded), \
            f'{describe(version)}, RECORDED, not measured now: {error}', None


def describe(version):
    return f"Debian's {linux_kernel.NAME} {version}, default settings"


def measure_all(plugin, docs):
    recorded = report.load_recorded()
    ours, more = measure_capos(plugin)
    theirs, source, version = linux_figures(plugin, recorded)
    rows = report.join(ours, theirs)
    print(report.table(rows, more, source, recorded), end='\n\n', flush=True)
    panels = growth.measure(plugin)
    print(growth.table(panels))
    latest = report.latest(rows, more, source, recorded) | {'growth': growth.as_json(panels)}
    (guest.OUT / 'latest.json').write_text(json.dumps(latest, indent=1) + '\n', 'utf-8')
    pictures = {'performance.svg': chart.operations(rows, recorded, source),
                'growth.svg': chart.growth(panels)}
    for name, text in pictures.items():
        (guest.OUT / name).write_text(text, 'utf-8')
    if docs:
        write_docs(rows, source, recorded, panels, pictures)
        if version is not None:
            report.save_linux(version, theirs)


def write_docs(rows, source, recorded, panels, pictures):
    page = DOCS / 'performance.md'
    text = page.read_text('utf-8')
    for heading, section in (('Figures', report.markdown(rows, source, recorded)),
                             ('Growth', growth.markdown(panels)),
                             ('The rows', report.explanations())):
        text = report.insert(text, heading, section)
    page.write_text(text, 'utf-8')
    for name, picture in pictures.items():
        (DOCS / name).write_text(picture, 'utf-8')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--docs', action='store_true', help='write the figures into docs')
    parser.add_argument('--growth', nargs='?', const='', metavar='WHAT',
                        help='measure only how costs grow')
    parser.add_argument('--disk', action='store_true', help='measure only files on a disk')
    parser.add_argument('--check', action='store_true', help='fail when a figure is exceeded')
    parser.add_argument('--accept', action='store_true', help='record the figures')
    parser.add_argument('--why', default='', help='why figures grew')
    arguments = parser.parse_args()
    plugin = guest.build_plugin()
    if arguments.check:
        problems = list(check(plugin))
        print('\n'.join(problems), end='\n' if problems else '')
        return 1 if problems else 0
    if arguments.disk:
        print('\n'.join(disk_table(measure_disk(plugin))))
        return 0
    if arguments.accept:
        accept(plugin, arguments.why)
        return 0
    if arguments.growth is not None:
        panels = growth.measure(plugin, arguments.growth or None)
        print(growth.table(panels))
        return 1 if any(worse for *_, worse in growth.judge(panels)) else 0
    measure_all(plugin, arguments.docs)
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except guest.GuestError as error:
        sys.exit(f'bench: {error}')
