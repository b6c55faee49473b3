// SPDX-License-Identifier: MIT
// See rows.h.  What a row means to a person is in docs/performance.md.
#include "rows.h"

#include <stddef.h>
#include <stdint.h>

#include "measure.h"
#include "system.h"

constexpr size_t PAGE_BYTES = 4096;
constexpr size_t MIB = 1 << 20;

static void measure_kernel(void)
{
    MEASURE("kernel_entry", 100, system_enter());
    MEASURE("nop_1", 100, system_nop(1));
    MEASURE("nop_32_enter", 20, system_nop(32));
    MEASURE("call_timer_now", 100, system_now());
    MEASURE("notify", 100, system_signal());
}

// ---- Memory -------------------------------------------------------------------------

static void map_touch_unmap(void)
{
    volatile uint8_t *page = system_map(PAGE_BYTES);
    *page = 1;
    system_unmap((void *)(uintptr_t)page, PAGE_BYTES);
}

static void measure_memory(void)
{
    constexpr unsigned touches = 50;
    constexpr size_t size_bytes = MEASURE_BATCHES * touches * PAGE_BYTES;
    volatile uint8_t *memory = system_map_lazily(size_bytes);
    volatile uint8_t *next = memory;
    MEASURE("page_fault", touches, (*next = 1, next += PAGE_BYTES));
    system_unmap((void *)(uintptr_t)memory, size_bytes);
    MEASURE("map_touch_unmap", 50, map_touch_unmap());
}

// ---- Threads ------------------------------------------------------------------------

static bool stop;

static void stop_and_join(struct system_thread *thread, uint32_t *word)
{
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    if (word != nullptr) {
        __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
        system_wake(word);
    }
    system_thread_join(thread);
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
}

static void end_at_once(void)
{
}

// How often the other thread had the CPU.
static uint32_t other_turns;

static void yield_until_stopped(void)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&other_turns, 1, __ATOMIC_RELAXED);
        system_yield();
    }
}

// To the other thread and back: a system may take a yield for a hint and go on here.
static void yield_there_and_back(void)
{
    uint32_t before = __atomic_load_n(&other_turns, __ATOMIC_RELAXED);
    while (__atomic_load_n(&other_turns, __ATOMIC_RELAXED) == before)
        system_yield();
}

// Two threads pass a turn: whoever has it gives it away and sleeps until it comes back.
static uint32_t turns[2];

static void turn_await(unsigned me, uint32_t turn)
{
    while (__atomic_load_n(&turns[me], __ATOMIC_ACQUIRE) != turn)
        system_sleep(&turns[me], turn - 1);
}

static void turn_pass(unsigned me, uint32_t turn, uint32_t next)
{
    __atomic_store_n(&turns[1 - me], turn, __ATOMIC_RELEASE);
    while (__atomic_load_n(&turns[me], __ATOMIC_ACQUIRE) != next)
        system_wake_and_sleep(&turns[1 - me], &turns[me], next - 1);
}

static void pong(void)
{
    turn_await(1, 1);
    for (uint32_t turn = 1; !__atomic_load_n(&stop, __ATOMIC_RELAXED); turn++)
        turn_pass(1, turn, turn + 1);
}

static void ping_pong(void)
{
    static uint32_t turn;
    turn++;
    turn_pass(0, turn, turn);
}

static void measure_threads(void)
{
    MEASURE("thread_create_join", 50, system_thread_join(system_thread_start(end_at_once)));

    struct system_thread *thread = system_thread_start(yield_until_stopped);
    MEASURE("yield_pair", 100, yield_there_and_back());
    stop_and_join(thread, nullptr);

    thread = system_thread_start(pong);
    system_yield(); // it sleeps now
    MEASURE("park_pingpong", 100, ping_pong());
    stop_and_join(thread, &turns[1]);
}

// ---- Shared memory ------------------------------------------------------------------

// Where the data comes from and where it goes: memory of each process alone.
static uint8_t own[SHARED_BYTES];

void rows_take(const void *shared)
{
    __builtin_memcpy(own, shared, SHARED_BYTES);
}

static void send_mib(void *shared)
{
    for (size_t sent = 0; sent < MIB; sent += SHARED_BYTES) {
        __builtin_memcpy(shared, own, SHARED_BYTES);
        system_shared_take();
    }
}

static void measure_sharing(void)
{
    system_peer_start();
    MEASURE("shm_setup", 20, system_share());
    void *shared = system_shared();
    __builtin_memset(own, 1, SHARED_BYTES);
    MEASURE("bulk_per_mib", 2, send_mib(shared));
    system_peer_end();
}

void rows_measure(void)
{
    measure_kernel();
    measure_memory();
    measure_threads();
    measure_sharing();
    MEASURE("spawn_exit_wait", 10, system_spawn_exit_wait());
    MEASURE("fork_exit_wait", 10, system_fork_exit_wait());
}
