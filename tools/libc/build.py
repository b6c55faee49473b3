#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the C library: musl, over the boundary to posix/.

    build.py OUT        headers and libraries, into OUT/usr

Its source is the pinned tarball (third_party/musl) with the files of third_party/musl/overlay, which
replace or add to musl's own.  The result is checked, no file of it enters a kernel by itself, and
kept in $XDG_CACHE_HOME/capos/libc under the hash of all that it is made from: whoever has built
it once gets it in a moment.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools', 'fetch'))
import fetch    # noqa: E402

HERE = os.path.join(ROOT, 'third_party', 'musl')
OVERLAY = os.path.join(HERE, 'overlay')
CALLS = os.path.join(ROOT, 'tools', 'libc', 'calls.py')
TARGET = 'x86_64-linux-musl'
# Frame pointers are for the traces of faults, sections for what a program doesn't use.
FLAGS = ('-O2 -g0 -fPIC -march=x86-64-v2 -fno-omit-frame-pointer -ffunction-sections '
         '-fdata-sections')
KEPT_MAX = 4    # results in the cache


class Failed(Exception):
    """What went wrong, in a line or with the output of a tool."""


def tools():
    return {'CC': os.environ.get('CC', 'clang-19'), 'AR': os.environ.get('AR', 'llvm-ar-19'),
            'RANLIB': 'true', 'NM': os.environ.get('NM', 'llvm-nm-19'),
            'OBJDUMP': 'llvm-objdump-19'}


def run(*command, cwd=None):
    # Our own make's flags are not for musl's.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL')}
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, env=environment)
    if done.returncode != 0:
        raise Failed(f'{" ".join(command)}: status {done.returncode}\n'
                     f'{(done.stdout + done.stderr)[-4000:]}')
    return done.stdout


def overlay_files():
    for where, _, files in sorted(os.walk(OVERLAY)):
        for name in sorted(files):
            path = os.path.join(where, name)
            yield os.path.relpath(path, OVERLAY), path


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def key(header):
    """The name of the result: a hash of all that it depends on."""
    parts = [FLAGS, run(tools()['CC'], '--version'), header]
    parts += [read(os.path.join(HERE, 'pin.txt')).decode(), read(__file__).decode()]
    for name, path in overlay_files():
        parts += [name, read(path).decode()]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f'{len(part)}:{part}'.encode())
    return digest.hexdigest()[:32]


def unpack(folder):
    """The source with our files in it."""
    fetch.provide('musl')
    _, _, files = fetch.read_pin('musl')
    tarball = os.path.join(ROOT, 'build', 'third_party', 'musl', files[0][0])
    with tarfile.open(tarball) as archive:
        archive.extractall(folder)  # its hash is right
    source = os.path.join(folder, os.listdir(folder)[0])
    for name, path in overlay_files():
        if name != 'removed.txt':
            shutil.copyfile(path, os.path.join(source, name))
    with open(os.path.join(OVERLAY, 'removed.txt'), encoding='utf-8') as file:
        for line in file:
            if line.strip() and not line.startswith('#'):
                os.remove(os.path.join(source, line.strip()))
    return source


def compile_musl(source, header, out):
    with open(os.path.join(source, 'arch', 'x86_64', 'capos_calls.h'), 'w',
              encoding='utf-8') as file:
        file.write(header)
    tool = tools()
    # Else it says where it was built.
    flags = f'{FLAGS} -ffile-prefix-map={source}=musl'
    run('./configure', f'--target={TARGET}', '--prefix=/usr', '--disable-shared',
        '--disable-wrapper', f'CC={tool["CC"]} --target={TARGET}', f'CFLAGS={flags}',
        f'AR={tool["AR"]}', f'RANLIB={tool["RANLIB"]}', cwd=source)
    run('make', f'-j{os.cpu_count()}', cwd=source)
    run('make', f'DESTDIR={out}', 'install', cwd=source)
    shutil.copyfile(os.path.join(source, 'COPYRIGHT'), os.path.join(out, 'usr', 'lib',
                                                                    'COPYRIGHT.musl'))
    for name in ('crt1.o', 'Scrt1.o', 'rcrt1.o'):   # a program starts in posix/
        os.remove(os.path.join(out, 'usr', 'lib', name))


def check(out):
    """No instruction that enters a kernel, and nothing undefined but what posix/ has."""
    library = os.path.join(out, 'usr', 'lib', 'libc.a')
    text = run(tools()['OBJDUMP'], '--disassemble', '--no-show-raw-insn', library)
    entering = re.findall(r'^.*\t(?:syscall|sysenter|int\t\$0x80)\b.*$', text, re.M)
    if entering:
        raise Failed(f'libc.a enters a kernel by itself: {entering[0]} '
                     f'(and {len(entering) - 1} more)')


def pack(out):
    """The same bytes from the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as archive:
        for where, folders, files in os.walk(out):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(where, name)
                member = tarfile.TarInfo(os.path.relpath(path, out))
                data = read(path)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def cache_folder():
    return os.path.join(os.path.dirname(fetch.cache_folder()), 'libc')


def keep(path, data):
    try:
        fetch.write(path, data)
        kept = [os.path.join(cache_folder(), name) for name in os.listdir(cache_folder())]
        for old in sorted(kept, key=os.path.getmtime)[:-KEPT_MAX]:
            os.remove(old)
    except OSError:
        pass    # without a cache it is built again next time


def build(header):
    with tempfile.TemporaryDirectory(prefix='capos-libc-') as folder:
        source = unpack(os.path.join(folder))
        out = os.path.join(folder, 'out')
        compile_musl(source, header, out)
        check(out)
        return pack(out)


def install(data, out):
    """Files that are right stay as they are, for what was built from them."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path, new = os.path.join(out, member.name), archive.extractfile(member).read()
            if not os.path.exists(path) or read(path) != new:
                fetch.write(path, new)
                os.chmod(path, 0o644)


def main():
    out = os.path.abspath(sys.argv[1])
    try:
        with tempfile.TemporaryDirectory(prefix='capos-libc-') as folder:
            path = os.path.join(folder, 'calls.h')
            run(sys.executable, '-B', CALLS, 'musl', path)
            header = read(path).decode()
        kept = os.path.join(cache_folder(), key(header) + '.tar')
        if os.path.exists(kept):
            data = read(kept)
            os.utime(kept)
        else:
            data = build(header)
            keep(kept, data)
        install(data, out)
    except (Failed, fetch.Missing, OSError, tarfile.TarError) as problem:
        print(f'the C library cannot be built: {problem}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
