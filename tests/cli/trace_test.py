#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`capos run --trace`, `--audit` and `capos inspect`, booted."""

import json
import os
import re

from case import capos, expect, main, temporary_folder

TIMEOUT = 120

# Is refused a reservation of no bytes, then writes.
REFUSED = ('#include <gen/capos/virtual_memory.h>\n#include <stdio.h>\n'
           'int main(void) {\n'
           '    virtual_memory_cap memory;\n    uint64_t address;\n'
           '    if (virtual_memory_cap_find("memory", &memory) != STATUS_OK) return 1;\n'
           '    if (virtual_memory_reserve(memory, 0, 0, 0, &address) == STATUS_OK) return 2;\n'
           '    puts("refused");\n    return 3;\n}\n')
# Calls the timer far more often than a ring of records holds while nothing else runs.
FAST = ('#include <gen/capos/timer.h>\n'
        'int main(void) {\n'
        '    timer_cap timer;\n    uint64_t now;\n'
        '    if (timer_cap_find("timer", &timer) != STATUS_OK) return 1;\n'
        '    for (int i = 0; i < 200000; i++)\n'
        '        if (timer_now(timer, &now) != STATUS_OK) return 2;\n'
        '    return 0;\n}\n')

# Serves Echo to itself: a call that it answers, one that it refuses, one that nobody waits for.
SERVER = ('''#include <capos/loop.h>
#include <capos/server.h>
#include <gen/capos/echo.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
static void on_echo(void *, struct capos_server_call *call, const struct echo_echo_params *params)
{
    if (params->data.size_bytes == 0)
        capos_server_fail(call, STATUS_FAILED, "nothing to echo");
    else
        echo_echo_reply(call, &(struct echo_echo_results){.data = params->data});
}
static void on_call(void *context, struct capos_server_call *call)
{
    static const struct echo_server_ops ops = {.echo = on_echo};
    echo_serve(&ops, context, call);
}
static void stop(struct capos_call *, void *)
{
    capos_loop_stop();
}
static enum status ask(echo_cap echo, const char *text, size_t bytes)
{
    struct capos_call call;
    char answer[16];
    size_t answer_bytes;
    enum status status = echo_echo_begin(&call, echo, text, bytes);
    if (status != STATUS_OK)
        return status;
    capos_call_on_done(&call, stop, nullptr);
    capos_loop_run();
    return echo_echo_finish(&call, answer, sizeof answer, &answer_bytes);
}
int main(void)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    memory_budget_cap budget;
    endpoint_cap endpoint;
    echo_cap echo;
    if (memory_budget_cap_find("budget", &budget) != STATUS_OK ||
        memory_budget_create_endpoint(budget, 4, &endpoint) != STATUS_OK ||
        endpoint_mint(endpoint, INTERFACE_ECHO, 7, &echo.id) != STATUS_OK ||
        capos_server_start(&server, endpoint.id, &handlers, nullptr, nullptr) != STATUS_OK)
        return 1;
    if (ask(echo, "hello", 5) != STATUS_OK)
        return 2;
    if (ask(echo, "", 0) != STATUS_FAILED)
        return 3;
    capos_release(echo.id);
    capos_loop_step(true);
    return 0;
}
''')


def run_traced(program, *options, name='trace'):
    """Runs C text or a path; the completed process and the lines of the file `name`."""
    with temporary_folder() as folder:
        path = program
        if '\n' in program:
            path = os.path.join(folder, 'program.c')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(program)
        out = os.path.join(folder, name)
        done = capos('run', *[option.replace('OUT', out) for option in options], path,
                     timeout=TIMEOUT)
        with open(out, encoding='utf-8') as file:
            return done, file.read().splitlines()


def a_trace_shows_what_hello_writes():
    done = capos('run', '--trace', 'examples/c/hello.c', timeout=TIMEOUT)
    expect(done, 0, b'Hello from capOS!\n',
           'stdio: StdIO.write(stream: output, data: "Hello from capOS!\\n") = () <')
    lines = done.stderr.decode().splitlines()
    assert re.fullmatch(r'\+\+\+ process hello, id \d+', lines[0]), lines[0]
    assert '+++ holds stdio: StdIO' in lines, lines
    assert lines[-1] == '+++ exited with 0', lines[-1]
    for line in lines:
        assert line.startswith('+++ ') or re.search(r' = .* <[0-9.]+ (ns|us|ms|s)>$', line), line


