#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What init makes of good and of hostile manifests and requests.

Each test makes a boot package of its own and boots it without a host: the service
serialio stands in for it, and init says on the console what it would tell the host.
"""

import os
import re
import subprocess
import tempfile
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNEL = os.path.join(ROOT, 'build/kernel/kernel.elf')
CAPOS = os.path.join(ROOT, 'build/host/capos')
PROGRAMS = os.path.join(ROOT, 'build/user/stripped')
QEMU = os.environ.get('QEMU', 'qemu-system-x86_64')
CAPNP = os.environ.get('CAPNP', 'capnp')
SECONDS_MAX = 240   # what takes longer hangs

# The last words of a machine that a test is about: after them it is ended.
END = re.compile(rb'init: the program[^\n]*\n|init has ended[^\n]*\n')

GRANT_CONSOLE = '(name = "console", source = (kernel = "console"))'
SERIALIO = '''( name = "serialio", binary = "serialio", budgetBytes = 1048576,
      grants = [ %s,
        (name = "ports", source = (kernel = "ports")),
        (name = "interrupts", source = (kernel = "interrupts")) ],
      exports = [ (name = "stdio", interfaceId = 0xa75df329f22bac7f, word = 1) ] )''' \
    % GRANT_CONSOLE
GRANT_STDIO = '(name = "stdio", source = (service = (service = "serialio", export = "stdio")))'


def boot(package, command_line, end):
    """Boots and returns what came from the serial port up to the end, a pattern."""
    process = subprocess.Popen(
        [QEMU, '-M', 'microvm,acpi=off,pic=off,rtc=off,x-option-roms=off,isa-serial=on',
         '-accel', 'tcg', '-cpu', 'max', '-m', '32', '-nodefaults', '-no-user-config',
         '-display', 'none', '-serial', 'stdio', '-no-reboot', '-kernel', KERNEL,
         '-initrd', package, '-append', command_line],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watchdog = threading.Timer(SECONDS_MAX, process.kill)
    watchdog.start()
    text = b''
    try:
        while not end.search(text):
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                break
            text += piece
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    return text.decode(errors='replace').replace('\r', '')


class Init(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), 'wb') as file:
            file.write(content)
        return self.path(name)

    def constant(self, name, kind, value):
        """A message of schema/manifest.capnp, from its text."""
        source = self.write(f'{name}.capnp', (
            f'@0xd33557f84a45e0ff;\nusing M = import "/schema/manifest.capnp";\n'
            f'const value :M.{kind} = {value};\n').encode())
        done = subprocess.run([CAPNP, 'eval', f'-I{ROOT}', '--flat', source, 'value'],
                              stdout=subprocess.PIPE, check=True)
        return self.write(name, done.stdout)

    def manifest(self, services=SERIALIO, program_grants=GRANT_STDIO, grantable=GRANT_CONSOLE):
        return self.constant('manifest', 'SystemManifest',
                             f'( services = [{services}], programGrants = [{program_grants}],'
                             f' grantable = [{grantable}] )')

    def run_package(self, command_line='', end=END, **files):
        """Boots init, serialio, args, exitcode and `files`: names and paths, None for none."""
        for program in ('init', 'serialio', 'args', 'exitcode'):
            files.setdefault(program, os.path.join(PROGRAMS, program))
        package = self.path('package')
        subprocess.run([CAPOS, 'pack', package,
                        *(f'{name}={path}' for name, path in files.items() if path)], check=True)
        return boot(package, command_line, end)

    def run_manifest(self, **parts):
        return self.run_package(manifest=self.manifest(**parts))

    def run_request(self, value):
        return self.run_package(manifest=self.manifest(),
                                request=self.constant('request', 'RunRequest', value))

    # ---- Manifests ---------------------------------------------------------------

    def test_no_manifest(self):
        self.assertIn('the boot package has no readable file "manifest"', self.run_package())

    def test_manifests_that_are_none(self):
        with open(self.manifest(), 'rb') as file:
            good = file.read()
        for content in (b'\xff' * 4096, b'hello', good[:-8], good[:24], good + good,
                        bytes([good[0], 0x7f]) + good[2:]):
            text = self.run_package(manifest=self.write('bad', content))
            if content == good + good:      # words that nothing points at are no error
                self.assertIn('init: the program', text)
            else:
                self.assertIn('isn\'t a SystemManifest within its bounds', text)

    def test_two_services_of_one_name(self):
        self.assertIn('two services are called "serialio"',
                      self.run_manifest(services=f'{SERIALIO}, {SERIALIO}'))

    def test_grants_that_lead_nowhere(self):
        for grant, word in (
                ('(name = "x", source = (kernel = "gold"))', 'the kernel gives no "gold"'),
                ('(name = "x", source = (service = (service = "bank", export = "gold")))',
                 'there is no service "bank"'),
                ('(name = "x", source = (service = (service = "serialio", export = "gold")))',
                 'service serialio has no export "gold"')):
            self.assertIn(word, self.run_manifest(program_grants=grant))
            self.assertIn(word, self.run_manifest(grantable=grant))

    def test_a_service_without_its_file(self):
        text = self.run_package(manifest=self.manifest(), serialio=None)
        self.assertIn('init: service serialio: serialio: failed', text)

    def test_a_service_that_is_no_program(self):
        text = self.run_package(manifest=self.manifest(), serialio=__file__)
        self.assertIn('init: service serialio: not an ELF file', text)

    def test_a_service_without_memory(self):
        service = SERIALIO.replace('1048576', '8192')
        self.assertIn('init: service serialio: spawn: overloaded',
                      self.run_manifest(services=service))

    def test_a_service_that_ends(self):
        service = SERIALIO.replace('binary = "serialio"', 'binary = "exitcode"')
        text = self.run_package('program=args', end=re.compile(rb'ended: [^\n]*\n'),
                                manifest=self.manifest(services=service))
        self.assertIn('init: service serialio ended: exited, code 0', text)

    # ---- Programs without a request ----------------------------------------------

    def test_a_program_of_the_command_line(self):
        text = self.run_package('quiet program=args', manifest=self.manifest())
        self.assertIn('argument 0: args\n', text)
        names = re.findall(r'^capability: (\S+)', text, re.MULTILINE)
        self.assertEqual(names, ['memory', 'thread', 'park', 'budget', 'stdio'])
        self.assertIn('init: the program exited with 0', text)

    def test_no_program_at_all(self):
        self.assertIn('the program was not started: no program "welcome" is in the image',
                      self.run_package(manifest=self.manifest()))

    # ---- Requests ------------------------------------------------------------------

    def test_a_request_in_full(self):
        text = self.run_request('( program = "args", symbolName = "shown",'
                                ' arguments = ["zero", "", "two words"],'
                                ' environment = ["A=1", "B="], grants = ["console"] )')
        for line in ('argument 0: zero', 'argument 1: ', 'argument 2: two words',
                     'environment: A=1', 'environment: B=', 'capability: console Console'):
            self.assertIn(line + '\n', text)

    def test_a_grant_that_the_program_has_anyway(self):
        text = self.run_request('( program = "args", arguments = ["a"], grants = ["stdio"] )')
        self.assertEqual(text.count('capability: stdio'), 1)

    def test_a_grant_that_is_not_offered(self):
        text = self.run_request('( program = "args", arguments = ["a"], grants = ["gold"] )')
        self.assertIn('there is no grant "gold"; there are: console', text)

    def test_directories_that_nobody_serves(self):
        for asked in ('directories = [(name = "d", mountTag = "dir0")]', 'disks = [(name = "d")]',
                      'memoryDirectories = [(name = "d", sizeBytes = 65536)]'):
            self.assertIn('the directory "d" can\'t be granted: the system has no service for it',
                          self.run_request(f'( program = "args", {asked} )'))

    def test_directories_in_memory_that_cannot_be(self):
        ramfs = ('(name = "ramfs", binary = "ramfs", budgetBytes = 2097152, exports = '
                 '[(name = "ramfs", interfaceId = 0xae2b611bba1aa6a1, word = 1)])')
        manifest = self.manifest(services=f'{SERIALIO}, {ramfs}')
        for asked, words in (
                ('(name = "d", sizeBytes = 65536)', 'capability: d Directory'),
                ('(name = "d", sizeBytes = 5)', '"d" can\'t be granted: sizeBytes: a multiple'),
                ('(name = "d", sizeBytes = 18446744073709551615)', 'too little memory (--mem)'),
                ('(name = "d", sizeBytes = 1099511627776)', 'too little memory (--mem)'),
                ('(name = "", sizeBytes = 65536)', 'the name "" of a directory is taken'),
                ('(name = "stdio", sizeBytes = 65536)',
                 'the name "stdio" of a directory is taken')):
            text = self.run_package(
                manifest=manifest, ramfs=os.path.join(PROGRAMS, 'ramfs'),
                request=self.constant('request', 'RunRequest', '( program = "args", '
                                      f'arguments = ["a"], memoryDirectories = [{asked}] )'))
            self.assertIn(words, text)

    def test_requests_that_are_none(self):
        for content in (b'', b'\xff' * 64, b'\0' * 7):
            text = self.run_package(manifest=self.manifest(),
                                    request=self.write('bad', content))
            self.assertIn('init: the program was not started', text)

    def test_a_program_that_is_not_there(self):
        self.assertIn('the program was not started: no program "nobody" is in the image',
                      self.run_request('( program = "nobody", arguments = ["nobody"] )'))

    def test_a_program_that_is_none(self):
        text = self.run_package(
            manifest=self.manifest(), script=__file__,
            request=self.constant('request', 'RunRequest',
                                  '( program = "script", arguments = ["script"] )'))
        self.assertIn('the program was not started: script: not an ELF file', text)

    def test_the_exit_code_comes_back(self):
        self.assertIn('init: the program exited with 42',
                      self.run_request('( program = "exitcode", arguments = ["e", "42"] )'))


if __name__ == '__main__':
    unittest.main(verbosity=2)
