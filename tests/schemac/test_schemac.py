#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the schema compiler: each lint rule with a schema that breaks it, the line it
names, and what the generator makes of the corners of the type system."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMAC = os.path.join(ROOT, 'tools', 'schemac', 'schemac.py')
sys.path.insert(0, os.path.dirname(SCHEMAC))

from codegen import wrap_call                                   # noqa: E402
from model import snake                                         # noqa: E402
from source import SourceMap                                    # noqa: E402

HEAD = '@0xab1965a8d46f6001;\nusing A = import "annotations.capnp";\n'
STATUS = '@0x96711f2fdc9bb28f;\nenum Status {\n  ok @0;\n  # Done.\n}\n'


class Compiler(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        with open(os.path.join(ROOT, 'schema', 'annotations.capnp'), encoding='utf-8') as file:
            self.write('annotations.capnp', file.read())
        self.write('errors.capnp', STATUS)

    def write(self, name, text):
        with open(os.path.join(self.folder.name, name), 'w', encoding='utf-8') as file:
            file.write(text)

    def compile(self, body, *options):
        """Compiles HEAD + body as x.capnp: (exit status, messages)."""
        self.write('x.capnp', HEAD + body)
        done = subprocess.run(
            [sys.executable, SCHEMAC, *options, 'annotations.capnp', 'errors.capnp', 'x.capnp'],
            cwd=self.folder.name, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def rejects(self, body, marker, message):
        """The one complaint is about the line that holds `marker` and says `message`."""
        status, text = self.compile(body, '--check')
        self.assertEqual(status, 1, text)
        line = next(i for i, l in enumerate((HEAD + body).splitlines(), 1) if marker in l)
        self.assertRegex(text, r'\Ax\.capnp:%d: .*%s' % (line, message))
        self.assertEqual(len(text.strip().splitlines()), 1, text)

    def accepts(self, body):
        status, text = self.compile(body, '--check')
        self.assertEqual((status, text), (0, ''))


def interface(body, home='$A.home(kernel)', doc='# A thing.'):
    return 'interface Thing @0xab1965a8d46f6002 %s {\n  %s\n%s}\n' % (home, doc, body)


class Lint(Compiler):
    def test_accepts_a_schema_that_keeps_the_rules(self):
        self.accepts(interface('''
  poke @0 PokeParams -> PokeResults;
  # Pokes.
  struct PokeParams {
    name @0 :Text $A.maxBytes(8);
    # A name.
    thing @1 :Thing;
    # Another one.
  }
  struct PokeResults {}
'''))

    def test_rejects_an_interface_without_documentation(self):
        self.rejects(interface('', doc=''), 'interface Thing', 'has no documentation')

    def test_rejects_a_method_without_documentation(self):
        self.rejects(interface('  poke @0 () -> ();\n'), 'poke @0', 'method Thing.poke has no doc')

    def test_rejects_a_field_without_documentation(self):
        self.rejects(interface('''
  poke @0 PokeParams -> ();
  # Pokes.
  struct PokeParams {
    a @0 :UInt8;
    # First.
    b @1 :UInt8;
  }
'''), 'b @1', 'field Thing.PokeParams.b has no doc')

    def test_rejects_a_struct_without_documentation(self):
        self.rejects('struct S {\n  a @0 :UInt8;\n  # A.\n}\n', 'struct S', 'struct S has no doc')

    def test_rejects_an_enumerant_without_documentation(self):
        self.rejects('enum E {\n  a @0;\n  # A.\n  b @1;\n}\n', 'b @1', 'enumerant E.b has no doc')

    def test_rejects_an_interface_without_home(self):
        self.rejects(interface('', home=''), 'interface Thing', 'has no home')

    def test_rejects_text_data_and_lists_without_a_bound(self):
        for type, bound in (('Text', 'maxBytes'), ('Data', 'maxBytes'),
                            ('List(UInt8)', 'maxCount')):
            with self.subTest(type):
                self.rejects('struct S {\n  # S.\n  a @0 :%s;\n  # A.\n}\n' % type, 'a @0',
                             'field S.a has no bound: add .%s' % bound)

    def test_rejects_a_field_in_a_group_without_a_bound(self):
        self.rejects('''struct S {
  # S.
  u :union {
    a @0 :UInt8;
    # A.
    g :group {
      b @1 :Text;
      # B.
    }
  }
}
''', 'b @1', 'field S.u.g.b has no bound')

    NESTED = '''
  poke @0 PokeParams -> ();
  # Pokes.
  struct PokeParams {
    a @0 :%s;
    # A.
  }
  struct Inner {
    # Inner.
    x @0 :%s;
    # X.
  }
'''

    def test_rejects_methods_of_the_kernel_that_are_not_flat(self):
        for field in ('List(UInt8) $A.maxCount(2)', 'Inner', 'List(Inner) $A.maxCount(2)'):
            with self.subTest(field):
                body = self.NESTED % (field, 'UInt8')
                self.rejects(interface(body), 'struct PokeParams', 'is not flat')
                self.accepts(interface(body, home='$A.home(service)'))

    def test_rejects_capabilities_within_lists_and_structs(self):
        for field in ('Inner', 'List(Inner) $A.maxCount(2)'):
            with self.subTest(field):
                self.rejects(interface(self.NESTED % (field, 'Capability'),
                                       home='$A.home(service)'),
                             'x @0', 'is a capability within a list or struct')

    def test_rejects_floats_in_the_kernel(self):
        body = '''
  poke @0 PokeParams -> ();
  # Pokes.
  struct PokeParams {
    a @0 :Float64;
    # A.
  }
'''
        self.rejects(interface(body), 'a @0', 'is a float')
        self.accepts(interface(body, home='$A.home(service)'))

    def test_rejects_optional_fields_of_the_kernel_and_of_other_types(self):
        body = '''
  poke @0 PokeParams -> ();
  # Pokes.
  struct PokeParams {
    a @0 :%s $A.optional;
    # A.
  }
'''
        service = '$A.home(service)'
        self.rejects(interface(body % 'Thing'), 'a @0', 'is optional: the kernel')
        self.rejects(interface(body % 'UInt8', home=service), 'a @0', 'only capabilities can be')
        self.accepts(interface(body % 'Thing', home=service))
        self.accepts(interface(body % 'Capability', home=service))

    def test_rejects_more_capabilities_than_a_message_carries(self):
        fields = ''.join('    c%d @%d :Thing;\n    # C.\n' % (i, i) for i in range(17))
        self.rejects(interface('  poke @0 PokeParams -> ();\n  # P.\n  struct PokeParams {\n%s  }\n'
                               % fields), 'struct PokeParams', 'has 17 capabilities')

    def test_rejects_messages_that_the_kernel_can_not_hold(self):
        self.rejects(interface('''
  poke @0 PokeParams -> ();
  # Pokes.
  struct PokeParams {
    a @0 :Data $A.maxBytes(5000);
    # A.
  }
'''), 'struct PokeParams', 'takes up to 5016 bytes, the most is 4032')

    def test_rejects_structs_of_other_names_and_in_place(self):
        self.rejects(interface('''
  poke @0 Other -> ();
  # Pokes.
  struct Other {
    # Other.
    a @0 :UInt8;
    # A.
  }
'''), 'poke @0', 'must be Thing.PokeParams')
        self.rejects(interface('  poke @0 (a :UInt8) -> ();\n  # Pokes.\n'), 'poke @0',
                     'declare struct PokeParams')

    def test_rejects_recursion(self):
        self.rejects('struct S {\n  # S.\n  a @0 :List(S) $A.maxCount(2);\n  # A.\n}\n',
                     'struct S', 'contains itself')

    def test_rejects_pointers_without_a_type_and_their_defaults(self):
        self.rejects('struct S {\n  # S.\n  a @0 :AnyPointer;\n  # A.\n}\n', 'a @0', 'AnyPointer')
        self.rejects('struct S {\n  # S.\n  a @0 :Text = "x" $A.maxBytes(3);\n  # A.\n}\n', 'a @0',
                     'has a default')

    def test_rejects_keywords_of_c(self):
        self.rejects('struct S {\n  # S.\n  register @0 :UInt8;\n  # A.\n}\n', 'register @0',
                     'keyword')

    def test_rejects_two_declarations_of_one_c_name(self):
        self.rejects('struct FooBar {\n  # S.\n  struct Baz {\n    # B.\n    a @0 :UInt8;\n    # A.\n'
                     '  }\n}\nstruct FooBarBaz {\n  # T.\n  a @0 :UInt8;\n  # A.\n}\n',
                     'struct FooBarBaz', 'same name in C')

    def test_rejects_duplicate_type_ids(self):
        status, text = self.compile(
            'enum E @0xab1965a8d46f6009 {\n  a @0;\n  # A.\n}\n'
            'enum F @0xab1965a8d46f6009 {\n  a @0;\n  # A.\n}\n', '--check')
        self.assertNotEqual(status, 0)
        self.assertRegex(text, r'x\.capnp:7:.*[Dd]uplicate ID')

    def test_finds_the_line_despite_strings_and_comments(self):
        source = SourceMap('x', 'struct A { # struct B {\n  c @0 :Text = "} # {";\n  # {\n  d @1\n'
                           '    :UInt8;\n}\n')
        self.assertEqual(source.lines, {'A': 1, 'A.c': 2, 'A.d': 4})
        self.assertEqual(source.line('A.x.y'), 1)


class Generator(Compiler):
    def output(self, body, path):
        status, text = self.compile(body, '--out', 'gen')
        self.assertEqual((status, text), (0, ''))
        with open(os.path.join(self.folder.name, 'gen', path), encoding='utf-8') as file:
            return file.read()

    def test_names(self):
        for name, expected in (('durationNs', 'duration_ns'), ('StdIO', 'stdio'),
                               ('IoPorts', 'io_ports'), ('DmaPool', 'dma_pool'),
                               ('TCPSocket', 'tcp_socket'), ('now', 'now')):
            self.assertEqual(snake(name), expected)

    def test_breaks_long_calls(self):
        text = wrap_call('    return function', ['argument_%02d' % i for i in range(12)])
        self.assertTrue(all(len(line) <= 92 for line in text.splitlines()))

    def test_leaves_unchanged_files_alone_and_removes_stale_ones(self):
        body = 'struct S {\n  # S.\n  a @0 :UInt8;\n  # A.\n}\n'
        self.output(body, 'wire/x.h')
        path = os.path.join(self.folder.name, 'gen', 'wire', 'x.h')
        stale = os.path.join(self.folder.name, 'gen', 'wire', 'old.h')
        os.utime(path, (1, 1))
        with open(stale, 'w', encoding='utf-8'):
            pass
        self.output(body, 'wire/x.h')
        self.assertEqual(os.stat(path).st_mtime, 1)
        self.assertFalse(os.path.exists(stale))

    def test_defaults_are_exclusive_ors(self):
        text = self.output('struct S {\n  # S.\n  a @0 :Int16 = -2;\n  # A.\n  b @1 :Bool = true;\n'
                           '  # B.\n  c @2 :Float64 = 1.5;\n  # C.\n}\n', 'wire/x.c')
        self.assertIn('UINT64_C(0xfffe)', text)
        self.assertIn('& 1) != 1', text)
        self.assertIn('UINT64_C(0x3ff8000000000000)', text)

    def test_works_as_a_plug_in_of_capnp(self):
        self.write('x.capnp', HEAD + 'struct S {\n  # S.\n  a @0 :UInt8;\n  # A.\n}\n')
        os.mkdir(os.path.join(self.folder.name, 'out'))
        subprocess.run(['capnp', 'compile', '-o%s:out' % SCHEMAC, 'annotations.capnp',
                        'errors.capnp', 'x.capnp'], cwd=self.folder.name, check=True,
                       env=dict(os.environ, PWD=self.folder.name))
        self.assertTrue(os.path.exists(os.path.join(self.folder.name, 'out', 'wire', 'x.h')))


class GoldenAbi(unittest.TestCase):
    """tools/check-abi.py on copies of the schema and the headers with a change in them."""

    def difference(self, file, old, new):
        with tempfile.TemporaryDirectory() as folder:
            for part in ('schema', 'abi/include'):
                shutil.copytree(os.path.join(ROOT, part), os.path.join(folder, part))
            path = os.path.join(folder, file)
            with open(path, encoding='utf-8') as text:
                changed = text.read().replace(old, new, 1)
            with open(path, 'w', encoding='utf-8') as text:
                text.write(changed)
            done = subprocess.run(
                [sys.executable, os.path.join(ROOT, 'tools', 'check-abi.py'), '--schema',
                 os.path.join(folder, 'schema'), '--abi', os.path.join(folder, 'abi/include')],
                capture_output=True, text=True, check=False)
        return done.returncode, [line for line in done.stdout.splitlines()
                                 if line[:1] in '+-' and line[:3] not in ('+++', '---')]

    def test_shows_a_new_method(self):
        status, lines = self.difference('schema/timer.capnp', '  struct NowResults',
                                        '  stop @3 () -> ();\n  # Stops.\n  struct NowResults')
        self.assertEqual((status, lines), (1, ['+interface Timer method   3 stop() -> ()']))

    def test_shows_a_changed_bound(self):
        status, lines = self.difference('schema/console.capnp', 'maxBytes(1024)', 'maxBytes(512)')
        self.assertEqual((status, len(lines)), (1, 2))
        self.assertIn('at most 512 bytes', lines[1])

    def test_shows_changed_constants_and_layouts(self):
        status, lines = self.difference('abi/include/abi/syscall.h', 'CAPOS_SYS_EXIT 0',
                                        'CAPOS_SYS_EXIT 7')
        self.assertEqual((status, lines), (1, ['-constant CAPOS_SYS_EXIT 0x0',
                                               '+constant CAPOS_SYS_EXIT 0x7']))
        status, lines = self.difference('abi/include/abi/ring.h', 'uint32_t flags;          //',
                                        'int32_t flags;           //')
        self.assertEqual((status, len(lines)), (1, 2))

    def test_ignores_documentation(self):
        self.assertEqual(self.difference('schema/timer.capnp', 'Reads the clock.', 'Looks at it.'),
                         (0, []))


if __name__ == '__main__':
    unittest.main()
