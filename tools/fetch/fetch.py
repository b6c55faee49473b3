#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Brings the source of software that others wrote, by pin and hash.

    fetch.py NAME       the files of third_party/NAME/pin.txt into build/third_party/NAME

A pin names an npm package with the files to take out of it, or the tarball of a Debian source
package (tools/fetch/debian.py).  What was fetched once is kept in $XDG_CACHE_HOME/capos/sources, or
~/.cache/capos/sources.  If it can't be had, one line says what is missing and why, and the status
is 1.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile

import debian
from missing import Missing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NPM_SECONDS = 120


def read_pin(name):
    """(what fetches it, the package, [(path in it, SHA-256)])."""
    how, package, files = None, None, []
    with open(os.path.join(ROOT, 'third_party', name, 'pin.txt'), encoding='utf-8') as pin:
        for words in map(str.split, pin):
            if words and words[0] == 'npm':
                how, package = from_npm, words[1]
            elif words and words[0] == 'debian':
                how, package = from_debian, words[1]
                files.append((words[2], words[3]))
            elif words and words[0] == 'file':
                files.append((words[1], words[2]))
    return how, package, files


def cache_folder():
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.join(base, 'capos', 'sources')


def is_right(path, digest):
    try:
        with open(path, 'rb') as file:
            return hashlib.sha256(file.read()).hexdigest() == digest
    except OSError:
        return False


def write(path, data):
    """As a whole or not at all, whoever else writes it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(descriptor, 'wb') as file:
        file.write(data)
    os.replace(temporary, path)


def npm_pack(package, folder):
    command = ['npm', 'pack', package, '--ignore-scripts', '--silent']
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True, timeout=NPM_SECONDS)
    except FileNotFoundError:
        raise Missing('there is no npm here: install the package npm') from None
    except subprocess.TimeoutExpired:
        raise Missing(f'npm did not answer within {NPM_SECONDS} s') from None
    packed = [name for name in os.listdir(folder) if name.endswith('.tgz')]
    if done.returncode != 0 or not packed:
        raise Missing((done.stderr.strip().splitlines() or ['npm failed'])[0])
    return os.path.join(folder, packed[0])


def from_npm(package, files, folder):
    with tarfile.open(npm_pack(package, folder)) as archive:
        return {path: archive.extractfile(path).read() for path, _ in files}


def from_debian(package, files, folder):
    found = {}
    for name, digest in files:
        with open(debian.fetch(package, name, digest, folder), 'rb') as file:
            found[name] = file.read()
    return found


def fetch(how, package, files):
    """Returns {file name: bytes}."""
    with tempfile.TemporaryDirectory(prefix='capos-fetch-') as folder:
        found = how(package, files, folder)
    for path, digest in files:
        if hashlib.sha256(found[path]).hexdigest() != digest:
            raise Missing(f'{path} of {package} is not the file that is pinned')
    return {os.path.basename(path): data for path, data in found.items()}


def provide(name):
    how, package, files = read_pin(name)
    target = os.path.join(ROOT, 'build', 'third_party', name)
    cache = os.path.join(cache_folder(), package)
    wanted = [(os.path.basename(path), digest) for path, digest in files]
    if all(is_right(os.path.join(target, file), digest) for file, digest in wanted):
        return
    if all(is_right(os.path.join(cache, file), digest) for file, digest in wanted):
        for file, _ in wanted:
            with open(os.path.join(cache, file), 'rb') as source:
                write(os.path.join(target, file), source.read())
        return
    for file, data in fetch(how, package, files).items():
        write(os.path.join(target, file), data)
        try:
            write(os.path.join(cache, file), data)
        except OSError:
            pass    # without a cache it is fetched again next time


def main():
    name = sys.argv[1]
    try:
        provide(name)
    except (Missing, OSError, tarfile.TarError, KeyError) as problem:
        print(f'the source of {name} (third_party/{name}/pin.txt) cannot be fetched: {problem}',
              file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
