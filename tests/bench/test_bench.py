# SPDX-License-Identifier: MIT
"""What tools/bench makes of what was counted, without a machine."""

import os
import pathlib
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools/bench'))

import baseline     # noqa: E402
import figures      # noqa: E402
import guest        # noqa: E402


def counts(*totals, operations=1):
    return ''.join(f'region 0 {total * operations} 1 2 {8 * operations} {2 * operations} '
                   f'{1000 * total * operations}\n' for total in totals)


class Pairing(unittest.TestCase):
    def test_the_median_of_all_batches_but_the_first_counts(self):
        text = 'hello\n' + 'region nop 10\n' * 4
        measured = guest.pair(text, 'user 4711 99\n' + counts(900, 30, 50, 40, operations=10))
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


if __name__ == '__main__':
    unittest.main()
