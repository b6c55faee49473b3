# SPDX-License-Identifier: MIT
"""Builds the program that measures Linux and runs it, on the machine that capOS runs on."""

import os
import pathlib
import re
import subprocess
import threading
import time

import cpio
import figures
import guest

SOURCES = ('tools/bench/linux/init.c', 'tools/bench/linux/start.c', 'tools/bench/linux/ring.c',
           'tools/bench/linux/system.c', 'tools/bench/linux/process.c',
           'tools/bench/linux/channel.c', 'programs/bench/rows.c', 'programs/bench/measure.c',
           'libcapos/memory.c')     # its memcpy, so that copying costs the same on both
FLAGS = ('-std=gnu23', '-O2', '-flto', '-march=x86-64-v2', '-ffreestanding', '-static',
         '-nostdlib', '-fno-stack-protector', '-fno-pic', '-Wall', '-Wextra', '-Werror',
         '-Ilibcapos/arch/x86_64')      # of memory.c
LINKER = os.environ.get('LD', 'ld.lld-19')
# The machine has no power switch: `reboot=t` ends it.
COMMAND_LINE = 'console=ttyS0 quiet panic=-1 reboot=t'
ATTEMPTS = 3
HANG_SECONDS = 300
BOOT_SECONDS = 90
READY, DONE = 'ready', 'done'
MEMORY_MIB = (16, 256)      # where the smallest is looked for
MEMORY_STEP_MIB = 4


def compile_program(name, sources):
    """A program for Linux; returns its path."""
    path = guest.OUT / 'linux' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([guest.CC, *FLAGS, f'--ld-path={LINKER}', '-o', str(path), *sources],
                   cwd=guest.ROOT, check=True)
    return path


def write_initrd(name, files):
    """An initial file system with these files, {path: bytes}; returns its path."""
    path = guest.OUT / 'linux' / name
    path.write_bytes(cpio.archive(files, {'dev/console': (5, 1)}))
    return path


def build():
    """The initial file system; returns its path."""
    programs = {'init': SOURCES, 'exitcode': ('tools/bench/linux/exitcode.c',)}
    return write_initrd('initrd', {name: compile_program(name, sources).read_bytes()
                                   for name, sources in programs.items()})


def machine_arguments(*options):
    """The arguments that QEMU gets from `capos run`, by a program in QEMU's place."""
    seen = guest.OUT / 'arguments'
    pretender = guest.OUT / 'qemu-arguments'
    pretender.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >'{seen}'\n")
    pretender.chmod(0o755)
    seen.unlink(missing_ok=True)
    subprocess.run([str(guest.CAPOS), 'run', *guest.as_options(guest.MACHINE), *options,
                    'welcome'], capture_output=True,
                   env={**os.environ, 'CAPOS_QEMU': str(pretender)}, check=False)
    return seen.read_text().splitlines()


def translate(arguments, kernel, initrd):
    """The same machine with another kernel, its serial port on our standard output."""
    after = {'-kernel': str(kernel), '-initrd': str(initrd)}
    translated = []
    for option, argument in zip([None, *arguments], arguments):
        if option in after:
            argument = after[option]
        elif option == '-chardev' and 'id=serial' in argument:
            argument = 'stdio,id=serial,signal=off'
        elif option == '-chardev':
            argument = f'null,id={re.search("id=([^,]+)", argument)[1]}'
        translated.append(argument)
    return [*translated, '-append', COMMAND_LINE]


def run_once(command, hang_seconds=HANG_SECONDS, until_ready=False, each_line=None):
    """Runs a machine until it ends, or is ready: (its output, seconds until it was ready).
    each_line is called with each line and the time when it came."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors='replace')
    watchdog = threading.Timer(hang_seconds, process.kill)
    watchdog.start()
    lines, ready = [], 0.0
    try:
        for line in process.stdout:
            lines.append(line)
            if each_line:
                each_line(line, time.monotonic())
            if line.strip() == READY:
                ready = time.monotonic() - start
                if until_ready:
                    break
        else:
            process.wait()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        watchdog.cancel()
    return ''.join(lines), ready


def run(command, wanted=DONE, each_line=None):
    """As run_once; again if Linux hung, which it rarely does on this machine."""
    for _ in range(ATTEMPTS):
        text, ready = run_once(command, each_line=each_line)
        if re.search(f'^{wanted}\\s*$', text, re.M):
            return text, ready
        if 'failed: ' in text:
            break
    raise guest.GuestError(f'Linux did not come to its end: {text[-2000:]}')


class Machine:
    """Linux on the machine of capOS."""

    def __init__(self, kernel, plugin):
        self.kernel, self.plugin = pathlib.Path(kernel), plugin
        self.initrd = build()

    def command(self, memory_mib, *more):
        arguments = machine_arguments('--mem', str(memory_mib))
        return [guest.QEMU, *translate(arguments, self.kernel, self.initrd), *more]

    def measure(self, memory_mib, wall=False):
        """A guest.Measured, and the seconds until it was ready."""
        counts = guest.OUT / 'linux/counts.txt'
        counts.unlink(missing_ok=True)
        more = guest.plugin_arguments(self.plugin, counts, wall)
        text, ready = run(self.command(memory_mib, *more))
        return guest.pair(text, counts.read_text()), ready

    def ready_wall_s(self, memory_mib):
        """From the start of QEMU to the first line of the first program, the best of some."""
        runs = [run_once(self.command(memory_mib), BOOT_SECONDS, until_ready=True)[1]
                for _ in range(figures.RUNS)]
        if not any(runs):
            raise guest.GuestError('Linux did not come to its first program')
        return round(min(run for run in runs if run), 3)

    def ram_min_mib(self):
        """The smallest memory with which the first program runs, to MEMORY_STEP_MIB."""
        def works(steps):
            return run_once(self.command(steps * MEMORY_STEP_MIB), BOOT_SECONDS,
                            until_ready=True)[1] > 0
        low, high = (mib // MEMORY_STEP_MIB for mib in MEMORY_MIB)
        return figures.smallest(low, high, works) * MEMORY_STEP_MIB


def cheapest(rows):
    """{row: (way or '', figures)} of rows "ROW" and "ROW.WAY": Linux has several ways for what
    is one operation of capOS."""
    best = {}
    for name, row in rows.items():
        name, _, way = name.partition('.')
        if name not in best or row['instructions'] < best[name][1]['instructions']:
            best[name] = (way, row)
    return best
