#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the two tables that are linked into the kernel image the second time.

    tools/ksyms.py KERNEL.elf OUT.S

KERNEL.elf is the kernel linked without them, with --emit-relocs; OUT.S has two sections:
  .ksyms    the names of functions, for backtraces; kernel/arch/x86_64/debug.c reads it
            and states the format
  .krelocs  the offsets in the image of all 32-bit words that depend on where it runs;
            kernel/arch/x86_64/boot/entry.S adds the distance to them.  Empty without
            --emit-relocs: then the kernel runs where it was linked.
Both come last in the image, so the addresses of the first link stay right.
"""
import struct
import sys

SHT_SYMTAB, SHT_RELA = 2, 4
SHF_ALLOC = 2
STT_NOTYPE, STT_FUNC = 0, 2
# Absolute: the distance is added; in a 64-bit word to the low half, which never carries.
R_64, R_32, R_32S = 1, 10, 11
# Relative: the same wherever the image runs.
R_PC32, R_PLT32 = 2, 4


class Image:
    """A 64-bit little-endian ELF file, as far as it is needed here."""

    def __init__(self, data):
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not a 64-bit little-endian ELF file")
        self.data = data
        table, = struct.unpack_from("<Q", data, 0x28)
        entry_bytes, count = struct.unpack_from("<HH", data, 0x3A)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry_bytes)
                         for i in range(count)]
        self.symbols = [symbol for section in self.sections if section[1] == SHT_SYMTAB
                        for symbol in self.read_symbols(section)]

    def string(self, section, offset):
        start = self.sections[section][4] + offset
        return self.data[start:self.data.index(b"\0", start)].decode()

    def read_symbols(self, section):
        """(name, kind, address) of each symbol."""
        _, _, _, _, offset, size_bytes, link, _, _, symbol_bytes = section
        for at in range(offset, offset + size_bytes, symbol_bytes):
            name, info, _, _, value, _ = struct.unpack_from("<IBBHQQ", self.data, at)
            yield self.string(link, name), info & 15, value

    def address_of(self, wanted):
        for name, _, value in self.symbols:
            if name == wanted:
                return value
        raise ValueError(f"no symbol {wanted}")

    def relocations(self):
        """(address, type, value) of each relocation in what is loaded."""
        for _, kind, _, _, offset, size_bytes, _, target, _, entry_bytes in self.sections:
            if kind != SHT_RELA or not self.sections[target][2] & SHF_ALLOC:
                continue
            for at in range(offset, offset + size_bytes, entry_bytes):
                address, info, addend = struct.unpack_from("<QQq", self.data, at)
                value = self.symbols[info >> 32][2] + addend & 0xFFFFFFFFFFFFFFFF
                yield address, info & 0xFFFFFFFF, value


def functions(image):
    """{offset in the code: name} of what lies between text_start and text_end."""
    start, end = image.address_of("text_start"), image.address_of("text_end")
    found = {}
    for name, kind, value in image.symbols:
        if not name or name in ("text_start", "text_end") or not start <= value < end:
            continue
        # Labels of assembly have no kind; a function's name is better where both are.
        if kind == STT_FUNC or (kind == STT_NOTYPE and value - start not in found):
            found[value - start] = name
    return found


def moving_words(image):
    """The offsets in the image of the words that depend on where it runs, sorted."""
    start = image.address_of("image_start")
    text_start = image.address_of("text_start")
    offsets = []
    for address, kind, value in image.relocations():
        if kind not in (R_64, R_32, R_32S, R_PC32, R_PLT32):
            raise ValueError(f"relocation of unknown type {kind} at {address:#x}")
        # What comes before text_start runs before paging: its physical addresses stay.
        physical = address < text_start and value < start
        if kind in (R_64, R_32S) and not physical:
            offsets.append(address - start)
    return sorted(offsets)


def assembly(names, offsets):
    lines = ["// Made by tools/ksyms.py.",
             '    .section .ksyms, "a", @progbits', "    .balign 4", f"    .long {len(names)}"]
    lines += [f"    .long {offset:#x}" for offset in sorted(names)]
    lines += [f'    .asciz "{names[offset]}"' for offset in sorted(names)]
    lines += ['    .section .krelocs, "a", @progbits', "    .balign 4"]
    lines += [f"    .long {offset:#x}" for offset in offsets]
    return "\n".join(lines) + "\n"


def main(arguments):
    if len(arguments) != 3:
        sys.exit(__doc__)
    with open(arguments[1], "rb") as file:
        data = file.read()
    try:
        image = Image(data)
        text = assembly(functions(image), moving_words(image))
    except (ValueError, IndexError, struct.error) as error:
        sys.exit(f"{arguments[1]}: not a linked kernel: {error}")
    with open(arguments[2], "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv)
