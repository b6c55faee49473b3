# SPDX-License-Identifier: MIT
"""Debian's own kernel for clouds, from the machine's package sources, kept in the cache.

Nothing is installed and root isn't needed: apt downloads the package, and the kernel is taken
out of it.  Its version changes with each security update, and Debian doesn't keep old ones,
so it isn't pinned: whoever prints a figure prints the version.
"""

import io
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass

NAME = 'linux-image-cloud-amd64'    # depends on the package of the current version
TIMEOUT = 600


class Unavailable(Exception):
    """There is no kernel; the argument says why."""


@dataclass
class Kernel:
    path: pathlib.Path
    version: str


def cache_folder():
    base = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    return pathlib.Path(base, 'capos', 'linux')


def _apt(tool, *arguments, options=(), cwd=None):
    try:
        done = subprocess.run([tool, *options, *arguments], capture_output=True, text=True,
                              timeout=TIMEOUT, cwd=cwd, check=False)
    except FileNotFoundError:
        raise Unavailable(f'there is no {tool} on this machine') from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f'{tool} {arguments[0]} took more than {TIMEOUT} s') from None
    return done.stdout if done.returncode == 0 else ''


def parse_dependency(text):
    """(package, version) of the newest kernel in the output of `apt-cache show`."""
    match = re.search(r'^Depends: (linux-image-\S+) \(= ([^)]+)\)', text, re.M)
    return (match[1], match[2]) if match else None


def _candidate(options):
    return parse_dependency(_apt('apt-cache', 'show', '--no-all-versions', NAME,
                                 options=options))


def _private_lists(folder):
    """Lists of packages of our own, for a machine that has none; its sources are used."""
    lists, archives = folder / 'apt/lists', folder / 'apt/cache'
    for path in (lists / 'partial', archives / 'archives/partial'):
        path.mkdir(parents=True, exist_ok=True)
    return ('-o', f'Dir::State::Lists={lists}', '-o', f'Dir::Cache={archives}',
            '-o', 'APT::Sandbox::User=root')


def extract(package):
    """The kernel in a .deb."""
    done = subprocess.run(['dpkg-deb', '--fsys-tarfile', str(package)], capture_output=True,
                          timeout=TIMEOUT, check=False)
    if done.returncode == 0:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            for member in archive:
                if re.fullmatch(r'\./boot/vmlinuz-.*', member.name):
                    return archive.extractfile(member).read()
    raise Unavailable(f'{package.name} has no kernel in it')


def _download(folder, package, version, options):
    kernel = folder / f'{package}_{version}'
    if kernel.exists():
        return kernel
    with tempfile.TemporaryDirectory(dir=folder) as work:
        _apt('apt-get', 'download', f'{package}={version}', options=options, cwd=work)
        found = list(pathlib.Path(work).glob('*.deb'))
        if not found:
            return None
        data = extract(found[0])
    part = kernel.with_suffix('.part')
    part.write_bytes(data)
    part.rename(kernel)
    return kernel


def _kept(folder):
    """The kernel that was fetched last."""
    kernels = [path for path in folder.glob('linux-image-*_*') if path.suffix != '.part']
    return max(kernels, key=lambda path: path.stat().st_mtime, default=None)


def fetch(folder=None):
    """The current kernel; without a way to it the last one that was fetched."""
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _current(folder)
    except Unavailable:
        kernel = _kept(folder)
        if kernel is None:
            raise
        return Kernel(kernel, kernel.name.split('_', 1)[1])


def _current(folder):
    """By the machine's lists of packages, then by newer ones."""
    for options in ((), _private_lists(folder)):
        if options:
            _apt('apt-get', 'update', options=options)
        wanted = _candidate(options)
        kernel = wanted and _download(folder, *wanted, options)
        if kernel:
            return Kernel(kernel, wanted[1])
    raise Unavailable(f'the package sources of this machine have no {NAME}, or there is no way '
                      'to them')
