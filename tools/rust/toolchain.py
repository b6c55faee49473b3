#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prepares the Rust toolchain of capOS: the compiler, and `core` and `alloc` for capOS.

    toolchain.py LINK       makes the toolchain, if it isn't there, and LINK a link to it

The packages of third_party/rust/pin.txt are fetched through apt with a state of its own and
unpacked: nothing is installed, root isn't needed, and no toolchain of the user's is touched.  The
toolchain lies in $XDG_CACHE_HOME/capos/rust, or ~/.cache/capos/rust, under the hash of what it is
made from.  It has bin/{rustc,cargo,rustdoc,rustfmt,clippy-driver} to run, and sysroot/.

If it can't be had, one line says why, and the status is 1.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PIN = os.path.join(ROOT, 'third_party', 'rust', 'pin.txt')
TARGET = 'x86_64-unknown-capos'
SPECIFICATION = os.path.join(ROOT, 'targets', TARGET + '.json')
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
TOOLS = ('rustc', 'cargo', 'rustdoc', 'rustfmt', 'clippy-driver')
HANG_SECONDS = 3600       # what takes longer hangs, also on a busy machine
LIBRARIES = 'usr/lib/x86_64-linux-gnu'
SOURCE = 'usr/lib/rustlib/src/rust'
WRAPPER = '''#!/bin/sh
# A custom target is unstable in every release of rustc; the variable admits it.
export RUSTC_BOOTSTRAP=1
export LD_LIBRARY_PATH="{folder}/{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
exec "{folder}/usr/bin/{tool}" "$@"
'''
MANIFEST = '''[package]
name = "libraries"
version = "0.0.0"
edition = "2024"
[profile.release]
opt-level = 2
panic = "abort"
'''


class Missing(Exception):
    """Why the toolchain can't be had."""


def key():
    total = hashlib.sha256()
    for path in (PIN, SPECIFICATION, __file__):
        with open(path, 'rb') as file:
            total.update(hashlib.sha256(file.read()).digest())
    return total.hexdigest()[:32]


def cache_folder():
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.join(base, 'capos', 'rust')


def run(command, what, **more):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=HANG_SECONDS, **more)
    except FileNotFoundError:
        raise Missing(f'there is no {command[0]} here') from None
    except subprocess.TimeoutExpired:
        raise Missing(f'{what} took over {HANG_SECONDS} s') from None
    if done.returncode != 0:
        text = (done.stderr + done.stdout).strip().splitlines() or ['no message']
        reasons = [line for line in text if line.startswith(('E:', 'error'))] or text[-1:]
        raise Missing(f'{what}: {reasons[0]}')
    return done.stdout


# ---- Packages ----------------------------------------------------------------------

def read_pin():
    """(suites, [(package, version)])."""
    suites, packages = [], []
    with open(PIN, encoding='utf-8') as pin:
        for words in map(str.split, pin):
            if words and words[0] == 'suites':
                suites = words[1:]
            elif words and words[0] == 'package':
                packages.append((words[1], words[2]))
    return suites, packages


def archives():
    """The addresses of the machine's own Debian archives."""
    listing = run(['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'],
                  'apt has no archives')
    return sorted(set(listing.split()))


def apt_options(state, suites):
    """Options that keep apt within a folder."""
    sources = os.path.join(state, 'sources.list')
    signed = f' [signed-by={KEYRING}]' if os.path.exists(KEYRING) else ''
    with open(sources, 'w', encoding='utf-8') as file:
        for address in archives():
            for suite in suites:
                if ('security' in address) == ('security' in suite):
                    file.write(f'deb{signed} {address} {suite} main\n')
    for folder in ('lists/partial', 'cache/archives/partial'):
        os.makedirs(os.path.join(state, folder))
    return ['-o', f'Dir::Etc::sourcelist={sources}', '-o', 'Dir::Etc::sourceparts=-',
            '-o', f'Dir::State::lists={state}/lists', '-o', f'Dir::Cache={state}/cache',
            '-o', 'APT::Sandbox::User=', '-o', 'Acquire::Languages=none',
            '-o', 'Acquire::Retries=3']


