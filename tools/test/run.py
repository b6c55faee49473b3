#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs all tests of capOS: `make test`.

    run.py [--only TEXT] [--fuzz-seconds N] [--jobs N] [--list]

A job is one command.  Its lines `ok NAME`, `FAIL NAME ...` and `skip NAME ...` count as
one test each; a job without such lines is one test itself, passed if its status is 0.
What failed is shown with its output.  The last line is `N passed, N failed`, and
`, N skipped` if any were.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HANG_SECONDS = 900      # what takes longer hangs: far above what anything takes
CANARY_SECONDS = 240
CANARY_FOUND = 'SUMMARY: '  # what a fuzzer and a sanitizer end with
NO_LEAK_CHECK = 'LeakSanitizer has encountered a fatal error'
WIRE_TEST = 'tests/wire/test_wire.py'   # takes its C side as an argument


@dataclass
class Job:
    name: str
    command: list
    timeout: float = HANG_SECONDS
    must_fail: bool = False         # a canary: passing means that nothing is tested
    lines: bool = False             # no ok, FAIL or skip line at all is a failure
    environment: dict = field(default_factory=dict)


@dataclass
class Result:
    job: Job
    passed: list
    failed: list
    skipped: list
    output: str
    seconds: float


def python_job(path, **more):
    name = path.removesuffix('.py')
    unittest = ['-v'] if os.path.basename(path).startswith('test_') else []
    return Job(name, [sys.executable, '-B', path, *unittest], **more)


def fuzz_job(path, seconds):
    name = os.path.basename(path)
    is_canary = name.startswith('canary')
    limit = CANARY_SECONDS if is_canary else seconds
    corpus = f'tests/fuzz/corpus/{name}'
    command = [path, f'-max_total_time={limit}', '-seed=1', '-close_fd_mask=1',
               '-artifact_prefix=build/fuzz/', '-verbosity=0']
    if os.path.isdir(corpus):
        command += [f'build/fuzz/corpus/{name}', corpus]
        os.makedirs(f'build/fuzz/corpus/{name}', exist_ok=True)
    return Job(f'fuzz/{name}', command, timeout=limit + HANG_SECONDS, must_fail=is_canary)


def find(pattern):
    return sorted(glob.glob(pattern, recursive=True))


def all_jobs(fuzz_seconds):
    """Long ones first, so that the end isn't one core waiting for them."""
    jobs = []
    if os.path.exists('build/system/test.package'):
        jobs.append(Job('booted', ['build/host/capos', 'run', '--system', 'test', '--timeout',
                                   str(HANG_SECONDS - 20), '--mem', '128', 'testd'], lines=True))
    jobs += [python_job(path) for path in find('tests/cli/*_test.py')]
    jobs.append(Job('figures', [sys.executable, '-B', 'tools/bench/bench.py', '--check',
                                '--exact']))
    jobs += [python_job(path) for path in find('tests/*/test_*.py')
             if path != WIRE_TEST]
    jobs.append(Job('tests/wire', [sys.executable, '-B', WIRE_TEST, 'build/host/wire_driver'],
                    lines=True))
    jobs += [fuzz_job(path, fuzz_seconds) for path in find('build/fuzz/bin/*')]
    jobs += [python_job(path, timeout=900) for path in find('tools/check-*.py')]
    jobs += [Job(path.removesuffix('.sh'), ['sh', path]) for path in find('tools/check-*.sh')]
    jobs += [Job(path.removeprefix('build/host/tests/'), [path])
             for path in find('build/host/tests/**/*_test') if os.path.isfile(path)]
    return [job for job in jobs if is_current(job)]


def is_current(job):
    """Leaves out test programs whose source is gone since they were built."""
    program = job.command[0]
    if not program.startswith('build/host/tests/'):
        return True
    return os.path.exists(program.removeprefix('build/host/tests/') + '.c')


