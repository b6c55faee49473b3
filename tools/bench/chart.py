# SPDX-License-Identifier: MIT
"""Draws the figures as SVG, without a library: the operations beside each other, and how costs
grow.  A picture follows the reader's choice of light or dark and needs no font of its own."""

import math
from html import escape

STYLE = '''
:root { color-scheme: light dark }
.back { fill: #ffffff } .band { fill: #f4f6f8 } .line { stroke: #d9dee4 } .text { fill: #1c2024 }
.soft { fill: #5f6873 } .gap { stroke: #b9c2cc }
.c0 { fill: #0b63ce; stroke: #0b63ce } .c1 { fill: #d4541a; stroke: #d4541a }
.c2 { fill: #1f8a5b; stroke: #1f8a5b } .c3 { fill: #8a4bb8; stroke: #8a4bb8 }
.c4 { fill: #b08900; stroke: #b08900 } .c5 { fill: #5f6873; stroke: #5f6873 }
@media (prefers-color-scheme: dark) {
.back { fill: #14171a } .band { fill: #1b1f24 } .line { stroke: #30363d } .text { fill: #dce1e7 }
.soft { fill: #98a2ad } .gap { stroke: #4a535d }
.c0 { fill: #6cb0ff; stroke: #6cb0ff } .c1 { fill: #ff9a62; stroke: #ff9a62 }
.c2 { fill: #63d3a0; stroke: #63d3a0 } .c3 { fill: #cf9bf2; stroke: #cf9bf2 }
.c4 { fill: #e6c34a; stroke: #e6c34a } .c5 { fill: #98a2ad; stroke: #98a2ad }
}
text { font: 13px system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif }
.title { font-size: 16px; font-weight: 600 } .small { font-size: 11.5px }
.name { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px }
'''


