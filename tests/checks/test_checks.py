#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the checkers: each finds the violation that is planted for it, in a small tree
made here, and nothing in the same tree without it."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPDX = '// SPDX-License-Identifier: MIT\n'


class Tree(unittest.TestCase):
    """A temporary tree with floors.txt and what a test writes."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='capos-checks-')
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        shutil.copy(os.path.join(ROOT, 'floors.txt'), self.root)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as file:
            file.write(text)

    def compile(self, path, text, build='user', options=()):
        """Writes a C file and compiles it to where the build would put its object."""
        self.write(path, text)
        out = os.path.join(self.root, 'build', build, 'obj', path.removesuffix('.c') + '.o')
        os.makedirs(os.path.dirname(out), exist_ok=True)
        subprocess.run(['clang-19', '--target=x86_64-unknown-none-elf', '-ffreestanding', '-w',
                        *options, '-c', os.path.join(self.root, path), '-o', out], check=True)

    def check(self, tool, *arguments):
        """What a checker prints about the tree; its status must agree with it."""
        runner = ['sh'] if tool.endswith('.sh') else [sys.executable, '-B']
        done = subprocess.run([*runner, os.path.join(ROOT, 'tools', tool), *arguments,
                               self.root], capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, '')
        self.assertEqual(done.returncode, 1 if done.stdout else 0)
        return done.stdout


class Floors(Tree):
    def test_allowed_includes_pass(self):
        self.write('kernel/a.c', '#include <abi/ring.h>\n#include <lib/list.h>\n'
                                 '#include <gen/kernel/timer.h>\n#include <stdint.h>\n')
        self.write('services/x/main.c', '#include "other.h"\n#include <stdio.h>\n')
        self.write('lib/a_test.c', '#include <stdio.h>\n#include <test/test.h>\n')
        self.assertEqual(self.check('check-floors.py'), '')

    def test_a_lower_floor_may_not_include_a_higher_one(self):
        self.write('lib/a.c', '#include <kernel/arch.h>\n')
        self.write('kernel/b.c', '#include <capos/call.h>\n')
        self.write('kernel/c.c', '#include <gen/capos/timer.h>\n')
        self.write('kernel/d.c', '#include <string.h>\n')
        found = self.check('check-floors.py')
        for text in ('lib/a.c:1: lib may not include kernel/arch.h', 'kernel/b.c:1: core may',
                     'kernel/c.c:1: core may', 'kernel/d.c:1: core may not include string.h'):
            self.assertIn(text, found)

    def test_the_core_may_not_include_a_machine(self):
        self.write('kernel/mm/a.c', '#include <kernel/arch/x86_64/cpu.h>\n')
        self.assertIn('core may not include', self.check('check-floors.py'))

    def test_services_may_not_include_each_other(self):
        self.write('services/x/main.c', '#include "../y/y.h"\n')
        self.assertIn('services/x may not include ../y/y.h', self.check('check-floors.py'))

    def test_assembly_stays_in_its_folders(self):
        self.write('kernel/mm/a.c', 'void f(void)\n{\n    __asm__ volatile("hlt");\n}\n')
        self.write('libcapos/a.S', 'ret\n')
        self.write('kernel/arch/x86_64/a.c', 'void f(void)\n{\n    asm("hlt");\n}\n')
        found = self.check('check-floors.py')
        self.assertIn('kernel/mm/a.c: assembly', found)
        self.assertIn('libcapos/a.S:1: assembly', found)
        self.assertNotIn('x86_64/a.c', found)

    def test_symbols_of_a_higher_floor_are_found_in_objects(self):
        self.compile('lib/a.c', 'void arch_halt(void);\nvoid f(void) { arch_halt(); }\n', 'kernel')
        self.compile('kernel/mm/b.c', 'void f(void);\nvoid arch_x(void);\nvoid printf(void);\n'
                                      'void g(void) { f(); arch_x(); printf(); }\n', 'kernel')
        found = self.check('check-floors.py')
        self.assertIn('lib may not use arch_halt', found)
        self.assertIn('core may not use printf', found)
        self.assertNotIn('arch_x', found)


class RuntimeSurface(Tree):
    TOOL = 'check-userspace-runtime-surface.sh'

    def test_an_ordinary_program_passes(self):
        self.compile('programs/a.c', 'void *malloc(unsigned long);\n'
                                     'int main(void) { return malloc(1) != 0; }\n')
        self.compile('libcapos/arch/x86_64/s.c', 'void f(void) { asm("syscall"); }\n')
        self.assertEqual(self.check(self.TOOL), '')

    def test_planted_definitions_are_found(self):
        for name in ('_start', 'malloc', 'capos_panic', 'memcpy', '__stack_chk_fail', 'exit'):
            self.compile(f'programs/{name}.c', f'void {name}(void)\n{{\n}}\n')
        found = self.check(self.TOOL)
        for name in ('_start', 'malloc', 'capos_panic', 'memcpy', '__stack_chk_fail', 'exit'):
            self.assertIn(f'programs/{name}.o: defines {name}', found)
            self.assertIn(f'programs/{name}.c:', found)

    def test_a_planted_system_call_is_found(self):
        self.compile('services/x/a.c', 'void f(void) { asm volatile("syscall"); }\n')
        found = self.check(self.TOOL)
        self.assertIn('services/x/a.o: a system-call instruction outside libcapos', found)
        self.assertIn('services/x/a.c:', found)

    def test_a_test_of_the_cpu_may_have_assembly_but_no_system_call(self):
        self.compile('tests/system/a.c', 'void f(void) { asm volatile("nop"); }\n')
        self.assertEqual(self.check(self.TOOL), '')
        self.compile('tests/system/b.c', 'void f(void) { asm volatile("syscall"); }\n')
        self.assertIn('tests/system/b.o: a system-call instruction', self.check(self.TOOL))

    def test_a_planted_system_call_is_found_before_link_time_optimisation(self):
        self.compile('programs/a.c', 'void f(void) { asm volatile("syscall"); }\n',
                     options=['-flto'])
        self.compile('programs/b.c', 'void f(void) { asm volatile("nop"); }\n',
                     options=['-flto'])
        found = self.check(self.TOOL)
        self.assertIn('programs/a.o: a system-call instruction outside libcapos', found)
        self.assertNotIn('programs/b.o', found)

    def test_a_system_call_hidden_in_libcapos_is_found(self):
        self.compile('libcapos/a.c', 'void f(void) { asm volatile("syscall"); }\n')
        self.assertIn('outside libcapos/arch', self.check(self.TOOL))

    def test_a_planted_entry_macro_is_found(self):
        self.write('programs/a.c', '#define CAPOS_ENTRY(f) int main(void) { return f(); }\n')
        self.assertIn('an entry macro outside libcapos', self.check(self.TOOL))


class Style(Tree):
    def test_a_clean_file_passes(self):
        self.write('lib/a.c', SPDX + 'int f(void)\n{\n    return 1;\n}\n')
        self.assertEqual(self.check('check-style.py'), '')

    def test_each_rule_has_its_violation(self):
        note = 'TO' + 'DO'
        for text, expected in (
                ('int f;\n', 'no SPDX line'),
                (SPDX + 'int f;\t\n', 'blanks at the end'),
                (SPDX + 'int\tf;\n', 'a tab'),
                (SPDX + f'// {note}\n', 'a note to self'),
                (SPDX + '// ' + '/ho' + 'me/someone\n', 'a path of one machine'),
                (SPDX + '// https://py' + 'pi.org\n', 'a registry by its name'),
                (SPDX + 'int f' + 'f' * 100 + ';\n', 'columns'),
                (SPDX + 'void f(void)\n{\n' + '    g();\n' * 70 + '}\n', 'a function of 72')):
            self.write('lib/a.c', text)
            self.assertIn(expected, self.check('check-style.py'))


class Docs(Tree):
    def setUp(self):
        super().setUp()
        self.write('Makefile', 'test:\n\ttrue\n')
        for path in ('main.c', 'run_options.c'):
            shutil.copytree(os.path.join(ROOT, 'tools/capos'),
                            os.path.join(self.root, 'tools/capos'), dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns('*.md'))
            self.assertTrue(os.path.exists(os.path.join(self.root, 'tools/capos', path)))

    def test_true_pages_pass(self):
        self.write('a.md', '# A b\n[x](b.md#c-d), `make test`, `capos run --grant x`\n'
                           '```console\n$ echo hi\nhi\n```\n')
        self.write('b.md', '# C d\n')
        self.assertEqual(self.check('check-docs.py'), '')

    def test_a_block_is_written_where_the_page_says(self):
        self.write('a.md', 'Write this into `build/x.txt`:\n\n```\nyes\n```\n\n'
                           '```console\n$ cat build/x.txt\nyes\n```\n')
        self.assertEqual(self.check('check-docs.py'), '')

    def test_each_untruth_is_found(self):
        for text, expected in (('[x](c.md)\n', 'c.md leads nowhere'),
                               ('# A\n[x](#b)\n', 'has no heading #b'),
                               ('`make tset`\n', '`make tset` is no target'),
                               ('`capos rnu x`\n', '`capos rnu` is no command'),
                               ('`capos run --gratn x`\n', '`capos run` has no --gratn'),
                               ('```sh\nx && make tset\n```\n', '`make tset` is no target'),
                               ('a\n\n    ./capos rnu x\n', '`capos rnu` is no command'),
                               ('`lib/none.c`\n', 'there is no lib/none.c'),
                               ('`tools/capos/main.c:lain`\n', 'tools/capos/main.c has no lain'),
                               ('```console\n$ echo hi\nho\n```\n', 'the page says')):
            self.write('a.md', text)
            self.assertIn(expected, self.check('check-docs.py'))

    def test_paths_and_names_that_are_there_pass(self):
        self.write('a.md', '`tools/capos/main.c:main`, `tools/capos/*.h`, `schema/X.capnp`\n')
        self.assertEqual(self.check('check-docs.py'), '')

    def test_a_language_needs_a_target_or_a_denial(self):
        self.write('README.md', 'It runs Lua\nprograms.\n')
        self.assertIn('README.md:1: names Lua, which no `make run-lua` proves',
                      self.check('check-docs.py'))
        self.write('README.md', 'It runs C. It does not\nrun Lua programs.\n')
        self.assertEqual(self.check('check-docs.py'), '')
        self.write('README.md', 'It runs Lua.\n')
        self.write('Makefile', 'run-lua:\n\ttrue\n')
        self.assertEqual(self.check('check-docs.py'), '')

    def test_options_and_their_page_are_compared_both_ways(self):
        self.write('build/host/capos', '#!/bin/sh\necho "  --one   an option"\n')
        os.chmod(os.path.join(self.root, 'build/host/capos'), 0o755)
        commands = ('run', 'shell', 'cc', 'list', 'inspect', 'disk', 'doctor', 'pack')
        text = ''.join(f'## capos {name}\n\n| `--one` | x |\n\n' for name in commands)
        self.write('docs/capos.md', text)
        self.write('a.md', '`capos list --one`\n')
        self.assertEqual(self.check('check-docs.py'), '')
        self.write('a.md', '`capos list --two`\n')
        self.assertIn('`capos list` has no --two', self.check('check-docs.py'))
        self.write('a.md', '')
        self.write('docs/capos.md', text.replace('one', 'two').replace('capos pack', 'x'))
        found = self.check('check-docs.py')
        self.assertIn('capos run has --one, which is not described', found)
        self.assertIn('capos run has no --two', found)
        self.assertIn('there is no section "capos pack"', found)

    def test_links_into_the_reference_are_followed(self):
        shutil.copytree(os.path.join(ROOT, 'schema'), os.path.join(self.root, 'schema'),
                        ignore=shutil.ignore_patterns('*.md'))
        self.write('docs/how-to/service.md', '# A\n')
        self.write('docs/invariants.md', '# A\n')
        self.write('docs/design.md', '## Generated code (tools/schemac)\n')
        self.write('docs/a.md', '[x](reference/Timer.md#sleep)\n')
        self.assertEqual(self.check('check-docs.py'), '')
        self.write('docs/a.md', '[x](reference/Timer.md#doze), [y](reference/Tamer.md)\n')
        found = self.check('check-docs.py')
        self.assertIn('Timer.md has no heading #doze', found)
        self.assertIn('reference/Tamer.md leads nowhere', found)
        os.remove(os.path.join(self.root, 'docs/design.md'))
        self.assertIn('docs/reference/README.md:', self.check('check-docs.py'))


if __name__ == '__main__':
    unittest.main()
