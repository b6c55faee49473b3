# SPDX-License-Identifier: MIT
"""Draws who holds what in a manifest, as SVG.

Authority flows from left to right: what the kernel gives to init, the services behind
those that they use, and at the right the requested program; who serves the host's
directories or disks is drawn once, though it runs once for each.  A box has what its holder is
granted at its left side and what it exports at its right side; a line is one grant.  A
line that would pass behind a box runs below all of them instead, in a lane of its source.
"""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

ROW, PAD, HEAD = 22, 10, 44      # heights in a box
LETTER = 7.3                     # width of a letter of the text, about
GAP_X, GAP_Y, MARGIN, LANE = 130, 26, 30, 12
STYLE = '''
text { font: 13px system-ui, sans-serif; fill: #1d2433 }
.title { font-weight: 600; font-size: 14px }
.note { fill: #5d6880; font-size: 11.5px }
.box { fill: #f5f7fb; stroke: #8a94a8 }
.kernel { fill: #eef3ee; stroke: #7d9a80 }
.program { fill: #fbf4e8; stroke: #b3935a }
.line { fill: none; stroke-width: 1.4; opacity: .8 }
.optional { stroke-dasharray: 5 4 }
'''
COLORS = ('#3b6fb6', '#b0563b', '#3f8a5b', '#8a4f9e', '#a57d1f', '#2f8d96', '#b04a78', '#5b6478',
          '#6b7f1f', '#c2578f', '#2a4f8f', '#7a3b2a')


@dataclass
class Box:
    key: tuple
    title: str
    note: str
    style: str
    grants: list = field(default_factory=list)       # (name, source key, source row)
    exports: list = field(default_factory=list)      # (name, interface)
    optional: bool = False
    column: int = 0
    x: float = 0
    y: float = 0
    width: float = 0             # that of its column

    def width_min(self):
        left = max([len(name) for name, *_ in self.grants] or [0])
        right = max([len(f'{name} · {of}' if of else name) for name, of in self.exports] or [0])
        head = max(len(self.title) * 1.3, len(self.note) * .9)
        return max(left * LETTER + right * LETTER + 40, head * LETTER + 2 * PAD, 110)

    def height(self):
        rows = max(len(self.grants), len(self.exports))
        return HEAD + rows * ROW + PAD * (rows > 0)

    def row_y(self, row):
        return self.y + HEAD + row * ROW + ROW / 2


def size_text(size):
    if size % (1 << 20) == 0:
        return '%d MiB' % (size >> 20)
    return '%d KiB' % (size >> 10)


def source_of(grant):
    source = grant['source']
    if 'service' in source:
        return ('service', source['service']['service']), source['service']['export']
    return ('kernel',), source['kernel']


def boxes_of(manifest, interfaces):
    """The boxes; interfaces: id -> name."""
    services = manifest.get('services', [])
    boxes = [Box(('kernel',), 'kernel', 'gives these to init', 'kernel')]
    for service in services:
        restart = service.get('restart', 'never')
        note = '' if restart == 'never' else 'restart %s' % restart
        boxes.append(service_box(('service', service['name']), service, note, interfaces))
    boxes.append(Box(('given',), 'requested program', 'has always', 'program',
                     grants_of(manifest.get('programGrants', []))))
    if manifest.get('grantable'):
        boxes.append(Box(('asked',), 'requested program', 'with --grant NAME', 'program',
                         grants_of(manifest['grantable']), optional=True))
    boxes += directory_boxes(manifest, interfaces)
    used = {row for box in boxes for _, key, row in box.grants if key == ('kernel',)}
    boxes[0].exports = [(name, '') for name in sorted(used)]
    return boxes


def service_box(key, service, note, interfaces):
    title = service['name'] if service['name'] == service['binary'] \
        else '%s (%s)' % (service['name'], service['binary'])
    notes = [size_text(int(service['budgetBytes']))] + [note] * bool(note)
    return Box(key, title, ', '.join(notes), 'box', grants_of(service.get('grants', [])),
               [(export['name'], interfaces.get(int(export['interfaceId']), '?'))
                for export in service.get('exports', [])])


def directory_boxes(manifest, interfaces):
    """Who serves directories of the host and disks, as far as the system has them, and what a
    program gets of them."""
    boxes, given = [], []
    host, disk = manifest.get('hostDirectory', {}), manifest.get('disk', {})
    if host.get('name'):
        boxes.append(service_box(('directory',), host, 'one for each --dir', interfaces))
        options = {'Directory': '--dir HOST:NAME', 'ReadOnlyDirectory': '--dir HOST:NAME:ro'}
        given += [(options[interface], boxes[-1].key, name)
                  for name, interface in boxes[-1].exports if interface in options]
    if disk.get('name'):
        driver = service_box(('driver',), manifest['diskDriver'], 'one for each --disk', interfaces)
        files = service_box(('disk',), disk, 'one for each --disk', interfaces)
        files.grants += [('device', driver.key, name)
                         for name, interface in driver.exports if interface == 'BlockDevice']
        given += [('--disk FILE:NAME', files.key, name)
                  for name, interface in files.exports if interface == 'Directory']
        boxes += [driver, files]
    if given:
        boxes.append(Box(('directories',), 'requested program', 'with --dir and --disk', 'program',
                         given, optional=True))
    return boxes