def a_refused_call_shows_its_typed_error():
    done, lines = run_traced(REFUSED, '--trace=OUT')
    expect(done, 3, b'refused\n')
    found = [line for line in lines if 'VirtualMemory.reserve(lengthBytes: 0 bytes' in line]
    assert len(found) == 1 and ' = invalidArgument "lengthBytes' in found[0], lines


def a_server_shows_what_it_serves():
    done, lines = run_traced(SERVER, '--trace=OUT')
    expect(done, 0)
    served = [re.sub(r' <[^<]*>$', '', line) for line in lines if line.startswith('<- ')]
    assert served == ['<- 7: Echo.echo(data: "hello") = (data: "hello")',
                      '<- 7: Echo.echo(data: "") = failed "nothing to echo"',
                      '<- 7: released Echo'], lines
    done, lines = run_traced(SERVER, '--trace=OUT', '--trace-format', 'json')
    expect(done, 0)
    events = [json.loads(line) for line in lines]
    served = [event for event in events if event['event'] == 'serve']
    assert [event['word'] for event in served] == ['7', '7'], served
    assert bytes(served[0]['params']['data']) == b'hello', served
    assert served[1]['error'] == 'failed' and 'nothing' in served[1]['reason'], served


def calls_name_their_thread():
    done, lines = run_traced('examples/c/threads.c', '--grant', 'threads', '--trace=OUT')
    expect(done, 0)
    started = [line for line in lines if line.startswith('threads: ThreadSpawner.start(')]
    assert len(started) == 4, lines
    for number in range(2, 6): # each ends itself
        exits = [line for line in lines
                 if line.startswith(f'thread {number}: thread: ThreadControl.exit(')]
        assert len(exits) == 1, (number, lines)
    done, lines = run_traced('examples/c/threads.c', '--grant', 'threads', '--trace=OUT',
                             '--trace-format', 'json')
    expect(done, 0)
    calls = [event for event in map(json.loads, lines) if event['event'] == 'call']
    assert {event['thread'] for event in calls} == {1, 2, 3, 4, 5}, lines


def json_lines_parse_and_say_the_same():
    done, lines = run_traced(REFUSED, '--trace=OUT', '--trace-format', 'json')
    expect(done, 3)
    events = [json.loads(line) for line in lines]
    assert events[0]['event'] == 'process' and events[0]['name'] == 'program', events[0]
    assert events[-1] == {'event': 'exited', 'code': 3}, events[-1]
    refused = [event for event in events if 'error' in event]
    assert [event['error'] for event in refused] == ['invalidArgument'], refused
    assert refused[0]['params']['lengthBytes'] == '0', refused
    written = [event for event in events if event.get('method') == 'write']
    assert bytes(written[0]['params']['data']) == b'refused\n', written
    assert all(event['durationNs'] >= 0 for event in refused + written)


def audit_rows(lines):
    assert lines[0] == 'process\tid\tcapability\tmethod\tcalls\tfailed', lines[0]
    rows = [line.split('\t') for line in lines[1:-1]]
    return {(row[2], row[3]): (int(row[4]), int(row[5])) for row in rows}


def the_audit_counts_as_the_trace_does():
    with temporary_folder() as folder:
        audit = os.path.join(folder, 'audit')
        done, lines = run_traced(REFUSED, '--trace=OUT', '--audit', audit)
        expect(done, 3)
        with open(audit, encoding='utf-8') as file:
            rows = audit_rows(file.read().splitlines())
    counted = {}
    for line in lines:
        call = re.match(r'(\S+): (\w+\.\w+)\(.* = (\S+)', line)
        if call:
            calls, failed = counted.get(call.group(1, 2), (0, 0))
            refused = call[3] == 'invalidArgument'
            counted[call.group(1, 2)] = (calls + 1, failed + refused)
    assert {key: row for key, row in rows.items() if 'release' not in key[1]} == counted
    assert rows[('memory', 'VirtualMemory.reserve')] == (1, 1), rows


