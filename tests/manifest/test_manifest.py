#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Manifests that the build must refuse: each rule of tools/manifest with one that breaks
it, the words of the error, and the line that it names."""

import os
import subprocess
import sys
import tempfile
import unittest
from xml.etree import ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, 'tools/manifest/manifest.py')

# Line 1 of a test's text is line 3 of the file.
HEAD = '@0xd33557f84a45e0ff;\nusing M = import "/schema/manifest.capnp";\n'
STDIO, ECHO, TIMER = 0xa75df329f22bac7f, 0xe7f9f2a0be4c5d03, 0xe418eb99d0812b75
DIRECTORY, BLOCKS = 0xf357734a4b4dba24, 0xef4c40c948c0f38c


def service(name, *grants, binary='serve', budget='budgetBytes = 65536', more=''):
    """A service with one export, `out`; grants on the lines after its first."""
    return (f'(name = "{name}", binary = "{binary}", {budget}, {more}'
            f'exports = [(name = "out", interfaceId = {STDIO}, word = 1)],\ngrants = [\n'
            + ',\n'.join(grants) + '])')


def kernel(name, source):
    return f'(name = "{name}", source = (kernel = "{source}"))'


def export(name, of, out='out'):
    return f'(name = "{name}", source = (service = (service = "{of}", export = "{out}")))'


class Manifest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(self.path('serve'), 'wb') as file:
            file.write(b'not looked into')

    def path(self, name):
        return os.path.join(self.folder, name)

    def check(self, text, **files):
        """The tool's exit status and messages for HEAD + text, without the folder's name."""
        for name, content in {**files, 'bad': HEAD + text}.items():
            with open(self.path(f'{name}.capnp'), 'w', encoding='utf-8') as file:
                file.write(content)
        done = subprocess.run([sys.executable, '-B', TOOL, 'check', '--programs',
                               self.path('serve'), '--', self.path('bad.capnp')],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                              text=True, check=False)
        return done.returncode, done.stdout.replace(self.folder + '/', '')

    def system(self, *services, given='', offered=''):
        return ('const manifest :M.SystemManifest = (services = [\n' + ',\n'.join(services)
                + '],\nprogramGrants = [\n' + given + '],\ngrantable = [\n' + offered + ']);\n')

    def refuse(self, line, words, text, **files):
        status, output = self.check(text, **files)
        self.assertNotEqual(status, 0, output)
        self.assertIn(f'bad.capnp:{line}: ', output)
        self.assertIn(words, output)
        self.assertNotIn('Traceback', output)

    def accept(self, text, **files):
        self.assertEqual(self.check(text, **files), (0, ''))

    # ---- What is right -----------------------------------------------------------

    def test_a_good_manifest(self):
        self.accept(self.system(service('a', kernel('timer', 'timer')),
                                service('b', export('a', 'a')),
                                given=export('stdio', 'b'), offered=kernel('timer', 'timer')))

    def test_an_empty_manifest(self):
        self.accept('const manifest :M.SystemManifest = ();\n')

    # ---- capnp's own errors ------------------------------------------------------

    def test_an_unknown_field(self):
        status, output = self.check('const manifest :M.SystemManifest =\n(servces = []);\n')
        self.assertNotEqual(status, 0)
        self.assertRegex(output, r"bad\.capnp:4:\S+ error: Struct has no field named 'servces'")

    def test_an_ill_typed_field(self):
        status, output = self.check(self.system(service('a', budget='budgetBytes = "much"')))
        self.assertNotEqual(status, 0)
        self.assertRegex(output, r'bad\.capnp:4:\S+ error: Type mismatch')

    # ---- What is given twice -----------------------------------------------------

    def test_a_field_given_twice(self):
        self.refuse(5, 'field "budgetBytes" is given twice, first on line 4',
                    self.system(service('a', more='\nbudgetBytes = 65536, ')))

    def test_a_source_of_two_kinds(self):
        self.refuse(3, 'field "services" is given twice, first on line 3',
                    'const manifest :M.SystemManifest = (services = [], services = []);\n')

    def test_two_services_of_one_name(self):
        self.refuse(7, 'two services are called "a", the first on line 4',
                    self.system(service('a'), service('a')))

    def test_two_grants_of_one_name(self):
        self.refuse(7, 'service a: two grants are called "t", the first on line 6',
                    self.system(service('a', kernel('t', 'timer'), kernel('t', 'console'))))

    def test_two_exports_of_one_name_and_word(self):
        text = self.system('(name = "a", binary = "serve", budgetBytes = 65536, exports = [\n'
                           f'(name = "o", interfaceId = {STDIO}, word = 1),\n'
                           f'(name = "o", interfaceId = {STDIO}, word = 1)])')
        self.refuse(6, 'service a: two exports are called "o", the first on line 5', text)
        self.refuse(6, 'has the word 1 of export o', text)

    def test_a_grant_that_init_makes(self):
        self.refuse(6, 'the grant "budget" is made by init',
                    self.system(service('a', kernel('budget', 'timer'))))

    def test_offering_what_every_program_has(self):
        self.refuse(8, 'grantable: every program has "t" from programGrants',
                    self.system(given=kernel('t', 'timer'), offered=kernel('t', 'console')))

    # ---- What isn't there --------------------------------------------------------

    def test_names_that_are_missing(self):
        self.refuse(4, 'service 0 has no name',
                    self.system('(binary = "serve", budgetBytes = 65536)'))
        self.refuse(4, 'service a has no binary', self.system('(name = "a", budgetBytes = 4096)'))
        self.refuse(6, 'service a: grant has no name',
                    self.system(service('a', '(source = (kernel = "timer"))')))
        self.refuse(6, 'service a: grant t has no source',
                    self.system(service('a', '(name = "t")')))

    def test_a_name_beyond_its_bound(self):
        self.refuse(4, 'has 32 bytes, the most is 31', self.system(service('n' * 32)))

    def test_more_grants_than_fit(self):
        self.refuse(5, 'grants has 33 elements, the most is 32', self.system(
            service('a', *[kernel(f't{i}', 'timer') for i in range(33)])))

    def test_a_binary_that_is_not_built(self):
        self.refuse(4, 'service a: no program "gone" is built',
                    self.system(service('a', binary='gone')))

    def test_a_kernel_capability_that_does_not_exist(self):
        self.refuse(6, 'service a: grant g: the kernel gives no "gold"; it gives: boot, ',
                    self.system(service('a', kernel('g', 'gold'))))
        self.refuse(6, 'programGrants: grant g: the kernel gives no "gold"',
                    self.system(given=kernel('g', 'gold')))
        self.refuse(8, 'grantable: grant g: the kernel gives no "gold"',
                    self.system(offered=kernel('g', 'gold')))

    def test_a_service_and_an_export_that_do_not_exist(self):
        self.refuse(9, 'programGrants: grant g: there is no service "bank"; there are: a',
                    self.system(service('a'), given='\n' + export('g', 'bank')))
        self.refuse(8, 'grant g: service a has no export "gold"; it exports: out',
                    self.system(service('a'), given=export('g', 'a', 'gold')))

    # ---- Interfaces --------------------------------------------------------------

    def interface(self, line):
        return self.system('(name = "a", binary = "serve", budgetBytes = 65536, exports = [\n'
                           + line + '\n])')

    def test_an_interface_that_is_not_known(self):
        self.refuse(5, 'no interface of the schema has the id 0x0000000000000005: StdIO has 0x',
                    self.interface('(name = "o", interfaceId = 5, word = 1)  # StdIO'))

    def test_an_interface_that_is_not_the_one_meant(self):
        self.refuse(5, 'the id is that of StdIO, the comment says Echo',
                    self.interface(f'(name = "o", interfaceId = {STDIO}, word = 1)  # Echo'))
        self.accept(self.interface(f'(name = "o", interfaceId = {ECHO}, word = 1)  # Echo'))

    def test_an_interface_of_the_kernel(self):
        self.refuse(5, 'Timer is an interface of the kernel',
                    self.interface(f'(name = "o", interfaceId = {TIMER}, word = 1)'))

    def test_a_restart_of_what_init_itself_calls(self):
        text = self.system('(name = "a", binary = "serve", budgetBytes = 65536,\n'
                           'restart = always, exports = [\n'
                           '(name = "o", interfaceId = 0xd33557f84a45e091, word = 1)])')
        self.refuse(5, 'service a serves HostControl, which init calls', text)
        self.accept(text.replace('always', 'never'))

    # ---- Order -------------------------------------------------------------------

    def test_a_service_that_uses_itself(self):
        self.refuse(6, 'service a is granted an export of its own',
                    self.system(service('a', export('g', 'a'))))

    def test_a_service_that_uses_a_later_one(self):
        self.refuse(6, 'service a is granted an export of b, which starts later: move b before',
                    self.system(service('a', export('g', 'b')), service('b')))

    def test_a_cycle_of_three(self):
        self.refuse(6, 'a cycle: service a is granted an export of c, which is granted one of '
                    'b, which is granted one of a',
                    self.system(service('a', export('g', 'c')), service('b', export('g', 'a')),
                                service('c', export('g', 'b'))))

    # ---- Budgets -----------------------------------------------------------------

    def test_budgets_that_cannot_be(self):
        self.refuse(4, 'service a has no budget', self.system(service('a', budget='arguments = []')))
        self.refuse(4, 'budgetBytes is 5, which is no multiple of 4096',
                    self.system(service('a', budget='budgetBytes = 5')))
        self.refuse(7, 'the budgets of the services up to b are 8392704 bytes, the most is 8388608',
                    self.system(service('a', budget='budgetBytes = 8388608'),
                                service('b', budget='budgetBytes = 4096')))

    def test_a_budget_below_the_programs_own_need(self):
        with open(self.path('serve'), 'wb') as file:      # one writable segment of a page
            file.write(b'\x7fELF'.ljust(32, b'\0') + (64).to_bytes(8, 'little')
                       + bytes(14) + (56).to_bytes(2, 'little') + (1).to_bytes(2, 'little')
                       + bytes(6) + (1).to_bytes(4, 'little') + (6).to_bytes(4, 'little')
                       + bytes(32) + (8).to_bytes(8, 'little') + bytes(8))
        self.refuse(4, 'budgetBytes is 65536, less than the 266240', self.system(service('a')))

    # ---- Disks -------------------------------------------------------------------

    def test_who_serves_disks(self):
        system = 'const manifest :M.SystemManifest = (\n%s);\n'
        disk, driver = (f'{field} = (name = "{field}", binary = "serve", budgetBytes = 65536, '
                        f'exports = [\n(name = "out", interfaceId = {interface}, word = 1)])'
                        for field, interface in (('disk', DIRECTORY), ('diskDriver', BLOCKS)))
        self.accept(system % f'{disk},\n{driver}')
        self.refuse(4, 'disk and diskDriver need each other', system % disk)
        self.refuse(4, 'disk and diskDriver need each other', system % driver)
        self.refuse(4, 'disk exports no Directory', system % f'{disk},\n{driver}'.replace(
            str(DIRECTORY), str(STDIO)))
        self.refuse(6, 'diskDriver exports no BlockDevice', system % f'{disk},\n{driver}'.replace(
            str(BLOCKS), str(STDIO)))

    # ---- The drawing -------------------------------------------------------------

    def test_the_graph_shows_every_holder_and_every_grant(self):
        self.accept(self.system(service('a', kernel('t', 'timer')),
                                service('b', export('first', 'a'), more='restart = always, '),
                                given=export('stdio', 'b'), offered=kernel('c', 'console')))
        texts, lines = self.draw(self.path('bad.capnp'))
        for shown in ('kernel', 'a (serve)', 'b (serve)', '64 KiB, restart always', 'timer',
                      't', 'first', 'out · StdIO', 'stdio', 'with --grant NAME', 'c'):
            self.assertIn(shown, texts)
        self.assertEqual(lines, 4)

    def test_the_graph_shows_who_serves_directories_of_the_host_and_disks(self):
        texts, _ = self.draw('system/default.capnp')
        for shown in ('hostfs', 'directory · Directory', 'with --dir and --disk',
                      '--dir HOST:NAME', '--dir HOST:NAME:ro', 'store', 'disk · Directory',
                      '--disk FILE:NAME'):
            self.assertEqual(texts.count(shown), 1, shown)

    def draw(self, manifest):
        """The texts of the drawing and the number of its lines."""
        out = self.path('graph.svg')
        subprocess.run([sys.executable, '-B', TOOL, 'graph', '--out', out, manifest], cwd=ROOT,
                       check=True)
        root = ElementTree.parse(out).getroot()
        names = '{http://www.w3.org/2000/svg}'
        return ([node.text for node in root.iter(names + 'text')],
                len(list(root.iter(names + 'path'))))

    # ---- Places ------------------------------------------------------------------

    def test_a_constant_of_another_file(self):
        other = ('@0xd33557f84a45e0fe;\nusing M = import "/schema/manifest.capnp";\n'
                 'const grants :List(M.Grant) = [\n' + kernel('g', 'gold') + '];\n')
        status, output = self.check(
            'using Other = import "other.capnp";\n'
            'const manifest :M.SystemManifest = (programGrants = Other.grants);\n', other=other)
        self.assertNotEqual(status, 0)
        self.assertIn('other.capnp:4: programGrants: grant g: the kernel gives no "gold"', output)

    def test_a_constant_of_the_same_file(self):
        self.refuse(4, 'the kernel gives no "gold"',
                    'const grants :List(M.Grant) = [\n' + kernel('g', 'gold') + '];\n'
                    'const manifest :M.SystemManifest = (programGrants = .grants);\n')

    def test_all_errors_at_once(self):
        _, output = self.check(self.system(service('a', kernel('x', 'gold')),
                                           service('a', binary='gone')))
        self.assertEqual(len(output.splitlines()), 3, output)


if __name__ == '__main__':
    unittest.main()
