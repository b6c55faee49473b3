# SPDX-License-Identifier: MIT
"""Syntax colours for the languages of our pages: C, Cap'n Proto, shell and sessions.

A language is a list of (class, pattern); the first pattern that matches at a place wins,
and what none matches stays plain.  Nothing here knows grammar, so it can't be wrong about
more than a colour.
"""

import html
import re

C_WORDS = '''alignas bool break case char const constexpr continue default do double else enum
extern false float for goto if inline int long nullptr return short signed sizeof static
static_assert struct switch thread_local true typedef typeof union unsigned void volatile while
size_t ssize_t'''.split()
CAPNP_WORDS = '''struct interface enum union group const annotation using import List Text Data
Bool Void Capability Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64 true
false'''.split()
SHELL_WORDS = 'if then else elif fi for in do done while case esac'.split()


def words(names):
    return r'\b(?:%s)\b' % '|'.join(names)


STRING = r'"(?:\\.|[^"\\\n])*"'
NUMBER = r'\b0x[0-9a-fA-F_]+\b|\b\d[\d_.]*(?:[uUlL]+)?\b'
LANGUAGES = {
    'c': [('c', r'//[^\n]*|/\*.*?\*/'), ('p', r'^[ \t]*#[ \t]*\w+(?:[ \t]*<[^>\n]*>)?'),
          ('s', STRING + r"|'(?:\\.|[^'\\\n])+'"), ('k', words(C_WORDS) + r'|\b\w+_t\b'),
          ('n', NUMBER + r'|\b[A-Z][A-Z0-9_]{2,}\b'), ('f', r'\b[a-z_]\w*(?=\()'), ('', r'\w+')],
    'capnp': [('c', r'#[^\n]*'), ('s', STRING), ('n', r'@\w+|' + NUMBER),
              ('p', r'\$[\w.]+'), ('k', words(CAPNP_WORDS)), ('', r'\w+')],
    'sh': [('c', r'(?<!\S)#[^\n]*'), ('s', STRING + r"|'[^'\n]*'"), ('p', r'\$\w+|\$\{[^}]*\}'),
           ('n', r'(?<!\S)--?[a-zA-Z][\w-]*'), ('k', words(SHELL_WORDS) + r'(?!-)'),
           ('', r'[\w./-]+')],
}
LANGUAGES['shell'] = LANGUAGES['bash'] = LANGUAGES['sh']
COMPILED = {name: re.compile('|'.join('(?P<g%d>%s)' % (i, pattern)
                                      for i, (_, pattern) in enumerate(rules)), re.M | re.S)
            for name, rules in LANGUAGES.items()}


def highlight(text, language):
    """HTML of a block; a language that isn't known has no colours."""
    if language == 'console':
        return ''.join(session_line(line) for line in text.splitlines(keepends=True))
    if language not in LANGUAGES:
        return html.escape(text, quote=False)
    out, end = [], 0
    for match in COMPILED[language].finditer(text):
        out.append(html.escape(text[end:match.start()], quote=False))
        end = match.end()
        kind = LANGUAGES[language][int(match.lastgroup[1:])][0]
        body = html.escape(match[0], quote=False)
        out.append('<span class="%s">%s</span>' % (kind, body) if kind else body)
    return ''.join(out) + html.escape(text[end:], quote=False)


def session_line(line):
    """A line of a session: a command behind its prompt, or what it printed."""
    if line.startswith('$ '):
        return '<span class="prompt">$ </span>' + highlight(line[2:], 'sh')
    return '<span class="out">%s</span>' % html.escape(line, quote=False)
