// SPDX-License-Identifier: MIT
// See growth.h.  What is made is never given back: the end of the process does that.
#include "growth.h"

#include <capos/measure.h>
#include <capos/panic.h>
#include <capos/park.h>
#include <capos/thread.h>
#include <gen/capos/echo.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "setup.h"
#include "system.h"

constexpr unsigned COUNTS[] = {1, 10, 100, 1000, 10000};
constexpr unsigned OPERATIONS = 20;
constexpr uint64_t PAGE_BYTES = 4096;
constexpr uint64_t STACK_BYTES = 16384; // of what there are many of
constexpr uint64_t FOREVER_NS = UINT64_MAX / 4;

// The name of a region, which lives as long as the program.
static const char *name_of(unsigned count, const char *operation)
{
    char *name = malloc(48);
    if (name == nullptr)
        capos_panic("bench: no memory");
    snprintf(name, 48, "%u.%s", count, operation);
    return name;
}

static endpoint_cap endpoint_create(void)
{
    endpoint_cap endpoint;
    require(memory_budget_create_endpoint(setup.budget, 4096, &endpoint), "createEndpoint");
    return endpoint;
}

static echo_cap mint(endpoint_cap endpoint)
{
    echo_cap object;
    require(endpoint_mint(endpoint, INTERFACE_ECHO, 1, &object.id), "mint");
    return object;
}

static echo_cap server; // another process, for the operation "ipc_typed_rt_32"

static void call_and_return(void)
{
    require(echo_ping(server, 1, 2, 3, nullptr, nullptr, nullptr), "Echo.ping");
}

// ---- Capabilities -------------------------------------------------------------------

static void mint_and_release(endpoint_cap endpoint)
{
    echo_cap object = mint(endpoint);
    echo_cap_release(&object);
    capos_nop(1); // the release is taken
}

static void measure_capabilities(void)
{
    endpoint_cap endpoint = endpoint_create();
    unsigned there = 0;
    for (unsigned i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        for (; there < COUNTS[i]; there++)
            (void)mint(endpoint);
        MEASURE(name_of(COUNTS[i], "call_timer_now"), OPERATIONS, system_now());
        MEASURE(name_of(COUNTS[i], "ipc_typed_rt_32"), OPERATIONS, call_and_return());
        MEASURE(name_of(COUNTS[i], "mint_release"), OPERATIONS, mint_and_release(endpoint));
    }
}

// ---- Pending operations -------------------------------------------------------------
// A ring has room for some, so threads hold them.

constexpr unsigned HELD_MAX = 60;

struct holder {
    struct capos_call calls[HELD_MAX];
    unsigned count;
    enum status (*begin)(struct capos_call *call);
};

static uint32_t holders_ready;

static int hold(void *argument)
{
    struct holder *holder = argument;
    for (unsigned i = 0; i < holder->count; i++)
        require(holder->begin(&holder->calls[i]), "a call to be held");
    capos_nop(1); // all of them are submitted
    __atomic_fetch_add(&holders_ready, 1, __ATOMIC_RELEASE);
    capos_unpark(&holders_ready, 1);
    static const uint32_t never;
    for (;;)
        (void)capos_park(&never, 0, CAPOS_FOREVER);
}

// Has `count` more operations begun, and waits until they are.
static void hold_more(unsigned count, enum status (*begin)(struct capos_call *call))
{
    static const struct capos_thread_options options = {.stack_bytes = STACK_BYTES};
    static uint32_t holders;
    while (count > 0) {
        struct holder *holder = calloc(1, sizeof *holder);
        if (holder == nullptr)
            capos_panic("bench: no memory");
        holder->count = count < HELD_MAX ? count : HELD_MAX;
        holder->begin = begin;
        count -= holder->count;
        struct capos_thread *thread;
        require(capos_thread_create(&thread, hold, holder, &options), "a holder");
        holders++;
    }
    uint32_t ready;
    while ((ready = __atomic_load_n(&holders_ready, __ATOMIC_ACQUIRE)) != holders)
        (void)capos_park(&holders_ready, ready, CAPOS_FOREVER);
}

static echo_cap crowded; // nobody receives what is called here

static enum status call_begin(struct capos_call *call)
{
    return echo_ping_begin(call, crowded, 1, 2, 3);
}

static void call_and_cancel(void)
{
    struct capos_call call;
    require(call_begin(&call), "a call to be cancelled");
    capos_nop(1);
    capos_call_cancel(&call);
    if (echo_ping_finish(&call, nullptr, nullptr, nullptr) != STATUS_CANCELLED)
        capos_panic("bench: a call wasn't cancelled");
}

static void measure_calls(void)
{
    constexpr unsigned endpoint_calls = 4000; // an endpoint takes not many more
    unsigned there = 0;
    for (unsigned i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        while (there < COUNTS[i]) {
            if (there % endpoint_calls == 0)
                crowded = mint(endpoint_create());
            unsigned more = COUNTS[i] - there;
            unsigned room = endpoint_calls - there % endpoint_calls;
            hold_more(more < room ? more : room, call_begin);
            there += more < room ? more : room;
        }
        MEASURE(name_of(COUNTS[i], "ipc_typed_rt_32"), OPERATIONS, call_and_return());
        MEASURE(name_of(COUNTS[i], "call_cancel"), OPERATIONS, call_and_cancel());
    }
}

