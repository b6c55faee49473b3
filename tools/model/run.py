#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Verifies the models beside the code, kernel/**/*.pml, with the model checker spin: `make model`.

Each model must hold in all of its states.  It names its mutations, MUTATE_X, and each of them
must break it: a model that doesn't notice a fault proves nothing.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAX_DEPTH = 1_000_000


def errors_of(model, mutation, folder):
    """How many errors the search finds, and what spin says of it."""
    define = [f'-D{mutation}'] if mutation else []
    compiler = os.environ.get('CC', 'clang-19')
    subprocess.run(['spin', *define, '-a', model], cwd=folder, check=True, capture_output=True)
    subprocess.run([compiler, '-O2', '-w', '-DSAFETY', '-o', 'pan', 'pan.c'], cwd=folder,
                   check=True)
    text = subprocess.run(['./pan', f'-m{MAX_DEPTH}'], cwd=folder, capture_output=True,
                          text=True).stdout
    found = re.search(r'errors: (\d+)', text)
    complete = 'max search depth too small' not in text and 'out of memory' not in text
    return (int(found[1]) if found and complete else -1), text


def verify(path):
    name = os.path.relpath(path, ROOT)
    with open(path) as file:
        mutations = sorted(set(re.findall(r'#ifn?def (MUTATE_\w+)', file.read())))
    failed = 0
    for mutation in [None, *mutations]:
        with tempfile.TemporaryDirectory() as folder:
            errors, text = errors_of(path, mutation, folder)
        good = errors > 0 if mutation else errors == 0
        what = f'{name} {mutation} is found' if mutation else f'{name} holds'
        print(f'ok {what}' if good else f'FAIL {what}: {errors} errors\n{text}', flush=True)
        failed += not good
    return failed


def main():
    if shutil.which('spin') is None:
        print('skip models: spin is missing (tools/install-deps.sh test)')
        return 0
    models = sorted(glob.glob(os.path.join(ROOT, 'kernel/**/*.pml'), recursive=True))
    return 1 if sum(verify(path) for path in models) else 0


if __name__ == '__main__':
    sys.exit(main())
