// SPDX-License-Identifier: MIT
// Reading ELF files of capOS programs (elf.c).
//
// A capOS program is an ELF64 static PIE for x86_64 that needs no interpreter and no
// relocation by its loader, and that says it is one: a PT_NOTE segment has the note
//   name "capOS" (namesz 6), type ELF_NOTE_CAPOS_TYPE, desc one 32-bit word, the ABI
//   version ELF_NOTE_CAPOS_VERSION
// libcapos puts it into the section .note.capos (SHT_NOTE, flag A) of each program.  So
// a program for another system is refused with a clear word instead of crashing.
//
// A second note, of the type ELF_NOTE_CAPOS_OPERANDS, may say in one 32-bit word what the
// program does with operands that name files: bits of enum elf_operands.  It is what a shell
// needs to know to grant no more than a line asks for, and no promise: what isn't granted
// can't be done, whatever the note says.
//
// The parser reads bytes and returns numbers: it maps, allocates and keeps nothing.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ELF_NOTE_CAPOS_NAME "capOS"
constexpr uint32_t ELF_NOTE_CAPOS_TYPE = 1;
constexpr uint32_t ELF_NOTE_CAPOS_VERSION = 1;

constexpr uint32_t ELF_NOTE_CAPOS_OPERANDS = 2;
enum elf_operands {
    ELF_OPERANDS_READ = 1,       // they name files or directories, which are looked at
    ELF_OPERANDS_WRITE = 2,      // which are changed, all of them
    ELF_OPERANDS_WRITE_LAST = 4, // of which the last is changed
    ELF_OPERANDS_PLACE = 8,      // without any, the place where the person is is looked at
};

constexpr uint32_t ELF_SEGMENTS_MAX = 16;
constexpr uint64_t ELF_SPAN_BYTES_MAX = UINT64_C(1) << 36; // 64 GiB
constexpr uint64_t ELF_TLS_ALIGNMENT_MAX = 4096;

enum elf_error {
    ELF_OK,
    ELF_TRUNCATED,           // something lies beyond the end of the file
    ELF_NOT_ELF,             // not an ELF file at all
    ELF_WRONG_MACHINE,       // not 64-bit little-endian x86_64
    ELF_NOT_PIE,             // ET_EXEC: linked to a fixed address
    ELF_WRONG_TYPE,          // an object file, a core file, ...
    ELF_BAD_HEADER,          // the program header table is malformed
    ELF_INTERPRETER,         // PT_INTERP: dynamically linked
    ELF_NO_SEGMENTS,         // nothing to load
    ELF_TOO_MANY_SEGMENTS,   // more than ELF_SEGMENTS_MAX
    ELF_BAD_SEGMENT,         // sizes overflow, or larger in the file than in memory
    ELF_MISALIGNED_SEGMENT,  // file offset and address differ modulo 4096
    ELF_UNSORTED_SEGMENTS,   // overlapping pages, or not in ascending order
    ELF_WRITABLE_EXECUTABLE, // a segment, or the stack, writable and executable
    ELF_TOO_LARGE,           // spans more than ELF_SPAN_BYTES_MAX
    ELF_BAD_ENTRY,           // the entry point is in no executable segment
    ELF_BAD_TLS,             // PT_TLS outside the segments, or its alignment is wrong
    ELF_BAD_RELRO,           // PT_GNU_RELRO outside one writable segment
    ELF_NOT_CAPOS,           // no capOS note: a program for another system
    ELF_WRONG_ABI,           // a capOS program of another ABI version
    ELF_ERROR_COUNT,
};

// A part of the file that goes to memory.  Its pages are its own: no other segment
// has bytes on them.
struct elf_segment {
    uint64_t address;      // in the file's numbering; add the load bias
    uint64_t file_offset;  // equal to address modulo 4096
    uint64_t file_bytes;   // from the file; may be 0
    uint64_t memory_bytes; // >= file_bytes, not 0; zeros behind file_bytes
    bool readable, writable, executable;
};

// A part of a segment that has a job; all zero when the file has none.
struct elf_range {
    uint64_t address;
    uint64_t bytes;
};

struct elf_image {
    uint64_t entry;
    uint64_t low_address;   // of the first segment's first page
    uint64_t high_address;  // behind the last segment's last page; both multiples of 4096
    uint32_t segment_count; // 1 to ELF_SEGMENTS_MAX
    struct elf_segment segments[ELF_SEGMENTS_MAX]; // in ascending order
    struct elf_range tls_file; // the initialised part of the thread-local image
    uint64_t tls_bytes;        // the whole of it
    uint64_t tls_alignment;    // a power of two, 1 to ELF_TLS_ALIGNMENT_MAX
    struct elf_range relro;    // whole pages in it become read-only after relocation
    uint64_t stack_bytes;      // the size that the program asks for, or 0
};

// Reads a whole file in memory; `file` needs no alignment.  *out_image is written only
// on ELF_OK; all that it says then is within the file and consistent, and every sum of
// its numbers is below 2^63.
[[nodiscard]] enum elf_error elf_parse(const void *file, uint64_t size_bytes,
                                       struct elf_image *out_image);

// What the program's note says of its operands; 0 without one, or if the file is none that
// elf_parse takes.
[[nodiscard]] uint32_t elf_operands(const void *file, uint64_t size_bytes);

// What an error means, for a person, as in "hello: <text>".
[[nodiscard]] const char *elf_error_text(enum elf_error error);
