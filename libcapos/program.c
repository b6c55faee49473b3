// SPDX-License-Identifier: MIT
// The program: its thread-local variables, and main.
#include "start.h"
#include "thread.h"
#include "tls.h"

#include <capos/capset.h>
#include <capos/panic.h>

#include <gen/capos/virtual_memory.h>
#include <lib/elf.h>
#include <stdlib.h>

constexpr uint64_t PAGE = 4096;

// Pages for variables that don't fit the static room, with the thread block behind them.
static struct thread *thread_pages(const struct capos_startup *startup)
{
    uint64_t below = (tls_bytes_below(startup) + PAGE - 1) & ~(PAGE - 1);
    uint64_t bytes = below + PAGE;
    uint64_t address;
    virtual_memory_cap memory;
    static_assert(sizeof(struct thread) <= PAGE && ELF_TLS_ALIGNMENT_MAX <= PAGE);
    if (capos_find("memory", INTERFACE_VIRTUAL_MEMORY, &memory.id) != STATUS_OK ||
        virtual_memory_reserve(memory, bytes, 0, 0, &address) != STATUS_OK ||
        virtual_memory_commit(memory, address, bytes, PROTECTION_READ_WRITE) != STATUS_OK)
        capos_panic("no memory for %llu bytes of thread-local variables",
                    (unsigned long long)startup->tls_bytes);
    return (struct thread *)(address + below);
}

static void tls_init(const struct capos_startup *startup, struct thread *first)
{
    if (startup->tls_bytes == 0)
        return;
    struct thread *thread = first;
    if (tls_bytes_below(startup) > TLS_STATIC_BYTES ||
        startup->tls_alignment > TLS_STATIC_ALIGNMENT) {
        thread = thread_pages(startup);
        *thread = *first;
        thread->self = thread->block = thread;
        thread_set_self(thread);
    }
    tls_fill(thread, startup);
}

int main(int argc, char **argv);

[[noreturn]] void program_start(struct thread *first, struct capos_startup *startup)
{
    tls_init(startup, first);
    exit(main((int)startup->argument_count, (char **)startup->arguments));
}
