// SPDX-License-Identifier: MIT
// From libcapos's start to musl's: the block of words that a C
// library begins with, argc, argv, envp and the auxiliary vector, made of what the loader left.
//
// The stack protector of the C library and of the program takes its random number from
// AT_RANDOM, malloc its secret.  Both derive from the canary that the loader chose, by a
// function that isn't invertible.
#include "../libcapos/start.h"
#include "abi.h"
#include "process.h"

#include <capos/panic.h>
#include <lib/chacha20.h>
#include <lib/elf.h>
#include <stdlib.h>
#include <string.h>

struct thread;

constexpr uint64_t PAGE = 4096;
constexpr size_t AUXILIARY_COUNT = 12;

struct auxiliary {
    uint64_t type, value;
};

static uint8_t random_block[CHACHA20_BLOCK_BYTES];

static void random_init(const struct capos_startup *startup)
{
    const uint8_t nonce[CHACHA20_NONCE_BYTES] = {};
    uint8_t key[CHACHA20_KEY_BYTES] = {};
    memcpy(key, &startup->canary, sizeof startup->canary);
    memcpy(key + 8, &startup->image_bias, sizeof startup->image_bias);
    memcpy(key + 16, &startup->stack_base, sizeof startup->stack_base);
    chacha20_block(key, 0, nonce, random_block);
}

// The program's headers lie at the beginning of its file, which is mapped.
static void auxiliary_fill(struct auxiliary out[AUXILIARY_COUNT],
                           const struct capos_startup *startup, const struct thread *first)
{
    const uint8_t *file = (const uint8_t *)startup->image_base;
    uint64_t headers_offset;
    uint16_t header_bytes, header_count;
    memcpy(&headers_offset, file + 32, sizeof headers_offset); // e_phoff, e_phentsize, e_phnum
    memcpy(&header_bytes, file + 54, sizeof header_bytes);
    memcpy(&header_count, file + 56, sizeof header_count);
    const struct auxiliary all[AUXILIARY_COUNT] = {
        {AT_PHDR, (uint64_t)file + headers_offset},
        {AT_PHENT, header_bytes},
        {AT_PHNUM, header_count},
        {AT_PAGESZ, PAGE},
        {AT_UID, IDENTITY},
        {AT_EUID, IDENTITY},
        {AT_GID, IDENTITY},
        {AT_EGID, IDENTITY},
        {AT_SECURE, 0},
        {AT_RANDOM, (uint64_t)random_block},
        {AT_SYSINFO, (uint64_t)first}, // what musl puts where thread_self() looks
        {AT_NULL, 0},
    };
    memcpy(out, all, sizeof all);
}

static size_t count_of(const uint64_t *words)
{
    size_t count = 0;
    while (words[count] != 0)
        count++;
    return count;
}

int main(int argc, char **argv);
[[noreturn]] int __libc_start_main(int (*run)(int argc, char **argv), int argc, char **argv,
                                   void (*init)(void), void (*fini)(void), void (*end)(void));

[[noreturn, gnu::no_stack_protector]] void program_start(struct thread *first,
                                                         struct capos_startup *startup)
{
    const uint64_t *arguments = (const uint64_t *)startup->arguments;
    const uint64_t *environment = (const uint64_t *)startup->environment;
    size_t argument_words = startup->argument_count + 1;
    size_t environment_words = count_of(environment) + 1;
    uint64_t *words = calloc(argument_words + environment_words + 2 * AUXILIARY_COUNT, 8);
    if (words == nullptr)
        capos_panic("no memory for the program's arguments");
    random_init(startup);
    memcpy(words, arguments, argument_words * 8);
    memcpy(words + argument_words, environment, environment_words * 8);
    auxiliary_fill((struct auxiliary *)(words + argument_words + environment_words), startup,
                   first);
    __libc_start_main(main, (int)startup->argument_count, (char **)words, nullptr, nullptr,
                      nullptr);
}