class Svg:
    """A picture that grows by its parts."""

    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.parts = [f'<rect class="back" width="{width}" height="{height}" rx="8"/>']

    def add(self, part):
        self.parts.append(part)

    def text(self, x, y, text, kind='text', anchor='start'):
        self.add(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
                 f'{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, kind='line', width=1.0):
        self.add(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                 f'stroke-width="{width}"/>')

    def mark(self, x, y, shape, kind):
        """A filled circle, or an open diamond, square or triangle."""
        if shape == 'circle':
            self.add(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
            return
        points = {'diamond': ((0, -5), (5, 0), (0, 5), (-5, 0)),
                  'square': ((-4, -4), (4, -4), (4, 4), (-4, 4)),
                  'triangle': ((0, -5), (5, 4), (-5, 4))}[shape]
        path = ' '.join(f'{x + dx:.1f},{y + dy:.1f}' for dx, dy in points)
        self.add(f'<polygon class="{kind}" points="{path}" fill-opacity="0" stroke-width="1.6"/>')

    def curve(self, points, kind):
        path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
        self.add(f'<polyline class="{kind}" points="{path}" fill="none" style="fill:none" '
                 'stroke-width="2" stroke-linejoin="round"/>')

    def finish(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img">\n'
                f'<title>{escape(self.title)}</title>\n<style>{STYLE}</style>\n'
                + '\n'.join(self.parts) + '\n</svg>\n')


# ---- Operations beside each other ----------------------------------------------------

MARKS = {'capOS': ('circle', 'c0'), 'Linux': ('circle', 'c1'), 'lean Linux': ('diamond', 'c1'),
         'seL4': ('triangle', 'c2'), 'Nanos': ('square', 'c3')}
LEFT, RIGHT, TOP, STEP, WIDTH = 168, 96, 84, 27, 860


def decade_labels(low, high):
    for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1):
        yield 10 ** power, f'{10 ** power:,}' if power < 6 else f'{10 ** (power - 6):,} M'


def comparison(ratio):
    """How much less or more capOS needs."""
    if ratio is None:
        return ''
    return f'{1 / ratio:.1f}× less' if ratio < 0.995 else f'{ratio:.1f}× more' if ratio > 1.005 \
        else 'the same'


def operations(rows, recorded, linux_source):
    """Counts of the rows {name, capos, linux, ratio}, on a logarithmic axis."""
    rows = [row for row in rows if row['unit'] == 'instructions' and row['capos']]
    others = {name: other for name, other in recorded['others'].items() if name in MARKS}
    figures = [value for row in rows for value in
               (row['capos'], row['linux'], *(o.get(row['name']) for o in others.values())) if value]
    low, high = 10 ** math.floor(math.log10(min(figures))), max(figures) * 1.3

    def place(value):
        return LEFT + (math.log(value / low) / math.log(high / low)) * (WIDTH - LEFT - RIGHT)

    bottom = TOP + STEP * len(rows)
    svg = Svg(WIDTH, bottom + 52, 'Guest instructions per operation, capOS and Linux')
    svg.text(20, 30, 'Guest instructions per operation', 'text title')
    legend(svg, 20, 54, [*(name for name in MARKS if name in ('capOS', 'Linux', *others))])
    for index in range(0, len(rows), 2):
        svg.add(f'<rect class="band" x="12" y="{TOP + index * STEP}" width="{WIDTH - 24}" '
                f'height="{STEP}" rx="4"/>')
    for value, label in decade_labels(low, high):
        svg.line(place(value), TOP, place(value), bottom)
        svg.text(place(value), bottom + 18, label, 'soft small', 'middle')
    for index, row in enumerate(rows):
        y = TOP + index * STEP + STEP / 2
        svg.text(20, y + 4, row['name'], 'text name')
        if row['linux']:
            svg.line(place(row['capos']), y, place(row['linux']), y, 'gap', 3)
        for name, other in others.items():
            if other.get(row['name']):
                svg.mark(place(other[row['name']]), y, *MARKS[name])
        if row['linux']:
            svg.mark(place(row['linux']), y, *MARKS['Linux'])
        svg.mark(place(row['capos']), y, *MARKS['capOS'])
        svg.text(WIDTH - 20, y + 4, comparison(row['ratio']), 'text small', 'end')
    svg.text(20, bottom + 40, f'Linux is {linux_source}.  Open marks were recorded earlier.  '
             'To the left is better.', 'soft small')
    return svg.finish()


def legend(svg, x, y, names):
    for name in names:
        shape, kind = MARKS[name]
        svg.mark(x + 5, y - 4, shape, kind)
        svg.text(x + 16, y, name, 'text')
        x += 34 + 8 * len(name)


# ---- Growth --------------------------------------------------------------------------

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 420, 262, 2


def growth(panels):
    """`panels` is [(title, {operation: [(n, cost)]})], costs in instructions.  They are drawn
    relative to the first, so that cheap and dear operations share an axis."""
    lines = (len(panels) + COLUMNS - 1) // COLUMNS
    svg = Svg(COLUMNS * PANEL_WIDTH + 20, lines * PANEL_HEIGHT + 46,
              'How the cost of operations grows')
    svg.text(20, 30, 'Cost of an operation, relative to its cost among one, by how many there are of …', 'text title')
    for index, (title, series) in enumerate(panels):
        panel(svg, 10 + index % COLUMNS * PANEL_WIDTH, 44 + index // COLUMNS * PANEL_HEIGHT,
              title, series)
    return svg.finish()


def round_up(value):
    """The next of 1, 2, 4, 8 times a power of ten."""
    power = 10 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 4, 8, 10) if factor * power >= value)


def panel(svg, left, top, title, series):
    x0, x1 = left + 56, left + PANEL_WIDTH - 16
    y0, y1 = top + PANEL_HEIGHT - 74, top + 30
    counts = sorted({n for points in series.values() for n, _ in points})
    relative = {name: [(n, cost / points[0][1]) for n, cost in points]
                for name, points in series.items()}
    high = round_up(1.05 * max(cost for points in relative.values() for _, cost in points))
    decades = max(1.0, math.log10(counts[-1] / counts[0]))

    def place(n, cost):
        return (x0 + math.log10(n / counts[0]) / decades * (x1 - x0), y0 - cost / high * (y0 - y1))

    svg.text(left + 10, top + 18, title, 'text')
    for part in range(5):
        cost = high * part / 4
        _, y = place(counts[0], cost)
        svg.line(x0, y, x1, y)
        svg.text(x0 - 8, y + 4, f'{cost:g}×', 'soft small', 'end')
    for n in counts:
        svg.text(place(n, 0)[0], y0 + 17, f'{n:,}', 'soft small', 'middle')
    x, line = left + 10, y0 + 38
    for index, (name, points) in enumerate(relative.items()):
        kind = f'c{index % 6}'
        svg.curve([place(n, cost) for n, cost in points], kind)
        for n, cost in points:
            svg.mark(*place(n, cost), 'circle', kind)
        label = f'{name} ({series[name][0][1]:,.0f})'
        width = 26 + 6.4 * len(label)
        if x + width > left + PANEL_WIDTH:
            x, line = left + 10, line + 17
        svg.mark(x + 5, line - 4, 'circle', kind)
        svg.text(x + 14, line, label, 'text small')
        x += width