def a_program_that_is_faster_than_its_trace_is_not_held_up():
    with temporary_folder() as folder:
        trace = os.path.join(folder, 'trace')
        done, lines = run_traced(FAST, '--grant', 'timer', '--audit', 'OUT', '--trace=' + trace)
        expect(done, 0)
        with open(trace, encoding='utf-8') as file:
            told = file.read().splitlines()
    assert told[-1] == '+++ exited with 0' and not any('broken' in line for line in told)
    dropped = int(re.match(r'# (\d+) records were dropped', lines[-1])[1])
    calls = audit_rows(lines)[('timer', 'Timer.now')][0]
    # A dropped record may be of another call too, so only this much is sure.
    assert calls <= 200000 <= calls + dropped, (calls, dropped)


def a_machine_of_16_mib_is_enough():
    done, lines = run_traced('examples/c/hello.c', '--mem', '16', '--trace=OUT')
    expect(done, 0, b'Hello from capOS!\n')
    assert lines[-1] == '+++ exited with 0', lines


def wrong_trace_options_are_explained():
    expect(capos('run', '--trace-format', 'json', 'x.c'), 125, stderr='is for --trace')
    expect(capos('run', '--trace', '--trace-format', 'xml', 'x.c'), 125,
           stderr='--trace-format takes text or json, not xml')
    expect(capos('run', '--trace=/nowhere/x', 'examples/c/hello.c'), 125,
           stderr='/nowhere/x: No such file')
    expect(capos('run', '--trcae=x', 'x.c'), 125, stderr='did you mean --trace?')
    expect(capos('run', '--audit', '/nowhere/x', 'examples/c/hello.c'), 125,
           stderr='/nowhere/x: No such file')


def inspect(program, *options):
    done = capos('inspect', *options, program, timeout=TIMEOUT)
    expect(done, 0)
    lines = done.stdout.decode().splitlines()
    return dict(re.fullmatch(r'  (\S+) +(.*)', line).groups() for line in lines[1:])


def inspect_tells_what_a_program_can_ask_for_and_gets():
    hello = inspect('examples/c/hello.c')
    assert hello['StdIO'] == 'always, as stdio' and 'Timer' not in hello, hello
    clock = inspect('examples/c/clock.c')
    assert clock['Timer'] == 'with --grant timer', clock
    assert clock['VirtualMemory'] == 'always, as memory', clock
    assert 'Timer' in inspect('sleep'), 'a program of the image'


def inspect_agrees_with_what_a_program_holds():
    done, lines = run_traced('examples/c/hello.c', '--trace=OUT',
                             *[word for name in ('timer', 'entropy', 'console', 'spawner', 'boot')
                               for word in ('--grant', name)])
    expect(done, 0)
    held = dict(re.fullmatch(r'\+\+\+ holds (\w+): (\w+)', line).groups()
                for line in lines if line.startswith('+++ holds'))
    known = inspect('bench')
    for interface in ('Timer', 'EntropySource', 'Console', 'ProcessSpawner', 'BootPackage'):
        name = known[interface].removeprefix('with --grant ')
        assert held[name] == interface, (held, known)
    assert held['memory'] == 'VirtualMemory' and held['budget'] == 'MemoryBudget', held
    assert held['thread'] == 'ThreadControl' and held['park'] == 'ParkSpace', held


def inspect_explains_mistakes():
    expect(capos('inspect'), 2, stderr='which program?')
    expect(capos('inspect', 'slep'), 127, stderr='did you mean sleep?')
    expect(capos('inspect', '--sistem', 'x'), 2, stderr='did you mean --system?')
    expect(capos('inspect', '--system', 'defualt', 'x'), 125, stderr='did you mean default?')
    expect(capos('list', '--sistem', 'x'), 2, stderr='did you mean --system?')
    expect(capos('list', 'x'), 2, stderr='capos list takes no arguments')
    expect(capos('inspect', 'README.md'), 126, stderr='README.md: ')


if __name__ == '__main__':
    main([
        a_trace_shows_what_hello_writes,
        a_refused_call_shows_its_typed_error,
        a_server_shows_what_it_serves,
        calls_name_their_thread,
        json_lines_parse_and_say_the_same,
        the_audit_counts_as_the_trace_does,
        a_program_that_is_faster_than_its_trace_is_not_held_up,
        a_machine_of_16_mib_is_enough,
        wrong_trace_options_are_explained,
        inspect_tells_what_a_program_can_ask_for_and_gets,
        inspect_agrees_with_what_a_program_holds,
        inspect_explains_mistakes,
    ])
