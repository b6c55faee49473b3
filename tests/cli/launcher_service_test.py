#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""RestrictedLauncher, booted: what a holder can start, what is refused, what narrowing does."""

from case import capos, expect, main

LINES = '''first: exitcode,fault,args; stdio,timer; 2097152
exit: exited 42 none
fault: faulted 0 illegalInstruction
argument 0: args
argument 1: one
argument 2: .
argument 3: two words
capability: stdio StdIO
capability: memory VirtualMemory
capability: thread ThreadControl
capability: park ParkSpace
capability: budget MemoryBudget
args: exited 0 none
program: invalidArgument: program: "spin" is not allowed
part of a name: invalidArgument: program: "exit" is not allowed
grant: invalidArgument: grants: "boot" is empty, twice, or not allowed
grant twice: invalidArgument: grants: "stdio" is empty, twice, or not allowed
budget above: invalidArgument: budgetBytes: a multiple of 4096 from 4096 to 2097152
budget of no pages: invalidArgument: budgetBytes: a multiple of 4096 from 4096 to 2097152
budget too small: overloaded: args can't be started: overloaded
argument 0: args
argument 1: one
argument 2: <empty>
argument 3: two	and
argument 4: <empty>
capability: stdio StdIO
capability: timer Timer
capability: memory VirtualMemory
capability: thread ThreadControl
capability: park ParkSpace
capability: budget MemoryBudget
newline: arguments: without newlines, together at most 1023 bytes with a newline each
too long: arguments: without newlines, together at most 1023 bytes with a newline each
grants too long: grants: without newlines, together at most 511 bytes with a newline each
refused: program: "spin" is not allowed
narrowed: exitcode,args; stdio; 1048576
allowed still: exited 7 none
program no more: invalidArgument: program: "fault" is not allowed
grant no more: invalidArgument: grants: "timer" is empty, twice, or not allowed
budget no more: invalidArgument: budgetBytes: a multiple of 4096 from 4096 to 1048576
widen programs: invalidArgument: programs: "fault" is empty, twice, or not allowed
widen grants: invalidArgument: grants: "timer" is empty, twice, or not allowed
widen budget: invalidArgument: budgetBytesMax: at most 1048576
narrowed again: exitcode; ; 524288
child: exited 3 none
''' + 'one: args; ; 0\n' * 199 + '''last: args; ; 0
narrowed 200 times
'''


def a_launcher_starts_what_it_may_and_is_never_widened():
    done = capos('run', '--system', 'test-launcher', 'launcher_client')
    expect(done, 0, LINES.replace('<empty>', '').encode())


main([a_launcher_starts_what_it_may_and_is_never_widened])
