# SPDX-License-Identifier: MIT
"""Writes an archive that Linux unpacks as its first file system: the same bytes for the same
files, without root and without devices on the machine that builds.

Format: cpio "newc", Linux's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat

TRAILER = 'TRAILER!!!'


def _padded(data):
    return data + bytes(-len(data) % 4)


def _entry(inode, name, mode=0, data=b'', device=(0, 0)):
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    header = '070701' + ''.join(f'{field:08X}' for field in fields) + name + '\0'
    return _padded(header.encode()) + _padded(data)


def archive(files, devices):
    """`files` is {name: bytes}, all of them executable; `devices` {name: (major, minor)} of
    character devices.  Folders are made from the names."""
    entries = {name: (stat.S_IFREG | 0o755, data, (0, 0)) for name, data in files.items()}
    entries |= {name: (stat.S_IFCHR | 0o600, b'', device) for name, device in devices.items()}
    folders = {name.rsplit('/', 1)[0] for name in entries if '/' in name}
    entries |= {name: (stat.S_IFDIR | 0o755, b'', (0, 0)) for name in folders}
    parts = [_entry(inode, name, *entries[name]) for inode, name in enumerate(sorted(entries), 1)]
    return b''.join(parts) + _entry(0, TRAILER)
