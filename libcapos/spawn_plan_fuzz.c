// SPDX-License-Identifier: MIT
// Fuzzes the loader from a file to a process image: of whatever the ELF parser accepts, the
// plan's pieces are disjoint, lie in user space and in the file, and filling the private
// object writes inside of it.
//
// The input is a list of changes to a good program, then strings for its arguments.
#include "spawn_plan.c"

#include <stdlib.h>
#include <test/elf_sample.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

constexpr uint64_t PRIVATE_BYTES_MAX = 16 << 20; // more is right, and slow

static void require(bool condition)
{
    if (!condition)
        abort();
}

static uint64_t file_pages_end(uint64_t file_size)
{
    return (file_size + PAGE - 1) & ~(PAGE - 1);
}

static void check_plan(const struct spawn_plan *plan, uint64_t file_size)
{
    uint64_t at = UINT64_C(0x10000), private_at = 0;
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct spawn_piece *piece = &plan->pieces[i];
        require(piece->address >= at && piece->address % PAGE == 0);
        at = piece->address + piece->shared_bytes + piece->private_bytes + piece->zero_bytes;
        require(at > piece->address && at % PAGE == 0);
        require(piece->shared_bytes == 0 || piece->private_bytes == 0);
        require(piece->shared_bytes == 0 ||
                piece->file_offset + piece->shared_bytes <= file_pages_end(file_size));
        require(piece->private_offset == private_at);
        private_at += piece->private_bytes;
    }
    require(plan->stack_base > at && plan->stack_base % PAGE == 0); // a guard between
    require(plan->startup_address == plan->stack_base + plan->stack_bytes);
    require(plan->startup_address + plan->startup_bytes < UINT64_C(0x7ffffffff000));
    require(plan->startup_offset == private_at);
    require(plan->private_bytes == private_at + plan->startup_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_sample *elf = calloc(1, ELF_SAMPLE_BYTES);
    elf_sample_write(elf);
    uint64_t random = 0;
    while (size >= 4 && data[0] != 0xff) { // position, value; 0xff ends the changes
        size_t position = (size_t)(data[0] << 8 | data[1]) % ELF_SAMPLE_BYTES;
        ((uint8_t *)elf)[position] = data[2];
        random = random * 257 + data[3];
        data += 4;
        size -= 4;
    }
    char *text = calloc(1, size + 1);
    if (size > 0)
        memcpy(text, data, size);
    const char *const arguments[] = {"program", text};
    const struct spawn_strings strings = {arguments, arguments, 2, size > 0 ? 2u : 0u};
    struct elf_image image;
    struct spawn_plan plan;
    if (elf_parse(elf, ELF_SAMPLE_BYTES, &image) == ELF_OK &&
        spawn_plan_make(&image, &strings, random << 20, random, &plan) == STATUS_OK) {
        check_plan(&plan, ELF_SAMPLE_BYTES);
        if (plan.private_bytes <= PRIVATE_BYTES_MAX) {
            uint8_t *private = calloc(1, plan.private_bytes);
            spawn_plan_fill(&plan, &image, (const uint8_t *)elf, &strings, random, private);
            free(private);
        }
    }
    free(text);
    free(elf);
    return 0;
}
