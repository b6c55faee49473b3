# SPDX-License-Identifier: MIT
"""What tools/bench makes of what was counted, without a machine."""

import json
import math
import os
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools/bench'))

import baseline         # noqa: E402
import bench            # noqa: E402
import chart            # noqa: E402
import cpio             # noqa: E402
import figures          # noqa: E402
import fit              # noqa: E402
import growth           # noqa: E402
import guest            # noqa: E402
import hostfs           # noqa: E402
import linux            # noqa: E402
import linux_kernel     # noqa: E402
import report           # noqa: E402
from rows import COMPARED, NAMES, ROWS    # noqa: E402

COUNTS = (1, 10, 100, 1000, 10000)


def counts(*totals, operations=1):
    return ''.join(f'region 0 {total * operations} 1 2 {8 * operations} {2 * operations} '
                   f'{1000 * total * operations}\n' for total in totals)


class Pairing(unittest.TestCase):
    def test_the_median_of_all_batches_but_the_first_counts(self):
        text = 'hello\n' + 'region nop 10\n' * 4
        measured = guest.pair(text, 'user 4711\n' + counts(900, 30, 50, 40, operations=10))
        self.assertEqual(measured.boot_instructions, 4711)
        self.assertEqual(measured.rows['nop'], {'instructions': 40, 'rep_bytes': 8,
                                                'cr3_writes': 2, 'wall_ns': 30000})

    def test_a_batch_of_32_counts_as_32_operations(self):
        measured = guest.pair('region nop_32_enter 10\n' * 2, counts(9, 3200))
        self.assertEqual(measured.rows['nop_32_per_op']['instructions'], 10)

    def test_a_region_that_one_side_lacks_is_an_error(self):
        with self.assertRaises(guest.GuestError):
            guest.pair('region nop 10\n', counts(1, 2))
        with self.assertRaises(guest.GuestError):
            guest.pair('nothing\n', '')

    def test_a_serial_line_ends_in_a_return(self):
        measured = guest.pair('region nop 1\r\nregion nop 1\r\n', counts(1, 2))
        self.assertEqual(measured.rows['nop']['instructions'], 2)


class Baseline(unittest.TestCase):
    RECORDED = {'nop': (100.0, ''), 'call': (1000.0, 'checks more')}

    def problems(self, **figures_now):
        return list(baseline.compare(self.RECORDED, figures_now))

    def test_growth_up_to_the_limit_passes(self):
        self.assertEqual(self.problems(nop=105.0, call=1050.0), [])

    def test_growth_beyond_the_limit_names_the_row_and_the_way_out(self):
        problem, = self.problems(nop=105.1, call=1000.0)
        self.assertRegex(problem, r'nop: 105.1 .*recorded 100.0.*bench-accept WHY')

    def test_an_improvement_passes(self):
        self.assertEqual(self.problems(nop=1.0, call=2.0), [])

    def test_a_row_that_is_new_or_gone_fails(self):
        self.assertIn('new: not recorded', self.problems(nop=100, call=1000, new=1)[0])
        self.assertIn('call: recorded, and not', self.problems(nop=100)[0])

    def test_a_higher_figure_is_accepted_with_a_reason_only(self):
        _, unexplained = baseline.accept(self.RECORDED, {'nop': 120.0, 'call': 1000.0}, '')
        self.assertEqual(unexplained, ['nop'])
        rows, unexplained = baseline.accept(self.RECORDED, {'nop': 120.0, 'call': 1000.0}, 'safer')
        self.assertEqual((rows['nop'], unexplained), ((120.0, 'safer'), []))

    def test_a_lower_figure_and_a_new_row_need_no_reason(self):
        rows, unexplained = baseline.accept(self.RECORDED, {'nop': 80.0, 'new': 5.0}, '')
        self.assertEqual((rows, unexplained), ({'nop': (80.0, ''), 'new': (5.0, '')}, []))

    def test_what_moved_by_less_than_noise_keeps_its_line(self):
        rows, _ = baseline.accept(self.RECORDED, {'nop': 100.9, 'call': 991.0}, '')
        self.assertEqual(rows, self.RECORDED)

    def test_what_was_saved_is_loaded_with_a_row_a_line(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'baseline.json')
            self.assertEqual(baseline.load(path), {})
            baseline.save(self.RECORDED, path)
            self.assertEqual(baseline.load(path), self.RECORDED)
            self.assertEqual(len(path.read_text('utf-8').splitlines()), 2 + len(self.RECORDED))


