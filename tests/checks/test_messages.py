#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every message by which the shell and the terminal refuse something stands in a test."""

import ast
import glob
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = ('programs/shell/*.c', 'services/terminal/*.c')
TESTS = ('programs/shell/*_test.c', 'tests/cli/*_test.py')
REFUSALS = re.compile(r'\b(wrong|shell_wrong|problem_set|capos_server_fail|fprintf)\(')
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
FRAGMENT_BYTES_MIN = 8
PART_BYTES_MIN = 16     # of a message that a test looks for
COUNT_MIN = 50          # of messages: fewer mean that this test doesn't find them

# Parts of messages that no test can provoke, with the reason.
UNREACHABLE = {
    'no memory': 'memory would have to run out in the middle',
    'out of memory': 'likewise',
    'has too many values': 'lines of so many values exceed another bound before',
    'waits for too much': 'a terminal has fewer programs than its ring has entries',
    'nobody holds': 'who would be answered is gone',
    'the StdIO behind the pipe is gone': "the shell's own StdIO would have to be gone",
    'terminal serves StdIO and TerminalSession': 'the kernel refuses calls of other interfaces',
    'the terminal has no StdIO for': 'the shell has fewer programs than a terminal',
    'process: a ProcessHandle': 'the generated dispatch refuses other interfaces before',
    'completer: a Completer': 'likewise',
    "of a trace can't be unmapped": 'the kernel unmaps what the shell has mapped',
    'needs a RestrictedLauncher': 'the shell looks for one before',
    'gets no session': 'sessions are fewer than programs only if others hold them too',
    "the system can't be looked at": 'likewise',
    "it can't be revoked: ": 'likewise',
    'shell: only the first': 'systems of the tests are smaller',
    'its schema is damaged': 'the schema is built into the program',
    "can't be read: ": 'the kernel always answers for what the shell holds',
    "can't be mapped": 'likewise, unless memory runs out',
    'no budget can be split': 'likewise, unless memory runs out',
    "its weight can't be set": 'the shell split the budget and has checked the number',
    'needs a MemoryBudget named budget': 'every program is granted one',
}


def unescape(text):
    return text.replace(r'\"', '"').replace(r'\n', '\n').replace(r'\\', '\\')


def literals_of_c(text):
    """String literals, adjacent ones as one."""
    return [unescape(found) for found in TEXT.findall(re.sub(r'"\s*\n\s*"', '', text))]


def literals_of_python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            yield node.value if isinstance(node.value, str) else node.value.decode('latin-1')


def call_at(text, at):
    """The arguments of a call, from behind its opening parenthesis."""
    start, depth = at, 1
    while depth:
        if text[at] == '"':
            at = TEXT.match(text, at).end()
            continue
        depth += {'(': 1, ')': -1}.get(text[at], 0)
        at += 1
    return text[start:at - 1]


def fragment(message):
    """The longest part of a format that is in every text made of it."""
    return max(re.split(r'%[-+ #0-9.*]*[hljzt]*[a-zA-Z%]', message), key=len).strip()


def sources(patterns, but=()):
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            if not path.endswith(but):
                with open(path, encoding='utf-8') as file:
                    yield os.path.relpath(path, ROOT), file.read()


def messages():
    for path, text in sources(SOURCES, but=('_test.c', '_fuzz.c')):
        for call in REFUSALS.finditer(text):
            for message in literals_of_c(call_at(text, call.end())):
                if len(fragment(message)) >= FRAGMENT_BYTES_MIN:
                    yield path, message


class Messages(unittest.TestCase):
    def test_every_message_of_shell_and_terminal_is_in_a_test(self):
        literals = [
            literal.strip() for path, text in sources(TESTS)
            for literal in (literals_of_c if path.endswith('.c') else literals_of_python)(text)]
        corpus = '\n'.join(literals)
        found = list(messages())
        self.assertGreater(len(found), COUNT_MIN)
        missing = [f'{path}: {message!r}' for path, message in found
                   if fragment(message) not in corpus and
                   not any(len(part) >= PART_BYTES_MIN and part in message
                           for part in literals) and
                   not any(part in message for part in UNREACHABLE)]
        self.assertEqual(missing, [])

    def test_every_exception_is_needed(self):
        found = [message for _, message in messages()]
        self.assertEqual([part for part in UNREACHABLE
                          if not any(part in message for message in found)], [])


if __name__ == '__main__':
    unittest.main()
