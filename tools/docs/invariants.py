# SPDX-License-Identifier: MIT
"""The invariants that modules state at their heads, as one page of the reference.

A block begins with a comment line that starts with `Invariants` and goes on with numbered
items; text that follows them up to the end of the comment is not part of it, but for the
sentence that says where they are tested.
"""

import os
import re
import subprocess

FOLDERS = ('abi', 'kernel', 'lib', 'libcapos', 'services')
BEGIN = re.compile(r'^// Invariants[^:]*:(?: (.*))?$')
ITEM = re.compile(r'^//\s+(\d+)\.\s+(.*)')
MORE = re.compile(r'^//\s{4,}(\S.*)')
TESTED = re.compile(r'Tested (?:in|by) [^.]*(?:\.\w[^.]*)*')

INTRO = '''# Invariants of the modules

What each module states at its head, collected from the sources. [Invariants](../invariants.md) has those of
ring 0 and of the core as a whole, with what enforces each.

'''


def sources(root):
    done = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard', *FOLDERS],
                          capture_output=True, text=True, check=False)
    return sorted(path for path in done.stdout.splitlines()
                  if path.endswith(('.c', '.h', '.S')) and os.path.isfile(os.path.join(root, path)))


def block_of(text):
    """(items, where tested) of a file; no items: it states none."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if BEGIN.match(line):
            break
    else:
        return [], ''
    items = []
    for line in lines[number + 1:]:
        item, more = ITEM.match(line), MORE.match(line)
        if item:
            items.append(item[2])
        elif more and items:
            items[-1] += ' ' + more[1]
        else:
            break
    head = ' '.join(line.removeprefix('//').strip() for line in lines if line.startswith('//'))
    tested = TESTED.search(head)
    return items, tested[0].rstrip() if tested else ''


def escape(text):
    """Prose of a comment as Markdown, where a star or an angle bracket means itself."""
    parts = text.split('`')          # every second one is code
    return '`'.join(part if index % 2 else re.sub(r'([*<>])', r'\\\1', part)
                    for index, part in enumerate(parts))


def page(root):
    out = [INTRO]
    for path in sources(root):
        with open(os.path.join(root, path), encoding='utf-8') as file:
            items, tested = block_of(file.read())
        if not items:
            continue
        out.append('## %s\n\n' % path)
        out += ['%d. %s\n' % (number, escape(item)) for number, item in enumerate(items, 1)]
        out.append('\n%s.\n\n' % escape(tested) if tested else '\n')
    return ''.join(out).rstrip() + '\n'