class Figures(unittest.TestCase):
    def test_the_smallest_that_works_is_found(self):
        for right in range(4, 65):
            self.assertEqual(figures.smallest(4, 64, lambda n, least=right: n >= least), right)


def points(law):
    return [(n, law(n)) for n in COUNTS]


class Fit(unittest.TestCase):
    def test_each_law_is_recognised(self):
        for law, cost in (('1', lambda n: 700), ('log n', lambda n: 100 + 40 * math.log2(n)),
                          ('n', lambda n: 100 + 3 * n), ('sqrt n', lambda n: 50 + 9 * n ** 0.5),
                          ('n log n', lambda n: 10 + n * math.log2(n))):
            self.assertEqual(fit.law_of(points(cost))[0], law)

    def test_a_linear_part_that_shows_at_the_end_only_is_worse_than_log(self):
        self.assertTrue(fit.is_worse_than_log(points(lambda n: 1000 + 0.05 * n)))
        self.assertTrue(fit.is_worse_than_log(points(lambda n: 1000 + 10 * n ** 0.5)))

    def test_steps_and_the_logarithm_are_not(self):
        self.assertFalse(fit.is_worse_than_log(points(lambda n: 1000 + 60 * math.log2(n))))
        self.assertFalse(fit.is_worse_than_log(list(zip(COUNTS, (1000, 1000, 1000, 1000, 1080)))))
        self.assertFalse(fit.is_worse_than_log(points(lambda n: 1000 - 0.01 * n)))

    def test_rows_of_a_run_become_series(self):
        rows = {f'{n}.call': {'instructions': n + 0.5} for n in (100, 1, 10)}
        self.assertEqual(growth.series(rows), {'call': [(1, 1.5), (10, 10.5), (100, 100.5)]})

    def test_what_grows_too_fast_is_named(self):
        panels = [('threads', {'wake': points(float), 'call': points(lambda n: 5)})]
        good, bad = sorted(growth.table(panels).splitlines(), key=lambda line: 'WORSE' in line)
        self.assertIn('call', good)
        self.assertIn('wake', bad)


def figure(value, way=''):
    return {'value': value, 'way': way, 'rep_bytes': 64.0, 'cr3_writes': 2.0, 'wall_ns': 1500.0}


