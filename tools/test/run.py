#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs all tests of capOS: `make test`.

    run.py [--only TEXT] [--fuzz-seconds N] [--soak SECONDS] [--jobs N] [--list]

A job is one command.  Its lines `ok NAME`, `FAIL NAME ...` and `skip NAME ...` count as
one test each; a job without such lines is one test itself, passed if its status is 0.
--soak runs the hostile tests instead, each for so long, with chances of its own each time.
What failed is shown with its output.  The last line is `N passed, N failed`, and
`, N skipped` if any were.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import secrets
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
NO_ENGINE = 'build/third_party/sqlite/problem'   # why volumes can't be built here
POWER_TEST = 'build/host/tests/volume/volume_power_test'
SOAK_POWER_CUTS = 1000


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


def is_canary(path):
    return os.path.basename(path).startswith('canary')


def fuzz_job(path, seconds, seed=1, corpus=None):
    """`corpus` is a folder that goes on from run to run.  Without one the same inputs come
    in each run: what the code compares, addresses among it, doesn't lead to new ones."""
    name = os.path.basename(path)
    limit = CANARY_SECONDS if is_canary(path) else seconds
    command = [path, f'-max_total_time={limit}', f'-seed={seed}', '-close_fd_mask=1',
               '-artifact_prefix=build/fuzz/', '-verbosity=0']
    if corpus is not None:
        os.makedirs(corpus, exist_ok=True)
        command += ['-max_len=4096', corpus]
    elif not is_canary(path):
        command.append('-use_cmp=0')
    return Job(f'fuzz/{name}', command, timeout=limit + HANG_SECONDS, must_fail=is_canary(path))


def booted_job(name, *options, tests=(), seconds=0):
    limit = seconds + HANG_SECONDS
    return Job(name, ['build/host/capos', 'run', '--system', 'test', '--timeout',
                      str(limit - 20), '--mem', '128', *options, 'testd', *tests],
               timeout=limit, lines=True)


def sweep_job():
    return booted_job('sweep', '--qemu=-icount', '--qemu=shift=0,sleep=off', '--env',
                      'SWEEP_COUNTED=1', tests=['sweep'])


def find(pattern):
    return sorted(glob.glob(pattern, recursive=True))


def all_jobs(fuzz_seconds):
    """Long ones first, so that the end isn't one core waiting for them."""
    jobs = []
    if os.path.exists('build/system/test.package'):
        testd = ['build/host/capos', 'run', '--system', 'test', '--timeout',
                 str(HANG_SECONDS - 20), '--mem', '128']
        jobs.append(Job('booted', [*testd, 'testd'], lines=True))
        jobs.append(Job('booted on 2 CPUs', [*testd, '--cpus', '2', 'testd'], lines=True))
        jobs.append(Job('booted on 4 CPUs: storm', [*testd, '--cpus', '4', 'testd', 'storm'],
                        lines=True))
    jobs += [python_job(path) for path in find('tests/cli/*_test.py')]
    jobs.append(Job('figures', [sys.executable, '-B', 'tools/bench/bench.py', '--check']))
    jobs += [python_job(path) for path in find('tests/*/test_*.py')
             if path != WIRE_TEST]
    jobs.append(Job('tests/wire', [sys.executable, '-B', WIRE_TEST, 'build/host/wire_driver'],
                    lines=True))
    jobs += [fuzz_job(path, fuzz_seconds) for path in find('build/fuzz/bin/*')]
    jobs += [python_job(path, timeout=900) for path in find('tools/check-*.py')]
    jobs += [Job(path.removesuffix('.sh'), ['sh', path]) for path in find('tools/check-*.sh')]
    jobs += volume_jobs()
    jobs.append(sweep_job())
    jobs.append(Job('model', [sys.executable, '-B', 'tools/model/run.py'], lines=True))
    jobs += [Job(path.removeprefix('build/host/tests/'), [path])
             for path in find('build/host/tests/**/*_test') if os.path.isfile(path)]
    return [job for job in jobs if is_current(job)]


def volume_jobs():
    """Why the tests of volumes weren't built, if they weren't."""
    if not os.path.exists(NO_ENGINE):
        return []
    with open(NO_ENGINE, encoding='utf-8') as file:
        return [Job('volume', ['echo', f'skip volume {file.read().strip()}'], lines=True)]


def power_job(cuts, seed):
    return Job(f'{cuts} power cuts, seed {seed}', [POWER_TEST, str(cuts), str(seed)], lines=True)


def storm_job(seconds, seed, cpus):
    options = ['--env', f'STORM_SECONDS={seconds}', '--env', f'STORM_SEED={seed}',
               '--env', f'HANG_SECONDS={seconds + HANG_SECONDS}']
    if cpus > 1:
        options += ['--cpus', str(cpus)]
    return booted_job(f'storm on {cpus} CPUs, seed {seed}', *options, tests=['storm'],
                      seconds=seconds)


def soak_jobs(seconds):
    """The hostile tests, for long.  A failure names its seed, or the file with the input."""
    seed = secrets.randbelow(1 << 31)
    with open('tools/capos/run_options.c', encoding='utf-8') as file:
        cpu_counts = (1, 2, 4) if '"--cpus"' in file.read() else (1,)
    jobs = [storm_job(seconds, seed, cpus) for cpus in cpu_counts] + [sweep_job()]
    if os.path.exists(POWER_TEST):
        jobs.append(power_job(SOAK_POWER_CUTS, seed))
    return jobs + [fuzz_job(path, seconds, seed, f'build/fuzz/corpus/{os.path.basename(path)}')
                   for path in find('build/fuzz/bin/*') if not is_canary(path)]


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
    parser.add_argument('--soak', type=int, metavar='SECONDS', help='hostile tests, so long each')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='at once')
    parser.add_argument('--list', action='store_true', help='only name the jobs')
    arguments = parser.parse_args()
    os.chdir(ROOT)
    jobs = soak_jobs(arguments.soak) if arguments.soak else all_jobs(arguments.fuzz_seconds)
    jobs = [job for job in jobs if arguments.only in job.name]
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
