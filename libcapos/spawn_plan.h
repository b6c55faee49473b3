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
// Read-only segments are pages of the file, which all its processes share.  Of writable ones
// the kernel copies the file's part into memory of the process (ProcessBuilder.load).
//
// Tested by spawn_plan_test.c.
#pragma once

#include <abi/load.h>
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

struct spawn_plan {
    uint64_t bias;
    uint64_t stack_base;
    uint64_t stack_bytes;
    uint64_t startup_address;
    uint64_t startup_bytes; // of the block itself
    uint32_t piece_count;
    // One of each segment, in their order, and one of stack and startup block.
    struct capos_load_piece pieces[ELF_SEGMENTS_MAX + 1];
};
static_assert(ELF_SEGMENTS_MAX + 1 <= CAPOS_LOAD_PIECES_MAX);

// Plans a process; `random` makes the addresses unpredictable, `stack_bytes` may be 0.
// STATUS_INVALID_ARGUMENT: the strings exceed SPAWN_STRING_BYTES_MAX with their tables.
[[nodiscard]] enum status spawn_plan_make(const struct elf_image *elf,
                                          const struct spawn_strings *strings,
                                          uint64_t stack_bytes, uint64_t random,
                                          struct spawn_plan *out_plan);

// Takes from the front of a piece what one call of ProcessBuilder.load can still do, which may
// copy to `room_bytes`, a multiple of SPAWN_PAGE_BYTES and not 0.  Returns whether that is all
// of it; *piece is the rest.
[[nodiscard]] bool spawn_piece_take(struct capos_load_piece *piece, uint64_t room_bytes,
                                    struct capos_load_piece *out_piece,
                                    uint64_t *out_copied_bytes);

// Writes the startup block: plan->startup_bytes bytes.
void spawn_plan_startup(const struct spawn_plan *plan, const struct elf_image *elf,
                        const struct spawn_strings *strings, uint64_t canary, uint8_t *block);
