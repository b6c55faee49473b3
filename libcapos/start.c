// SPDX-License-Identifier: MIT
// From the first instruction to main.
//
// A program is a static PIE: it is linked at address 0 and relocates itself, before it
// touches anything that a relocation fills in.  Then come, in this order, the thread
// block with the ring client, the read-only protection of what was relocated, and what
// program.c does.
// What a program must know of its own file its loader has written into the startup block:
// the kernel for the first process, a parent for all others.
//
// Sources: System V gABI (dynamic section, RELR), psABI for AMD64 (R_X86_64_RELATIVE).
// Tested by every booted program; tests/system has those that look at the parts.
#include "start.h"
#include "thread.h"

#include <capos/capset.h>
#include <capos/panic.h>
#include <capos/syscall.h>

#include <gen/capos/virtual_memory.h>
#include <lib/elf.h>

constexpr uint64_t PAGE = 4096;

// The note by which a loader knows a capOS program (lib/elf.h).
static const struct {
    uint32_t name_bytes, description_bytes, type;
    char name[8];
    uint32_t version;
} note [[gnu::section(".note.capos"), gnu::used, gnu::retain]] = {
    .name_bytes = sizeof ELF_NOTE_CAPOS_NAME,
    .description_bytes = sizeof(uint32_t),
    .type = ELF_NOTE_CAPOS_TYPE,
    .name = ELF_NOTE_CAPOS_NAME,
    .version = ELF_NOTE_CAPOS_VERSION,
};

struct dynamic_entry {
    uint64_t tag, value;
};

struct relocation {
    uint64_t address, info, addend;
};

enum { DT_NULL = 0, DT_RELA = 7, DT_RELASZ = 8, DT_RELRSZ = 35, DT_RELR = 36 };
enum { R_X86_64_RELATIVE = 8 };

// The program's dynamic section; set by the linker.
extern const struct dynamic_entry _DYNAMIC[] __attribute__((visibility("hidden")));

// What functions compare their stack with; the compiler refers to it by this name.  It lies
// with the relocated data, so it can't be overwritten once that is protected.
extern uint64_t __stack_chk_guard;
uint64_t __stack_chk_guard [[gnu::section(".data.rel.ro")]] = 1;

// ---- Relocation --------------------------------------------------------------------

// RELR: an even word is the address of a word to relocate; an odd one is a bit map of
// the 63 words that follow the last address.
[[gnu::no_stack_protector]] static void relocate_relr(uint64_t bias, const uint64_t *table,
                                                      uint64_t table_bytes)
{
    uint64_t *place = nullptr;
    for (uint64_t i = 0; i < table_bytes / sizeof *table; i++) {
        uint64_t word = table[i];
        if ((word & 1) == 0) {
            place = (uint64_t *)(bias + word);
            *place++ += bias;
            continue;
        }
        uint64_t *bit_place = place;
        for (word >>= 1; word != 0; word >>= 1, bit_place++)
            if ((word & 1) != 0)
                *bit_place += bias;
        place += 63;
    }
}

[[gnu::no_stack_protector]] static void
relocate_rela(uint64_t bias, const struct relocation *table, uint64_t table_bytes)
{
    for (uint64_t i = 0; i < table_bytes / sizeof *table; i++) {
        if ((uint32_t)table[i].info != R_X86_64_RELATIVE)
            capos_trap(); // the linker wrote a symbol reference into a static program
        *(uint64_t *)(bias + table[i].address) = bias + table[i].addend;
    }
}

[[gnu::no_stack_protector]] static void relocate(uint64_t bias)
{
    uint64_t rela = 0, rela_bytes = 0, relr = 0, relr_bytes = 0;
    for (const struct dynamic_entry *entry = _DYNAMIC; entry->tag != DT_NULL; entry++) {
        switch (entry->tag) {
        case DT_RELA:
            rela = entry->value;
            break;
        case DT_RELASZ:
            rela_bytes = entry->value;
            break;
        case DT_RELR:
            relr = entry->value;
            break;
        case DT_RELRSZ:
            relr_bytes = entry->value;
            break;
        default:
            break;
        }
    }
    relocate_rela(bias, (const struct relocation *)(bias + rela), rela_bytes);
    relocate_relr(bias, (const uint64_t *)(bias + relr), relr_bytes);
}

// ---- The way to the program ----------------------------------------------------------

// Makes what the relocation wrote read-only, if the program may change its memory.
static void relro_protect(const struct capos_startup *startup)
{
    virtual_memory_cap memory;
    uint64_t end = (startup->relro + startup->relro_bytes) & ~(PAGE - 1);
    if (end <= startup->relro ||
        capos_find("memory", INTERFACE_VIRTUAL_MEMORY, &memory.id) != STATUS_OK)
        return;
    if (virtual_memory_protect(memory, startup->relro, end - startup->relro, PROTECTION_READ) !=
        STATUS_OK)
        capos_panic("the relocated data can't be made read-only");
}

// Room for the first thread's block, and below it for the thread-local variables of most programs.
static alignas(TLS_STATIC_ALIGNMENT) uint8_t
    thread_static[TLS_STATIC_BYTES + sizeof(struct thread)];

[[noreturn, gnu::used]] void capos_start(void *ring, const struct capos_capset *capset,
                                         struct capos_startup *startup);

// Called by _start, by name, with what the kernel put into the registers.  Without a stack
// protector, for its canary is set here.
[[noreturn, gnu::used, gnu::no_stack_protector]] void
capos_start(void *ring, const struct capos_capset *capset, struct capos_startup *startup)
{
    if (startup->magic != CAPOS_STARTUP_MAGIC || capset->magic != CAPOS_CAPSET_MAGIC)
        capos_trap();
    relocate(startup->image_bias);

    struct thread *thread = (struct thread *)(thread_static + TLS_STATIC_BYTES);
    thread->self = thread->block = thread;
    thread->canary = startup->canary; // for code that was compiled to look there
    __stack_chk_guard = startup->canary;
    thread_set_self(thread);
    process_start.capset = capset;
    process_start.startup = startup;
    ring_client_init(&thread->ring, ring);
    relro_protect(startup);
    program_start(thread, startup);
}
