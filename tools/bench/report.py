# SPDX-License-Identifier: MIT
"""What was measured, beside what was recorded: as a table, as JSON, as Markdown."""

import json
import pathlib

from rows import NAMES, ROWS

RECORDED = pathlib.Path(__file__).with_name('recorded.json')
BESIDE = ('rep_bytes', 'cr3_writes', 'wall_ns')     # of a counted row


def load_recorded(path=RECORDED):
    """{'others': {system: {row: figure}}, 'linux': {'version': text, 'rows': {row: [figure, way]}}}"""
    return json.loads(path.read_text('utf-8'))


def save_linux(version, linux, path=RECORDED):
    """Records Linux's figures, for machines that can't fetch its package."""
    recorded = load_recorded(path)
    recorded['linux'] = {'version': version, 'rows': {
        name: [figure['value'], figure.get('way', '')] for name, figure in linux.items()}}
    path.write_text(dump(recorded), 'utf-8')


def dump(recorded):
    """JSON with a row a line."""
    lines = []
    for name, other in recorded['others'].items():
        rows = ',\n'.join(f'   {json.dumps(row)}: {json.dumps(value)}'
                          for row, value in other.items())
        lines.append(f'  {json.dumps(name)}: {{\n{rows}\n  }}')
    text = '{\n "others": {\n' + ',\n'.join(lines) + '\n }'
    if 'linux' in recorded:
        rows = ',\n'.join(f'   {json.dumps(row)}: {json.dumps(value)}'
                          for row, value in recorded['linux']['rows'].items())
        text += (f',\n "linux": {{\n  "version": {json.dumps(recorded["linux"]["version"])},\n'
                 f'  "rows": {{\n{rows}\n  }}\n }}')
    return text + '\n}\n'


def recorded_linux(recorded):
    """{row: figure} as a run would have brought it."""
    return {name: {'value': value, 'way': way}
            for name, (value, way) in recorded.get('linux', {}).get('rows', {}).items()}


def figure_of(measured, way=''):
    """A figure of a counted row of guest.Measured."""
    return {'value': measured['instructions'], 'way': way,
            **{what: measured[what] for what in BESIDE}}


def with_wall(figures, timed):
    """The wall times of a run that isn't counted replace those of the counted one."""
    for name, figure in figures.items():
        way = figure.get('way')
        source = timed.get(f'{name}.{way}' if way else name)
        if source is not None and 'wall_ns' in figure:
            figure['wall_ns'] = source['wall_ns']
    return figures


def ratio(capos, linux):
    """What capOS needs of what Linux needs: below 1 is better."""
    if capos is None or not linux:
        return None
    return float(f'{capos / linux:.3g}')


def join(capos, linux):
    """The rows of latest.json.  `capos` and `linux` are {row: figure}."""
    rows = []
    for row in ROWS:
        ours, theirs = capos.get(row.name, {}), linux.get(row.name, {})
        rows.append({'name': row.name, 'unit': row.unit, 'capos': ours.get('value'),
                     'linux': theirs.get('value'),
                     'ratio': ratio(ours.get('value'), theirs.get('value')),
                     'linux_way': theirs.get('way', ''),
                     'capos_beside': {what: ours[what] for what in BESIDE if what in ours},
                     'linux_beside': {what: theirs[what] for what in BESIDE if what in theirs}})
    return rows


def latest(rows, more, linux_source, recorded):
    """The contents of latest.json."""
    return {'rows': rows, 'linux': linux_source, 'more': more,
            'recorded': recorded['others']}


def number(value):
    if value is None:
        return '-'
    if value >= 1e6:
        return f'{value / 1e6:,.1f} M'
    if value >= 100 or value == int(value):
        return f'{value:,.0f}'
    return f'{value:,.3g}'


def wall(beside):
    return f'{beside["wall_ns"] / 1000:,.2f}' if 'wall_ns' in beside else '-'


def others_of(recorded):
    """Systems that were measured earlier and have more than one row."""
    return {name: other for name, other in recorded['others'].items()
            if sum(row in other for row in NAMES) > 1}


