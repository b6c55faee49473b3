#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the reference: what each page says, from a small schema with every kind of part."""

import os
import shutil
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools', 'docs'))

import invariants    # noqa: E402
import reference     # noqa: E402

SCHEMA = '''# SPDX-License-Identifier: MIT
@0xf0e1d2c3b4a59687;
using A = import "annotations.capnp";

enum Colour {
  # What it looks like.
  red @0;
  # As a rose.
}

interface Lamp @0xa1b2c3d4e5f60718 $A.home(kernel) {
  # A light.  It shines.

  shine @0 ShineParams -> ShineResults $A.pending $A.since("0.7");
  # Shines for a while.  `overloaded` if it is hot.

  struct ShineParams {
    durationNs @0 :UInt64 $A.unit("ns");
    # How long | at most an hour; otherwise `invalidArgument`.
    colour @1 :Colour;
    # The colour.
    label @2 :Text $A.maxBytes(12);
    # A name.
    shade @3 :Lamp;
    # Another one.
    size @4 :UInt32 = 7;
    # How large.
  }
  struct ShineResults {
    lamp @0 :Lamp;
    # It, warm.
    picture @1 :Data $A.maxBytes(100);
    # How it looked.
  }
}

interface Keeper @0xb1b2c3d4e5f60718 $A.home(service) {
  # Keeps lamps.

  look @0 () -> ();
  # Looks.
}
'''


IMPLEMENTATION = '''
static const char reason_label[] = "label: "
                                   "letters";

static enum status check(const struct lamp_shine_params *params, const char **out_reason)
{
    if (params->label.size_bytes == 0)
        return invalid(out_reason, reason_label);
    return STATUS_OK; // "colour: not this"
}

enum status lamp_shine(struct object *self, struct invocation *invocation,
                       const struct lamp_shine_params *params)
{
    if (params->size == 0)
        return invocation_fail(invocation, STATUS_FAILED, "it is dark");
    const char *reason = "elsewhere: not an argument of this method";
    enum status status = check(params, &reason);
    if (status == STATUS_OVERLOADED)
        reason = "no more light";
    return invocation_fail(invocation, status, reason);
}

enum status lamp_other(struct object *self)
{
    return invocation_fail(self, STATUS_FAILED, "another method");
}
'''


class ReferenceOfASchema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix='capos-docs-')
        cls.addClassCleanup(cls.folder.cleanup)
        for name in ('annotations.capnp', 'errors.capnp'):
            shutil.copy(os.path.join(ROOT, 'schema', name), cls.folder.name)
        with open(os.path.join(cls.folder.name, 'lamp.capnp'), 'w', encoding='utf-8') as file:
            file.write(SCHEMA)
        paths = [os.path.join(cls.folder.name, name)
                 for name in ('annotations.capnp', 'errors.capnp', 'lamp.capnp')]
        # A tree without manifests, where the kernel gives out lamps.
        os.makedirs(os.path.join(cls.folder.name, 'tools/capos'))
        with open(os.path.join(cls.folder.name, reference.ROOTS_TABLE), 'w',
                  encoding='utf-8') as file:
            file.write('    {"lamp", INTERFACE_LAMP},\n')
        os.makedirs(os.path.join(cls.folder.name, 'kernel/object'))
        with open(os.path.join(cls.folder.name, 'kernel/object/lamp.c'), 'w',
                  encoding='utf-8') as file:
            file.write(IMPLEMENTATION)
        cls.made = reference.Reference(reference.read_schema(paths), cls.folder.name)
        cls.pages = cls.made.pages()
        cls.lamp = cls.pages['Lamp.md']

    def test_every_interface_has_a_page_and_stands_in_the_index(self):
        self.assertEqual(set(self.pages), {'README.md', 'errors.md', 'invariants.md',
                                           'Lamp.md', 'Keeper.md'})
        self.assertIn('| [Lamp](Lamp.md) | A light. | kernel |', self.pages['README.md'])
        self.assertIn('| [Keeper](Keeper.md) | Keeps lamps. | service |', self.pages['README.md'])

    def test_a_page_says_what_it_is_and_who_gets_it(self):
        self.assertIn('# Lamp\n\nA light.  It shines.\n', self.lamp)
        self.assertIn('* Interface id: `0xa1b2c3d4e5f60718`\n', self.lamp)
        self.assertIn('| `init` | `lamp` | from the kernel |', self.lamp)
        self.assertIn('It is a result of [Lamp.shine](Lamp.md#shine).', self.lamp)
        self.assertIn('No system hands it out by name', self.pages['Keeper.md'])

    def test_a_method_has_its_signature_facts_and_arguments(self):
        self.assertIn('`shine(durationNs: UInt64, colour: Colour, label: Text, shade: Lamp, '
                      'size: UInt32) → (lamp: Lamp, picture: Data)`', self.lamp)
        self.assertIn('Method 0; may complete later; since 0.7.', self.lamp)
        for row in ('| `durationNs` | UInt64 | ns |  | How long \\| at most an hour;',
                    '| `colour` | [Colour](Lamp.md#colour) |  |  | The colour. |',
                    '| `label` | Text |  | at most 12 bytes | A name. |',
                    '| `shade` | [Lamp](Lamp.md) |  |  | Another one. |',
                    '| `size` | UInt32 |  | default 7 | How large. |',
                    '| `picture` | Data | at most 100 bytes | How it looked. |'):
            self.assertIn(row, self.lamp)

    def test_errors_come_from_types_and_from_comments(self):
        rows = dict(line.strip('| ').split(' | ', 1) for line in self.lamp.splitlines()
                    if line.startswith('| [') and 'errors.md#' in line)
        rows = {name[1:name.index(']')]: text for name, text in rows.items()}
        self.assertEqual(set(rows), {'failed', 'overloaded', 'invalidArgument', 'badMessage',
                                     'wrongInterface', 'noResultSpace', 'cancelled'})
        self.assertIn('`overloaded` if it is hot.', rows['overloaded'])
        self.assertIn('`durationNs`:', rows['invalidArgument'])
        self.assertIn('`label` is longer than 12 bytes.', rows['badMessage'])
        self.assertIn('`colour` is no [Colour]', rows['badMessage'])
        self.assertIn('`shade` is no [Lamp]', rows['wrongInterface'])

    def test_reasons_are_those_of_the_implementation(self):
        self.assertIn('“it is dark” |', self.lamp)
        self.assertIn('`invalidArgument`. “label: letters” |', self.lamp)
        self.assertIn('“no more light” |', self.lamp)
        self.assertIn('* Implemented in: `kernel/object/lamp.c`', self.lamp)
        for absent in ('not this', 'elsewhere', 'another method'):
            self.assertNotIn(absent, self.lamp)

    def test_types_stand_with_the_interface_that_uses_them(self):
        self.assertIn('### Colour\n\nWhat it looks like.\n', self.lamp)
        self.assertIn('| 0 | `red` | As a rose. |', self.lamp)
        self.assertEqual(self.made.names()['Colour'], 'Lamp.md#colour')
        self.assertEqual(self.made.names()['Lamp.shine'], 'Lamp.md#shine')

    def test_c_signatures_are_those_of_the_clients(self):
        for name in ('lamp_shine', 'lamp_shine_begin', 'lamp_shine_transfer',
                     'lamp_shine_finish'):
            self.assertIn(f'enum status {name}(', self.lamp)
        self.assertNotIn('Server glue', self.lamp)
        self.assertIn('struct keeper_server_ops {', self.pages['Keeper.md'])

    def test_every_status_is_explained(self):
        for number, status in enumerate(self.made.statuses.enumerants):
            self.assertIn(f'### {status.name}\n\nStatus {number}. {status.doc}',
                          self.pages['errors.md'])
        self.assertEqual(self.made.names()['badMessage'], 'errors.md#badmessage')


