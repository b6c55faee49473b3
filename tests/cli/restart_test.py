#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Restarts of services, booted: what their clients see and what the console says."""

import re

from case import capos, expect, main

LINES = b'''first: answered by process 0
under way: disconnected
queued: answered by process 1
exit with 3: disconnected
after it: answered by process 2
exit with 0: disconnected
after that: disconnected
''' + b''.join(b'crash: disconnected\nnext: answered by process %d\nwaited long enough: yes\n'
               % process for process in (3, 4, 5)) + b'''last crash: disconnected
given up: disconnected
'''


def services_are_restarted_as_the_manifest_says():
    done = capos('run', '--verbose', '--system', 'test-restart', 'restart_client')
    expect(done, 0, LINES)
    said = re.findall(r'^init: service (.*?)\r?$', done.stderr.decode(), re.MULTILINE)
    steps = [re.sub(r' at 0x.*', '', line) for line in said]
    worker = [line for line in steps if line.startswith('worker')]
    assert worker == ['worker ended: faulted, code 0, fault illegalInstruction',
                      'worker: restart 1 of 5 in 10 ms',
                      'worker ended: exited, code 3, fault none',
                      'worker: restart 2 of 5 in 20 ms',
                      'worker ended: exited, code 0, fault none'], worker
    flaky = [line for line in steps if line.startswith('flaky') and 'ended' not in line]
    assert flaky == ['flaky: restart 1 of 3 in 20 ms', 'flaky: restart 2 of 3 in 40 ms',
                     'flaky: restart 3 of 3 in 80 ms',
                     'flaky is given up after 3 restarts'], flaky


main([services_are_restarted_as_the_manifest_says])