def pair(ours, theirs, show=number):
    return f'{show(ours)} / {show(theirs)}'


def table(rows, more, linux_source, recorded):
    """For a terminal."""
    others = others_of(recorded)
    lines = [f'{"":65} {"capOS / Linux":>21} {"capOS / Linux":>13} {"capOS / Linux":>21}  recorded:',
             f'{"operation":20} {"capOS":>10} {"Linux":>10} {"ratio":>8}  {"unit":12} '
             f'{"rep bytes":>21} {"CR3 writes":>13} {"wall us":>21}  {" / ".join(others)}']
    for row in rows:
        ours, theirs = row['capos_beside'], row['linux_beside']
        beside = (pair(ours.get('rep_bytes'), theirs.get('rep_bytes')),
                  pair(ours.get('cr3_writes'), theirs.get('cr3_writes')), pair(ours, theirs, wall))
        if not ours and not theirs:
            beside = ('', '', '')
        earlier = [number(other.get(row['name'])) for other in others.values()]
        lines.append(f'{row["name"]:20} {number(row["capos"]):>10} {number(row["linux"]):>10} '
                     f'{"-" if row["ratio"] is None else format(row["ratio"], "g"):>8}  '
                     f'{row["unit"]:12} {beside[0]:>21} {beside[1]:>13} {beside[2]:>21}  '
                     + (' / '.join(earlier) if set(earlier) != {'-'} else '').rstrip())
    lines += [f'{name:20} {number(figure["value"]):>10}' for name, figure in more.items()]
    return '\n'.join([*(line.rstrip() for line in lines), '', f'Linux: {linux_source}'])


# ---- Markdown -----------------------------------------------------------------------

def markdown(rows, linux_source, recorded):
    """The generated part of docs/performance.md: figures, then what stands beside them."""
    others = others_of(recorded)
    lines = ['![Guest instructions per operation](performance.svg)', '',
             f'Linux is {linux_source}. The ratio is capOS / Linux: below 1 capOS needs less.', '',
             '| operation | unit | capOS | Linux | ratio | ' +
             ' | '.join(f'{name} (recorded)' for name in others) + ' |',
             '|---|---|--:|--:|--:|' + '--:|' * len(others)]
    for row in rows:
        cells = [f'`{row["name"]}`', row['unit'], number(row['capos']), number(row['linux']),
                 '-' if row['ratio'] is None else f'{row["ratio"]:g}',
                 *(number(other.get(row['name'])) for other in others.values())]
        lines.append('| ' + ' | '.join(cells) + ' |')
    lines += ['', 'Beside them, per operation, capOS / Linux:', '',
              '| operation | bytes moved by `rep` | CR3 writes | wall time, us | Linux\'s way |',
              '|---|--:|--:|--:|---|']
    for row in rows:
        ours, theirs = row['capos_beside'], row['linux_beside']
        if ours:
            lines.append(
                f'| `{row["name"]}` | {number(ours["rep_bytes"])} / '
                f'{number(theirs.get("rep_bytes"))} | {number(ours["cr3_writes"])} / '
                f'{number(theirs.get("cr3_writes"))} | {wall(ours)} / {wall(theirs)} | '
                f'{row["linux_way"]} |')
    return '\n'.join(lines)


def explanations():
    """The generated list of what each row is."""
    lines = ['| row | what happens | on capOS | on Linux |', '|---|---|---|---|']
    lines += [f'| `{row.name}` | {row.title} | {row.capos} | {row.linux} |' for row in ROWS]
    return '\n'.join(lines)


def insert(page, heading, section):
    """Replaces what stands under a heading of a page: its tables, lists and paragraphs up to
    the next heading of the same level."""
    before, found, rest = page.partition(f'\n## {heading}\n')
    if not found:
        raise ValueError(f'the page has no heading {heading}')
    _, following, after = rest.partition('\n## ')
    return f'{before}{found}\n{section.strip()}\n{following}{after}'
