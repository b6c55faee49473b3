#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The capOS schema compiler.

    schemac.py --out build/gen schema/*.capnp     runs `capnp` once, checks, writes
    schemac.py --check schema/*.capnp             checks only
    capnp compile -o tools/schemac/schemac.py     as a plug-in: request on stdin,
                                                  output in the current directory

A file is rewritten only when it changes, and files of schemas that are gone are removed,
so that make may glob the output directory and rebuilds only what needs it.
"""

import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import gen_capos
import gen_descriptor
import gen_kernel
import gen_negative
import gen_rust
import gen_test
import gen_wire
from codegen import Layout, stem
from lint import Lint
from model import Schema
from source import SourceMap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read_request(paths):
    command = ['capnp', 'compile', '-o-'] + paths
    try:
        # capnp warns if PWD, which a caller may have left, isn't the working directory.
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False,
                              env=dict(os.environ, PWD=os.getcwd()))
    except FileNotFoundError:
        sys.exit('schemac: no `capnp` command here: install the package capnproto')
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout


def check(schema, paths):
    """Ends the program with the messages of the lint, if there are any."""
    sources = {}
    for file in schema.files:
        path = paths.get(stem(file), file.filename)
        try:
            with open(path, encoding='utf-8') as text:
                sources[file.filename] = SourceMap(path, text.read())
        except OSError:          # a plug-in may run in another directory
            sources[file.filename] = SourceMap(path, '')
    messages = Lint(schema, sources).messages()
    if messages:
        sys.exit('\n'.join(messages))


def find_parts(schema):
    """Ids of the structs that are elements or fields of other ones."""
    schema.part_ids = set()
    for node in list(schema.nodes.values()):
        if node.kind != 'struct' or node.file is None or not node.file.requested:
            continue
        for leaf in Layout(schema, node).leaves:
            for type in (leaf.type, leaf.type.element):
                if type is not None and type.kind == 'struct':
                    schema.part_ids.add(type.type_id)


def generate(schema):
    """All outputs: a dict from path to contents."""
    find_parts(schema)
    outputs = {}
    outputs.update(gen_wire.status_files(schema))
    outputs.update(gen_wire.interface_files(schema))
    outputs.update(gen_descriptor.descriptor_files(schema))
    outputs['kernel/dispatch.h'] = gen_kernel.DISPATCH
    outputs.update(gen_capos.caps_header(schema))
    outputs.update(gen_test.codecs_header(schema))
    outputs.update(gen_negative.negative_files(schema))
    with open(os.path.join(ROOT, 'abi.golden'), encoding='utf-8') as golden:
        outputs.update(gen_rust.rust_files(schema, golden.read()))
    for file in schema.files:
        if schema.of_file(file, 'annotation'):
            continue    # the compiler's own vocabulary
        outputs.update(gen_wire.wire_files(schema, file))
        outputs.update(gen_kernel.kernel_files(schema, file))
        outputs.update(gen_capos.capos_files(schema, file))
    return outputs


def write_outputs(directory, outputs):
    for path, contents in sorted(outputs.items()):
        full = os.path.join(directory, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        try:
            with open(full, encoding='utf-8') as file:
                if file.read() == contents:
                    continue
        except FileNotFoundError:
            pass
        with open(full + '.new', 'w', encoding='utf-8') as file:
            file.write(contents)
        os.replace(full + '.new', full)
    remove_stale(directory, outputs)


def remove_stale(directory, outputs):
    """Removes files of earlier runs, so that a schema that was deleted is gone."""
    for part in ('', 'wire', 'kernel', 'capos', 'test', 'rust'):
        folder = os.path.join(directory, part)
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            path = os.path.join(part, name)
            if name.endswith(('.c', '.h', '.rs')) and path not in outputs:
                os.remove(os.path.join(directory, path))


def main():
    if len(sys.argv) == 1:
        schema = Schema(sys.stdin.buffer.read())
        check(schema, {})
        write_outputs('.', generate(schema))
        return
    parser = argparse.ArgumentParser(description='The capOS schema compiler.')
    parser.add_argument('--out', metavar='DIRECTORY', help='where the generated files go')
    parser.add_argument('--check', action='store_true', help='check the schema only')
    parser.add_argument('schema', nargs='+', help='all schema files')
    arguments = parser.parse_args()
    if not arguments.check and not arguments.out:
        parser.error('--out or --check is needed')
    schema = Schema(read_request(arguments.schema))
    check(schema, {os.path.basename(path).removesuffix('.capnp'): path
                   for path in arguments.schema})
    if arguments.out:
        write_outputs(arguments.out, generate(schema))


if __name__ == '__main__':
    main()
