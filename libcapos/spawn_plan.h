// SPDX-License-Identifier: MIT
// Where everything goes in a new process, and its startup block: the part of the loader
// that is arithmetic (spawn_plan.c).
//
// A process's memory, upwards; gaps of random size are between the lines:
//
//     image      each segment at its address plus the bias
//     (guard)    at least one free page
//     stack      directly followed by
//     startup    struct capos_startup, the argv and envp tables, their strings
//
// All of it lies in one stretch, so that a small program needs few page tables; the
// stretch lies anywhere in 32 TiB.
//
// What is private to the process and has contents (the file's part of writable segments,
// the startup block) lies in one MemoryObject, the *private object*, which the parent
// fills and maps into the child piece by piece.
//
// Tested by spawn_plan_test.c.
#pragma once

#include <gen/status.h>
#include <lib/elf.h>
#include <stddef.h>
#include <stdint.h>

constexpr uint64_t SPAWN_PAGE_BYTES = 4096;
constexpr uint64_t SPAWN_STACK_BYTES_DEFAULT = 256 * 1024;
constexpr uint64_t SPAWN_STACK_BYTES_MAX = UINT64_C(1) << 30;
constexpr uint64_t SPAWN_STRING_BYTES_MAX = 1 << 20;

struct spawn_strings {
    const char *const *arguments;
    const char *const *environment;
    uint32_t argument_count;
    uint32_t environment_count;
};

// Where one segment's pages come from, in bytes; multiples of 4096 all.
struct spawn_piece {
    uint64_t address;        // in the process
    uint64_t file_offset;    // read-only segments: pages shared with the file
    uint64_t shared_bytes;   // so many of them
    uint64_t private_offset; // writable segments: pages of the private object
    uint64_t private_bytes;
    uint64_t zero_bytes; // pages of zeros behind them
};

struct spawn_plan {
    uint64_t bias;
    uint64_t stack_base;
    uint64_t stack_bytes;
    uint64_t startup_address;
    uint64_t startup_offset; // in the private object
    uint64_t startup_bytes;  // a multiple of 4096
    uint64_t private_bytes;  // size of the private object
    uint32_t piece_count;
    struct spawn_piece pieces[ELF_SEGMENTS_MAX];
};

// Plans a process; `random` makes the addresses unpredictable, `stack_bytes` may be 0.
// STATUS_INVALID_ARGUMENT: the strings exceed SPAWN_STRING_BYTES_MAX with their tables.
[[nodiscard]] enum status spawn_plan_make(const struct elf_image *elf,
                                          const struct spawn_strings *strings,
                                          uint64_t stack_bytes, uint64_t random,
                                          struct spawn_plan *out_plan);

// Fills the private object, mapped at `private` and zero.
void spawn_plan_fill(const struct spawn_plan *plan, const struct elf_image *elf,
                     const uint8_t *file, const struct spawn_strings *strings, uint64_t canary,
                     uint8_t *private);
