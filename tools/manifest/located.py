# SPDX-License-Identifier: MIT
"""Where in the source text a value of a Cap'n Proto constant stands.

`capnp eval` gives the value of a constant and no positions.  This file reads the same text
a second time, for lines only: a Node has the shape of the value, each part with its file
and line, whether it was written in place or in a constant that the text refers to.  What
it doesn't understand is a Node without parts, so that a reader falls back to the line
around it.  It finds one mistake that `capnp` accepts: a name that is given twice.
"""

from dataclasses import dataclass, field
import os
import re

TOKEN = re.compile(r'(?P<string>"(?:\\.|[^"\\])*")|(?P<comment>#[^\n]*)|(?P<space>\s+)'
                   r'|(?P<word>[A-Za-z_]\w*)|(?P<number>-?[0-9][\w.]*)|(?P<sign>.)', re.S)
CLOSERS = {'(': ')', '[': ']', '{': '}'}


@dataclass
class Node:
    path: str                    # of the source file, as it is shown
    line: int
    fields: dict = None          # of a struct: name -> Node
    items: list = None           # of a list
    reference: list = None       # the names of a reference: ['', 'services'], ['M', 'x']
    twice: list = field(default_factory=list)    # [(name, line, line of the first)]

    def place(self):
        return self.path, self.line


@dataclass
class Token:
    kind: str
    text: str
    line: int


class Source:
    """One file: its constants, its imports, its comments."""

    def __init__(self, path, roots):
        self.path, self.roots = path, roots
        self.constants = {}      # name -> Node
        self.imports = {}        # name -> path of the imported file
        self.comments = {}       # line -> text
        self.twice = []          # [(name, line, line of the first)]
        with open(path, encoding='utf-8') as file:
            self.tokens = self.tokenize(file.read())
        self.at = 0
        while self.at < len(self.tokens):
            self.statement()

    def tokenize(self, text):
        tokens, line = [], 1
        for match in TOKEN.finditer(text):
            if match.lastgroup == 'comment':
                self.comments[line] = match.group()[1:].strip()
            elif match.lastgroup != 'space':
                tokens.append(Token(match.lastgroup, match.group(), line))
            line += match.group().count('\n')
        return tokens

    def peek(self, offset=0):
        """The text of a token from here on, '' behind the last."""
        at = self.at + offset
        return self.tokens[at].text if at < len(self.tokens) else ''

    def skip_to(self, *ends):
        """Moves behind the next of `ends` that is outside of brackets."""
        while self.at < len(self.tokens):
            text = self.peek()
            self.at += 1
            if text in CLOSERS:
                self.skip_to(CLOSERS[text])
            if text in ends or (text == '{' and '}' in ends):
                return

    def statement(self):
        if self.peek() == 'const':
            self.constant()
        elif self.peek() == 'using' and self.peek(2) == '=' and self.peek(3) == 'import':
            self.imports[self.peek(1)] = self.imported(self.peek(4))
        self.skip_to(';', '}')

    def imported(self, quoted):
        name = quoted.strip('"')
        if name.startswith('/'):
            for root in self.roots:
                if os.path.exists(root + name):
                    return os.path.normpath(root + name)
        return os.path.join(os.path.dirname(self.path), name)

    def constant(self):
        name, line = self.peek(1), self.tokens[self.at].line
        while self.peek() not in ('=', ';', ''):
            self.at += 1
        if self.peek() != '=':
            return
        self.at += 1
        if name in self.constants:
            self.twice.append((name, line, self.constants[name].line))
        self.constants.setdefault(name, self.value())

    def value(self):
        line = self.tokens[min(self.at, len(self.tokens) - 1)].line
        node = Node(self.path, line)
        if self.peek() == '(':
            self.struct(node)
        elif self.peek() == '[':
            self.list(node)
        elif self.peek() == '.' or (self.peek(1) == '.' and self.peek() in self.imports):
            node.reference = self.names()
        elif self.peek() not in (',', ')', ']', ';', ''):
            self.at += 1
            if self.peek() == '.' and self.tokens[self.at - 1].kind == 'word':
                self.names()
        return node

    def names(self):
        names = []
        if self.peek() == '.':
            names.append('')
        else:
            names.append(self.peek())
            self.at += 1
        while self.peek() == '.':
            names.append(self.peek(1))
            self.at += 2
        return names

    def struct(self, node):
        self.at += 1
        node.fields = {}
        while self.peek() not in (')', ''):
            name = None
            if self.peek(1) == '=':
                name, line = self.peek(), self.tokens[self.at].line
                self.at += 2
            value = self.value()
            if name in node.fields:
                node.twice.append((name, line, node.fields[name].line))
            elif name:
                value.line = line    # where a person looks for the field
                node.fields[name] = value
            self.to_next(')')
        self.at += 1

    def list(self, node):
        self.at += 1
        node.items = []
        while self.peek() not in (']', ''):
            node.items.append(self.value())
            self.to_next(']')
        self.at += 1

    def to_next(self, end):
        """Moves behind the comma, or to the end of the brackets."""
        while self.peek() not in (',', end, ''):
            self.at += 1
        if self.peek() == ',':
            self.at += 1


class Sources:
    """All files that a constant leads to."""

    def __init__(self, roots):
        self.roots, self.files = roots, {}

    def file(self, path):
        path = os.path.normpath(path)
        if path not in self.files:
            self.files[path] = Source(path, self.roots)
        return self.files[path]

    def constant(self, path, name):
        """The Node of a constant; None if the file has none of that name."""
        node = self.file(path).constants.get(name)
        return node and self.resolve(node)

    def resolve(self, node):
        """What a node refers to, or the node itself."""
        for _ in range(32):
            if node.reference is None:
                return node
            source = self.file(node.path)
            if node.reference[0] in source.imports:
                source = self.file(source.imports[node.reference[0]])
            target = source.constants.get(node.reference[1])
            if target is None or len(node.reference) != 2:
                return Node(node.path, node.line)
            node = target
        return node

    def field(self, node, name):
        """The part of a struct, or the struct's own place."""
        found = (node.fields or {}).get(name)
        return self.resolve(found) if found else Node(node.path, node.line)

    def item(self, node, index):
        """The element of a list, or the list's own place."""
        if node.items is None or index >= len(node.items):
            return Node(node.path, node.line)
        return self.resolve(node.items[index])

    def comment(self, node):
        return self.file(node.path).comments.get(node.line, '')

    def given_twice(self, node):
        """[(path, line, name, line of the first)] below a node."""
        node = self.resolve(node)
        found = [(node.path, line, name, first) for name, line, first in node.twice]
        for part in [*(node.fields or {}).values(), *(node.items or [])]:
            found += self.given_twice(part)
        return found
