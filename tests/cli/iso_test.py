#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ISO image, booted as a PC would: by BIOS and by UEFI, from CD and from disk."""

import os
import subprocess
import threading

from case import HANG_SECONDS, ROOT, Skip, main

ISO = os.path.join(ROOT, 'build/capos.iso')
FIRMWARE = '/usr/share/ovmf/OVMF.fd'
PROMPT, ANSWER = b'capos> ', b'timeNs: '


def boots(*machine):
    """Boots a machine, and has its shell answer on the serial port."""
    if not os.path.exists(ISO):
        raise Skip('build/capos.iso is not built')
    command = ['qemu-system-x86_64', *machine, '-m', '256', '-accel', 'tcg', '-cpu', 'max',
               '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-reboot',
               '-net', 'none']
    printed = b''
    typed = False
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        alarm = threading.Timer(HANG_SECONDS, process.kill)
        alarm.start()
        try:
            while ANSWER not in printed and b'\npanic: ' not in printed:
                part = process.stdout.read1(4096)
                if not part:
                    break
                printed += part
                if PROMPT in printed and not typed:
                    process.stdin.write(b'timer.now\r')
                    process.stdin.flush()
                    typed = True
        finally:
            alarm.cancel()
            process.kill()
    assert ANSWER in printed, printed[-2000:].decode(errors='replace')


def a_pc_with_bios_boots_it_from_cd():
    boots('-M', 'pc', '-cdrom', ISO)


def a_pc_with_bios_boots_it_from_disk():
    boots('-M', 'q35', '-drive', f'file={ISO},format=raw,snapshot=on')


def a_pc_with_uefi_boots_it_from_cd():
    if not os.path.exists(FIRMWARE):
        raise Skip('the UEFI firmware (ovmf) is not installed')
    boots('-M', 'q35', '-bios', FIRMWARE, '-cdrom', ISO)


main([a_pc_with_bios_boots_it_from_cd, a_pc_with_bios_boots_it_from_disk,
      a_pc_with_uefi_boots_it_from_cd])
