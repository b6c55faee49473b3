// SPDX-License-Identifier: MIT
// Handles its own faults: an array of a gigabyte whose pages come when they are touched.
//
//     ./capos run examples/c/faults.c
#include <capos/fault.h>

#include <gen/capos/caps.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <stdlib.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t ARRAY_BYTES = 1 << 30;

static struct {
    virtual_memory_cap memory;
    uint64_t address;
    unsigned page_count;
} array;

// Provides the page, and the instruction that faulted is tried again.
static void on_fault(struct capos_fault_frame *frame, void *)
{
    if (frame->address - array.address >= ARRAY_BYTES ||
        virtual_memory_commit(array.memory, frame->address & ~(PAGE - 1), PAGE,
                              PROTECTION_READ_WRITE) != STATUS_OK)
        exit(EXIT_FAILURE);
    array.page_count++;
}

int main(void)
{
    static alignas(16) uint8_t stack[16384]; // a handler has a stack of its own
    if (virtual_memory_cap_find("memory", &array.memory) != STATUS_OK ||
        virtual_memory_reserve(array.memory, ARRAY_BYTES, 0, 0, &array.address) != STATUS_OK ||
        capos_fault_handler_set(on_fault, nullptr, stack, sizeof stack) != STATUS_OK)
        return EXIT_FAILURE;
    volatile uint32_t *numbers = (volatile uint32_t *)array.address;
    for (uint32_t i = 1; i <= 200'000'000; i *= 10)
        numbers[i] = i;
    printf("numbers[100000000] is %u, in one of %u pages\n", numbers[100'000'000],
           array.page_count);
    return 0;
}
