#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks that only libcapos owns what makes a process run: _start, the panic, the
# allocator, the memory functions that the compiler calls, raw system calls, and the macros
# that define entry points.
#
#   tools/check-userspace-runtime-surface.sh [ROOT]
#
# 1. In the sources of services, programs, examples and booted tests: no assembly, no
#    definition of one of those names, no entry macro.  tests/system tests the CPU, so it
#    may have assembly; what rule 2 says holds for it too.
# 2. In the objects that were built from them: no definition of those names, and no
#    system-call instruction.
# 3. In libcapos: system-call instructions only in objects from libcapos/arch.
# 4. In every program that was built: exactly one _start.
# 5. In Rust: the same of capos-rt.  Its modules with unsafe code are those that are listed
#    here, and the compiler refuses it in all others and in programs.
set -eu
root=$(cd "${1:-$(dirname "$0")/..}" && pwd)
cd "$root"
nm=${NM:-llvm-nm-19}
objdump=${OBJDUMP:-llvm-objdump-19}
dis=${LLVM_DIS:-llvm-dis-19}
folders="services programs examples tests/iface tests/system"
owned='_start|malloc|calloc|realloc|free|aligned_alloc|posix_memalign|memcpy|memmove|memset|memcmp|abort|exit|_exit|__stack_chk_fail|__stack_chk_guard|capos_panic[a-z_]*|capos_cap_enter|capos_exit|panic[a-z_]*'
assembly='(^|[^a-zA-Z_])(__asm__|__asm|asm)[[:space:]]*(volatile|goto)?[[:space:]]*\('
syscall_instruction='[[:space:]](syscall|sysenter|sysret|sysexit|int)([[:space:]]|$)'
problems=$(mktemp)
trap 'rm -f "$problems"' EXIT

existing() {
    for path in "$@"; do [ -e "$path" ] && echo "$path"; done
    :
}

# Whether an object, of machine code or of LLVM's intermediate code, makes a system call.
makes_system_call() {
    if [ "$(head -c 2 "$1")" = BC ]; then
        $dis -o - "$1" | grep -qE '(call|module) .*asm .*"[^"]*(syscall|sysenter|int )'
    else
        $objdump -d --no-show-raw-insn "$1" | grep -qE "$syscall_instruction"
    fi
}

# 1. Sources.  A definition stands at the start of a line and is followed by its body.
for file in $(find $(existing $folders) -name '*.[chS]' -not -name '*_test.h' 2>/dev/null); do
    case $file in services/*_test.c | programs/*_test.c) continue ;; esac
    case $file in
    *.S) echo "$file: an assembly file outside libcapos" >>"$problems" ;;
    esac
    case $file in
    tests/system/*) ;;
    *)
        grep -nE "$assembly" "$file" |
            sed "s|^|$file:|; s|$| <- assembly outside libcapos|" >>"$problems" || true
        ;;
    esac
    grep -nE "^[a-z].*[ *]($owned)\([^;]*$" "$file" | grep -v '^[0-9]*:static' |
        sed "s|^|$file:|; s|$| <- defines what libcapos owns|" >>"$problems" || true
    grep -nE '#[[:space:]]*define[[:space:]]+[A-Z_]*(ENTRY|START)_?(POINT)?\(' "$file" |
        sed "s|^|$file:|; s|$| <- an entry macro outside libcapos|" >>"$problems" || true
done

# 2. Objects of everything above libcapos.
for folder in $(existing $(printf 'build/user/obj/%s ' $folders)); do
    for object in $(find "$folder" -name '*.o'); do
        $nm --defined-only --extern-only --format=posix "$object" |
            grep -E "^($owned) [TtDdBbRVW]" |
            sed "s|^|$object: defines |" >>"$problems" || true
        if makes_system_call "$object"; then
            echo "$object: a system-call instruction outside libcapos" >>"$problems"
        fi
    done
done

# 3. libcapos itself.
for object in $(find build/user/obj/libcapos build/user/obj/lib -name '*.o' 2>/dev/null); do
    case $object in build/user/obj/libcapos/arch/*) continue ;; esac
    if makes_system_call "$object"; then
        echo "$object: a system-call instruction outside libcapos/arch" >>"$problems"
    fi
done

# 4. Programs.
for program in $(find build/user/bin build/rust/bin -type f 2>/dev/null); do
    count=$($nm --defined-only "$program" | grep -c ' _start$' || true)
    [ "$count" = 1 ] || echo "$program: $count definitions of _start" >>"$problems"
done

# 5. Rust.
runtime=runtimes/rust/capos-rt/src
unsafe_modules='arch heap ring start sync thread words'
found=$(grep -l '^#!\[allow(unsafe_code)\]' $runtime/*.rs 2>/dev/null | sed 's|.*/||; s|\.rs$||' |
    sort | tr '\n' ' ')
if [ -d "$runtime" ] && [ "$found" != "$unsafe_modules " ]; then
    echo "$runtime: unsafe code is allowed in: $found, not in: $unsafe_modules" >>"$problems"
fi
if [ -d "$runtime" ] && ! grep -q '^#!\[deny(unsafe_code)\]' $runtime/lib.rs; then
    echo "$runtime/lib.rs: unsafe code isn't denied" >>"$problems"
fi
for file in $(find $(existing services programs examples tests runtimes) -name '*.rs'); do
    case $file in runtimes/rust/capos-rt/*) continue ;; esac
    grep -nE '\b(asm|global_asm|naked_asm)!|#!?\[(panic_handler|global_allocator)|fn _start|capos_rt_main|macro_rules! *[a-z_]*(entry|start)' \
        "$file" | sed "s|^|$file:|; s|$| <- owned by capos-rt|" >>"$problems" || true
done

cat "$problems"
[ ! -s "$problems" ]