class Report(unittest.TestCase):
    def setUp(self):
        self.ours = {row.name: figure(100) if row.unit == 'instructions' else {'value': 3}
                     for row in ROWS}
        self.theirs = {row.name: figure(400, 'pipe') if row.unit == 'instructions' else
                       {'value': 30} for row in ROWS}
        self.recorded = report.load_recorded()

    def test_latest_has_the_rows_that_others_read(self):
        rows = report.join(self.ours, self.theirs)
        latest = json.loads(json.dumps(report.latest(rows, {}, 'Linux 9', self.recorded)))
        self.assertEqual([row['name'] for row in latest['rows']], NAMES)
        for row in latest['rows']:
            self.assertLessEqual({'name', 'unit', 'capos', 'linux', 'ratio'}, row.keys())
            self.assertEqual(row['ratio'], row['capos'] / row['linux'])

    def test_what_was_not_measured_is_absent_and_not_zero(self):
        row = report.join(self.ours, {})[0]
        self.assertEqual((row['linux'], row['ratio']), (None, None))
        text = report.table([row], {}, 'none', self.recorded).splitlines()[2]
        self.assertRegex(text, r'^kernel_entry +100 +- +-  instructions .* 187 / 286 / 1,026$')

    def test_the_cheapest_way_of_linux_counts(self):
        rows = {'a.pipe': {'instructions': 9}, 'a.socket': {'instructions': 5},
                'b': {'instructions': 7}}
        self.assertEqual(linux.cheapest(rows), {'a': ('socket', {'instructions': 5}),
                                                'b': ('', {'instructions': 7})})

    def test_wall_times_come_from_the_run_that_was_not_counted(self):
        timed = {'a.pipe': {'wall_ns': 7.0}, 'b': {'wall_ns': 8.0}}
        found = report.with_wall({'a': figure(1, 'pipe'), 'b': figure(2), 'c': {'value': 3}}, timed)
        self.assertEqual((found['a']['wall_ns'], found['b']['wall_ns'], found['c']),
                         (7.0, 8.0, {'value': 3}))

    def test_recorded_figures_come_back_as_they_were(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'recorded.json')
            path.write_text(json.dumps({'others': self.recorded['others']}), 'utf-8')
            report.save_linux('9-1', self.theirs, path)
            recorded = report.load_recorded(path)
        self.assertEqual(recorded['others'], self.recorded['others'])
        self.assertEqual(recorded['linux']['version'], '9-1')
        self.assertEqual(report.recorded_linux(recorded)['nop_1'], {'value': 400, 'way': 'pipe'})

    def test_every_row_is_recorded_for_machines_without_the_package(self):
        self.assertEqual(sorted(report.recorded_linux(self.recorded)), sorted(COMPARED))

    def test_a_section_of_the_page_is_replaced_and_nothing_else(self):
        page = '# P\n\ntext\n\n## Figures\n\nold\n\n### x\n\n## Next\n\nkept\n'
        self.assertEqual(report.insert(page, 'Figures', 'new\n'),
                         '# P\n\ntext\n\n## Figures\n\nnew\n\n## Next\n\nkept\n')
        with self.assertRaises(ValueError):
            report.insert(page, 'Missing', 'new')

    def test_the_page_explains_each_row(self):
        page = pathlib.Path(ROOT, 'docs/performance.md').read_text('utf-8')
        for row in ROWS:
            self.assertIn(f'| `{row.name}` | {row.title} |', page)
            self.assertGreaterEqual(page.count(f'`{row.name}`'), 2, row.name)

    def test_pictures_are_well_formed_and_have_each_row(self):
        rows = report.join(self.ours, self.theirs)
        picture = chart.operations(rows, self.recorded, 'Linux <9>')
        xml.etree.ElementTree.fromstring(picture)
        for row in ROWS:
            self.assertEqual(row.name in picture, row.unit == 'instructions', row.name)
        text = chart.growth([('threads', {'wake': points(float)}),
                             ('timers', {'sleep': [(1, 5.0)]})])
        self.assertEqual(len(xml.etree.ElementTree.fromstring(text).findall(
            '{http://www.w3.org/2000/svg}polyline')), 2)


