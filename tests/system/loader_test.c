// SPDX-License-Identifier: MIT
// The loader of every parent (<capos/spawn.h>) on files that are cut, corrupted, or no
// programs: a typed error, or a process that may do nothing, because it holds nothing.  What
// the harness counts is the same afterwards.
//
// That lib/elf.c refuses what it must is tested and fuzzed on the host; here it is what
// happens with what it lets through.
#include <capos/test.h>

#include <capos/spawn.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

static const char victim[] = "console_test"; // any program will do

static struct capos_spawner spawner;

// A writable copy of the program's file.
struct copy {
    memory_object_cap object;
    uint8_t *bytes;
    uint64_t size_bytes;
    uint64_t mapped_bytes;
};

static bool file_map(memory_object_cap *out_file, const uint8_t **out_bytes,
                     uint64_t *out_size_bytes, uint64_t *out_mapped_bytes)
{
    boot_package_cap boot = {test_grant("boot", INTERFACE_BOOT_PACKAGE)};
    uint64_t address = 0;
    if (!CHECK_OK(
            boot_package_open(boot, victim, sizeof victim - 1, out_file, out_size_bytes)) ||
        !CHECK_OK(memory_object_info(*out_file, out_mapped_bytes, nullptr, nullptr)) ||
        !CHECK_OK(virtual_memory_map(test_memory(), *out_file, 0, *out_mapped_bytes, 0,
                                     PROTECTION_READ, &address)))
        return false;
    *out_bytes = (const uint8_t *)address;
    return true;
}

static bool copy_create(struct copy *copy)
{
    memory_object_cap file;
    const uint8_t *bytes;
    uint64_t address = 0;
    if (!file_map(&file, &bytes, &copy->size_bytes, &copy->mapped_bytes) ||
        !CHECK_OK(memory_budget_create_memory_object(test_budget(), copy->mapped_bytes,
                                                     &copy->object)) ||
        !CHECK_OK(virtual_memory_map(test_memory(), copy->object, 0, copy->mapped_bytes, 0,
                                     PROTECTION_READ_WRITE, &address)))
        return false;
    copy->bytes = (uint8_t *)address;
    memcpy(copy->bytes, bytes, copy->size_bytes);
    CHECK_OK(virtual_memory_unmap(test_memory(), (uint64_t)bytes, copy->mapped_bytes));
    memory_object_cap_release(&file);
    return true;
}

static void copy_destroy(struct copy *copy)
{
    CHECK_OK(virtual_memory_unmap(test_memory(), (uint64_t)copy->bytes, copy->mapped_bytes));
    memory_object_cap_release(&copy->object);
}

// Loads and starts what the object holds; false if it was refused.  What started is killed.
static bool starts(memory_object_cap object, uint64_t size_bytes)
{
    struct capos_image image;
    struct capos_process process;
    const char *const arguments[] = {victim, "no such role"};
    const struct capos_spawn_request request = {
        .name = "corrupt",
        .budget = test_budget(),
        .arguments = arguments,
        .argument_count = 2,
    };
    struct test_end end;
    enum status status = capos_image_open(&image, &spawner, object, size_bytes);
    if (status != STATUS_OK) {
        CHECK(status != STATUS_BAD_MESSAGE || image.elf_error != ELF_OK);
        return false;
    }
    status = capos_spawn(&spawner, &image, &request, &process);
    if (status == STATUS_OK) {
        CHECK_OK(timer_sleep(test_timer(), 300'000));
        CHECK_OK(process_handle_kill(process.handle));
        CHECK_OK(test_wait(process.handle, &end));
        CHECK(end.kind != END_KIND_RUNNING);
    }
    capos_image_close(&image, &spawner);
    return status == STATUS_OK;
}

static void an_intact_copy_starts(void)
{
    struct copy copy;
    if (!copy_create(&copy))
        return;
    CHECK(starts(copy.object, copy.size_bytes));
    copy_destroy(&copy);
}

static void a_file_that_is_no_program_is_refused(void)
{
    struct copy copy;
    if (!copy_create(&copy))
        return;
    memset(copy.bytes, 0, 64);
    CHECK(!starts(copy.object, copy.size_bytes));
    memcpy(copy.bytes, "#!/bin/sh\n", 10);
    CHECK(!starts(copy.object, copy.size_bytes));
    copy_destroy(&copy);
}

static void a_file_of_impossible_size_is_refused(void)
{
    struct copy copy;
    if (!copy_create(&copy))
        return;
    CHECK(!starts(copy.object, 0));
    CHECK(!starts(copy.object, 1));
    CHECK(!starts(copy.object, copy.mapped_bytes + 1)); // more than the object has
    CHECK(!starts(copy.object, UINT64_MAX));
    copy_destroy(&copy);
}

static void a_file_that_is_cut_is_refused_or_harmless(void)
{
    struct copy copy;
    if (!copy_create(&copy))
        return;
    for (uint64_t size_bytes = 1; size_bytes < copy.size_bytes;
         size_bytes = size_bytes * 5 / 4 + 1)
        (void)starts(copy.object, size_bytes);
    copy_destroy(&copy);
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

// Bytes of the headers are changed one or a few at a time, the rest of the file now and then.
static void a_corrupted_file_is_refused_or_harmless(void)
{
    uint64_t seed = 0x2545f4914f6cdd1d;
    uint8_t saved[4];
    uint64_t places[4];
    struct copy copy;
    unsigned started = 0;
    if (!copy_create(&copy))
        return;
    for (int round = 0; round < 200; round++) {
        unsigned count = 1 + (unsigned)(random_next(&seed) % 4);
        for (unsigned i = 0; i < count; i++) {
            places[i] = random_next(&seed) % (round % 8 == 0 ? copy.size_bytes : 640);
            saved[i] = copy.bytes[places[i]];
            copy.bytes[places[i]] ^= (uint8_t)(1 + random_next(&seed) % 255);
        }
        started += starts(copy.object, copy.size_bytes);
        for (unsigned i = count; i-- > 0;)
            copy.bytes[places[i]] = saved[i];
    }
    CHECK(started < 200);
    CHECK(starts(copy.object, copy.size_bytes)); // all bytes are as they were
    copy_destroy(&copy);
}

static void tests(void)
{
    if (!CHECK_OK(capos_spawner_find(&spawner)))
        return;
    RUN(an_intact_copy_starts);
    RUN(a_file_that_is_no_program_is_refused);
    RUN(a_file_of_impossible_size_is_refused);
    RUN(a_file_that_is_cut_is_refused_or_harmless);
    RUN(a_corrupted_file_is_refused_or_harmless);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, tests, nullptr, 0);
}