# What Python's unittest prints with -v: `test_x (module.Class.test_x) ... ok`.
UNITTEST = re.compile(r"^(\w+) \([\w.]+\)(?:\n.*)? \.\.\. (ok|FAIL|ERROR|skipped.*)$", re.M)


def parse(job, output):
    passed = re.findall(r'^ok (.+)', output, re.M)
    failed = re.findall(r'^FAIL (.+)', output, re.M)
    skipped = re.findall(r'^skip (.+)', output, re.M)
    if '-v' in job.command:
        for name, verdict in UNITTEST.findall(output):
            which = passed if verdict == 'ok' else \
                skipped if verdict.startswith('skipped') else failed
            which.append(name)
    return passed, list(dict.fromkeys(failed)), skipped


running = set()


def end(process):
    """Ends a job with what it started, which holds its pipe."""
    os.killpg(process.pid, signal.SIGKILL)


def run(job):
    result = run_once(job, 'detect_leaks=1')
    if NO_LEAK_CHECK in result.output:      # a container that forbids ptrace
        result = run_once(job, 'detect_leaks=0')
    return result


def run_once(job, sanitizer_options):
    begin = time.monotonic()
    environment = {**os.environ, 'ASAN_OPTIONS': sanitizer_options, **job.environment}
    process = subprocess.Popen(job.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=environment,
                               start_new_session=True)
    running.add(process)
    try:
        output = process.communicate(timeout=job.timeout)[0].decode(errors='replace')
        status = process.returncode
    except subprocess.TimeoutExpired:
        end(process)
        output = process.communicate()[0].decode(errors='replace')
        output += f'\nended after {job.timeout:g} s\n'
        status = -1
    finally:
        running.discard(process)
    passed, failed, skipped = parse(job, output)
    if job.must_fail:
        # By a finding, not because it couldn't start.
        found = status not in (0, -1) and CANARY_FOUND in output
        passed, failed, skipped = ([job.name], [], []) if found else \
            ([], [f'{job.name}: it did not find the planted bug'], [])
    elif status != 0 and not failed:
        failed.append(f'{job.name}: status {status}')
    elif status == 0 and not passed + failed + skipped:
        if job.lines:
            failed.append(f'{job.name}: it reported no test')
        else:
            passed.append(job.name)
    return Result(job, passed, failed, skipped, output, time.monotonic() - begin)


def report(result):
    mark = 'FAIL' if result.failed else 'ok'
    counts = f'{len(result.passed)}'
    if result.failed:
        counts += f', {len(result.failed)} failed'
    if result.skipped:
        counts += f', {len(result.skipped)} skipped'
    print(f'{mark:4} {result.job.name} ({counts}; {result.seconds:.1f} s)', flush=True)
    for line in result.skipped:
        print(f'     skip {line}')
    if result.failed:
        text = result.output if len(result.output) < 20000 else '...' + result.output[-20000:]
        for line in text.splitlines():
            if not line.startswith('ok '):
                print(f'     | {line}', flush=True)


def main():
    parser = argparse.ArgumentParser(description='Runs the tests of capOS.')
    parser.add_argument('--only', default='', help='jobs whose name contains this')
    parser.add_argument('--fuzz-seconds', type=int, default=4, help='per fuzz target')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='at once')
    parser.add_argument('--list', action='store_true', help='only name the jobs')
    arguments = parser.parse_args()
    os.chdir(ROOT)
    jobs = [job for job in all_jobs(arguments.fuzz_seconds) if arguments.only in job.name]
    if arguments.list:
        print('\n'.join(job.name for job in jobs))
        return 0
    passed, failed, skipped = 0, [], 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                result = future.result()
                report(result)
                passed += len(result.passed)
                failed += result.failed
                skipped += len(result.skipped)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                end(process)
            return 130
    for name in failed:
        print(f'failed: {name}')
    print(f'{passed} passed, {len(failed)} failed' + (f', {skipped} skipped' if skipped else ''))
    return 1 if failed or passed == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
