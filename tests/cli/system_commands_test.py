#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shell's view of the running system, booted: graph, revoke, trace, and programs started
through a launcher."""

import re
import xml.etree.ElementTree as ElementTree

from case import capos, expect, main


def shell(*lines, status=0, stderr=''):
    """What a script writes that runs in the shell with all grants."""
    done = capos('shell', '--mem', '32', stdin='\n'.join(lines).encode() + b'\n')
    expect(done, status, stderr=stderr)
    return done.stdout.decode()


def with_grants(grants, *lines, status=0, stderr=''):
    """The same with few grants."""
    options = [word for name in grants for word in ('--grant', name)]
    done = capos('run', *options, 'shell', stdin='\n'.join(lines).encode() + b'\n')
    expect(done, status, stderr=stderr)
    return done.stdout.decode()


def rows(text):
    """The rows of `graph` as (process, capability, interface, object, server)."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith('PROCESS'))
    found, process = [], ''
    for line in lines[start + 1:]:
        row = re.fullmatch(r'(?:(\S+) \(\d+\))? +(\S+) +(\S+) +(\d+)  (.*)', line)
        if row is None:
            break
        process = row[1] or process
        found.append((process, *row.groups()[1:]))
    return found


def graph_shows_who_holds_what():
    seen = rows(shell('spawn spin with { stdio, clock: timer }', 'graph', 'kill 1'))
    held = {(process, name): (interface, number, server)
            for process, name, interface, number, server in seen}
    assert held['init', 'spawner'][::2] == ('ProcessSpawner', 'kernel'), held
    assert held['hostlink', 'endpoint'][0] == 'Endpoint', held
    assert held['shell', 'stdio'][::2] == ('StdIO', 'hostlink'), held
    assert held['shell', 'launcher'][::2] == ('RestrictedLauncher', 'launcher'), held
    assert held['spin', 'stdio'] == held['shell', 'stdio'], 'one object, one number'
    assert held['spin', 'clock'] == held['init', 'timer'], 'whatever its name'
    assert held['spin', 'budget'][1] != held['shell', 'budget'][1], 'another budget'


def graph_draws_pictures():
    said = shell('spawn spin with { stdio }', 'graph svg', 'kill 1')
    picture = ElementTree.fromstring(said[said.index('<svg'):said.index('</svg>') + 6])
    space = '{http://www.w3.org/2000/svg}'
    texts = [text.text for text in picture.iter(space + 'text')]
    for text in ('spin', 'hostlink', 'StdIO', 'inspector'):
        assert text in texts, texts
    assert len(list(picture.iter(space + 'path'))) >= 5, 'an arc per capability of a service'
    said = shell('graph dot')
    assert said.startswith('digraph capos {') and said.endswith('}\n'), said
    assert re.search(r'label="shell \(\d+\)"', said), said
    assert re.search(r'p\d+ -> p\d+ \[label="stdio: StdIO"\];', said), said


def graph_needs_the_right_to_look():
    with_grants(['timer'], 'graph', status=1,
                stderr='seeing other processes needs a SystemInspector: --grant inspector')
    shell('graph sgv', status=1, stderr='graph takes text, dot or svg')
    shell('graph dot svg', status=1, stderr='graph takes text, dot or svg')


def a_grant_is_revoked_while_the_program_runs():
    said = shell('let bell = budget.createNotification',
                 'let lent = budget.createRevocable bell',
                 'lent.capability.signal 4', 'bell.wait 4',
                 'spawn spin with { stdio, bell: lent.capability }', 'graph',
                 'revoke lent', 'kill 1', 'wait 1', 'bell.signal 2', 'bell.wait 2')
    assert 'bits: 4' in said and said.endswith('bits: 2\n'), said
    lent = [row for row in rows(said) if row[0] == 'spin' and row[1] == 'bell']
    assert [row[4] for row in lent] == ['kernel, can be revoked'], lent
    shell('let lent = budget.createRevocable timer', 'revoke lent', 'lent.capability.now',
          status=1, stderr='Timer.now: disconnected: this capability was revoked by who lent it')
    shell('let lent = budget.createRevocable timer', 'revoke lent.revoker', 'revoke lent')


def what_cannot_be_revoked_is_explained():
    shell('revoke timer', status=1, stderr='that was not made to be revoked')
    shell('revoke tiemr', status=1, stderr='there is no tiemr; did you mean timer?')
    shell('let lent = budget.createRevocable timer', 'memory.map lent.capability', status=1,
          stderr='expected MemoryObject')
    shell('let o = budget.createMemoryObject 4096', 'let lent = budget.createRevocable o',
          'memory.map lent.capability 0 4096 0 read', status=1, stderr='wrongInterface')


