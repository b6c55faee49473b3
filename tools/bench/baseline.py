# SPDX-License-Identifier: MIT
"""The recorded baseline, baseline.json: what each operation cost when a change was accepted.

One row a line, so that changes of different rows merge:

    "nop_1": [333.0, "why it is higher than what was recorded before it"],

A count may grow by GROWTH_MAX.  Figures that got lower, and new rows, are recorded without a
reason; a higher one needs one.
"""

import json
import pathlib

PATH = pathlib.Path(__file__).with_name('baseline.json')
GROWTH_MAX = 0.05
# What isn't worth recording: a different layout moves a count by as much.
NOISE = 0.01


def load(path=PATH):
    """{name: (instructions, why)}; empty without a file."""
    if not path.exists():
        return {}
    return {name: tuple(row) for name, row in json.loads(path.read_text('utf-8')).items()}


def save(rows, path=PATH):
    lines = [f'{json.dumps(name)}: {json.dumps(row)}' for name, row in sorted(rows.items())]
    path.write_text('{\n' + ',\n'.join(lines) + '\n}\n', 'utf-8')


def compare(recorded, figures):
    """What is wrong with figures {name: instructions}: lines for people."""
    for name, count in figures.items():
        if name not in recorded:
            yield f'{name}: not recorded; `make bench-accept` records it'
        elif count > recorded[name][0] * (1 + GROWTH_MAX):
            grown = count / recorded[name][0] - 1
            yield (f'{name}: {count} instructions, {grown:.0%} above the recorded '
                   f'{recorded[name][0]}; if that is the price of something, '
                   f"`make bench-accept WHY='of what'`")
    for name in recorded.keys() - figures.keys():
        yield f'{name}: recorded, and not measured any more; `make bench-accept` forgets it'


def accept(recorded, figures, why):
    """The new record, and the names of rows that grew beyond noise and for which `why` is
    missing."""
    rows, unexplained = {}, []
    for name, count in figures.items():
        before = recorded.get(name)
        if before is None:
            rows[name] = (count, '')
        elif abs(count - before[0]) <= before[0] * NOISE:
            rows[name] = before
        elif count < before[0]:
            rows[name] = (count, '')
        else:
            rows[name] = (count, why)
            if not why:
                unexplained.append(name)
    return rows, unexplained
