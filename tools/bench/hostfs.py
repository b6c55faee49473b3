# SPDX-License-Identifier: MIT
"""How long it takes to read a large file of a directory of the host, on capOS and on Linux.

Both get the directory as a virtio-9p device of the same QEMU.  Wall time, taken by the host
between two lines that the guest prints: what counts is the guest's work, the device's and how
they overlap, and instructions show only the first.

    hostfs.py       prints both
"""

import contextlib
import os
import pathlib
import tempfile

import guest
import linux
import linux_kernel

FILE, FILE_BYTES = 'large', 100_000_000
# In the order in which they need each other.
MODULES = ('virtio_ring', 'virtio', 'virtio_mmio', 'netfs', 'fscache', '9pnet', '9pnet_virtio', '9p')
SOURCES = ('tools/bench/linux/hostfs.c', 'tools/bench/linux/start.c', 'libcapos/memory.c')
MEMORY_MIB = 512
# Linux finds virtio-mmio devices by ACPI only.  Where it has that, it counts on a clock that it
# measures by polling, in vain on a busy host: so it is told the CPU's frequency, which needn't
# be right, as it is the host that takes the times.
LINUX_MACHINE = ('-M', 'acpi=on')
LINUX_OPTIONS = ' tsc_early_khz=2000000'


@contextlib.contextmanager
def directory():
    """A directory with the large file, which the host has in its cache."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, FILE).write_bytes(os.urandom(FILE_BYTES))
        yield folder


class Stopwatch:
    """{way: the shortest time between its two lines} of a guest's output."""

    def __init__(self):
        self.best, self._begun = {}, {}

    def line(self, text, now):
        what, _, way = text.strip().partition(' ')
        if what == 'begin':
            self._begun[way] = now
        elif what == 'end' and way in self._begun:
            seconds = now - self._begun.pop(way)
            self.best[way] = min(seconds, self.best.get(way, seconds))


def shortest(command):
    """Runs a guest: the seconds of its quickest round, whatever the way."""
    watch = Stopwatch()
    linux.run(command, each_line=watch.line)
    return round(min(watch.best.values()), 3)


def options(folder):
    return '--mem', str(MEMORY_MIB), '--dir', f'{folder}:hostfs:ro'


def capos_wall_s():
    with directory() as folder:
        return shortest([str(guest.CAPOS), 'run', *guest.as_options(guest.MACHINE),
                         *options(folder), 'bench', 'hostfs'])


def build(kernel):
    """The initial file system of Linux; returns its path."""
    modules = {f'modules/{i}': kernel.modules[name].read_bytes()
               for i, name in enumerate(MODULES)}
    program = linux.compile_program('hostfs', SOURCES)
    return linux.write_initrd('hostfs.initrd', {'init': program.read_bytes(), **modules})


def linux_wall_s():
    kernel = linux_kernel.fetch(name=linux_kernel.NAME_9P, modules=MODULES)
    with directory() as folder:
        arguments = linux.machine_arguments(*options(folder), *guest.as_options(LINUX_MACHINE))
        command = [guest.QEMU, *linux.translate(arguments, kernel.path, build(kernel))]
        command[-1] += LINUX_OPTIONS
        return shortest(command)


if __name__ == '__main__':
    print('capOS', capos_wall_s(), 's, Linux', linux_wall_s(), 's')
