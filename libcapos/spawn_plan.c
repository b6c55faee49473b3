// SPDX-License-Identifier: MIT
// Where everything goes in a new process; spawn_plan.h has the picture.
//
// The ELF image is checked: its numbers are below 2^62 and consistent, its span is at most
// ELF_SPAN_BYTES_MAX, so no sum here overflows.
#include "spawn_plan.h"

#include <abi/startup.h>
#include <gen/wire/virtual_memory.h> // enum protection
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
    memset(block->bytes + table + count * sizeof(uint64_t), 0, sizeof(uint64_t));
}

void spawn_plan_startup(const struct spawn_plan *plan, const struct elf_image *elf,
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

static enum protection protection_of(const struct elf_segment *segment)
{
    if (segment->writable)
        return PROTECTION_READ_WRITE;
    if (segment->executable)
        return PROTECTION_READ_EXECUTE;
    return segment->readable ? PROTECTION_READ : PROTECTION_NONE;
}

// Where a segment's pages come from.
static struct capos_load_piece piece_of(const struct elf_segment *segment, uint64_t bias)
{
    uint64_t start = page_down(segment->address);
    uint64_t end = page_up(segment->address + segment->memory_bytes);
    // A read-only segment with zeros behind its file part has them in a copy.
    bool copied = segment->writable || segment->memory_bytes != segment->file_bytes;
    return (struct capos_load_piece){
        .address = start + bias,
        .length_bytes = end - start,
        .offset_bytes = copied ? segment->file_offset : page_down(segment->file_offset),
        .copy_bytes = copied ? segment->file_bytes : 0,
        .kind = copied ? CAPOS_LOAD_COMMIT : CAPOS_LOAD_MAP,
        .protection = (uint8_t)protection_of(segment),
    };
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
    // In place: it is large, and only the pieces that there are need a value.
    struct spawn_plan *plan = out_plan;
    plan->bias = image - elf->low_address;
    plan->stack_bytes = page_up(stack_bytes);
    plan->stack_base = elf->high_address + plan->bias + gap_pages * PAGE;
    plan->startup_address = plan->stack_base + plan->stack_bytes;
    plan->startup_bytes = startup_bytes;
    for (uint32_t i = 0; i < elf->segment_count; i++)
        plan->pieces[i] = piece_of(&elf->segments[i], plan->bias);
    plan->pieces[elf->segment_count] = (struct capos_load_piece){
        .address = plan->stack_base,
        .length_bytes = plan->stack_bytes + page_up(startup_bytes),
        .kind = CAPOS_LOAD_COMMIT,
        .protection = PROTECTION_READ_WRITE,
    };
    plan->piece_count = elf->segment_count + 1;
    return STATUS_OK;
}

bool spawn_piece_take(struct capos_load_piece *piece, uint64_t room_bytes,
                      struct capos_load_piece *out_piece, uint64_t *out_copied_bytes)
{
    uint64_t before = piece->copy_bytes == 0 ? 0 : piece->offset_bytes % PAGE;
    *out_piece = *piece;
    *out_copied_bytes = page_up(before + piece->copy_bytes);
    if (*out_copied_bytes <= room_bytes)
        return true;
    uint64_t copied = room_bytes - before;
    out_piece->length_bytes = room_bytes;
    out_piece->copy_bytes = copied;
    *out_copied_bytes = room_bytes;
    piece->address += room_bytes;
    piece->length_bytes -= room_bytes;
    piece->offset_bytes += copied;
    piece->copy_bytes -= copied;
    return false;
}
