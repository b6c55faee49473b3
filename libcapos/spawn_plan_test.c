// SPDX-License-Identifier: MIT
// The loader's arithmetic: nothing overlaps, every byte of a segment has its place, and
// the startup block says the truth.
#include "spawn_plan.h"

#include <test/test.h>

#include <abi/startup.h>
#include <gen/wire/virtual_memory.h>
#include <stdlib.h>

static const struct elf_image image = {
    .entry = 0x1000,
    .low_address = 0,
    .high_address = 0x9000,
    .segment_count = 4,
    .segments =
        {
            {.address = 0,
             .file_offset = 0,
             .file_bytes = 0x800,
             .memory_bytes = 0x800,
             .readable = true},
            {.address = 0x1000,
             .file_offset = 0x1000,
             .file_bytes = 0x1234,
             .memory_bytes = 0x1234,
             .readable = true,
             .executable = true},
            {.address = 0x4e10,
             .file_offset = 0x3e10,
             .file_bytes = 0x1f0,
             .memory_bytes = 0x1f0,
             .readable = true,
             .writable = true},
            {.address = 0x5010,
             .file_offset = 0x4010,
             .file_bytes = 0x20,
             .memory_bytes = 0x3500,
             .readable = true,
             .writable = true},
        },
    .tls_file = {0x4e10, 8},
    .tls_bytes = 16,
    .tls_alignment = 8,
    .relro = {0x4e10, 0x1f0},
};

static const char *const arguments[] = {"hello", "", "third argument"};
static const char *const environment[] = {"HOME=/", "X="};
static const struct spawn_strings strings = {arguments, environment, 3, 2};

static const uint64_t extremes[] = {0, UINT64_MAX, 0x80000001, 0x8000000000000000};

static void spawn_plan_pieces_cover_each_segment(void)
{
    struct spawn_plan plan;
    CHECK_EQ(spawn_plan_make(&image, &strings, 0, extremes[1], &plan), STATUS_OK);
    CHECK_EQ(plan.piece_count, 5);
    const struct capos_load_piece *pieces = plan.pieces;
    CHECK_EQ(pieces[0].kind, CAPOS_LOAD_MAP);
    CHECK_EQ(pieces[0].length_bytes, 0x1000);
    CHECK_EQ(pieces[0].protection, PROTECTION_READ);
    CHECK_EQ(pieces[1].kind, CAPOS_LOAD_MAP);
    CHECK_EQ(pieces[1].length_bytes, 0x2000);
    CHECK_EQ(pieces[1].offset_bytes, 0x1000);
    CHECK_EQ(pieces[1].protection, PROTECTION_READ_EXECUTE);
    CHECK_EQ(pieces[2].kind, CAPOS_LOAD_COMMIT);
    CHECK_EQ(pieces[2].address, plan.bias + 0x4000);
    CHECK_EQ(pieces[2].length_bytes, 0x1000);
    CHECK_EQ(pieces[2].offset_bytes, 0x3e10);
    CHECK_EQ(pieces[2].copy_bytes, 0x1f0);
    CHECK_EQ(pieces[3].kind, CAPOS_LOAD_COMMIT);
    CHECK_EQ(pieces[3].address, plan.bias + 0x5000);
    CHECK_EQ(pieces[3].length_bytes, 0x4000);
    CHECK_EQ(pieces[3].copy_bytes, 0x20);
    CHECK_EQ(pieces[3].protection, PROTECTION_READ_WRITE);
    CHECK_EQ(pieces[4].address, plan.stack_base);
    CHECK_EQ(pieces[4].length_bytes, plan.stack_bytes + 0x1000);
    CHECK_EQ(pieces[4].copy_bytes, 0);
}

// A large segment is copied by several calls: nothing is left out and nothing overlaps.
static void spawn_piece_take_covers_the_piece(void)
{
    static const uint64_t copies[] = {0, 1, 0x1f0, 0x1000, 0x7fff, 0x8001, 0x23456};
    for (unsigned i = 0; i < sizeof copies / sizeof copies[0]; i++) {
        struct capos_load_piece rest = {.address = 0x10000,
                                        .length_bytes = 0x30000,
                                        .offset_bytes = 0x3e10,
                                        .copy_bytes = copies[i],
                                        .kind = CAPOS_LOAD_COMMIT};
        uint64_t at = rest.address, offset = rest.offset_bytes, copied = 0;
        bool all = false;
        for (unsigned calls = 0; !all && calls < 100; calls++) {
            struct capos_load_piece part;
            uint64_t copied_bytes;
            all = spawn_piece_take(&rest, 0x4000, &part, &copied_bytes);
            CHECK_EQ(part.address, at);
            CHECK(copied_bytes <= 0x4000 && copied_bytes <= part.length_bytes);
            if (part.copy_bytes > 0) {
                CHECK_EQ(part.offset_bytes, offset);
                CHECK(part.offset_bytes % 4096 + part.copy_bytes <= part.length_bytes);
                CHECK_EQ(part.offset_bytes % 4096, calls == 0 ? 0xe10 : 0);
            }
            at += part.length_bytes;
            offset += part.copy_bytes;
            copied += part.copy_bytes;
        }
        CHECK(all);
        CHECK_EQ(at, 0x40000);
        CHECK_EQ(copied, copies[i]);
    }
}

