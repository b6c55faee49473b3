#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands in for QEMU: speaks the guest's half of abi/host_link.h on descriptor 3.

The environment variable FAKE_MACHINE names one of the functions below.  With it the
host's half is tested without a guest, including guests that misbehave.
"""

import os
import signal
import struct
import sys

LINK, SERIAL = 3, 4
MAGIC = 0xCA905
WINDOW = 256 * 1024
HELLO, STDOUT, STDERR, FINISH, REFUSE, STDIN_CREDIT = 1, 2, 3, 4, 5, 6
STDIN, STDIN_END, STDOUT_CREDIT, STDERR_CREDIT, STDOUT_CLOSED = 16, 17, 18, 19, 20
EXITED, FAULTED = 1, 2


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def send(kind, payload=b''):
    write_all(LINK, struct.pack('<IHHII', MAGIC, kind, 0, len(payload), 0) + payload)


def read_exactly(count):
    data = b''
    while len(data) < count:
        more = os.read(LINK, count - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def receive():
    magic, kind, _, size, _ = struct.unpack('<IHHII', read_exactly(16))
    assert magic == MAGIC
    return kind, read_exactly(size)


def be_killed():
    while True:
        signal.pause()


def finish(code=0, end=EXITED, fault=0, address=0, instruction=0, bias=0, thread=0):
    send(FINISH, struct.pack('<IIqQQQQ', end, fault, code, address, instruction, bias, thread))
    be_killed()


def hello():
    send(HELLO)
    send(STDOUT, b'out\n')
    send(STDERR, b'err\n')
    finish(int(os.environ.get('FAKE_STATUS', '0')))


def counts():
    """As QEMU: instructions are counted where they are emulated, nowhere else."""
    accelerator = sys.argv[sys.argv.index('-accel') + 1]
    if '-icount' in sys.argv and accelerator.startswith('kvm'):
        write_all(2, b'qemu: -icount is not allowed with hardware virtualization\n')
        return
    hello()


def segfault():
    send(HELLO)
    finish(0, FAULTED, 1, 0x10, 0x7000, 0x6000, thread=3)


def cat():
    """Copies stdin to stdout, keeping to the windows of both directions."""
    send(HELLO)
    window, ended, pending = WINDOW, False, b''
    while not ended or pending:
        if pending and window:
            part = pending[:min(window, 65536)]
            send(STDOUT, part)
            send(STDIN_CREDIT, struct.pack('<I', len(part)))
            pending = pending[len(part):]
            window -= len(part)
            continue
        kind, payload = receive()
        if kind == STDIN:
            pending += payload
            assert len(pending) <= WINDOW
        elif kind == STDIN_END:
            ended = True
        elif kind == STDOUT_CREDIT:
            window += struct.unpack('<I', payload)[0]
    finish()


def ends_after_closed():
    """Writes for ever; exits with 7 when told that nobody reads."""
    send(HELLO)
    window = WINDOW
    while True:
        if window >= 4096:
            send(STDOUT, b'y\n' * 2048)
            window -= 4096
            continue
        kind, payload = receive()
        if kind == STDOUT_CREDIT:
            window += struct.unpack('<I', payload)[0]
        elif kind == STDOUT_CLOSED:
            finish(7)


def waits():
    send(HELLO)
    be_killed()


def crashes():
    os.write(SERIAL, b'kernel: starting\n')
    os.write(2, b'qemu: something broke\n')


def panics():
    send(HELLO)
    os.write(SERIAL, b'\npanic: kernel/core.c:7: it broke\nbacktrace: here\n')
    be_killed()


def floods():
    """Sends more than the window and a pipe that nobody reads can hold."""
    send(HELLO)
    for _ in range(6):
        send(STDOUT, b'x' * 65536)
    be_killed()


def babbles():
    write_all(LINK, b'this is not a frame at all, is it')
    be_killed()


def refuses():
    send(HELLO)
    send(REFUSE, struct.pack('<II', 2, 0) + b'the grant is gone')
    be_killed()


globals()[os.environ['FAKE_MACHINE']]()
