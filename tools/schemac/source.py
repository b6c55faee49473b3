# SPDX-License-Identifier: MIT
"""Where in the source text a declaration stands.

The request has no positions (capnp before 1.0 keeps none), so this file finds the lines
of named declarations by reading the text: names, braces, strings and comments are enough.
"""

import re

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|#[^\n]*|\n|@?\w+|[{};:]|.', re.S)
SCOPES = {'struct', 'interface', 'enum', 'group', 'union'}
NAME = re.compile(r'[A-Za-z]\w*$')


class SourceMap:
    """Lines of the declarations in one file, by dotted path: 'Timer.SleepParams.durationNs'."""

    def __init__(self, path, text):
        self.path = path
        self.lines = {}
        scopes, words = [], []           # names of open braces; words of this declaration
        line = 1
        for token in TOKEN.findall(text):
            if token == '\n' or token.startswith(('"', '#')):
                line += token.count('\n')
                continue
            if token in '{};':
                name = declared_name(words)
                if name and name[1]:
                    self.lines.setdefault('.'.join(filter(None, scopes + [name[0]])), name[1])
                if token == '{':
                    scopes.append(name[0] if name else None)
                elif token == '}' and scopes:
                    scopes.pop()
                words = []
            elif not token.isspace():
                words.append((token, line))

    def line(self, path):
        """The line of a declaration, or of the nearest scope that is found; 1 at worst."""
        while path and path not in self.lines:
            path = path.rpartition('.')[0]
        return self.lines.get(path, 1)


def declared_name(words):
    """(name, line) of `struct X`, `name @N`, `name :group`, `name :union`; else None."""
    texts = [text for text, _ in words]
    if len(texts) > 1 and texts[0] in SCOPES | {'annotation', 'const'} and NAME.match(texts[1]):
        return texts[1], words[1][1]
    if len(texts) > 1 and NAME.match(texts[0]) and texts[1].startswith(('@', ':')):
        return texts[0], words[0][1]
    return None
