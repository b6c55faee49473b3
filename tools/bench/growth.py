# SPDX-License-Identifier: MIT
"""How the cost of operations grows with the number of what is there: measures, fits, judges.

programs/bench/growth.c makes 1, 10, 100, 1,000 and 10,000 of something and measures operations
among them.
"""

import fit
import guest
import report

# What there is many of: (argument of the program, title).
WHAT = [('processes', 'processes that wait for a call'),
        ('threads', 'threads of the process, asleep'),
        ('capabilities', 'capabilities that the process holds'),
        ('calls', 'calls that wait in queues'),
        ('timers', 'timers that are set'),
        ('regions', 'regions that are mapped')]
MEMORY_MIB = 3072   # for 10,000 processes; the host provides what is touched


def series(rows):
    """{operation: [(n, instructions)]} of rows "N.OPERATION"."""
    found = {}
    for name, row in rows.items():
        count, _, operation = name.partition('.')
        found.setdefault(operation, []).append((int(count), row['instructions']))
    return {operation: sorted(points) for operation, points in found.items()}


def measure(plugin, what=None):
    """[(title, {operation: [(n, instructions)]})]"""
    return [(title, series(guest.measure_capos(plugin, ('bench', 'growth', name),
                                               memory_mib=MEMORY_MIB).rows))
            for name, title in WHAT if what is None or name == what]


def judge(panels):
    """[(title, operation, points, law, worse)]"""
    return [(title, operation, points, fit.law_of(points)[0], fit.is_worse_than_log(points))
            for title, operations in panels for operation, points in operations.items()]


def table(panels):
    lines = []
    for title, operation, points, law, worse in judge(panels):
        costs = ' '.join(f'{cost:>11,.0f}' for _, cost in points)
        lines.append(f'{title:38} {operation:18} {costs}  O({law})'
                     f'{"  WORSE THAN O(log n)" if worse else ""}')
    return '\n'.join(lines)


def markdown(panels):
    """The generated part of docs/performance.md."""
    counts = [n for n, _ in next(iter(panels[0][1].values()))]
    lines = ['![How the cost of operations grows](growth.svg)', '',
             'Guest instructions per operation, by how many there are:', '',
             '| among | operation | ' + ' | '.join(f'{n:,}' for n in counts) + ' | law |',
             '|---|---|' + '--:|' * len(counts) + '---|']
    for title, operation, points, law, worse in judge(panels):
        lines.append(f'| {title} | `{operation}` | '
                     + ' | '.join(report.number(cost) for _, cost in points)
                     + f' | O({law}){", worse than O(log n)" if worse else ""} |')
    return '\n'.join(lines)


def as_json(panels):
    return [{'among': title, 'operation': operation, 'points': points, 'law': law,
             'worse_than_log': worse} for title, operation, points, law, worse in judge(panels)]
