#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the documentation is true.

    check-docs.py [--no-run] [ROOT]

1. Every relative link in a Markdown file leads to a file, and #anchors to a heading.
2. Every `make X` names a target, every `capos X` a command, every `--option` of a
   `capos run` is one of its options.
3. Every ```c block compiles for capOS.
4. Every ```console block is a session: each `$ command` is run from the tree's root and
   must print exactly the lines below it (not with --no-run).
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

LINK = re.compile(r'(?<!!)\[[^\]]*\]\(([^)\s]+)\)')
CODE = re.compile(r'`([^`\n]+)`')
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.M | re.S)
SESSION_TIMEOUT = 120


def pages(root):
    found = glob.glob(os.path.join(root, '**', '*.md'), recursive=True)
    return sorted(os.path.relpath(path, root) for path in found
                  if not os.path.relpath(path, root).startswith(('build', '.git')))


def anchors(text):
    """The anchors that GitHub makes of headings."""
    names = set()
    for heading in re.findall(r'^#+ +(.+)$', text, re.M):
        plain = re.sub(r'[^\w\- ]', '', heading.lower())
        names.add(plain.strip().replace(' ', '-'))
    return names


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def check_links(root, page, text):
    prose = FENCE.sub(lambda match: '\n' * match[0].count('\n'), text)
    for match in LINK.finditer(prose):
        target, _, anchor = match[1].partition('#')
        if re.match(r'\w+:', target):
            continue
        path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        where = f'{page}:{line_of(prose, match.start())}:'
        if not os.path.exists(os.path.join(root, path)):
            yield f'{where} {match[1]} leads nowhere'
        elif anchor and path.endswith('.md'):
            with open(os.path.join(root, path), encoding='utf-8') as file:
                if anchor not in anchors(file.read()):
                    yield f'{where} {path} has no heading #{anchor}'


def make_targets(root):
    targets = set()
    for path in ['Makefile', *glob.glob('mk/*.mk', root_dir=root)]:
        with open(os.path.join(root, path), encoding='utf-8') as file:
            for names in re.findall(r'^([a-z][a-z0-9 -]*):(?!=)', file.read(), re.M):
                targets |= set(names.split())
    return targets


def capos_words(root):
    """Commands and the options of `capos run`, from the sources of the command."""
    with open(os.path.join(root, 'tools/capos/main.c'), encoding='utf-8') as file:
        commands = set(re.findall(r'^    \{"(\w+)", \w+_command', file.read(), re.M))
    with open(os.path.join(root, 'tools/capos/run_options.c'), encoding='utf-8') as file:
        options = set(re.findall(r'\{"(--[\w-]+)"', file.read()))
    return commands, options | {'--help'}


def check_commands(root, page, text):
    targets = make_targets(root)
    commands, options = capos_words(root)
    for match in CODE.finditer(text):
        where = f'{page}:{line_of(text, match.start())}:'
        words = match[1].split()
        if words[:1] == ['make']:
            for word in words[1:]:
                if re.fullmatch(r'[a-z][a-z0-9-]*', word) and word not in targets:
                    yield f'{where} `make {word}` is no target'
        if words[0] in ('capos', './capos') and len(words) > 1:
            if re.fullmatch(r'[a-z]+', words[1]) and words[1] not in commands:
                yield f'{where} `capos {words[1]}` is no command'
            if words[1] == 'run':
                yield from (f'{where} `capos run` has no {word}' for word in words[2:]
                            if word.startswith('--') and word.split('=')[0] not in options)


def check_c(root, page, text, compiler):
    for match in FENCE.finditer(text):
        if match[1] != 'c':
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'block.c')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(match[2])
            done = subprocess.run([compiler, 'cc', '-fsyntax-only', '-Wall', '-Werror', path],
                                  capture_output=True, text=True, check=False)
        if done.returncode != 0:
            yield (f'{page}:{line_of(text, match.start())}: this C does not compile:\n'
                   f'{done.stderr}')


def sessions(block):
    """(command, expected output) pairs of a console block."""
    command, expected = None, []
    for line in block.splitlines():
        if line.startswith('$ '):
            if command is not None:
                yield command, expected
            command, expected = line[2:], []
        elif command is not None:
            expected.append(line)
    if command is not None:
        yield command, expected


def check_sessions(root, page, text):
    for match in FENCE.finditer(text):
        if match[1] != 'console':
            continue
        for command, expected in sessions(match[2]):
            done = subprocess.run(['bash', '-c', command], cwd=root, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                  timeout=SESSION_TIMEOUT)
            printed = done.stdout.decode(errors='replace').splitlines()
            if printed != expected:
                yield (f'{page}:{line_of(text, match.start())}: $ {command}\n  printed:\n    '
                       + '\n    '.join(printed) + '\n  the page says:\n    '
                       + '\n    '.join(expected))


def main():
    parser = argparse.ArgumentParser(description='Checks the documentation.')
    parser.add_argument('--no-run', action='store_true', help='leave sessions out')
    parser.add_argument('root', nargs='?',
                        default=os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    arguments = parser.parse_args()
    root = os.path.abspath(arguments.root)
    compiler = os.path.join(root, 'build/host/capos')
    problems = []
    launcher = os.path.join(root, 'capos')
    if not arguments.no_run and os.path.exists(launcher):   # builds what is missing, once
        subprocess.run([launcher, '--help'], stdin=subprocess.DEVNULL, capture_output=True,
                       check=False)
    for page in pages(root):
        with open(os.path.join(root, page), encoding='utf-8') as file:
            text = file.read()
        problems += check_links(root, page, text)
        problems += check_commands(root, page, text)
        problems += check_c(root, page, text, compiler)
        if not arguments.no_run:
            problems += check_sessions(root, page, text)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