class Linux(unittest.TestCase):
    def test_linux_gets_the_machine_of_capos(self):
        arguments = ['-M', 'microvm', '-chardev', 'socket,id=link,fd=3', '-chardev',
                     'socket,id=serial,fd=4', '-initrd', '/proc/self/fd/5', '-kernel', 'kernel.elf',
                     '-m', '64']
        self.assertEqual(
            linux.translate(arguments, 'vmlinuz', 'initrd')[:-1],
            ['-M', 'microvm', '-chardev', 'null,id=link', '-chardev', 'stdio,id=serial,signal=off',
             '-initrd', 'initrd', '-kernel', 'vmlinuz', '-m', '64', '-append'])

    def test_the_package_of_the_kernel_is_found(self):
        text = 'Package: x\nDepends: linux-image-9.9.0-1-cloud-amd64 (= 9.9.1-2)\nSize: 1\n'
        self.assertEqual(linux_kernel.parse_dependency(text),
                         ('linux-image-9.9.0-1-cloud-amd64', '9.9.1-2'))
        self.assertIsNone(linux_kernel.parse_dependency(''))

    def test_without_a_way_to_packages_the_last_kernel_or_a_reason_is_there(self):
        path = os.environ['PATH']
        try:
            with tempfile.TemporaryDirectory() as folder:
                os.environ['PATH'] = folder     # without apt
                with self.assertRaisesRegex(linux_kernel.Unavailable, 'no apt-cache'):
                    linux_kernel.fetch(pathlib.Path(folder))
                kept = pathlib.Path(folder, 'linux-image-9.9.0-1-cloud-amd64_9.9.1-2')
                kept.write_bytes(b'kernel')
                self.assertEqual(linux_kernel.fetch(pathlib.Path(folder)),
                                 linux_kernel.Kernel(kept, '9.9.1-2'))
        finally:
            os.environ['PATH'] = path

    def test_a_kernel_with_modules_is_one_that_has_them_all(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for file in ('linux-image-9.9.0-1-cloud-amd64_9.9.1-2', 'linux-image-9.9.0-1-amd64_9.9.1-2',
                         'linux-image-9.9.0-1-amd64_9.9.1-2.9p.ko'):
                (folder / file).write_bytes(b'')
            kept = linux_kernel._kept(folder, linux_kernel.NAME_9P, ('9p',))
            self.assertEqual((kept.path.name, kept.version, kept.modules['9p'].name),
                             ('linux-image-9.9.0-1-amd64_9.9.1-2', '9.9.1-2',
                              'linux-image-9.9.0-1-amd64_9.9.1-2.9p.ko'))
            self.assertIsNone(linux_kernel._kept(folder, linux_kernel.NAME_9P, ('9p', 'netfs')))
            self.assertEqual(linux_kernel._kept(folder, linux_kernel.NAME, ()).path.name,
                             'linux-image-9.9.0-1-cloud-amd64_9.9.1-2')

    def test_the_quickest_round_between_two_lines_counts(self):
        watch = hostfs.Stopwatch()
        for text, now in (('end a', 0), ('begin a', 1), ('noise', 2), ('end a', 5), ('begin b', 6),
                          ('end b', 8), ('begin a\r', 10), ('end a\r', 11.5)):
            watch.line(text + '\n', now)
        self.assertEqual(watch.best, {'a': 1.5, 'b': 2})

    def test_without_a_kernel_the_recorded_figures_are_marked_as_such(self):
        def unavailable():
            raise linux_kernel.Unavailable('there is no network')
        fetch, linux_kernel.fetch = linux_kernel.fetch, unavailable
        try:
            rows, source, version = bench.linux_figures(None, report.load_recorded())
        finally:
            linux_kernel.fetch = fetch
        self.assertEqual((sorted(rows), version), (sorted(COMPARED), None))
        self.assertRegex(source, r'\d, default settings, RECORDED.*there is no network')

    def test_a_machine_that_ends_early_is_an_error_with_its_words(self):
        with self.assertRaisesRegex(guest.GuestError, 'failed: mmap'):
            linux.run(['echo', 'failed: mmap: error 12'])

    def test_a_machine_that_hangs_is_ended(self):
        self.assertEqual(linux.run_once(['sleep', '10000'], hang_seconds=0), ('', 0.0))

    def test_the_program_builds_and_is_in_the_archive(self):
        archive = linux.build().read_bytes()
        for name in ('init', 'exitcode'):
            self.assertIn((guest.OUT / 'linux' / name).read_bytes(), archive)

    def test_the_archive_is_the_same_for_the_same_files(self):
        files, devices = {'init': b'12345', 'bin/x': b''}, {'dev/console': (5, 1)}
        archive = cpio.archive(files, devices)
        self.assertEqual(archive, cpio.archive(dict(reversed(files.items())), devices))
        entries, at = {}, 0
        while at < len(archive):
            self.assertEqual(archive[at:at + 6], b'070701')
            field = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            name = archive[at + 110:at + 110 + field[11] - 1].decode()
            data = at + (110 + field[11] + 3) // 4 * 4
            entries[name] = (oct(field[1]), archive[data:data + field[6]], field[9], field[10])
            at = data + (field[6] + 3) // 4 * 4
        self.assertEqual(entries, {
            'bin': ('0o40755', b'', 0, 0), 'bin/x': ('0o100755', b'', 0, 0),
            'dev': ('0o40755', b'', 0, 0), 'dev/console': ('0o20600', b'', 5, 1),
            'init': ('0o100755', b'12345', 0, 0), 'TRAILER!!!': ('0o0', b'', 0, 0)})


if __name__ == '__main__':
    unittest.main()