def grants_of(grants):
    return [(grant['name'], *source_of(grant)) for grant in grants]


def layout(boxes):
    """Columns by the longest way from the kernel; the program last; heights centred."""
    by_key = {box.key: box for box in boxes}
    for box in boxes[1:]:        # services are granted exports of earlier ones only
        box.column = 1 + max([by_key[key].column for _, key, _ in box.grants] or [0])
    last = max([box.column for box in boxes if box.style != 'program'] or [0]) + 1
    for box in boxes:
        if box.style == 'program':
            box.column = last
    columns = [[box for box in boxes if box.column == column] for column in range(last + 1)]
    heights = [sum(box.height() + GAP_Y for box in column) - GAP_Y for column in columns]
    x = MARGIN
    for column, height in zip(columns, heights):
        y = MARGIN + 40 + (max(heights) - height) / 2
        width = max([box.width_min() for box in column] or [0])
        for box in column:
            box.x, box.y, box.width = x, y, width
            y += box.height() + GAP_Y
        x += width + GAP_X
    return x - GAP_X + MARGIN, max(heights) + MARGIN + 40


def lanes_of(boxes, by_key):
    """(source key, export) -> lane, for grants that cross a column; those of the lowest
    rows first, so that lines from one box don't cross at its side."""
    crossing = {(key, name) for box in boxes for _, key, name in box.grants
                if box.column - by_key[key].column > 1}
    rows = {(box.key, name): box.row_y(row) for box in boxes
            for row, (name, _) in enumerate(box.exports)}
    return {source: lane for lane, source in
            enumerate(sorted(crossing, key=lambda source: -rows[source]))}


def curve(x1, y1, x2, y2):
    middle = (x1 + x2) / 2
    return 'C%.1f %.1f %.1f %.1f %.1f %.1f' % (middle, y1, middle, y2, x2, y2)


def text(x, y, words, style='', anchor='start'):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' \
        % (x, y, style, anchor, escape(words))


def draw_box(box):
    width = box.width
    out = ['<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" class="%s"/>'
           % (box.x, box.y, width, box.height(), box.style),
           text(box.x + PAD, box.y + 19, box.title, 'title'),
           text(box.x + PAD, box.y + 35, box.note, 'note')]
    for row, (name, *_) in enumerate(box.grants):
        out.append(text(box.x + PAD, box.row_y(row) + 4.5, name))
    for row, (name, interface) in enumerate(box.exports):
        shown = '%s · %s' % (name, interface) if interface else name
        out.append(text(box.x + width - PAD, box.row_y(row) + 4.5, shown, anchor='end'))
    return out


def draw_lines(box, by_key, colors, lanes, bottom):
    """The grants of a box; `bottom` is below all boxes."""
    out = []
    for row, (_, key, name) in enumerate(box.grants):
        source = by_key[key]
        names = [export for export, _ in source.exports]
        x1, y1 = source.x + source.width, source.row_y(names.index(name))
        x2, y2 = box.x, box.row_y(row)
        if box.column - source.column > 1:
            y = bottom + lanes[key, name] * LANE
            way = '%s H%.1f %s' % (curve(x1, y1, x1 + GAP_X, y), x2 - GAP_X,
                                   curve(x2 - GAP_X, y, x2, y2))
        else:
            way = curve(x1, y1, x2, y2)
        color = colors.setdefault((key, name), COLORS[len(colors) % len(COLORS)])
        out.append('<path d="M%.1f %.1f %s" stroke="%s" class="line%s"/>'
                   % (x1, y1, way, color, ' optional' if box.optional else ''))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x, y, color)
                for x, y in ((x1, y1), (x2, y2))]
    return out


def svg(manifest, name, interfaces):
    """The drawing of a checked manifest."""
    boxes = boxes_of(manifest, interfaces)
    width, bottom = layout(boxes)
    by_key, colors = {box.key: box for box in boxes}, {}
    lanes = lanes_of(boxes, by_key)
    height = bottom + GAP_Y + len(lanes) * LANE + MARGIN
    lines = [line for box in boxes
             for line in draw_lines(box, by_key, colors, lanes, bottom + GAP_Y)]
    shapes = [line for box in boxes for line in draw_box(box)]
    return '\n'.join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
        'viewBox="0 0 %d %d">' % (width, height, width, height),
        '<title>%s</title>' % escape('Who holds what: ' + name),
        '<style>%s</style>' % STYLE,
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        text(MARGIN, MARGIN + 6, 'Who holds what: system/%s.capnp' % name, 'title'),
        *lines, *shapes, '</svg>']) + '\n'
