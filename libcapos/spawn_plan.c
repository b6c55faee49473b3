// SPDX-License-Identifier: MIT
// Where everything goes in a new process; spawn_plan.h has the picture.
//
// The ELF image is checked: its numbers are below 2^62 and consistent, its span is at most
// ELF_SPAN_BYTES_MAX, so no sum here overflows.
#include "spawn_plan.h"

#include <abi/startup.h>
#include <string.h>

constexpr uint64_t PAGE = SPAWN_PAGE_BYTES;
// The stretch starts between these; with everything in it, it ends below 2^47.
constexpr uint64_t STRETCH_LOW = UINT64_C(1) << 40;
constexpr uint64_t STRETCH_RANGE = UINT64_C(1) << 45;
constexpr uint64_t STRETCH_STEP = UINT64_C(1) << 30;
constexpr uint64_t STRETCH_COUNT = STRETCH_RANGE / STRETCH_STEP;
// Random gaps before the image and before the stack.
constexpr uint64_t GAP_PAGES = UINT64_C(1) << 16;
static_assert(STRETCH_LOW + STRETCH_RANGE + ELF_SPAN_BYTES_MAX + SPAWN_STACK_BYTES_MAX +
                  2 * GAP_PAGES * PAGE + (UINT64_C(1) << 32) <
              UINT64_C(1) << 47);

static uint64_t page_down(uint64_t value)
{
    return value & ~(PAGE - 1);
}

static uint64_t page_up(uint64_t value)
{
    return page_down(value + PAGE - 1);
}

// ---- The startup block -------------------------------------------------------------

static bool strings_measure(const char *const *strings, uint32_t count, uint64_t *bytes)
{
    for (uint32_t i = 0; i < count; i++) {
        *bytes += sizeof(uint64_t) + strlen(strings[i]) + 1;
        if (*bytes > SPAWN_STRING_BYTES_MAX)
            return false;
    }
    return true;
}

// The block's size; false if the strings are too long.
static bool startup_measure(const struct spawn_strings *strings, uint64_t *out_bytes)
{
    uint64_t bytes = 0;
    if (!strings_measure(strings->arguments, strings->argument_count, &bytes) ||
        !strings_measure(strings->environment, strings->environment_count, &bytes))
        return false;
    *out_bytes = sizeof(struct capos_startup) + 2 * sizeof(uint64_t) + bytes;
    return true;
}

// A block under construction: what the parent writes and where it will be in the child.
struct block {
    uint8_t *bytes;
    uint64_t address;
    uint64_t used;
};

// Writes the table of addresses at `table`, ended by 0, and the strings behind the used
// part of the block.
static void strings_write(struct block *block, uint64_t table, const char *const *strings,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = block->address + block->used;
        size_t bytes = strlen(strings[i]) + 1;
        memcpy(block->bytes + table + i * sizeof address, &address, sizeof address);
        memcpy(block->bytes + block->used, strings[i], bytes);
        block->used += bytes;
    }
}

static void startup_write(const struct spawn_plan *plan, const struct elf_image *elf,
                          const struct spawn_strings *strings, uint64_t canary, uint8_t *bytes)
{
    uint64_t arguments = sizeof(struct capos_startup);
    uint64_t environment = arguments + (strings->argument_count + 1) * sizeof(uint64_t);
    struct block block = {
        .bytes = bytes,
        .address = plan->startup_address,
        .used = environment + (strings->environment_count + 1) * sizeof(uint64_t),
    };
    strings_write(&block, arguments, strings->arguments, strings->argument_count);
    strings_write(&block, environment, strings->environment, strings->environment_count);
    struct capos_startup startup = {
        .magic = CAPOS_STARTUP_MAGIC,
        .block_bytes = block.used,
        .image_base = plan->bias + elf->low_address,
        .image_bias = plan->bias,
        .image_bytes = elf->high_address - elf->low_address,
        .tls_file = elf->tls_bytes == 0 ? 0 : plan->bias + elf->tls_file.address,
        .tls_file_bytes = elf->tls_file.bytes,
        .tls_bytes = elf->tls_bytes,
        .tls_alignment = elf->tls_alignment,
        .relro = elf->relro.bytes == 0 ? 0 : plan->bias + elf->relro.address,
        .relro_bytes = elf->relro.bytes,
        .stack_base = plan->stack_base,
        .stack_bytes = plan->stack_bytes,
        .canary = canary & ~UINT64_C(0xff), // a zero byte stops string functions
        .argument_count = strings->argument_count,
        .arguments = plan->startup_address + arguments,
        .environment = plan->startup_address + environment,
    };
    memcpy(bytes, &startup, sizeof startup);
}

