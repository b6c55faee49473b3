# SPDX-License-Identifier: MIT
# Set-up of a debugger for the capOS kernel; tools/gdb/debug.sh starts it.
# By hand:  gdb -x tools/gdb/capos.gdb build/kernel/unnamed.elf

set pagination off
set confirm off
set print pretty on
set print array-indexes on
set disassembly-flavor att
set architecture i386:x86-64

source tools/gdb/capos.py

# Stops where the kernel would print its last words.
break panic_at
break panic_assert
