#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the place of QEMU (CAPOS_QEMU) and starts a PC instead of the machine that `capos run`
asks for: with PCI, and each virtio device on that bus; disks behind a bridge."""

import os
import sys

MACHINE = ('-M', 'q35', '-device', 'pcie-root-port,id=behind')
BUS = {'virtio-serial-device': 'virtio-serial-pci', 'virtio-9p-device': 'virtio-9p-pci',
       'virtio-blk-device': 'virtio-blk-pci,bus=behind'}
DROPPED = ('-M', '-global')     # of microvm


def translate(arguments):
    translated = [*MACHINE]
    for option, argument in zip([None, *arguments], arguments):
        name, comma, rest = argument.partition(',')
        if argument in DROPPED or option in DROPPED:
            continue
        translated.append(BUS.get(name, name) + comma + rest if option == '-device' else argument)
    return translated


if __name__ == '__main__':
    qemu = os.environ.get('QEMU', 'qemu-system-x86_64')
    os.execvp(qemu, [qemu, *translate(sys.argv[1:])])
