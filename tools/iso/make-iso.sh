#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a hybrid ISO image, for CD, disk and USB stick, that boots capOS by GRUB and
# Multiboot2 on BIOS and UEFI machines.
#
#     tools/iso/make-iso.sh KERNEL PACKAGE OUT.iso [COMMAND_LINE]
#
# Needs grub-mkrescue with the platforms i386-pc and x86_64-efi, xorriso and mtools
# (Debian: grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools).
set -eu

usage() {
    echo "usage: $0 KERNEL PACKAGE OUT.iso [COMMAND_LINE]" >&2
    exit 2
}

[ $# -eq 3 ] || [ $# -eq 4 ] || usage
kernel=$1
package=$2
out=$3
command_line=${4:-}
here=$(dirname "$0")

need() {
    command -v "$1" >/dev/null && return
    echo "$0: $1 is missing; on Debian: apt-get install $2" >&2
    exit 1
}
need grub-mkrescue grub-common
need grub-file grub-common
need xorriso xorriso
need mformat mtools
for platform in i386-pc x86_64-efi; do
    [ -d "/usr/lib/grub/$platform" ] && continue
    echo "$0: GRUB for $platform is missing; on Debian:" \
        "apt-get install grub-pc-bin grub-efi-amd64-bin" >&2
    exit 1
done
grub-file --is-x86-multiboot2 "$kernel" || {
    echo "$0: $kernel isn't a Multiboot2 kernel" >&2
    exit 1
}

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/iso/boot/grub"
cp "$kernel" "$tree/iso/boot/capos.elf"
cp "$package" "$tree/iso/boot/capos.package"
# The words of the command line are GRUB's to split, so nothing in it may be GRUB's syntax.
case $command_line in
*[!-A-Za-z0-9_=.,:/@%+\ ]*)
    echo "$0: the command line may hold letters, digits, spaces and -_=.,:/@%+ only" >&2
    exit 1
    ;;
esac
sed "s|@COMMAND_LINE@|$(printf %s "$command_line" | sed 's/[&|\\]/\\&/g')|" \
    "$here/grub.cfg" >"$tree/iso/boot/grub/grub.cfg"

# Only what the menu needs, and the partition maps that grub-mkrescue's own start script
# loads: fewer modules, a smaller image and a faster start.
modules="normal multiboot2 iso9660 fat all_video part_acorn part_amiga part_apple part_bsd
    part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc"
# The dates are fixed so that the same input makes the same image.
log=$tree/log
if ! SOURCE_DATE_EPOCH=0 grub-mkrescue -o "$out" --compress=no --fonts= --locales= --themes= \
    --install-modules="$modules" \
    "$tree/iso" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
