// SPDX-License-Identifier: MIT
// Threads: making, joining and ending them.  See <capos/thread.h>.
//
// A thread's memory is one block, which its creator reserves:
//
//     guard page | stack ... | thread-local variables | struct capos_thread
//
// Invariants:
//  1. The block belongs to the thread's owner, who gives it back after the join, until the
//     thread is detached; then it belongs to the thread, which unmaps it in the same
//     operation in which it ends, for nobody can free a stack that he stands on.
//  2. `state` decides who is first, the detacher or the end of the thread: each exchanges it
//     once, and the second one gives the block back.
//
// A few blocks of joined threads are kept for the next ones.
// Tested in tests/iface/thread_test.c.
#include "start.h"
#include "thread.h"
#include "tls.h"

#include <capos/capset.h>
#include <capos/panic.h>
#include <capos/sync.h>
#include <capos/syscall.h>
#include <capos/thread.h>

#include <gen/capos/thread.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>

constexpr uint64_t PAGE = 4096;
constexpr size_t STACK_BYTES_MAX = (size_t)1 << 30;
constexpr uint64_t BLOCK_ALIGNMENT = 64; // of struct capos_thread, at least
constexpr unsigned KEPT_MAX = 4;

enum thread_state : uint32_t { THREAD_RUNNING, THREAD_DETACHED, THREAD_ENDED };

struct capos_thread {
    struct thread thread; // first: the FS base points to it
    thread_handle_cap handle;
    int (*run)(void *argument);
    void *argument;
    uint64_t block; // its address, the guard page's
    uint64_t block_bytes;
    struct capos_thread *next; // among the kept
    uint32_t state;            // enum thread_state
};

// ---- Grants --------------------------------------------------------------------------

static struct {
    virtual_memory_cap memory;
    bool found;
} grants;

static thread_control_cap control_cap; // id 0: not looked for yet, or not there

static enum status control_find(thread_control_cap *out_control)
{
    out_control->id = __atomic_load_n(&control_cap.id, __ATOMIC_RELAXED);
    if (out_control->id != 0)
        return STATUS_OK;
    enum status status = thread_control_cap_find("thread", out_control);
    if (status == STATUS_OK)
        __atomic_store_n(&control_cap.id, out_control->id, __ATOMIC_RELAXED);
    return status;
}

bool threads_started;

// Finds them once.  Several threads may do so at a time: they find the same.
static enum status grants_find(void)
{
    if (__atomic_load_n(&grants.found, __ATOMIC_ACQUIRE))
        return STATUS_OK;
    thread_control_cap control;
    enum status status = control_find(&control);
    if (status == STATUS_OK)
        status = virtual_memory_cap_find("memory", &grants.memory);
    if (status == STATUS_OK) {
        __atomic_store_n(&threads_started, true, __ATOMIC_RELAXED);
        __atomic_store_n(&grants.found, true, __ATOMIC_RELEASE);
    }
    return status;
}

// ---- Blocks --------------------------------------------------------------------------

static struct capos_mutex kept_lock;
static struct capos_thread *kept;
static unsigned kept_count;

static struct capos_thread *kept_take(uint64_t block_bytes)
{
    capos_mutex_lock(&kept_lock);
    struct capos_thread **at = &kept;
    while (*at != nullptr && (*at)->block_bytes != block_bytes)
        at = &(*at)->next;
    struct capos_thread *thread = *at;
    if (thread != nullptr) {
        *at = thread->next;
        kept_count--;
    }
    capos_mutex_unlock(&kept_lock);
    return thread;
}

static bool kept_give(struct capos_thread *thread)
{
    capos_mutex_lock(&kept_lock);
    bool room = kept_count < KEPT_MAX;
    if (room) {
        thread->next = kept;
        kept = thread;
        kept_count++;
    }
    capos_mutex_unlock(&kept_lock);
    return room;
}

static uint64_t round_up(uint64_t bytes, uint64_t alignment)
{
    return (bytes + alignment - 1) & ~(alignment - 1);
}

static uint64_t alignment_of(const struct capos_startup *startup)
{
    return startup->tls_alignment > BLOCK_ALIGNMENT ? startup->tls_alignment : BLOCK_ALIGNMENT;
}

