# SPDX-License-Identifier: MIT
"""Tarballs of Debian's source packages, by hash.

A revision of a package disappears when the next one comes, the makers' tarball lives on in it: so
it is asked for by its hash, and apt tells which revision of which suite has it.  apt works in a
folder of its own and with the mirrors that the machine's own configuration names; nothing of the
machine is changed and root isn't needed.  Its lists aren't checked by a key, the tarball is by its
hash.
"""

import os
import re
import subprocess
import time

from missing import Missing

SUITES = ('forky', 'sid', 'trixie', 'bookworm')     # where a new tarball is most likely first
SECONDS = 300           # for everything
ANSWER_SECONDS = 30     # for a mirror to say anything


def run(deadline, tool, *arguments, options=(), cwd=None):
    """What a tool prints, or nothing if it fails."""
    try:
        done = subprocess.run([tool, *options, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, cwd=cwd, check=False,
                              timeout=max(deadline - time.monotonic(), 1))
    except FileNotFoundError:
        raise Missing(f'there is no {tool} here, which fetches it on Debian') from None
    except subprocess.TimeoutExpired:
        raise Missing(f'apt did not get it within {SECONDS} s') from None
    return done.stdout if done.returncode == 0 else ''


def mirrors(deadline):
    """The addresses of the machine's package sources that may be a mirror of Debian."""
    text = run(deadline, 'apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages')
    found = [uri.rstrip('/') for uri in dict.fromkeys(text.split())]
    return [uri for uri in found if uri.endswith('/debian')]


def private_options(folder, mirror, suite):
    for path in ('lists/partial', 'cache/archives/partial'):
        os.makedirs(os.path.join(folder, suite, path), exist_ok=True)
    place = os.path.join(folder, suite)
    sources = os.path.join(place, 'sources.list')
    with open(sources, 'w', encoding='utf-8') as file:
        file.write(f'deb-src [trusted=yes] {mirror} {suite} main\n')
    return ('-o', f'Dir::Etc::sourcelist={sources}', '-o', 'Dir::Etc::sourceparts=-',
            '-o', f'Dir::State::Lists={place}/lists', '-o', f'Dir::Cache={place}/cache',
            '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Languages=none',
            '-o', 'APT::Update::Error-Mode=any', '-o', 'Acquire::Retries=1',
            '-o', f'Acquire::http::Timeout={ANSWER_SECONDS}')


def revisions(text, file, digest):
    """The revisions in the output of `apt-cache showsrc` that have the file."""
    found = []
    for paragraph in text.split('\n\n'):
        version = re.search(r'^Version: (\S+)', paragraph, re.M)
        if version and re.search(rf'^ {digest} \d+ {re.escape(file)}$', paragraph, re.M):
            found.append(version[1])
    return found


def fetch(package, file, digest, folder):
    """The path of the tarball, in the folder."""
    deadline = time.monotonic() + SECONDS
    for mirror in mirrors(deadline):
        for suite in SUITES:
            options = private_options(folder, mirror, suite)
            run(deadline, 'apt-get', 'update', options=options)
            listed = run(deadline, 'apt-cache', 'showsrc', package, options=options)
            for revision in revisions(listed, file, digest):
                # Not every revision that is listed is served.
                run(deadline, 'apt-get', 'source', '--tar-only', '--download-only',
                    f'{package}={revision}', options=options, cwd=folder)
                path = os.path.join(folder, file)
                if os.path.exists(path):
                    return path
    raise Missing(f'no source package that apt can reach here has {file}')
