// SPDX-License-Identifier: MIT
// Fuzzes the loader from a file to a process image: of whatever the ELF parser accepts, the
// plan's pieces are disjoint, lie in user space and in the file, and the startup block is
// written inside of it.
//
// The input is a list of changes to a good program, then strings for its arguments.
#include "spawn_plan.c"

#include <stdlib.h>
#include <test/elf_sample.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    uint64_t at = UINT64_C(0x10000);
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct capos_load_piece *piece = &plan->pieces[i];
        uint64_t before = piece->offset_bytes % PAGE;
        require(piece->address >= at && piece->address % PAGE == 0);
        at = piece->address + piece->length_bytes;
        require(at > piece->address && at % PAGE == 0);
        if (piece->kind == CAPOS_LOAD_MAP)
            require(before == 0 && piece->copy_bytes == 0 &&
                    piece->offset_bytes + piece->length_bytes <= file_pages_end(file_size));
        else if (piece->copy_bytes != 0)
            require(before + piece->copy_bytes <= piece->length_bytes &&
                    piece->offset_bytes + piece->copy_bytes <= file_size);
    }
    const struct capos_load_piece *last = &plan->pieces[plan->piece_count - 1];
    require(plan->stack_base == last->address && plan->piece_count > 1);
    require(plan->stack_base > last[-1].address + last[-1].length_bytes); // a guard between
    require(plan->startup_address == plan->stack_base + plan->stack_bytes);
    require(plan->startup_address + plan->startup_bytes <= at);
    require(at < UINT64_C(0x7ffffffff000));
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
        uint8_t *block = malloc(plan.startup_bytes);
        spawn_plan_startup(&plan, &image, &strings, random, block);
        free(block);
    }
    free(text);
    free(elf);
    return 0;
}
