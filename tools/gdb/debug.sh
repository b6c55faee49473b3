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

# The kernel of the first link runs where its symbols say: without a list of words to move it
# is not moved.  The last -kernel counts.
build/host/capos run --debug --qemu -kernel --qemu build/kernel/unnamed.elf "$@" </dev/null &
machine=$!
trap 'kill "$machine" 2>/dev/null || true; wait "$machine" 2>/dev/null || true' EXIT

# Ctrl-C is for gdb to stop the kernel with, not for this script.
trap '' INT
gdb -q -x tools/gdb/capos.gdb -ex 'target remote localhost:1234' ${GDB_SCRIPT:+-batch -x "$GDB_SCRIPT"} \
    build/kernel/unnamed.elf
