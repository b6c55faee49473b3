# SPDX-License-Identifier: MIT
"""The frame of the command's end-to-end tests: a test is a function whose name is a
sentence; it fails by an assertion.  Lines are those of all capOS tests: ok, FAIL, skip.
"""

import os
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAPOS = os.path.join(ROOT, 'build/host/capos')
# What takes longer hangs: far above what anything takes, so that a busy machine passes.
HANG_SECONDS = 240


class Skip(Exception):
    """Raised by a test that can't run here; the argument says why."""


def capos(*arguments, stdin=b'', env=None, timeout=HANG_SECONDS, cwd=ROOT):
    """Runs the command; returns the completed process with bytes."""
    return subprocess.run([CAPOS, *arguments], input=stdin, capture_output=True,
                          env={**os.environ, **(env or {})}, timeout=timeout, check=False,
                          cwd=cwd)


def expect(done, status, stdout=None, stderr=''):
    """Checks a completed process; `stderr` must be contained, `stdout` be equal."""
    error = done.stderr.decode(errors='replace')
    assert done.returncode == status, f'status {done.returncode}, not {status}: {error}'
    if stdout is not None:
        assert done.stdout == stdout, f'stdout {done.stdout[:200]!r}, not {stdout[:200]!r}'
    assert stderr in error, f'stderr lacks {stderr!r}: {error}'


def processes_of(pid):
    """Direct children of a process."""
    found = []
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                with open(f'/proc/{entry}/stat', encoding='utf-8') as file:
                    if int(file.read().rsplit(')', 1)[1].split()[1]) == pid:
                        found.append(int(entry))
            except (OSError, IndexError):
                pass
    return found


def machines_of(pid):
    """Waits until a `capos run` of an image program has started its machine."""
    deadline = time.monotonic() + HANG_SECONDS
    while not processes_of(pid):
        assert time.monotonic() < deadline, 'no machine was started'
        time.sleep(0.02)
    return processes_of(pid)


def is_gone(pid):
    """Waits for the end of a process (a zombie has ended); False if it doesn't come."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        try:
            with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
                if file.read().rsplit(')', 1)[1].split()[0] == 'Z':
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def main(tests):
    chosen = sys.argv[1:]
    failed = False
    for test in tests:
        if chosen and test.__name__ not in chosen:
            continue
        try:
            test()
            print(f'ok {test.__name__}', flush=True)
        except Skip as skip:
            print(f'skip {test.__name__} {skip}', flush=True)
        except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
            failed = True
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.name == test.__name__:
                    line = frame.lineno
            file = os.path.relpath(test.__code__.co_filename, ROOT)
            print(f'FAIL {test.__name__} {file}:{line}: {error}', flush=True)
    sys.exit(1 if failed else 0)


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix='capos-test-')