static void spawn_plan_addresses_are_disjoint_and_in_user_space(void)
{
    for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
        struct elf_image large = image;
        large.high_address = ELF_SPAN_BYTES_MAX;
        struct spawn_plan plan;
        CHECK_EQ(spawn_plan_make(&large, &strings, UINT64_MAX, extremes[i], &plan), STATUS_OK);
        CHECK_EQ(plan.bias % 4096, 0);
        CHECK(plan.stack_base > plan.bias + large.high_address); // a guard between
        CHECK_EQ(plan.startup_address, plan.stack_base + plan.stack_bytes);
        CHECK(plan.startup_address + plan.startup_bytes < 0x7ffffffff000);
        CHECK_EQ(plan.startup_address % 4096, 0);
    }
}

static void spawn_plan_stack_is_what_was_asked_for(void)
{
    struct spawn_plan plan;
    struct elf_image asks = image;
    CHECK_EQ(spawn_plan_make(&asks, &strings, 0, extremes[0], &plan), STATUS_OK);
    CHECK_EQ(plan.stack_bytes, SPAWN_STACK_BYTES_DEFAULT);
    asks.stack_bytes = 100000;
    CHECK_EQ(spawn_plan_make(&asks, &strings, 0, extremes[0], &plan), STATUS_OK);
    CHECK_EQ(plan.stack_bytes, 102400);
    CHECK_EQ(spawn_plan_make(&asks, &strings, 5000, extremes[0], &plan), STATUS_OK);
    CHECK_EQ(plan.stack_bytes, 8192);
}

// Reads a string that the block says is at an address of the child.
static const char *at(const struct spawn_plan *plan, const uint8_t *block, uint64_t address)
{
    CHECK(address >= plan->startup_address &&
          address < plan->startup_address + plan->startup_bytes);
    return (const char *)block + (address - plan->startup_address);
}

static void spawn_plan_startup_block_says_the_truth(void)
{
    struct spawn_plan plan;
    CHECK_EQ(spawn_plan_make(&image, &strings, 0, extremes[2], &plan), STATUS_OK);
    uint8_t *block = malloc(plan.startup_bytes);
    memset(block, 0xee, plan.startup_bytes); // nothing is taken for zero
    spawn_plan_startup(&plan, &image, &strings, UINT64_MAX, block);

    struct capos_startup startup;
    memcpy(&startup, block, sizeof startup);
    CHECK_EQ(startup.magic, CAPOS_STARTUP_MAGIC);
    CHECK_EQ(startup.image_bias, plan.bias);
    CHECK_EQ(startup.tls_file, plan.bias + 0x4e10);
    CHECK_EQ(startup.canary & 0xff, 0);
    CHECK_EQ(startup.block_bytes, plan.startup_bytes);
    CHECK_EQ(startup.argument_count, 3);
    uint64_t table[4];
    memcpy(table, at(&plan, block, startup.arguments), sizeof table);
    for (unsigned i = 0; i < 3; i++)
        CHECK(strcmp(at(&plan, block, table[i]), arguments[i]) == 0);
    CHECK_EQ(table[3], 0);
    memcpy(table, at(&plan, block, startup.environment), 3 * sizeof table[0]);
    CHECK(strcmp(at(&plan, block, table[1]), "X=") == 0);
    CHECK_EQ(table[2], 0);
    free(block);
}

static void spawn_plan_refuses_strings_without_end(void)
{
    static char text[1 << 20];
    memset(text, 'x', sizeof text - 1);
    const char *long_strings[] = {text, text};
    struct spawn_plan plan;
    CHECK_EQ(spawn_plan_make(&image, &(struct spawn_strings){long_strings, nullptr, 2, 0}, 0,
                             extremes[0], &plan),
             STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    RUN(spawn_plan_pieces_cover_each_segment);
    RUN(spawn_piece_take_covers_the_piece);
    RUN(spawn_plan_addresses_are_disjoint_and_in_user_space);
    RUN(spawn_plan_stack_is_what_was_asked_for);
    RUN(spawn_plan_startup_block_says_the_truth);
    RUN(spawn_plan_refuses_strings_without_end);
    return test_report();
}
