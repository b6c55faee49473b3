#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing of tools/dependencies.txt.
#
#   tools/install-deps.sh [--check] run|test|work
#
# Installs through apt, with sudo when not root.  Elsewhere, or with --check, it only says
# what to install, and fails if anything is missing.  Says nothing if nothing is missing.
set -eu
table=$(dirname "$0")/dependencies.txt
check=no
if [ "${1-}" = --check ]; then
    check=yes
    shift
fi
case ${1-} in
run) wanted="run" ;;
test) wanted="run test" ;;
work) wanted="run test work" ;;
*)
    echo "usage: $0 [--check] run|test|work" >&2
    exit 2
    ;;
esac

missing=
while read -r probe package purpose _; do
    case $probe in '' | '#'*) continue ;; esac
    case " $wanted " in *" $purpose "*) ;; *) continue ;; esac
    case $probe in
    /*) [ -e "$probe" ] && continue ;;
    *) command -v "$probe" >/dev/null 2>&1 && continue ;;
    esac
    missing="$missing $package"
done <"$table"
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
install="apt-get install -y --no-install-recommends$missing"
if [ $check = yes ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "capos: this machine lacks:$missing" >&2
    if command -v apt-get >/dev/null 2>&1; then
        echo "capos: install them with: ${sudo:+sudo }$install" >&2
    else
        echo "capos: these are the names of the Debian packages; install what your system" >&2
        echo "capos: calls clang 19, lld 19, llvm 19, QEMU for x86_64, Cap'n Proto, and so on" >&2
    fi
    exit 1
fi
if [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; then
    echo "capos: this machine lacks:$missing" >&2
    echo "capos: there is no sudo here; as root, run: $install" >&2
    exit 1
fi
echo "capos: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The package lists of a fresh machine may be absent or old.
# shellcheck disable=SC2086
if ! $sudo $install >"$log" 2>&1 </dev/null; then
    if ! { $sudo apt-get update && $sudo $install; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        echo "capos: could not install:$missing" >&2
        exit 1
    fi
fi
