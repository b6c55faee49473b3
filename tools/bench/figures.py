# SPDX-License-Identifier: MIT
"""The figures that aren't counted per operation: of booting and of memory."""

import os
import pty
import select
import signal
import subprocess
import time

import guest

PROMPT = b'capos>'
HANG_SECONDS = 60
RUNS = 5
MEMORY_MIB = (4, 64)        # where the smallest is looked for


def smallest(low, high, works):
    """The smallest number from `low` to `high` that works, if all above it do."""
    while low < high:
        middle = (low + high) // 2
        if works(middle):
            high = middle
        else:
            low = middle + 1
    return high


def ram_min_mib():
    """The smallest --mem with which a program runs."""
    def works(mib):
        options = ('--mem', str(mib), '--timeout', str(HANG_SECONDS))
        return guest.capos_run(['welcome'], *options, check=False).returncode == 0
    return smallest(*MEMORY_MIB, works)


def prompt_wall_s():
    """From the start of the command to the shell's prompt, the best of some."""
    return round(min(prompt_once() for _ in range(RUNS)), 3)


def prompt_once():
    ours, theirs = pty.openpty()
    start = time.monotonic()
    command = [str(guest.CAPOS), 'shell', *guest.as_options(guest.MACHINE)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs,
                               start_new_session=True)
    os.close(theirs)
    seen = b''
    try:
        while PROMPT not in seen:
            left = start + HANG_SECONDS - time.monotonic()
            if left <= 0 or not select.select([ours], [], [], left)[0]:
                raise guest.GuestError(f'no prompt came, but {seen!r}')
            seen += os.read(ours, 65536)
        return time.monotonic() - start
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def image_mib(*paths):
    """What QEMU is given to boot."""
    return round(sum(os.path.getsize(path) for path in paths) / 2**20, 2)