// ---- The plan ----------------------------------------------------------------------

// Where a segment's pages come from; a writable one takes room in the private object.
static struct spawn_piece piece_of(const struct elf_segment *segment, uint64_t bias,
                                   uint64_t *private_bytes)
{
    uint64_t start = page_down(segment->address);
    uint64_t file_end = page_up(segment->address + segment->file_bytes);
    uint64_t end = page_up(segment->address + segment->memory_bytes);
    // A read-only segment with zeros behind its file part has them in a copy.
    bool copied = segment->writable || segment->memory_bytes != segment->file_bytes;
    if (segment->file_bytes == 0)
        file_end = start;
    struct spawn_piece piece = {
        .address = start + bias,
        .file_offset = page_down(segment->file_offset),
        .shared_bytes = copied ? 0 : file_end - start,
        .private_offset = *private_bytes,
        .private_bytes = copied ? file_end - start : 0,
        .zero_bytes = end - file_end,
    };
    *private_bytes += piece.private_bytes;
    return piece;
}

enum status spawn_plan_make(const struct elf_image *elf, const struct spawn_strings *strings,
                            uint64_t stack_bytes, uint64_t random, struct spawn_plan *out_plan)
{
    uint64_t startup_bytes;
    if (!startup_measure(strings, &startup_bytes))
        return STATUS_INVALID_ARGUMENT;
    if (stack_bytes == 0)
        stack_bytes = elf->stack_bytes;
    if (stack_bytes == 0)
        stack_bytes = SPAWN_STACK_BYTES_DEFAULT;
    if (stack_bytes > SPAWN_STACK_BYTES_MAX)
        stack_bytes = SPAWN_STACK_BYTES_MAX;

    // Powers of two all, so each takes its own bits of the number.
    uint64_t stretch = STRETCH_LOW + random % STRETCH_COUNT * STRETCH_STEP;
    uint64_t image = stretch + random / STRETCH_COUNT % GAP_PAGES * PAGE;
    uint64_t gap_pages = 1 + random / STRETCH_COUNT / GAP_PAGES % GAP_PAGES;
    struct spawn_plan plan = {.bias = image - elf->low_address,
                              .stack_bytes = page_up(stack_bytes)};
    uint64_t image_end = elf->high_address + plan.bias;
    plan.stack_base = image_end + gap_pages * PAGE;
    plan.startup_address = plan.stack_base + plan.stack_bytes;
    plan.startup_bytes = page_up(startup_bytes);
    plan.piece_count = elf->segment_count;
    for (uint32_t i = 0; i < elf->segment_count; i++)
        plan.pieces[i] = piece_of(&elf->segments[i], plan.bias, &plan.private_bytes);
    plan.startup_offset = plan.private_bytes;
    plan.private_bytes += plan.startup_bytes;
    *out_plan = plan;
    return STATUS_OK;
}

void spawn_plan_fill(const struct spawn_plan *plan, const struct elf_image *elf,
                     const uint8_t *file, const struct spawn_strings *strings, uint64_t canary,
                     uint8_t *private)
{
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        uint64_t in_page = segment->address % PAGE;
        if (plan->pieces[i].private_bytes != 0)
            memcpy(private + plan->pieces[i].private_offset + in_page,
                   file + segment->file_offset, segment->file_bytes);
    }
    startup_write(plan, elf, strings, canary, private + plan->startup_offset);
}