static enum status block_map(uint64_t block_bytes, uint64_t *out_block)
{
    enum status status = virtual_memory_reserve(grants.memory, block_bytes, 0, 0, out_block);
    if (status != STATUS_OK)
        return status;
    status = virtual_memory_commit(grants.memory, *out_block + PAGE, block_bytes - PAGE,
                                   PROTECTION_READ_WRITE);
    if (status != STATUS_OK &&
        virtual_memory_unmap(grants.memory, *out_block, block_bytes) != STATUS_OK)
        capos_panic("thread: a reservation can't be given back");
    return status;
}

static void block_give(struct capos_thread *thread)
{
    if (kept_give(thread))
        return;
    if (virtual_memory_unmap(grants.memory, thread->block, thread->block_bytes) != STATUS_OK)
        capos_panic("thread: a stack can't be given back");
}

// A block with its struct, whose fields are old or zero but for the block's place.
static enum status block_get(size_t stack_bytes, const struct capos_startup *startup,
                             struct capos_thread **out_thread)
{
    uint64_t alignment = alignment_of(startup);
    uint64_t top_bytes = round_up(tls_bytes_below(startup), 16) +
                         round_up(sizeof(struct capos_thread), alignment);
    uint64_t bytes = PAGE + round_up(stack_bytes + top_bytes, PAGE);
    *out_thread = kept_take(bytes);
    if (*out_thread != nullptr)
        return STATUS_OK;
    uint64_t block;
    enum status status = block_map(bytes, &block);
    if (status != STATUS_OK)
        return status;
    uint64_t top = block + bytes - round_up(sizeof(struct capos_thread), alignment);
    *out_thread = (struct capos_thread *)top;
    (*out_thread)->block = block;
    (*out_thread)->block_bytes = bytes;
    return STATUS_OK;
}

// ---- Starting ------------------------------------------------------------------------

[[noreturn, gnu::used]] void thread_main(void *ring, const struct capos_capset *capset,
                                         struct capos_thread *thread)
{
    (void)capset;
    ring_client_init(&thread->thread.ring, ring);
    capos_thread_exit(thread->run(thread->argument));
}

enum status capos_thread_create(struct capos_thread **out_thread, int (*run)(void *argument),
                                void *argument, const struct capos_thread_options *options)
{
    size_t stack_bytes = CAPOS_THREAD_STACK_BYTES;
    if (options != nullptr && options->stack_bytes != 0)
        stack_bytes = options->stack_bytes;
    if (stack_bytes > STACK_BYTES_MAX)
        return STATUS_INVALID_ARGUMENT;
    thread_spawner_cap spawner = {options != nullptr ? options->spawner.id : 0};
    enum status status = grants_find();
    if (status == STATUS_OK && spawner.id == 0)
        status = thread_spawner_cap_find("threads", &spawner);
    if (status != STATUS_OK)
        return status;
    const struct capos_startup *startup = process_start.startup;
    struct capos_thread *thread;
    status = block_get(stack_bytes, startup, &thread);
    if (status != STATUS_OK)
        return status;

    thread->thread.self = thread->thread.block =
        &thread->thread; // the ring client is thread_main's
    thread->thread.canary = thread_self()->canary;
    thread->thread.created = thread;
    thread->thread.slot = nullptr;
    thread->run = run;
    thread->argument = argument;
    thread->state = THREAD_RUNNING;
    if (startup->tls_bytes != 0)
        tls_fill(&thread->thread, startup);
    uint64_t stack = ((uint64_t)thread - tls_bytes_below(startup)) & ~UINT64_C(15);
    status = thread_spawner_start(spawner, (uint64_t)capos_thread_entry, stack,
                                  (uint64_t)thread, (uint64_t)thread,
                                  options == nullptr ? 0 : options->priority, &thread->handle);
    if (status != STATUS_OK) {
        block_give(thread);
        return status;
    }
    *out_thread = thread;
    return STATUS_OK;
}

// ---- Memory of others ----------------------------------------------------------------