def a_traced_program_shows_its_calls():
    said = shell('trace on args', 'trace', 'run args with { stdio } a', 'trace off', 'trace',
                 'run args with { stdio } b')
    assert 'programs named args are traced\n' in said and 'nothing is traced\n' in said, said
    traced = [line for line in said.splitlines() if line.startswith('[1] ')]
    assert re.fullmatch(r'\[1\] \+\+\+ process args, id \d+', traced[0]), traced
    assert '[1] +++ holds stdio: StdIO' in traced, traced
    assert traced[-1] == '[1] +++ exited with 0', traced
    calls = [line for line in traced if 'StdIO.write(stream: output, data: "argument 0' in line]
    assert len(calls) == 1 and re.search(r' = \(\) <[0-9.]+ (us|ms|s)>$', calls[0]), traced
    assert said.index('argument 1: b') > said.index(traced[-1]), 'the second is not traced'


def a_job_shows_its_calls_when_it_is_waited_for():
    said = shell('trace on sleep', 'spawn sleep with { stdio, timer } 1',
                 'spawn spin with { stdio }', 'wait 1', 'kill 2')
    assert re.search(r'\[1\] timer: Timer.sleep\(durationNs: 1000000 ns\) = \(\) <', said), said
    assert '[1] +++ exited with 0\n' in said and '[2] +++' not in said, said


def a_killed_job_and_a_busy_one_leave_their_traces():
    said = shell('trace on spin', 'spawn spin with { stdio }', 'kill 1', 'wait 1')
    assert '[1] +++ holds stdio: StdIO\n' in said and '[1] +++ killed\n' in said, said
    said = shell('trace on flood', 'let used = budget.info', 'run flood with { stdio } 3')
    assert '[1] +++ exited with' in said, said[-2000:]


def traces_give_their_memory_back():
    line = 'run exitcode with { stdio } 0'
    said = shell('trace on exitcode', *[line] * 4, 'let a = budget.info', *[line] * 4,
                 'let b = budget.info', 'let a = budget.info', *[line] * 4,
                 'let b = budget.info', 'a.usedBytes', 'b.usedBytes').splitlines()
    assert said[-1] == said[-2], said[-2:]


def a_wrong_trace_command_is_explained():
    for line in ('trace on', 'trace of', 'trace on a b', 'trace off x'):
        shell(line, status=1, stderr='trace takes `on PROGRAM` or `off`')
    shell('trace on ' + 'x' * 64, status=1, stderr='a program has at most 63 bytes')


def programs_start_through_a_launcher_alone():
    said = with_grants(['launcher'], 'caps', 'run args with { stdio } a "b c" ""',
                       'run exitcode with { stdio } 3', 'spawn spin', 'jobs', 'kill 1', 'wait 1')
    held = re.findall(r'^(\w+) +\w+$', said, re.M)
    assert held == ['memory', 'thread', 'park', 'budget', 'stdio', 'launcher'], held
    assert 'argument 1: a\nargument 2: b c\nargument 3: \n' in said, said
    assert re.findall(r'capability: (\w+)', said) == ['stdio', 'memory', 'thread', 'park', 'budget'], said
    assert 'exitcode exited with 3\n' in said and said.endswith('spin was killed\n'), said


def a_launcher_is_narrowed_and_not_widened():
    narrow = 'let less = launcher.narrow programs: "args" grants: "stdio" budgetBytesMax: 524288'
    said = shell(narrow, 'less.info', 'less.launch program: "args" budgetBytes: 524288')
    assert 'programs: "args"' in said and 'process: <ProcessHandle>' in said, said
    shell(narrow, 'less.launch program: "spin" budgetBytes: 524288', status=1,
          stderr='"spin" is not allowed')
    shell(narrow, 'less.narrow programs: "args\\nspin"', status=1, stderr='"spin" is empty, twice')
    shell(narrow, 'less.narrow budgetBytesMax: 1048576', status=1, stderr='at most 524288')


def what_a_launcher_refuses_is_explained():
    with_grants(['launcher'], 'run talk', status=1,
                stderr='talk can\'t be launched: program: "talk" is not allowed')
    with_grants(['launcher', 'entropy'], 'run args with { entropy }', status=1,
                stderr='"entropy" is empty, twice, or not allowed')
    with_grants(['launcher', 'timer'], 'run args with { clock: timer }', status=1,
                stderr='clock: a launcher hands out what its service holds, by name')
    with_grants(['launcher'], 'trace on args', 'run args', status=1,
                stderr='only who builds a program traces it')
    with_grants(['launcher'], 'run args with { stdio } | echo with { stdio }', status=1,
                stderr='a launcher gives no pipes: they need a ProcessSpawner: --grant spawner')
    with_grants(['launcher'], 'run args "a\\nb"', status=1,
                stderr='arguments: without newlines')
    with_grants(['launcher'], 'run args' + ' x' * 33, status=1,
                stderr='arguments: at most 32, without zero bytes')


if __name__ == '__main__':
    main([graph_shows_who_holds_what, graph_draws_pictures, graph_needs_the_right_to_look,
          a_grant_is_revoked_while_the_program_runs, what_cannot_be_revoked_is_explained,
          a_traced_program_shows_its_calls, a_job_shows_its_calls_when_it_is_waited_for,
          a_killed_job_and_a_busy_one_leave_their_traces, traces_give_their_memory_back,
          a_wrong_trace_command_is_explained, programs_start_through_a_launcher_alone,
          a_launcher_is_narrowed_and_not_widened, what_a_launcher_refuses_is_explained])
