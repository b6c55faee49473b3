#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots a program on a machine that is stopped at its first instruction, and starts gdb on
# the kernel, connected to it.
#
#     tools/gdb/debug.sh PROGRAM [ARG...]
#
# The program's output appears between gdb's.  `help capos` in gdb lists our commands.
# GDB_SCRIPT names a file of gdb commands to run instead of asking for them.
set -eu

[ $# -ge 1 ] || {
    echo "usage: $0 PROGRAM [ARG...]" >&2
    exit 2
}
cd "$(dirname "$0")/../.."
command -v gdb >/dev/null || {
    echo "$0: gdb is missing; on Debian: apt-get install gdb" >&2
    exit 1
}

# A socket of our own: a port may be taken.
folder=$(mktemp -d)
build/host/capos run --gdb="$folder/gdb" "$@" </dev/null &
machine=$!
trap 'kill "$machine" 2>/dev/null || true; wait "$machine" 2>/dev/null || true; rm -rf "$folder"' EXIT

# QEMU opens it when it starts; without it the machine is gone.
while [ ! -S "$folder/gdb" ]; do
    kill -0 "$machine" 2>/dev/null || exit 1
    sleep 0.05
done

# Ctrl-C is for gdb to stop the kernel with, not for this script.
trap '' INT
# gdb gives up after two seconds without an answer; a busy machine needs longer.
gdb -q -x tools/gdb/capos.gdb -ex 'set remotetimeout 240' -ex "target remote $folder/gdb" ${GDB_SCRIPT:+-batch -x "$GDB_SCRIPT"} \
    build/kernel/unnamed.elf
