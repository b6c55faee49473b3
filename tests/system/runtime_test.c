// SPDX-License-Identifier: MIT
// The runtime of a native program: relocation, thread-local variables, what is read-only, the
// stack protector, the heap, and the loader that starts it all.
#include <capos/test.h>

#include <capos/panic.h>
#include <capos/process.h>
#include <capos/spawn.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/process.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;

// ---- Relocation and thread-local variables -------------------------------------------------

static int number = 7;
static int *pointer_to_number = &number;
static const char *const names[] = {"one", "two", "three"};

static void relocated_pointers_lead_where_they_should(void)
{
    CHECK_EQ((uintptr_t)pointer_to_number, (uintptr_t)&number);
    CHECK_EQ(*pointer_to_number, 7);
    CHECK(strcmp(names[2], "three") == 0);
    const struct capos_startup *startup = capos_startup_block();
    CHECK((uint64_t)&number - startup->image_base < startup->image_bytes);
}

static thread_local uint64_t tls_number = 0x1122334455667788;
static thread_local uint64_t tls_zero;
static thread_local alignas(64) char tls_text[100] = "thread-local";

static void thread_local_variables_start_with_their_values(void)
{
    CHECK_EQ(tls_number, 0x1122334455667788);
    CHECK_EQ(tls_zero, 0);
    CHECK(strcmp(tls_text, "thread-local") == 0);
    CHECK_EQ((uintptr_t)tls_text % 64, 0);
    tls_zero = tls_number;
    CHECK_EQ(tls_zero, 0x1122334455667788);
    tls_zero = 0;
}

// ---- What is read-only ---------------------------------------------------------------------

static int child_writes_relocated_data(void)
{
    const char *volatile *place = (const char *volatile *)(uintptr_t)&names[0];
    *place = "other";
    return 0;
}

static void relocated_data_is_read_only_for_a_program_with_memory(void)
{
    const struct test_child_grant grants[] = {test_lend("memory", test_memory().id)};
    CHECK_FAULTS("writes relocated data", grants, 1, FAULT_KIND_PROTECTION, nullptr);
}

// ---- Stack protector and panic -------------------------------------------------------------

static void write_behind(volatile char *buffer, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buffer[i] = (char)0xff;
}
static void (*volatile write_behind_pointer)(volatile char *, size_t) = write_behind;

static int child_overruns_a_buffer(void)
{
    char buffer[32];
    write_behind_pointer(buffer, 64);
    return buffer[0];
}

static void an_overrun_buffer_ends_the_process(void)
{
    CHECK_FAULTS("overruns a buffer", nullptr, 0, FAULT_KIND_ILLEGAL_INSTRUCTION, nullptr);
}

static int child_panics(void)
{
    capos_panic("a test of panic");
}

static void panic_without_any_output_is_a_fault(void)
{
    CHECK_FAULTS("panics", nullptr, 0, FAULT_KIND_ILLEGAL_INSTRUCTION, nullptr);
}

// ---- Heap ----------------------------------------------------------------------------------

static void *volatile block;

static int child_frees_twice(void)
{
    block = malloc(40);
    free(block);
    free(block);
    return 0;
}

static int child_frees_a_large_block_twice(void)
{
    block = malloc(100000);
    free(block);
    free(block);
    return 0;
}

static int child_frees_the_middle(void)
{
    block = malloc(40);
    free((char *)block + 16);
    return 0;
}

static int child_allocates_without_memory(void)
{
    block = malloc(16);
    EXPECT(block == nullptr);
    return 0;
}

static void wrong_frees_end_the_process(void)
{
    const struct test_child_grant grants[] = {test_lend("memory", test_memory().id)};
    CHECK_FAULTS("frees twice", grants, 1, FAULT_KIND_ILLEGAL_INSTRUCTION, nullptr);
    CHECK_FAULTS("frees the middle", grants, 1, FAULT_KIND_ILLEGAL_INSTRUCTION, nullptr);
    // A mapping that is gone has no header to look at.
    CHECK_FAULTS("frees a large block twice", grants, 1, FAULT_KIND_UNMAPPED, nullptr);
}

static void the_heap_needs_its_grant(void)
{
    CHECK_CHILD("allocates without memory", nullptr, 0);
}

