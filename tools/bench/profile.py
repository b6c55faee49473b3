#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows where the instructions of the operations of the benchmark go.

    profile.py OPERATION... [--listing [FUNCTION]]

Runs the benchmark as bench.py does and prints, for the last batch of each OPERATION (a region of
programs/bench), how many instructions of one operation each function took; with --listing also
each instruction, of all functions or of one.  The kernel's image and the programs are moved by multiples of a page, so code is
recognised by its bytes and its place in a page.
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys

import guest

OBJDUMP = os.environ.get('OBJDUMP', 'llvm-objdump-19')
PAGE = 4096
# What runs in the benchmark.
IMAGES = [guest.ROOT / 'build/kernel/kernel.elf'] + [
    guest.ROOT / 'build/user/bin' / name for name in ('bench', 'ring_ping', 'echo_server')]


class Image:
    """The instructions of a program: by page, what lies at each offset."""

    def __init__(self, path):
        self.name = path.name.replace('.elf', '')
        self.pages = collections.defaultdict(dict)
        text = subprocess.run([OBJDUMP, '-d', str(path)], capture_output=True, text=True,
                              check=True).stdout
        function = None
        for line in text.splitlines():
            if match := re.match(r'[0-9a-f]+ <(.+)>:$', line):
                function = match.group(1)
            elif match := re.match(r'\s*([0-9a-f]+): ([0-9a-f ]+)\t(.*)', line):
                address = int(match.group(1), 16)
                self.pages[address // PAGE][address % PAGE] = (
                    match.group(2).replace(' ', ''), address, function, match.group(3))

    def page_of(self, found):
        """The page that has these bytes at these offsets."""
        for page in self.pages.values():
            if all(offset in page and same_code(page[offset][0], code)
                   for offset, code in found.items()):
                return page
        return None


def same_code(linked, loaded):
    """The loader changes absolute addresses, at the end of an instruction or before a byte."""
    if linked == loaded:
        return True
    return len(linked) == len(loaded) >= 10 and linked[:4] == loaded[:4]


def instructions(lines, images):
    """(count, image name, address, function, text) of each instruction that ran."""
    pages = collections.defaultdict(dict)
    for line in lines:
        address, code, count = line.split()
        address = int(address, 16)
        page, offset = pages[address // PAGE], address % PAGE
        page[offset] = (code, int(count) + page.get(offset, (code, 0))[1])
    for number, found in sorted(pages.items()):
        codes = {offset: code for offset, (code, _) in found.items()}
        kernel = number * PAGE >= 1 << 63
        for image in images[:1] if kernel else images[1:]:
            page = image.page_of(codes)
            if page is not None:
                break
        for offset, (code, count) in sorted(found.items()):
            if page is None:
                yield count, '?', number * PAGE + offset, '?', code
            else:
                _, address, function, text = page[offset]
                yield count, image.name, address, function, text


def run(operations):
    """For each operation the lines of its last batch, and how many operations that is."""
    profile = guest.OUT / 'profile.txt'
    text = guest.measure_capos(f'{guest.build_plugin()},profile={profile}').output
    batches = profile.read_text().split('region\n')[1:]
    last = {name: (lines.splitlines(), int(count)) for (name, count), lines in zip(
        re.findall(r'^region (\S+) (\d+)\s*$', text, re.M), batches, strict=True)}
    for operation in operations:
        if operation not in last:
            sys.exit(f'profile: no operation {operation}; there are {" ".join(last)}')
        yield operation, *last[operation]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('operation', nargs='+')
    parser.add_argument('--listing', nargs='?', const='', metavar='FUNCTION')
    arguments = parser.parse_args()
    images = [Image(path) for path in IMAGES]
    for operation, lines, operations in run(arguments.operation):
        ran = list(instructions(lines, images))
        totals = collections.Counter()
        for count, image, _, function, _ in ran:
            totals[image, function] += count
        print(f'{sum(totals.values()) / operations:10.1f}  {operation}')
        for (image, function), count in totals.most_common():
            print(f'{count / operations:10.1f}  {image}: {function}')
        for count, image, address, function, text in ran:
            if arguments.listing in ('', function):
                print(f'{count / operations:8.2f} {address:x} {image}: {function}  {text}')


if __name__ == '__main__':
    main()