void capos_thread_set_base(void *base)
{
    ((struct thread *)base)->block = thread_self();
    thread_set_self(base);
}

enum status capos_thread_start_at(void *stack_top, void *base, int (*run)(void *argument),
                                  void *argument)
{
    thread_spawner_cap spawner;
    thread_handle_cap handle;
    enum status status = grants_find();
    if (status == STATUS_OK)
        status = thread_spawner_cap_find("threads", &spawner);
    if (status != STATUS_OK)
        return status;
    struct capos_thread *thread =
        (struct capos_thread *)(((uint64_t)stack_top - sizeof *thread) &
                                ~(BLOCK_ALIGNMENT - 1));
    *thread = (struct capos_thread){.run = run, .argument = argument};
    thread->thread.self = thread->thread.block = &thread->thread;
    thread->thread.canary = thread_self()->canary;
    ((struct thread *)base)->block = &thread->thread;
    status = thread_spawner_start(spawner, (uint64_t)capos_thread_entry, (uint64_t)thread,
                                  (uint64_t)thread, (uint64_t)base, 0, &handle);
    if (status == STATUS_OK)
        capos_release(handle.id);
    return status;
}

void **capos_thread_slot(void)
{
    return &thread_self()->slot;
}

// ---- Ending --------------------------------------------------------------------------

enum status capos_thread_join(struct capos_thread *thread, int64_t *out_code)
{
    enum status status = thread_handle_join(thread->handle, out_code);
    if (status != STATUS_OK)
        return status;
    capos_release(thread->handle.id);
    block_give(thread);
    return STATUS_OK;
}

thread_handle_cap capos_thread_handle(const struct capos_thread *thread)
{
    return thread->handle;
}

void capos_thread_detach(struct capos_thread *thread)
{
    thread_handle_cap handle = thread->handle;
    if (__atomic_exchange_n(&thread->state, THREAD_DETACHED, __ATOMIC_ACQ_REL) ==
        THREAD_RUNNING) {
        capos_release(handle.id); // the block may be gone by now
        return;
    }
    // It is at its end, which it reached as a thread that will be joined.
    if (capos_thread_join(thread, nullptr) != STATUS_OK)
        capos_panic("capos_thread_detach: the thread was joined already");
}

// What the thread's ring client keeps.
static void ring_client_fini(struct ring_client *ring)
{
    free(ring->spare);
    ring->spare = nullptr;
    ring->spare_bytes = 0;
}

[[noreturn]] void capos_thread_exit(int64_t code)
{
    thread_control_cap control;
    if (control_find(&control) != STATUS_OK)
        exit((int)code);
    ring_client_fini(&thread_self()->ring);
    struct capos_thread *thread = thread_self()->created;
    if (thread == nullptr ||
        __atomic_exchange_n(&thread->state, THREAD_ENDED, __ATOMIC_ACQ_REL) == THREAD_RUNNING)
        (void)thread_control_exit(control, code);
    else
        (void)thread_control_exit_and_unmap(control, code, thread->block, thread->block_bytes);
    capos_panic("a thread can't end");
}

void capos_thread_yield(void)
{
    thread_control_cap control;
    if (control_find(&control) == STATUS_OK)
        (void)thread_control_yield(control);
}

enum status capos_thread_set_latency(enum latency_class latency_class)
{
    thread_control_cap control;
    enum status status = control_find(&control);
    if (status == STATUS_OK)
        status = thread_control_set_latency_class(control, latency_class);
    return status;
}

void capos_thread_end(uint32_t *word, void *address, size_t byte_count)
{
    struct ring_client *ring = &thread_self()->ring;
    thread_control_cap control;
    struct capos_call call;
    ring_client_fini(ring);
    if (control_find(&control) != STATUS_OK)
        capos_panic("a thread can't end without the grant thread");
    if (word != nullptr)
        park_wake_later(ring, word, 1);
    enum status status =
        byte_count == 0 ? thread_control_exit_begin(&call, control, 0)
                        : thread_control_exit_and_unmap_begin(&call, control, 0,
                                                              (uint64_t)address, byte_count);
    if (status != STATUS_OK)
        capos_panic("a thread can't end");
    thread_end_enter(word);
}