static void the_heap_gives_large_blocks_back(void)
{
    uint64_t before = test_charged_bytes();
    char *large = malloc(4 << 20);
    if (!CHECK(large != nullptr))
        return;
    CHECK_EQ(large[(4 << 20) - 1], 0);
    CHECK(test_charged_bytes() >= before + (4 << 20));
    large = realloc(large, 5 << 20);
    CHECK(large != nullptr);
    free(large);
    CHECK(test_charged_bytes() < before + (1 << 20));
}

static void the_heap_says_when_memory_is_out(void)
{
    CHECK(malloc(SIZE_MAX / 2) == nullptr);
    CHECK(calloc(SIZE_MAX / 2, 4) == nullptr);
    char *small = malloc(100);
    CHECK(small != nullptr);
    CHECK(realloc(small, SIZE_MAX / 2) == nullptr);
    free(small);
}

// ---- The loader ----------------------------------------------------------------------------

// Opens an object of one page with these first bytes as a program.
static void check_refused(const void *bytes, size_t size, enum elf_error expected)
{
    struct capos_spawner spawner;
    struct capos_image image;
    memory_object_cap object;
    uint64_t address;
    if (!CHECK_OK(capos_spawner_find(&spawner)) ||
        !CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &object)))
        return;
    CHECK_OK(
        virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE, &address));
    memcpy((void *)address, bytes, size);
    CHECK_STATUS(capos_image_open(&image, &spawner, object, PAGE), STATUS_BAD_MESSAGE);
    CHECK_EQ(image.elf_error, expected);
    CHECK_OK(virtual_memory_unmap(test_memory(), address, PAGE));
    memory_object_cap_release(&object);
}

static void the_loader_refuses_what_is_no_program(void)
{
    check_refused("#!/bin/sh\n", 10, ELF_NOT_ELF);
    check_refused("", 1, ELF_NOT_ELF);
    check_refused("\x7f\x45LF\1\1\1", 7, ELF_WRONG_MACHINE);
}

static void the_loader_refuses_an_empty_file(void)
{
    struct capos_spawner spawner;
    struct capos_image image;
    memory_object_cap none = {};
    CHECK_OK(capos_spawner_find(&spawner));
    CHECK_STATUS(capos_image_open(&image, &spawner, none, 0), STATUS_BAD_MESSAGE);
}

static int child_knows_its_stack(void)
{
    const struct capos_startup *startup = capos_startup_block();
    char here;
    EXPECT((uint64_t)&here - startup->stack_base < startup->stack_bytes);
    EXPECT(startup->argument_count >= 2);
    EXPECT(startup->canary != 0 && (startup->canary & 0xff) == 0);
    EXPECT(capos_environment()[0] == nullptr);
    return 0;
}

static void the_startup_block_is_true(void)
{
    CHECK_CHILD("knows its stack", nullptr, 0);
}

static int child_exits_from_a_function(void)
{
    exit(0);
}

static void exit_ends_the_program_from_anywhere(void)
{
    CHECK_CHILD("exits from a function", nullptr, 0);
}

static const struct test_role roles[] = {
    {"writes relocated data", child_writes_relocated_data},
    {"overruns a buffer", child_overruns_a_buffer},
    {"panics", child_panics},
    {"frees twice", child_frees_twice},
    {"frees a large block twice", child_frees_a_large_block_twice},
    {"frees the middle", child_frees_the_middle},
    {"allocates without memory", child_allocates_without_memory},
    {"knows its stack", child_knows_its_stack},
    {"exits from a function", child_exits_from_a_function},
};

static void tests(void)
{
    RUN(relocated_pointers_lead_where_they_should);
    RUN(thread_local_variables_start_with_their_values);
    RUN(relocated_data_is_read_only_for_a_program_with_memory);
    RUN(an_overrun_buffer_ends_the_process);
    RUN(panic_without_any_output_is_a_fault);
    RUN(wrong_frees_end_the_process);
    RUN(the_heap_needs_its_grant);
    RUN(the_heap_gives_large_blocks_back);
    RUN(the_heap_says_when_memory_is_out);
    RUN(the_loader_refuses_what_is_no_program);
    RUN(the_loader_refuses_an_empty_file);
    RUN(the_startup_block_is_true);
    RUN(exit_ends_the_program_from_anywhere);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
