# SPDX-License-Identifier: MIT
"""The tools that make the C library: what they refuse."""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, 'tools', 'libc'), os.path.join(ROOT, 'tools', 'fetch')]

import build     # noqa: E402
import calls     # noqa: E402
import debian    # noqa: E402

ERRNOS = {'ENOENT': 2, 'ENOSYS': 38}
DIGEST = 'ab' * 32
LISTED = f'''Package: musl
Version: 1.2.6-1
Checksums-Sha256:
 {DIGEST} 1082499 musl_1.2.6.orig.tar.gz
 {'cd' * 32} 490 musl_1.2.6.orig.tar.gz.asc

Package: musl
Version: 1.2.5-3
Checksums-Sha256:
 {'ef' * 32} 1080786 musl_1.2.5.orig.tar.gz
'''


class Calls(unittest.TestCase):
    def test_a_line_is_read(self):
        call = calls.parse('2 open 3 open directory ENOENT', ERRNOS)
        self.assertEqual((call.number, call.symbol, call.needs), (2, '__capos_open', ['directory']))

    def test_a_wrong_line_is_refused(self):
        for line in ('2 open 3 open directory', '2 open 7 open directory ENOENT',
                     '2 open 3 open directory EWHAT', '2 open 3 open directory -',
                     '57 fork 0 - - -'):
            with self.assertRaises(calls.Wrong, msg=line):
                calls.parse(line, ERRNOS)

    def test_what_nothing_does_is_its_errno(self):
        call = calls.parse('57 fork 0 - - ENOSYS', ERRNOS)
        self.assertIn('case 57: return -38 /* ENOSYS */;',
                      list(calls.cases([call], ERRNOS, lambda call: call.symbol)))
        self.assertNotIn('__capos_fork(', calls.musl_header([call], ERRNOS))

    def test_every_call_of_the_table_has_a_function(self):
        present, _ = calls.read_calls()
        for call in present:
            if call.file != '-':
                with open(os.path.join(ROOT, 'posix', f'{call.file}.c'), encoding='utf-8') as file:
                    self.assertIn(f'long {call.function}(', file.read(), call.name)


class Library(unittest.TestCase):
    def check(self, code):
        """Checks a libc.a of one function."""
        tools = build.tools()
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, 'usr', 'lib'))
            part, library = (os.path.join(folder, name) for name in ('x.o', 'usr/lib/libc.a'))
            subprocess.run([tools['CC'], f'--target={build.TARGET}', '-x', 'c', '-c', '-', '-o',
                            part], input=code, text=True, check=True)
            subprocess.run([tools['AR'], 'crs', library, part], check=True)
            build.check(folder)

    def test_a_library_that_enters_a_kernel_is_refused(self):
        for instruction in ('syscall', 'sysenter', 'int $0x80'):
            with self.assertRaises(build.Failed, msg=instruction):
                self.check(f'void f(void) {{ __asm__("{instruction}"); }}')

    def test_one_that_does_not_is_taken(self):
        self.check('long g(long); long syscall(long n) { return g(n); }')


class Debian(unittest.TestCase):
    def test_a_tarball_is_found_by_its_hash(self):
        self.assertEqual(debian.revisions(LISTED, 'musl_1.2.6.orig.tar.gz', DIGEST), ['1.2.6-1'])

    def test_another_hash_is_another_tarball(self):
        self.assertEqual(debian.revisions(LISTED, 'musl_1.2.5.orig.tar.gz', DIGEST), [])


if __name__ == '__main__':
    unittest.main()
