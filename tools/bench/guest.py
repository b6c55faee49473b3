# SPDX-License-Identifier: MIT
"""Runs a guest with the plug-in insn_count.c and reads what it counted.

A guest prints a line "region NAME OPERATIONS" for each region that it marked, in their order;
the plug-in writes a line for each, in the same order.  Here they are paired.
"""

import os
import pathlib
import re
import statistics
import subprocess
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / 'build' / 'bench'
CAPOS = ROOT / 'build' / 'host' / 'capos'
QEMU = os.environ.get('CAPOS_QEMU', 'qemu-system-x86_64')
CC = os.environ.get('CC', 'clang-19')

# What makes counts repeat: virtual time that runs by instructions, chance that is the same in
# each run, and a calendar that starts at the same day.
COUNTED = ('-icount', 'shift=0,sleep=off', '-seed', '1',
           '-rtc', 'base=2024-01-01T00:00:00,clock=vm')
# A machine that Linux boots on as well: capOS does without the old interrupt controller and
# the clock, Linux without ACPI needs both.  It is emulated also where the host has KVM.
MACHINE = ('-accel', 'tcg', '-M', 'microvm,pic=on,pit=on,rtc=on')
GRANTS = ('timer', 'spawner', 'boot', 'entropy', 'threads', 'forker', 'ramfs')
PER_OPERATION = ('instructions', 'rep_bytes', 'cr3_writes', 'wall_ns')


class GuestError(Exception):
    """A guest that didn't do what it should; the argument says what it did."""


@dataclass
class Measured:
    """What a run brought."""
    rows: dict = field(default_factory=dict)    # name: {of PER_OPERATION: per operation}
    boot_instructions: int = 0                  # until user code ran
    output: str = ''


def qemu_api():
    """The version of the plug-in interface that this QEMU speaks."""
    text = subprocess.run([QEMU, '--version'], capture_output=True, text=True, check=True).stdout
    major, minor = map(int, re.search(r'version (\d+)\.(\d+)', text).groups())
    return 1 if (major, minor) < (8, 2) else 2 if (major, minor) < (9, 1) else 4


def build_plugin():
    plugin = OUT / 'insn_count.so'
    OUT.mkdir(parents=True, exist_ok=True)
    subprocess.run([CC, '-std=gnu23', '-O2', '-fPIC', '-shared', '-w',
                    f'-DINSN_COUNT_API={qemu_api()}',
                    str(ROOT / 'tools/bench/insn_count.c'), '-o', str(plugin)], check=True)
    return plugin


def plugin_arguments(plugin, counts, wall):
    """QEMU's, for a run that counts instructions or one that measures wall times."""
    option = f'{plugin},out={counts}'
    return ('-plugin', option + ',wall=on') if wall else (*COUNTED, '-plugin', option)


def pair(text, counts):
    """The Measured of a guest's output and of the plug-in's."""
    names = re.findall(r'^region (\S+) (\d+)\s*$', text, re.M)
    regions, boot = [], 0
    for line in counts.splitlines():
        kind, *numbers = line.split()
        if kind == 'user':
            boot = int(numbers[0])
        else:
            _id, total, _user, _kernel, *rest = map(int, numbers)
            regions.append((total, *rest))
    if len(names) != len(regions) or not names:
        raise GuestError(f'{len(names)} regions were named and {len(regions)} counted')
    batches = {}
    for (name, operations), region in zip(names, regions):
        operations = int(operations)
        if name == 'nop_32_enter':  # one operation of the program is 32 NOPs
            name, operations = 'nop_32_per_op', operations * 32
        batches.setdefault(name, []).append([number / operations for number in region])
    # The first batch of a row warms up.
    return Measured({name: summary(rest) for name, (_first, *rest) in batches.items()}, boot, text)


def summary(batches):
    """The usual batch; of wall times the quickest, for whatever disturbs makes them longer."""
    columns = dict(zip(PER_OPERATION, zip(*batches)))
    return {what: round(min(numbers) if what == 'wall_ns' else statistics.median(numbers), 1)
            for what, numbers in columns.items()}


def capos_run(program, *options, check=True):
    done = subprocess.run([str(CAPOS), 'run', *options, *program], capture_output=True, text=True,
                          check=False)
    if check and done.returncode != 0:
        raise GuestError(f'`{" ".join(program)}` ended with status {done.returncode}: '
                         f'{done.stderr.strip()}')
    return done


def as_options(qemu_arguments):
    return [f'--qemu={argument}' for argument in qemu_arguments]


def measure_capos(plugin, program=('bench',), memory_mib=512, wall=False, more=()):
    """Runs a program that marks regions, with `more` options of `capos run`."""
    counts = OUT / 'counts.txt'
    counts.unlink(missing_ok=True)
    options = [*as_options(MACHINE), *as_options(plugin_arguments(plugin, counts, wall)),
               '--mem', str(memory_mib), *more]
    for grant in GRANTS:
        options += ['--grant', grant]
    done = capos_run(list(program), *options)
    return pair(done.stdout, counts.read_text())
