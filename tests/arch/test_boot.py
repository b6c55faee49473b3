#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the kernel in every way that it can be booted, and on machines that lack things.

The boot package has one program, `exitcode`, as init.  It ends at once, and the end of
init is a panic, so each boot shows the whole way: the boot protocol, the memory map, user
mode, a system call, the panic with its named backtrace, and the end of QEMU by panic=exit;
with several CPUs, that each of them was started and that the panic stops them.
"""

import os
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNEL = os.path.join(ROOT, 'build/kernel/kernel.elf')
CAPOS = os.path.join(ROOT, 'build/host/capos')
INIT = os.path.join(ROOT, 'build/user/stripped/exitcode')
CROWD = os.path.join(ROOT, 'build/user/stripped/crowd')
MAKE_ISO = os.path.join(ROOT, 'tools/iso/make-iso.sh')
QEMU = os.environ.get('QEMU', 'qemu-system-x86_64')
FIRMWARE = '/usr/share/ovmf/OVMF.fd'    # UEFI with its variables, in one file

MICROVM = 'microvm,acpi=off,pic=off,rtc=off,x-option-roms=off,isa-serial=on'
PANICKED = 125
SECONDS_MAX = 240        # what takes longer hangs


def boot(*arguments, machine=MICROVM, cpu='max', memory='16', cpus='1'):
    """Boots and returns (what came from the serial port, exit status)."""
    command = [QEMU, '-M', machine, '-accel', 'tcg', '-cpu', cpu, '-m', memory, '-smp', cpus,
               '-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio', '-no-reboot',
               '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False)
    return done.stdout.decode(errors='replace'), done.returncode


class Boot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.package = os.path.join(cls.folder.name, 'exit.package')
        cls.iso = os.path.join(cls.folder.name, 'exit.iso')
        subprocess.run([CAPOS, 'pack', cls.package, f'init={INIT}'], check=True)
        subprocess.run([MAKE_ISO, KERNEL, cls.package, cls.iso, 'panic=exit'], check=True)

    def boot_kernel(self, **machine):
        return boot('-kernel', KERNEL, '-initrd', self.package, '-append', 'panic=exit',
                    **machine)

    def check_ended(self, result):
        """Init ran and ended, and the panic that this is was told in full."""
        text, status = result
        self.assertIn('init has ended: kind 1, exit code 0', text)
        self.assertRegex(text, r'0x[0-9a-f]{16} panic_at\+0x')
        self.assertRegex(text, r'0x[0-9a-f]{16} syscall_entry\+0x')
        self.assertEqual(status, PANICKED, text)
        return text

    # ---- PVH -----------------------------------------------------------------------

    def test_pvh_on_microvm(self):
        self.check_ended(self.boot_kernel())

    def test_pvh_on_microvm_with_acpi(self):
        self.check_ended(self.boot_kernel(machine='microvm,isa-serial=on', memory='64'))

    def test_pvh_on_q35(self):
        self.check_ended(self.boot_kernel(machine='q35', memory='32'))

    def test_pvh_on_i440fx(self):
        self.check_ended(self.boot_kernel(machine='pc', memory='32'))

    def test_8_mib_of_memory_are_enough_for_the_kernel(self):
        self.check_ended(self.boot_kernel(memory='8'))

    def test_memory_beyond_4_gib(self):
        self.check_ended(self.boot_kernel(machine='q35', memory='6G'))

    def test_memory_beyond_4_gib_without_huge_pages(self):
        self.check_ended(self.boot_kernel(machine='q35', memory='6G', cpu='max,-pdpe1gb'))

    def test_the_kernel_is_somewhere_else_each_time(self):
        moved = re.compile(r'kernel moved by (0x[0-9a-f]+)')
        distances = {moved.search(self.check_ended(self.boot_kernel())).group(1)
                     for _ in range(4)}
        self.assertGreater(len(distances), 1)

    # ---- Several CPUs ---------------------------------------------------------------

    def check_cpus(self, result, count):
        """All CPUs came up, and the panic of one was told once, to its end."""
        text = self.check_ended(result)
        self.assertIn(f'cpu: {count} run', text)
        self.assertRegex(text, rf'on CPU \d+ of {count}\b')
        self.assertNotIn('stays unused', text)
        self.assertEqual(text.count('panic: '), 1, text)
        self.assertEqual(text.count('the machine is stopped'), 1, text)

    def test_a_panic_stops_cpus_that_are_busy(self):
        package = os.path.join(self.folder.name, 'crowd.package')
        subprocess.run([CAPOS, 'pack', package, f'init={CROWD}', f'crowd={CROWD}'], check=True)
        for count in (1, 4):
            with self.subTest(cpus=count):
                text, status = boot('-kernel', KERNEL, '-initrd', package, '-append',
                                    'panic=exit', memory='64', cpus=str(count))
                before, _, after = text.partition('panic: ')
                self.assertIn('chatter', before)
                self.assertIn('init has ended: kind 1, exit code 0', after)
                self.assertNotIn('chatter', after)
                self.assertNotIn('panic: ', after)
                self.assertRegex(after, r'the machine is stopped\s*$')
                self.assertEqual(status, PANICKED)

    def test_one_cpu_says_nothing_of_others(self):
        self.assertNotIn('cpu: ', self.check_ended(self.boot_kernel(cpus='1')))

    def test_cpus_by_the_mp_table_of_microvm(self):
        for count in (2, 4, 16):
            with self.subTest(cpus=count):
                self.check_cpus(self.boot_kernel(cpus=str(count)), count)

    def test_cpus_by_acpi_on_microvm(self):
        self.check_cpus(self.boot_kernel(machine='microvm,isa-serial=on', memory='64', cpus='4'),
                        4)

    def test_cpus_on_q35(self):
        for count in (2, 4, 16):
            with self.subTest(cpus=count):
                self.check_cpus(self.boot_kernel(machine='q35', memory='32', cpus=str(count)),
                                count)

    def test_cpus_on_i440fx(self):
        self.check_cpus(self.boot_kernel(machine='pc', memory='32', cpus='2'), 2)

    def test_cpus_by_the_iso(self):
        for count in (2, 16):
            with self.subTest(cpus=count):
                self.check_cpus(boot('-cdrom', self.iso, machine='q35', memory='64',
                                     cpus=str(count)), count)

    @unittest.skipUnless(os.path.exists(FIRMWARE), 'no UEFI firmware: apt-get install ovmf')
    def test_cpus_by_uefi(self):
        self.check_cpus(boot('-bios', FIRMWARE, '-cdrom', self.iso, machine='q35', memory='256',
                             cpus='4'), 4)

    def test_more_cpus_than_capos_uses_are_said(self):
        text = self.check_ended(self.boot_kernel(cpus='20'))
        self.assertIn('cpu: the machine has 20 CPUs, capOS uses 16', text)
        self.assertIn('cpu: 16 run', text)

    def test_8_mib_of_memory_are_enough_for_16_cpus(self):
        self.check_cpus(self.boot_kernel(memory='8', cpus='16'), 16)

    # ---- Multiboot2 ------------------------------------------------------------------

    def test_iso_by_bios_from_cd(self):
        self.check_ended(boot('-cdrom', self.iso, machine='q35', memory='64'))

    def test_iso_by_bios_from_disk(self):
        drive = f'file={self.iso},format=raw,if=virtio,readonly=on'
        self.check_ended(boot('-drive', drive, machine='q35', memory='64'))

    @unittest.skipUnless(os.path.exists(FIRMWARE), 'no UEFI firmware: apt-get install ovmf')
    def test_iso_by_uefi_from_cd(self):
        self.check_ended(boot('-bios', FIRMWARE, '-cdrom', self.iso, machine='q35',
                              memory='256'))

    # ---- Machines that lack something ------------------------------------------------

    def test_missing_protections_are_said(self):
        text = self.check_ended(self.boot_kernel(cpu='max,-smep,-smap,-umip'))
        self.assertIn('cpu: without SMEP SMAP UMIP', text)

    def test_no_random_numbers_are_said(self):
        text = self.check_ended(self.boot_kernel(cpu='max,-rdrand,-rdseed'))
        self.assertIn('cpu: without RDRAND and RDSEED', text)

    def test_without_avx(self):
        self.check_ended(self.boot_kernel(cpu='max,-avx,-avx2,-xsaveopt'))

    def test_missing_features_are_named(self):
        text, status = self.boot_kernel(cpu='max,-fsgsbase,-xsave')
        self.assertIn('capOS needs a CPU with FSGSBASE', text)
        self.assertIn('capOS needs a CPU with XSAVE', text)
        self.assertEqual(status, PANICKED)

    def test_a_module_that_is_no_package_is_refused(self):
        text, status = boot('-kernel', KERNEL, '-initrd', KERNEL, '-append', 'panic=exit')
        self.assertIn('the boot package is missing', text)
        self.assertEqual(status, PANICKED)

    def test_a_missing_package_is_said(self):
        text, status = boot('-kernel', KERNEL, '-append', 'panic=exit')
        self.assertIn('the boot package is missing', text)
        self.assertEqual(status, PANICKED)


if __name__ == '__main__':
    unittest.main(verbosity=2)