def fetch(state):
    """Downloads the packages; their paths."""
    suites, packages = read_pin()
    options = apt_options(state, suites)
    run(['apt-get', *options, 'update'], 'the package lists')
    names = [f'{name}={version}-*' for name, version in packages]
    run(['apt-get', *options, 'download', *names], 'the packages', cwd=state)
    return glob.glob(os.path.join(state, '*.deb'))


def unpack(packages, folder):
    """Of the source only the library, which is a tenth of it."""
    for package in packages:
        if not os.path.basename(package).startswith('rust-web-src'):
            run(['dpkg-deb', '-x', package, folder], 'unpacking')
            continue
        command = ('dpkg-deb --fsys-tarfile "$0" | '
                   'tar -x -C "$1" --wildcards "./usr/src/rustc-*/library"')
        run(['sh', '-c', command, package, folder], 'unpacking')
    source = glob.glob(os.path.join(folder, 'usr/src/rustc-*'))
    os.makedirs(os.path.dirname(os.path.join(folder, SOURCE)), exist_ok=True)
    os.rename(source[0], os.path.join(folder, SOURCE))


# ---- The libraries for capOS -------------------------------------------------------

def wrappers(folder, final):
    os.makedirs(os.path.join(folder, 'bin'), exist_ok=True)
    for tool in TOOLS:
        path = os.path.join(folder, 'bin', tool)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(WRAPPER.format(folder=final, libraries=LIBRARIES, tool=tool))
        os.chmod(path, 0o755)


def build_libraries(folder):
    """core, alloc and compiler_builtins for capOS, into sysroot/."""
    project = os.path.join(folder, 'libraries')
    os.makedirs(os.path.join(project, 'src'))
    os.makedirs(os.path.join(project, '.cargo'))
    source = os.path.join(folder, SOURCE)
    texts = {'Cargo.toml': MANIFEST, 'src/lib.rs': '#![no_std]\n',
             '.cargo/config.toml': '[source.crates-io]\nreplace-with = "vendored"\n'
                                   f'[source.vendored]\ndirectory = "{source}/library/vendor"\n'}
    for name, text in texts.items():
        with open(os.path.join(project, name), 'w', encoding='utf-8') as file:
            file.write(text)
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(('CARGO', 'RUST', 'MAKE'))}
    environment |= {'CARGO_HOME': os.path.join(project, 'home'),
                    'RUSTC': os.path.join(folder, 'bin/rustc'),
                    # For programs are optimised as a whole.
                    'RUSTFLAGS': f'-C embed-bitcode=yes --remap-path-prefix={source}=rust'}
    run([os.path.join(folder, 'bin/cargo'), 'build', '--release', '--offline',
         '-Zbuild-std=core,alloc', '-Zbuild-std-features=compiler-builtins-mem',
         '-Zjson-target-spec', '--target', SPECIFICATION],
        'building the libraries', cwd=project, env=environment)
    place = os.path.join(folder, 'sysroot/lib/rustlib', TARGET, 'lib')
    os.makedirs(place)
    for crate in ('core', 'alloc', 'compiler_builtins'):
        (library,) = glob.glob(os.path.join(project, 'target', TARGET, 'release/deps',
                                            f'lib{crate}-*.rlib'))
        shutil.copy(library, place)
    shutil.rmtree(project)


def make(final):
    """As a whole or not at all, whoever else makes it."""
    os.makedirs(os.path.dirname(final), exist_ok=True)
    folder = tempfile.mkdtemp(prefix='making-', dir=os.path.dirname(final))
    try:
        with tempfile.TemporaryDirectory(prefix='capos-apt-') as state:
            unpack(fetch(state), folder)
        wrappers(folder, folder)
        build_libraries(folder)
        wrappers(folder, final)
        os.chmod(folder, 0o755)
        os.rename(folder, final)
    except OSError:
        if not os.path.isdir(final):     # somebody else was first, perhaps
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    final = os.path.join(cache_folder(), key())
    try:
        if not os.path.isdir(final):
            make(final)
    except (Missing, OSError) as problem:
        sys.exit(f'no Rust toolchain: {problem}')
    link = sys.argv[1]
    os.makedirs(os.path.dirname(link) or '.', exist_ok=True)
    if os.path.islink(link):
        os.unlink(link)
    os.symlink(final, link)


if __name__ == '__main__':
    main()
