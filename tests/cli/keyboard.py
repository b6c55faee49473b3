# SPDX-License-Identifier: MIT
"""A person at a terminal: runs the command on a pty, types keys, and reads what a terminal
shows, by interpreting the escape sequences that the line editor sends."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata

from case import CAPOS, HANG_SECONDS, ROOT


SEQUENCE = r'\x1b\[[0-9;?]*[A-Za-z]|\x1b[78]'


class Screen:
    """Rows of text as a terminal shows them; without scrolling regions and colours."""

    def __init__(self, columns):
        self.columns = columns
        self.rows = ['']
        self.row = self.column = 0
        self.saved = (0, 0)
        self.questions = 0      # for the cursor's position, that nobody answered yet

    def _put(self, character):
        if unicodedata.combining(character):
            return
        width = 2 if unicodedata.east_asian_width(character) in 'WF' else 1
        if self.column + width > self.columns:
            self._feed()
            self.column = 0
        cells = self._cells(self.row)
        cells += [' '] * (self.column - len(cells))
        cells[self.column:self.column + width] = [character] + [''] * (width - 1)
        self.rows[self.row] = cells
        self.column += width

    def _cells(self, row):
        return list(self.rows[row])

    def _feed(self):
        self.row += 1
        while len(self.rows) <= self.row:
            self.rows.append([])

    def _sequence(self, number, function):
        count = int(number) if number.isdigit() else 1
        if function == 'A':
            self.row = max(0, self.row - count)
        elif function == 'C':
            self.column = min(self.columns - 1, self.column + count)
        elif function == 'G':
            self.column = count - 1
        elif function == 'J' and number == '2':
            self.rows, self.row = [[]], 0
        elif function == 'J':
            self.rows[self.row] = self._cells(self.row)[:self.column]
            del self.rows[self.row + 1:]
        elif function == 'K':
            self.rows[self.row] = self._cells(self.row)[:self.column]
        elif function == 'H' and number != '999;999':   # the corner is only asked for
            self.row = self.column = 0
        elif function == 'n':
            self.questions += 1

    def show(self, text):
        for part in re.findall(SEQUENCE + '|.', text, re.S):
            if part == '\x1b7':
                self.saved = (self.row, self.column)
            elif part == '\x1b8':
                self.row, self.column = self.saved
            elif part[0] == '\x1b':
                self._sequence(part[2:-1], part[-1])
            elif part == '\r':
                self.column = 0
            elif part == '\n':
                self._feed()
            elif part != '\a':
                self._put(part)

    def text(self):
        return [''.join(row).rstrip() for row in self.rows]


class Person:
    """Runs `capos ARGUMENTS`, or a command, on a pty.  A person whose terminal answers is asked
    for its size by the machine; under `capos` the host knows it."""

    def __init__(self, *arguments, columns=80, rows=24, timeout=HANG_SECONDS, command=None,
                 answers=True):
        self.deadline = time.monotonic() + timeout
        self.master, slave = pty.openpty()
        self.screen = Screen(columns)
        self.heard = b''
        self.shown = 0
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.answers = answers
        self.process = subprocess.Popen(command or [CAPOS, *arguments], stdin=slave,
                                        stdout=slave, stderr=slave, cwd=ROOT,
                                        start_new_session=True, preexec_fn=self._control)

    def _control(self):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(HANG_SECONDS)
        os.close(self.master)
        os.close(self.slave)

    def resize(self, columns, rows):
        size = struct.pack('HHHH', rows, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
        self.screen.columns = columns
        self.size = f'{rows};{columns}'

    def wait_raw(self):
        """Waits until the command takes the keys; before, Linux shows and edits them."""
        while termios.tcgetattr(self.slave)[3] & termios.ICANON:
            assert time.monotonic() < self.deadline, 'it does not take the keys'
            time.sleep(0.02)

    def type(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def _hear(self):
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.master], [], [], left)[0]:
            raise AssertionError(f'nothing more came: {self.screen.text()}')
        self.heard += os.read(self.master, 65536)
        text = self.heard[self.shown:]
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            decoded = text[:error.start].decode()
        cut = decoded.rfind('\x1b')  # a sequence may come in two pieces
        if cut >= 0 and not re.match(SEQUENCE, decoded[cut:]):
            decoded = decoded[:cut]
        self.screen.show(decoded)
        self.shown += len(decoded.encode())
        while self.answers and self.screen.questions > 0:
            self.screen.questions -= 1
            self.type(f'\x1b[{self.size}R')

    def wait_for(self, *rows):
        """Waits until the last rows of the screen are these."""
        while self.screen.text()[-len(rows):] != list(rows):
            self._hear()

    def wait_seen(self, text):
        """Waits until a row has that text in it."""
        while not any(text in row for row in self.screen.text()):
            self._hear()

    def status(self):
        """Waits for the end of the command; the terminal must be as it was."""
        while self.process.poll() is None:
            if select.select([self.master], [], [], 0.05)[0]:
                self._hear()
            assert time.monotonic() < self.deadline, 'it did not end'
        while select.select([self.master], [], [], 0)[0]:
            self._hear()
        assert termios.tcgetattr(self.slave) == self.before, 'the terminal is not as it was'
        return self.process.returncode
