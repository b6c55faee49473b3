#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures how work scales with the number of CPUs.

    scaling.py [--cpus N]

Runs tests/system/scale.c with 1 and with N workers (2), and compares: what N CPUs do in the time
in which one does a part of it.  A scaling of N is perfect.  Wall times mean nothing on a host
whose cores do other things; so each row also shows the efficiency: the host CPU time that one
worker's work takes on one CPU, relative to what it takes as one of N.  The scaling can't be
better than N times that, and on an idle host it isn't much worse.
"""

import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CAPOS = ROOT / 'build' / 'host' / 'capos'
ROUNDS = 3
AMOUNTS = {'spin': 1_500_000_000, 'calls': 400_000}


def run(cpus, workers, kind):
    """Seconds by the guest's clock, and of host CPU time, of one run."""
    command = [str(CAPOS), 'run', '--system', 'test', '--cpus', str(cpus), '--mem', '64',
               'scale', str(workers), kind, str(AMOUNTS[kind])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = re.search(r'^took (\d+)$', done.stdout, re.M)
    if done.returncode != 0 or took is None:
        sys.exit(f'scaling: status {done.returncode}: {done.stdout}{done.stderr}')
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return int(took.group(1)) / 1e9, cpu_s


def best(cpus, workers, kind):
    runs = [run(cpus, workers, kind) for _ in range(ROUNDS)]
    return min(wall for wall, _ in runs), min(cpu for _, cpu in runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cpus', type=int, default=2, help='how many CPUs and workers')
    count = parser.parse_args().cpus
    load = os.getloadavg()[0]
    print(f'{os.cpu_count()} host CPUs, load {load:.1f}'
          f'{": wall times are of no use" if load > 0.5 else ""}')
    print(f'{"work":8} {"1 CPU":>9} {f"{count} CPUs":>9} {"scaling":>8} {"efficiency":>11}')
    for kind in AMOUNTS:
        one_wall, one_cpu = best(1, 1, kind)
        all_wall, all_cpu = best(count, count, kind)
        print(f'{kind:8} {one_wall:8.2f}s {all_wall:8.2f}s {count * one_wall / all_wall:7.2f}x '
              f'{count * one_cpu / all_cpu:10.0%}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