static enum status sleep_begin(struct capos_call *call)
{
    // Not all at the same instant, nor in order.
    return timer_sleep_begin(call, setup.timer, FOREVER_NS + (uint64_t)rand() * 1000);
}

static void sleep_and_cancel(void)
{
    struct capos_call call;
    require(sleep_begin(&call), "a sleep to be cancelled");
    capos_nop(1);
    capos_call_cancel(&call);
    if (timer_sleep_finish(&call) != STATUS_CANCELLED)
        capos_panic("bench: a sleep wasn't cancelled");
}

static void measure_timers(void)
{
    unsigned there = 0;
    for (unsigned i = 0; i < sizeof COUNTS / sizeof *COUNTS; there = COUNTS[i++]) {
        hold_more(COUNTS[i] - there, sleep_begin);
        MEASURE(name_of(COUNTS[i], "sleep_cancel"), OPERATIONS, sleep_and_cancel());
        MEASURE(name_of(COUNTS[i], "sleep_20us"), OPERATIONS,
                require(timer_sleep(setup.timer, 20'000), "sleep"));
    }
}

// ---- Threads ------------------------------------------------------------------------

static uint32_t parked_count;

static int park_on_a_word_of_its_own(void *word)
{
    __atomic_fetch_add(&parked_count, 1, __ATOMIC_RELEASE);
    for (;;)
        (void)capos_park(word, 0, CAPOS_FOREVER);
}

static void end_at_once(void)
{
}

static uint32_t ball[2];

static void play(void)
{
    for (;;) {
        while (__atomic_load_n(&ball[1], __ATOMIC_ACQUIRE) == 0)
            system_sleep(&ball[1], 0);
        __atomic_store_n(&ball[1], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&ball[0], 1, __ATOMIC_RELEASE);
        system_wake(&ball[0]);
    }
}

static void there_and_back(void)
{
    __atomic_store_n(&ball[1], 1, __ATOMIC_RELEASE);
    system_wake(&ball[1]);
    while (__atomic_load_n(&ball[0], __ATOMIC_ACQUIRE) == 0)
        system_sleep(&ball[0], 0);
    __atomic_store_n(&ball[0], 0, __ATOMIC_RELAXED);
}

static void measure_threads(void)
{
    static const struct capos_thread_options options = {.stack_bytes = 4096};
    static uint32_t words[10000];
    unsigned there = 0;
    (void)system_thread_start(play);
    for (unsigned i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        for (; there < COUNTS[i]; there++) {
            struct capos_thread *thread;
            require(capos_thread_create(&thread, park_on_a_word_of_its_own, &words[there],
                                        &options),
                    "a thread");
        }
        while (__atomic_load_n(&parked_count, __ATOMIC_ACQUIRE) < there)
            capos_thread_yield();
        MEASURE(name_of(COUNTS[i], "wake_sleep"), OPERATIONS, there_and_back());
        MEASURE(name_of(COUNTS[i], "create_join"), OPERATIONS,
                system_thread_join(system_thread_start(end_at_once)));
    }
}

// ---- Processes ----------------------------------------------------------------------

static void measure_processes(void)
{
    static const char *const arguments[] = {"ring_ping", "server"};
    struct capos_image image;
    image_open(&image, "ring_ping");
    unsigned there = 0;
    for (unsigned i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        for (; there < COUNTS[i]; there++) {
            echo_cap object = server_start(&image, arguments, 2, STACK_BYTES, nullptr);
            // It has answered, so it waits.
            require(echo_ping(object, 1, 2, 3, nullptr, nullptr, nullptr), "Echo.ping");
        }
        MEASURE(name_of(COUNTS[i], "ipc_typed_rt_32"), OPERATIONS, call_and_return());
        MEASURE(name_of(COUNTS[i], "spawn_exit_wait"), OPERATIONS, system_spawn_exit_wait());
    }
}

// ---- Regions ------------------------------------------------------------------------

static void map_touch_unmap(void)
{
    volatile uint8_t *page = system_map(PAGE_BYTES);
    *page = 1;
    system_unmap((void *)(uintptr_t)page, PAGE_BYTES);
}

static void measure_regions(void)
{
    unsigned there = 0;
    for (unsigned i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        for (; there < COUNTS[i]; there++)
            (void)system_map(PAGE_BYTES);
        MEASURE(name_of(COUNTS[i], "map_touch_unmap"), OPERATIONS, map_touch_unmap());
        // Less than a large page.
        volatile uint8_t *page = system_map_lazily(MEASURE_BATCHES * OPERATIONS * PAGE_BYTES);
        MEASURE(name_of(COUNTS[i], "page_fault"), OPERATIONS, (*page = 1, page += PAGE_BYTES));
    }
}

void growth_measure(const char *what)
{
    static const struct {
        const char *what;
        void (*measure)(void);
    } all[] = {
        {"capabilities", measure_capabilities},
        {"calls", measure_calls},
        {"timers", measure_timers},
        {"threads", measure_threads},
        {"processes", measure_processes},
        {"regions", measure_regions},
    };
    static const char *const arguments[] = {"echo_server"};
    struct capos_image image;
    image_open(&image, "echo_server");
    server = server_start(&image, arguments, 1, 0, nullptr);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].what, what) == 0) {
            all[i].measure();
            return;
        }
    }
    capos_panic("bench: growth of what?  Not of %s", what);
}