class ReferenceOfCapOS(unittest.TestCase):
    """What comes from the tree: holders and places."""

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(ROOT)
        paths = sorted(os.path.join('schema', name) for name in os.listdir('schema')
                       if name.endswith('.capnp'))
        cls.pages = reference.Reference(reference.read_schema(paths), ROOT).pages()

    def test_grants_are_those_of_the_manifests(self):
        timer = self.pages['Timer.md']
        self.assertRegex(timer, r'\| a program \| `timer` \| `capos run --grant timer`, in `default`')
        self.assertIn('| every process | `memory` | from who started it |',
                      self.pages['VirtualMemory.md'])
        self.assertRegex(self.pages['StdIO.md'], r'\| every program \| `stdio` \| always, in `default`')
        self.assertRegex(self.pages['DeviceMemory.md'], r'the service `hostlink` \| `devices`')
        self.assertRegex(self.pages['README.md'], r'\[Timer\].*`--grant timer`')

    def test_pages_say_where_it_is_implemented_and_tested(self):
        self.assertIn('Implemented in: `kernel/object/timer.c`', self.pages['Timer.md'])
        self.assertIn('`services/hostlink/main.c`', self.pages['StdIO.md'])
        self.assertIn('`tests/iface/timer_test.c`', self.pages['Timer.md'])

    def test_the_kernel_and_services_say_why_they_refuse(self):
        self.assertIn('“lengthBytes: a multiple of 4096, not zero”',
                      self.pages['VirtualMemory.md'])
        self.assertIn('“arguments: at most 31”', self.pages['RestrictedLauncher.md'])


class InvariantsOfFiles(unittest.TestCase):
    def test_items_are_collected_up_to_the_end_of_the_block(self):
        text = ('// SPDX-License-Identifier: MIT\n// A file.\n//\n// Invariants, all of them:\n'
                '//  1. One\n//     is one.\n//  2. Two * `a*b`.\n//\n'
                '// Tested in lib/x_test.c, and fuzzed.\n\nint x; // 3. Three\n')
        items, tested = invariants.block_of(text)
        self.assertEqual(items, ['One is one.', 'Two * `a*b`.'])
        self.assertEqual(tested, 'Tested in lib/x_test.c, and fuzzed')
        self.assertEqual(invariants.escape(items[1]), 'Two \\* `a*b`.')

    def test_a_file_without_a_block_has_none(self):
        self.assertEqual(invariants.block_of('// It has no Invariants.\nint x;\n'), ([], ''))

    def test_the_modules_that_state_some_are_on_the_page(self):
        page = invariants.page(ROOT)
        for path in ('kernel/cap/table.h', 'kernel/arch/x86_64/entry.S', 'abi/include/abi/ring.h'):
            self.assertIn(f'## {path}\n\n1. ', page)


if __name__ == '__main__':
    unittest.main()
