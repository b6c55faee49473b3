#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Markdown library, by pin and hash.

    library.py        fetches what third_party/python.txt pins and isn't here yet

pip fetches the wheels into build/third_party/python and compares their hashes with the
pins.  A wheel is a zip file that Python imports from as it is, so nothing is installed.
"""

import glob
import os
import subprocess
import sys

HASH_IS_WRONG = 'DO NOT MATCH THE HASHES'     # in pip's words

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PINS = os.path.join(ROOT, 'third_party', 'python.txt')
FOLDER = os.path.join(ROOT, 'build', 'third_party', 'python')
PIP_SECONDS = 120


def wheels():
    return sorted(glob.glob(os.path.join(FOLDER, '*.whl')))


def pins():
    """NAME==VERSION of each pin."""
    with open(PINS, encoding='utf-8') as file:
        return [line.split()[0] for line in file if '==' in line and not line.startswith('#')]


def missing():
    """Pins whose wheel isn't here."""
    here = [os.path.basename(path).lower() for path in wheels()]
    names = [pin.replace('-', '_').replace('==', '-').lower() for pin in pins()]
    return [name for name in names if not any(path.startswith(name + '-') for path in here)]


def fetch():
    """Fetches what is missing; returns why it couldn't, or an empty text."""
    if not missing():
        return ''
    command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps',
               '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes',
               '--retries', '2', '--timeout', '20', '--dest', FOLDER, '--requirement', PINS]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=PIP_SECONDS)
    except subprocess.TimeoutExpired:
        return f'pip did not answer within {PIP_SECONDS} s'
    if done.returncode == 0:
        return ''
    if 'No module named pip' in done.stderr:
        return 'there is no pip here: install the package python3-pip'
    return done.stderr.strip() or f'pip ended with {done.returncode}'


def markdown_parser():
    """A parser of CommonMark with tables.  HTML in a page is text."""
    if missing():
        sys.exit('docs: the Markdown library is missing: run tools/docs/library.py')
    sys.path[:0] = [path for path in wheels() if path not in sys.path]
    from markdown_it import MarkdownIt
    return MarkdownIt('commonmark', {'html': False}).enable('table')


if __name__ == '__main__':
    problem = fetch()
    sys.exit(f'docs: could not fetch the Markdown library: {problem}' if problem else 0)
