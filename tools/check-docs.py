#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the documentation is true.

    check-docs.py [--no-run] [ROOT]

1. Every relative link in a Markdown file leads to a file, and #anchors to a heading; so it
   is in the generated reference, which has a page for each interface of the schema and a
   heading for each method.
2. Every `make X` names a target, every `capos X` a command, every `--option` behind it is one
   of its options; in code blocks too.
3. Every path of the tree in backticks is there, and `path:name` occurs in that file: so
   pages name tests.  Decisions are left out, which tell of a moment.
4. docs/capos.md has every option that `capos COMMAND --help` has, and no other.
5. No page claims a language that no make target proves.
6. Every ```c block compiles for capOS, with the C library if it has headers of that.
7. Every ```console block is a session: each `$ command` is run from the tree's root and
   must print exactly the lines below it (not with --no-run).  A block behind the words
   "into `build/FILE`:" is written into that file first, as a reader would.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

TOOLS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(TOOLS, 'docs'))

import slug    # noqa: E402

LINK = re.compile(r'(?<!!)\[[^\]]*\]\(([^)\s]+)\)')
CODE = re.compile(r'`([^`\n]+)`')
INDENTED = re.compile(r'(?:^(?: {4}|\t).*\n)+', re.M)
# A command of ours at the start of a shell line, or behind another command.
COMMAND = re.compile(r'(?:^|[;&|]|&&)\s*(?:\$ )?((?:make|(?:\./)?capos) [^;&|)\n]*)', re.M)
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.M | re.S)
SESSION_TIMEOUT = 300
COMPILER_HEADERS = ('stdint.h', 'stddef.h', 'stdarg.h', 'limits.h')
NO_LIBC = 'build/libc/problem'      # why there is no C library here


def pages(root):
    found = glob.glob(os.path.join(root, '**', '*.md'), recursive=True)
    return sorted(os.path.relpath(path, root) for path in found
                  if not os.path.relpath(path, root).startswith(('build', '.git')))


