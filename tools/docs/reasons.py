# SPDX-License-Identifier: MIT
"""The reasons that implementations give when they refuse a call, from their sources.

A refusal is a status beside a text (`invocation_fail(invocation, STATUS_FAILED, "...")`), and
one about an argument begins with the argument's name and a colon.  From a method's function
this follows the functions that it calls, within the given files, and collects both.  It reads
C by its layout (`make fmt`), not by its grammar: a reason that is put together at run time is
not found.
"""

import re

FUNCTION = re.compile(r'^[a-z][\w \t\n*]*?\b(\w+)\(([^;{}]*?)\)\n\{\n(.*?)^\}', re.M | re.S)
STRING = r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*'
CONSTANT = re.compile(r'^static const char (\w+)\[\] =\s*(%s);' % STRING, re.M)
WITH_STATUS = re.compile(r'STATUS_([A-Z_]+)\s*,\s*(%s|reason_\w+)' % STRING)
HELPERS = {'invalid': 'INVALID_ARGUMENT', 'failed': 'FAILED'}
BY_HELPER = re.compile(r'\b(%s)\([^,()]*,\s*(%s|reason_\w+)\)' % ('|'.join(HELPERS), STRING))
# if (status == STATUS_OVERLOADED) reason = "...";
ASSIGNED = re.compile(r'STATUS_([A-Z_]+)[^;"{]*\)\s*reason = (%s)' % STRING)
ANY_TEXT = re.compile(STRING)
# Of every call, so not of a method.
COMMON = ('DISCONNECTED', 'UNIMPLEMENTED')


def camel(constant):
    """invalidArgument for INVALID_ARGUMENT."""
    first, *rest = constant.lower().split('_')
    return first + ''.join(word.capitalize() for word in rest)


def text_of(literal):
    parts = re.findall(r'"((?:[^"\\\n]|\\.)*)"', literal)
    return ''.join(parts).replace('\\"', '"').replace('\\\\', '\\')


class Sources:
    """Functions and named texts of some C files."""

    def __init__(self, paths):
        self.functions, self.constants = {}, {}
        for path in paths:
            with open(path, encoding='utf-8') as file:
                text = re.sub(r'//[^\n]*', '', file.read())
            self.constants.update((name, text_of(literal))
                                  for name, literal in CONSTANT.findall(text))
            for match in FUNCTION.finditer(text):
                self.functions[match[1]] = match[3]

    def reached(self, function):
        """The bodies of a function and of all that it calls, here."""
        names, seen = [function], set()
        while names:
            name = names.pop()
            if name in seen or name not in self.functions:
                continue
            seen.add(name)
            yield self.functions[name]
            names += re.findall(r'\b(\w+)\(', self.functions[name])

    def reasons(self, function, arguments):
        """{status: [reason]} of what the function can refuse with; `arguments` are the
        names of the method's arguments."""
        found = {}

        def note(status, literal):
            text = self.constants.get(literal) if literal[0] != '"' else text_of(literal)
            subject = re.match(r'([a-z]\w*): ', text or '')
            if not text or '%' in text or (subject and subject[1] not in arguments):
                return
            texts = found.setdefault(camel(status), [])
            if text not in texts:
                texts.append(text)

        for body in self.reached(function):
            for status, literal in WITH_STATUS.findall(body) + ASSIGNED.findall(body):
                if status not in COMMON:
                    note(status, literal)
            for helper, literal in BY_HELPER.findall(body):
                note(HELPERS[helper], literal)
            known = {text for texts in found.values() for text in texts}
            for literal in ANY_TEXT.findall(body):
                if re.match(r'"[a-z]\w*: ', literal) and text_of(literal) not in known:
                    note('INVALID_ARGUMENT', literal)
        return found

    def handlers(self, name):
        """{C name of a method: function} of a service's table of functions."""
        found = {}
        for body in self.functions.values():
            for table in re.findall(r'struct %s_server_ops \w+ = \{(.*?)\};' % name, body, re.S):
                found.update(re.findall(r'\.(\w+) = (\w+)', table))
        return found
