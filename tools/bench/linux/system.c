// SPDX-License-Identifier: MIT
// What rows.c needs, on Linux: of the ways that it offers, the cheapest.  See system.h.
#include "../../../programs/bench/system.h"

#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/time.h>

#include "../../../programs/bench/rows.h"
#include "channel.h"
#include "process.h"
#include "syscalls.h"

constexpr long READ_WRITE = 3; // PROT_READ | PROT_WRITE
constexpr long ADVICE_NO_HUGE_PAGE = 15;

void system_enter(void)
{
    call0(__NR_getppid);
}

void system_now(void)
{
    struct __kernel_timespec now;
    good(call3(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0), "clock_gettime");
}

void system_signal(void)
{
    static long event;
    if (event == 0)
        event = good(call3(__NR_eventfd2, 0, 0, 0), "eventfd");
    channel_write(event, &(uint64_t){1}, sizeof(uint64_t));
}

// ---- Threads ------------------------------------------------------------------------

static long futex(const uint32_t *word, long operation, uint32_t value)
{
    return call6(__NR_futex, (long)word, operation | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

void system_sleep(const uint32_t *word, uint32_t expected)
{
    futex(word, FUTEX_WAIT, expected);
}

void system_wake(const uint32_t *word)
{
    futex(word, FUTEX_WAKE, 1);
}

void system_wake_and_sleep(const uint32_t *woken, const uint32_t *word, uint32_t expected)
{
    system_wake(woken);
    system_sleep(word, expected);
}

void system_yield(void)
{
    call0(__NR_sched_yield);
}

// As C libraries do, the stack of a thread that ended is kept for the next.
struct system_thread {
    uint32_t id; // 0 once it has ended: the kernel clears it and wakes who waits
    void *stack;
};

static void *kept_stack;
constexpr size_t STACK_BYTES = 65536;

struct system_thread *system_thread_start(void (*run)(void))
{
    static struct system_thread threads[4];
    struct system_thread *thread = threads;
    while (thread->stack != nullptr)
        thread++;
    thread->stack = kept_stack != nullptr ? kept_stack : system_map(STACK_BYTES);
    kept_stack = nullptr;
    constexpr long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                           CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    good(process_clone(flags, (char *)thread->stack + STACK_BYTES, &thread->id, &thread->id,
                       run),
         "clone");
    return thread;
}

void system_thread_join(struct system_thread *thread)
{
    uint32_t id;
    while ((id = __atomic_load_n(&thread->id, __ATOMIC_ACQUIRE)) != 0)
        // Shared, as the kernel's own wake is.
        call6(__NR_futex, (long)&thread->id, FUTEX_WAIT, id, 0, 0, 0);
    if (kept_stack == nullptr)
        kept_stack = thread->stack;
    else
        system_unmap(thread->stack, STACK_BYTES);
    thread->stack = nullptr;
}

// ---- Memory -------------------------------------------------------------------------

void *system_map(size_t size_bytes)
{
    return (void *)good(
        call6(__NR_mmap, 0, (long)size_bytes, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        "mmap");
}

void *system_map_lazily(size_t size_bytes)
{
    void *memory = system_map(size_bytes);
    // A kernel without huge pages says that it doesn't know the advice.
    call3(__NR_madvise, (long)memory, (long)size_bytes, ADVICE_NO_HUGE_PAGE);
    return memory;
}

void system_unmap(void *memory, size_t size_bytes)
{
    good(call3(__NR_munmap, (long)memory, (long)size_bytes, 0), "munmap");
}

// ---- Processes ----------------------------------------------------------------------

static void execute_smallest(void)
{
    static const char *const arguments[] = {"/exitcode", nullptr};
    static const char *const environment[] = {nullptr};
    call3(__NR_execve, (long)arguments[0], (long)arguments, (long)environment);
}

void system_spawn_exit_wait(void)
{
    // What posix_spawn does: the child borrows the memory until it executes.
    static char stack[4096];
    constexpr long flags = CLONE_VM | CLONE_VFORK | PROCESS_END_SIGNAL;
    process_await(
        process_clone(flags, stack + sizeof stack, nullptr, nullptr, execute_smallest));
}

void system_fork_exit_wait(void)
{
    long child = good(call0(__NR_fork), "fork");
    if (child == 0)
        call3(__NR_exit_group, 0, 0, 0);
    process_await(child);
}

// ---- Shared memory ------------------------------------------------------------------

static struct {
    struct channel channel;
    long process;
    void *shared;
    long wake, woken; // eventfds: the peer's, ours
} peer;

static void *shared_map(long file)
{
    return (void *)good(call6(__NR_mmap, 0, SHARED_BYTES, READ_WRITE, MAP_SHARED, file, 0),
                        "mmap of a memfd");
}

static long shared_create(void **out_memory)
{
    long file = good(call3(__NR_memfd_create, (long)"", 0, 0), "memfd_create");
    good(call3(__NR_ftruncate, file, SHARED_BYTES, 0), "ftruncate");
    *out_memory = shared_map(file);
    return file;
}

// Two processes: one takes descriptors until the channel closes, one copies when it is woken.
static void peer_map_what_comes(void)
{
    char message[CHANNEL_MESSAGE_BYTES];
    long file;
    while ((file = channel_receive(peer.channel.theirs, message)) >= 0) {
        void *memory = shared_map(file);
        *(volatile char *)memory = 1;
        system_unmap(memory, SHARED_BYTES);
        call3(__NR_close, file, 0, 0);
        channel_write(peer.channel.theirs, message, sizeof message);
    }
}

static void peer_take_when_woken(void)
{
    for (;;) {
        uint64_t count;
        channel_read(peer.wake, &count, sizeof count);
        rows_take(peer.shared);
        channel_write(peer.woken, &count, sizeof count);
    }
}

void system_peer_start(void)
{
    peer.channel = channel_open(CHANNEL_SEQPACKET);
    peer.process = process_start(peer_map_what_comes);
}

void system_share(void)
{
    static char message[CHANNEL_MESSAGE_BYTES];
    void *memory;
    long file = shared_create(&memory);
    *(volatile char *)memory = 1;
    *((volatile char *)memory + 4096) = 1;
    channel_send(peer.channel.ours, message, file);
    channel_read(peer.channel.ours, message, sizeof message);
    system_unmap(memory, SHARED_BYTES);
    call3(__NR_close, file, 0, 0);
}

void *system_shared(void)
{
    process_kill(peer.process);
    shared_create(&peer.shared);
    peer.wake = good(call3(__NR_eventfd2, 0, 0, 0), "eventfd");
    peer.woken = good(call3(__NR_eventfd2, 0, 0, 0), "eventfd");
    peer.process = process_start(peer_take_when_woken);
    return peer.shared;
}

void system_shared_take(void)
{
    uint64_t count = 1;
    channel_write(peer.wake, &count, sizeof count);
    channel_read(peer.woken, &count, sizeof count);
}

void system_peer_end(void)
{
    process_kill(peer.process);
}