def anchors(text):
    """The anchors of a page's headings."""
    headings = re.findall(r'^#+ +(.+)$', FENCE.sub('', text), re.M)
    return set(slug.anchors(re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', h) for h in headings))


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def check_links(root, page, text):
    prose = FENCE.sub(lambda match: '\n' * match[0].count('\n'), text)
    for match in LINK.finditer(prose):
        target, _, anchor = match[1].partition('#')
        if re.match(r'\w+:', target):
            continue
        path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        if path.startswith('docs/reference/'):      # generated, never in the tree
            path = 'build/' + path
        where = f'{page}:{line_of(prose, match.start())}:'
        if not os.path.exists(os.path.join(root, path)):
            yield f'{where} {match[1]} leads nowhere'
        elif anchor and path.endswith('.md'):
            if anchor not in anchors(read(root, path)):
                yield f'{where} {path} has no heading #{anchor}'


def make_targets(root):
    targets = set()
    for path in ['Makefile', *glob.glob('mk/*.mk', root_dir=root)]:
        for names in re.findall(r'^([a-z][a-z0-9 -]*):(?!=)', read(root, path), re.M):
            targets |= set(names.split())
    return targets


def command_names(root):
    return set(re.findall(r'^    \{"(\w+)", \w+_command', read(root, 'tools/capos/main.c'), re.M))


def capos_words(root):
    """Commands, of the debugger too, and the options of `capos run`, from their sources."""
    commands = command_names(root) | {'help'}
    if os.path.exists(os.path.join(root, 'tools/gdb/capos.py')):
        commands |= set(re.findall(r'__init__\("capos (\w+)"', read(root, 'tools/gdb/capos.py')))
    options = set(re.findall(r'\{"(--[\w-]+)"', read(root, 'tools/capos/run_options.c')))
    return commands, options | {'--help'}


def commands_of(text):
    """(position, words) of the commands in backticks and in blocks."""
    for match in CODE.finditer(FENCE.sub(lambda m: blank(m[0]), text)):
        yield match.start(), match[1].split()
    blocks = [(m.start(2), m[2]) for m in FENCE.finditer(text) if m[1] in ('', 'sh', 'console')]
    blocks += [(m.start(), m[0]) for m in INDENTED.finditer(FENCE.sub(lambda m: blank(m[0]), text))]
    for start, block in blocks:
        for match in COMMAND.finditer(block):
            yield start + match.start(1), match[1].split()


def blank(text):
    """As many characters, and the same lines, with nothing on them."""
    return re.sub(r'[^\n]', ' ', text)


def check_commands(root, page, text):
    targets = make_targets(root)
    commands, options = capos_words(root)
    described = {name: options_of(section) for name, section in command_sections(root).items()}
    for position, words in commands_of(text):
        where = f'{page}:{line_of(text, position)}:'
        if words[:1] == ['make']:
            for word in words[1:]:
                if re.fullmatch(r'[a-z][a-z0-9-]*', word) and word not in targets:
                    yield f'{where} `make {word}` is no target'
        if words[:1] in (['capos'], ['./capos']) and len(words) > 1:
            if re.fullmatch(r'[a-z]+', words[1]) and words[1] not in commands:
                yield f'{where} `capos {words[1]}` is no command'
            known = options if words[1] == 'run' else described.get(words[1])
            if known is not None and words[1] != 'cc':      # which takes clang's
                yield from (f'{where} `capos {words[1]}` has no {word}' for word in words[2:]
                            if re.match(r'--[a-z]', word) and
                            re.split(r'[=\[]', word)[0] not in known | {'--help'})


# ---- Paths and tests ----------------------------------------------------------------

FOLDERS = ('abi', 'docs', 'examples', 'kernel', 'lib', 'libcapos', 'mk', 'programs', 'schema',
           'services', 'system', 'tests', 'third_party', 'tools')
PATH = re.compile(r'(?:%s)/[\w./*-]*' % '|'.join(FOLDERS))
INCLUDE_ROOTS = ('', 'abi/include', 'lib/include', 'libcapos/include')
PLACEHOLDER = re.compile(r'(?<![a-zA-Z])(?:(?!README|LICENSE)[A-Z]+(?![a-z])|x(?![a-z0-9]))')


def check_paths(root, page, text):
    if page.startswith('docs/decisions/'):
        return
    for match in CODE.finditer(FENCE.sub(lambda m: blank(m[0]), text)):
        path, _, name = match[1].partition(':')
        if not PATH.fullmatch(path) or PLACEHOLDER.search(path) or path.startswith('docs/reference'):
            continue
        where = f'{page}:{line_of(text, match.start())}:'
        roots = [os.path.join(root, folder) for folder in (*INCLUDE_ROOTS, os.path.dirname(page))]
        found = [full for folder in roots for full in glob.glob(os.path.join(folder, path))]
        if not found:
            yield f'{where} there is no {path}'
        elif name and not re.search(r'\b%s\b' % re.escape(name), read('', found[0])):
            yield f'{where} {path} has no {name}'


# ---- The options of the command -----------------------------------------------------

COMMANDS_PAGE = 'docs/capos.md'


def command_sections(root):
    """The text of docs/capos.md about each command."""
    if not os.path.exists(os.path.join(root, COMMANDS_PAGE)):
        return {}
    return dict(re.findall(r'^## capos (\w+)\n(.*?)(?=^## |\Z)', read(root, COMMANDS_PAGE),
                           re.M | re.S))


def options_of(section):
    return set(re.findall(r'^\| `(--[\w-]+)', section, re.M))


def check_options(root, compiler):
    """Compares the tables of docs/capos.md, a section per command, with --help."""
    page = os.path.join(root, COMMANDS_PAGE)
    if not (os.path.exists(page) and os.path.exists(compiler)):
        return
    sections = command_sections(root)
    for command in sorted(command_names(root)):
        if command not in sections:
            yield f'{COMMANDS_PAGE}: there is no section "capos {command}"'
            continue
        done = subprocess.run([compiler, command, '--help'], capture_output=True, text=True,
                              check=False)
        offered = set(re.findall(r'^  (?:-\w, )?(--[\w-]+)', done.stdout, re.M)) - {'--help'}
        described = options_of(sections[command])
        yield from (f'{COMMANDS_PAGE}: capos {command} has {option}, which is not described'
                    for option in sorted(offered - described))
        yield from (f'{COMMANDS_PAGE}: capos {command} has no {option}'
                    for option in sorted(described - offered))


# ---- Languages ----------------------------------------------------------------------

# What people could take for a promise, and the target that would prove it.
LANGUAGES = {r'C\+\+': 'run-cxx', 'Rust': 'run-rust', 'Go programs?|Golang': 'run-go', 'Lua': 'run-lua',
             'JavaScript|TypeScript': 'run-js', 'MicroPython|CPython': 'run-python',
             'WebAssembly|WASI|WASM': 'run-wasm', 'POSIX': 'run-posix'}
DENIALS = re.compile(r"\b(no|not|nor|none|never|without|yet)\b|n't\b")


def check_languages(root, page, text):
    """Each sentence that names a language denies it, or a target proves it."""
    if page.startswith('docs/decisions/') or not (page == 'README.md' or page.startswith('docs/')):
        return
    targets = make_targets(root)
    prose = FENCE.sub(lambda m: blank(m[0]), text)
    for match in re.finditer(r'(?:[^.\n]|\.(?!\s)|\n(?!\n))+', prose):
        for language, target in LANGUAGES.items():
            if re.search(r'\b(?:%s)(?!\w)' % language, match[0]) and target not in targets and \
                    not DENIALS.search(match[0]) and 'adapter*' not in match[0]:
                yield (f'{page}:{line_of(prose, match.start())}: names '
                       f'{language.split("|")[0]}, which no `make {target}` proves')


# ---- The reference ------------------------------------------------------------------

def check_reference(root):
    """Generates it, follows its links, and looks for what the schema declares."""
    schemas = sorted(glob.glob('schema/*.capnp', root_dir=root))
    if not schemas:
        return
    folder = 'build/docs/reference'
    done = subprocess.run([sys.executable, '-B', os.path.join(TOOLS, 'docs/reference.py'),
                           '--out', folder, *schemas], cwd=root, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        yield f'the reference is not generated:\n{done.stdout}{done.stderr}'
        return
    for name in sorted(os.listdir(os.path.join(root, folder))):
        if name.endswith('.md'):
            # It stands where docs/reference would be.
            text = read(root, os.path.join(folder, name))
            yield from check_links(root, f'docs/reference/{name}', text)
    for path in schemas:
        yield from check_interfaces(root, folder, path)


def check_interfaces(root, folder, path):
    for match in re.finditer(r'^interface (\w+) .*?^\}', read(root, path), re.M | re.S):
        page = os.path.join(folder, f'{match[1]}.md')
        if not os.path.exists(os.path.join(root, page)):
            yield f'{path}: {match[1]} has no page in the reference'
            continue
        known = anchors(read(root, page))
        for method in re.findall(r'^  (\w+) @\d+ \(?\w* *\)? *->', match[0], re.M):
            if slug.slug(method) not in known:
                yield f'{path}: {match[1]}.{method} is not in the reference'


# ---- Code ---------------------------------------------------------------------------

def profile(root, text):
    """The options that C needs: headers that libcapos hasn't are the C library's.  None: that
    isn't there."""
    for header in re.findall(r'^#include <([\w.]+)>', text, re.M):
        if header not in COMPILER_HEADERS and \
                not os.path.exists(os.path.join(root, 'libcapos/include/c', header)):
            return None if os.path.exists(os.path.join(root, NO_LIBC)) else []
    return ['-fnative']


def check_c(root, page, text, compiler):
    for match in FENCE.finditer(text):
        if match[1] != 'c':
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'block.c')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(match[2])
            options = profile(root, match[2])
            if options is None:
                continue
            done = subprocess.run([compiler, 'cc', *options, '-fsyntax-only', '-Wall', '-Werror',
                                   path], capture_output=True, text=True, check=False)
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


WRITTEN = re.compile(r'into `(build/[\w.-]+)`:\s*$')


def check_sessions(root, page, text):
    for match in FENCE.finditer(text):
        written = WRITTEN.search(text[:match.start()])
        if written:
            os.makedirs(os.path.join(root, 'build'), exist_ok=True)
            with open(os.path.join(root, written[1]), 'w', encoding='utf-8') as file:
                file.write(match[2])
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
    problems += check_reference(root)
    problems += check_options(root, compiler)
    for page in pages(root):
        text = read(root, page)
        for check in (check_links, check_commands, check_paths, check_languages):
            problems += check(root, page, text)
        if not arguments.no_run or os.path.exists(compiler):
            problems += check_c(root, page, text, compiler)
        if not arguments.no_run:
            problems += check_sessions(root, page, text)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
