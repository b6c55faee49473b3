// SPDX-License-Identifier: MIT
// The loader's arithmetic: nothing overlaps, every byte of a segment has its place, and
// the startup block says the truth.
#include "spawn_plan.h"

#include <test/test.h>

#include <abi/startup.h>
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
    CHECK_EQ(plan.piece_count, 4);
    CHECK_EQ(plan.pieces[0].shared_bytes, 0x1000);
    CHECK_EQ(plan.pieces[1].shared_bytes, 0x2000);
    CHECK_EQ(plan.pieces[1].file_offset, 0x1000);
    CHECK_EQ(plan.pieces[2].private_bytes, 0x1000);
    CHECK_EQ(plan.pieces[2].address, plan.bias + 0x4000);
    CHECK_EQ(plan.pieces[3].private_bytes, 0x1000);
    CHECK_EQ(plan.pieces[3].private_offset, 0x1000);
    CHECK_EQ(plan.pieces[3].zero_bytes, 0x3000);
    CHECK_EQ(plan.startup_offset, 0x2000);
    CHECK_EQ(plan.private_bytes, 0x3000);
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
static const char *at(const struct spawn_plan *plan, const uint8_t *private, uint64_t address)
{
    CHECK(address >= plan->startup_address &&
          address < plan->startup_address + plan->startup_bytes);
    return (const char *)private + plan->startup_offset + (address - plan->startup_address);
}

static void spawn_plan_startup_block_says_the_truth(void)
{
    struct spawn_plan plan;
    uint8_t file[0x5000];
    for (size_t i = 0; i < sizeof file; i++)
        file[i] = (uint8_t)(i * 7);
    CHECK_EQ(spawn_plan_make(&image, &strings, 0, extremes[2], &plan), STATUS_OK);
    uint8_t *private = calloc(1, plan.private_bytes);
    spawn_plan_fill(&plan, &image, file, &strings, UINT64_MAX, private);
    CHECK(memcmp(private + 0xe10, file + 0x3e10, 0x1f0) == 0);
    CHECK(memcmp(private + 0x1010, file + 0x4010, 0x20) == 0);
    CHECK_EQ(private[0x1030], 0);

    struct capos_startup startup;
    memcpy(&startup, private + plan.startup_offset, sizeof startup);
    CHECK_EQ(startup.magic, CAPOS_STARTUP_MAGIC);
    CHECK_EQ(startup.image_bias, plan.bias);
    CHECK_EQ(startup.tls_file, plan.bias + 0x4e10);
    CHECK_EQ(startup.canary & 0xff, 0);
    CHECK(startup.block_bytes <= plan.startup_bytes);
    CHECK_EQ(startup.argument_count, 3);
    uint64_t table[4];
    memcpy(table, at(&plan, private, startup.arguments), sizeof table);
    for (unsigned i = 0; i < 3; i++)
        CHECK(strcmp(at(&plan, private, table[i]), arguments[i]) == 0);
    CHECK_EQ(table[3], 0);
    memcpy(table, at(&plan, private, startup.environment), 3 * sizeof table[0]);
    CHECK(strcmp(at(&plan, private, table[1]), "X=") == 0);
    CHECK_EQ(table[2], 0);
    free(private);
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
    RUN(spawn_plan_addresses_are_disjoint_and_in_user_space);
    RUN(spawn_plan_stack_is_what_was_asked_for);
    RUN(spawn_plan_startup_block_says_the_truth);
    RUN(spawn_plan_refuses_strings_without_end);
    return test_report();
}
