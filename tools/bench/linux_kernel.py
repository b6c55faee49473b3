# SPDX-License-Identifier: MIT
"""Debian's own kernels, from the machine's package sources, kept in the cache.

Nothing is installed and root isn't needed: apt downloads the package, and the kernel is taken
out of it, with the modules that are asked for.  Its version changes with each security update,
and Debian doesn't keep old ones, so it isn't pinned: whoever prints a figure prints the version.
"""

import io
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field

NAME = 'linux-image-cloud-amd64'    # depends on the package of the current version
NAME_9P = 'linux-image-amd64'       # the one for clouds has no 9p
TIMEOUT = 600


class Unavailable(Exception):
    """There is no kernel; the argument says why."""


@dataclass
class Kernel:
    path: pathlib.Path
    version: str
    modules: dict = field(default_factory=dict)     # name: path


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


def _candidate(name, options):
    return parse_dependency(_apt('apt-cache', 'show', '--no-all-versions', name,
                                 options=options))


def _private_lists(folder):
    """Lists of packages of our own, for a machine that has none; its sources are used."""
    lists, archives = folder / 'apt/lists', folder / 'apt/cache'
    for path in (lists / 'partial', archives / 'archives/partial'):
        path.mkdir(parents=True, exist_ok=True)
    return ('-o', f'Dir::State::Lists={lists}', '-o', f'Dir::Cache={archives}',
            '-o', 'APT::Sandbox::User=root')


def extract(package, modules=()):
    """The kernel in a .deb and those modules: {file name: bytes}."""
    wanted = re.compile(r'\./boot/(vmlinuz)-.*|\./lib/modules/.*/(%s)\.ko'
                        % '|'.join(map(re.escape, modules)))
    found = {}
    done = subprocess.run(['dpkg-deb', '--fsys-tarfile', str(package)], capture_output=True,
                          timeout=TIMEOUT, check=False)
    if done.returncode == 0:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            for member in archive:
                match = wanted.fullmatch(member.name)
                if match:
                    found[match[1] or match[2]] = archive.extractfile(member).read()
    missing = {'vmlinuz', *modules} - set(found)
    if missing:
        raise Unavailable(f'{package.name} has no {" and no ".join(sorted(missing))} in it')
    return found


def _paths(folder, package, version, modules):
    """Where the files of a package are kept: the kernel last, so that it isn't there alone."""
    base = folder / f'{package}_{version}'
    return {**{name: base.with_name(f'{base.name}.{name}.ko') for name in modules},
            'vmlinuz': base}


def _kernel(folder, package, version, modules):
    """What is kept; None if something is missing."""
    paths = _paths(folder, package, version, modules)
    if not all(path.exists() for path in paths.values()):
        return None
    return Kernel(paths.pop('vmlinuz'), version, paths)


def _download(folder, package, version, modules, options):
    if _kernel(folder, package, version, modules) is None:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            _apt('apt-get', 'download', f'{package}={version}', options=options, cwd=work)
            found = list(pathlib.Path(work).glob('*.deb'))
            if not found:
                return None
            files = extract(found[0], modules)
        for name, path in _paths(folder, package, version, modules).items():
            part = path.with_name(path.name + '.part')
            part.write_bytes(files[name])
            part.rename(path)
    return _kernel(folder, package, version, modules)


def _kept(folder, name, modules):
    """The kernel that was fetched last."""
    names = re.compile(r'(linux-image-\d[^_]*)_(?!.*\.(?:ko|part)$)(.*)')
    matches = filter(None, (names.fullmatch(path.name) for path in
                            sorted(folder.glob('linux-image-*_*'), reverse=True,
                                   key=lambda path: path.stat().st_mtime)))
    matches = (match for match in matches if ('cloud' in match[1]) == ('cloud' in name))
    kernels = (_kernel(folder, match[1], match[2], modules) for match in matches)
    return next(filter(None, kernels), None)


def fetch(folder=None, name=NAME, modules=()):
    """The current kernel; without a way to it the last one that was fetched."""
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _current(folder, name, modules)
    except Unavailable:
        kernel = _kept(folder, name, modules)
        if kernel is None:
            raise
        return kernel


def _current(folder, name, modules):
    """By the machine's lists of packages, then by newer ones."""
    for options in ((), _private_lists(folder)):
        if options:
            _apt('apt-get', 'update', options=options)
        wanted = _candidate(name, options)
        kernel = wanted and _download(folder, *wanted, modules, options)
        if kernel:
            return kernel
    raise Unavailable(f'the package sources of this machine have no {name}, or there is no way '
                      'to them')
