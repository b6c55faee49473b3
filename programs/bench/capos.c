// SPDX-License-Identifier: MIT
// What rows.c needs, on capOS.  See system.h.
#include <capos/measure.h>
#include <capos/panic.h>
#include <capos/park.h>
#include <capos/syscall.h>
#include <capos/thread.h>
#include <gen/capos/echo.h>
#include <gen/capos/forker.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <stdio.h>

#include "setup.h"
#include "system.h"

// ---- Regions, and the kernel --------------------------------------------------------

void system_mark_begin(void)
{
    capos_mark_begin();
}

void system_mark_end(void)
{
    capos_mark_end();
}

void system_print_region(const char *name, unsigned operations)
{
    printf("region %s %u\n", name, operations);
}

void system_enter(void)
{
    (void)capos_cap_enter(0, 0);
}

void system_nop(unsigned count)
{
    capos_nop(count);
}

void system_now(void)
{
    uint64_t time_ns;
    require(timer_now(setup.timer, &time_ns), "Timer.now");
}

void system_signal(void)
{
    static notification_cap notification;
    if (notification.id == 0)
        require(memory_budget_create_notification(setup.budget, &notification),
                "createNotification");
    require(notification_signal(notification, 1), "Notification.signal");
}

// ---- Threads ------------------------------------------------------------------------

void system_sleep(const uint32_t *word, uint32_t expected)
{
    (void)capos_park(word, expected, CAPOS_FOREVER);
}

void system_wake(const uint32_t *word)
{
    capos_unpark(word, 1);
}

void system_wake_and_sleep(const uint32_t *woken, const uint32_t *word, uint32_t expected)
{
    (void)capos_unpark_and_park(woken, word, expected);
}

void system_yield(void)
{
    capos_thread_yield();
}

static int run(void *function)
{
    ((void (*)(void))function)();
    return 0;
}

struct system_thread *system_thread_start(void (*function)(void))
{
    struct capos_thread *thread;
    require(capos_thread_create(&thread, run, (void *)function, nullptr), "a thread");
    return (struct system_thread *)thread;
}

void system_thread_join(struct system_thread *thread)
{
    require(capos_thread_join((struct capos_thread *)thread, nullptr), "join");
}

// ---- Memory -------------------------------------------------------------------------

void *system_map(size_t size_bytes)
{
    uint64_t address;
    require(virtual_memory_allocate(setup.spawner.memory, size_bytes, 0, PROTECTION_READ_WRITE,
                                    &address),
            "allocate");
    return (void *)address;
}

void *system_map_lazily(size_t size_bytes)
{
    uint64_t address;
    require(virtual_memory_reserve(setup.spawner.memory, size_bytes, 0, 0, &address),
            "reserve");
    require(
        virtual_memory_commit(setup.spawner.memory, address, size_bytes, PROTECTION_READ_WRITE),
        "commit");
    return (void *)address;
}

void system_unmap(void *memory, size_t size_bytes)
{
    require(virtual_memory_unmap(setup.spawner.memory, (uint64_t)memory, size_bytes), "unmap");
}

// ---- Processes ----------------------------------------------------------------------

void system_spawn_exit_wait(void)
{
    static const char *const arguments[] = {"exitcode"};
    static struct capos_image image;
    if (image.object.id == 0)
        image_open(&image, "exitcode");
    process_await(image_start(&image, arguments, 1, nullptr, 0, 16384));
}

// The ring and the thread that libcapos knows in this memory are the parent's, so the child
// uses nothing of it.
[[noreturn, gnu::no_stack_protector]] static void fork_child(void)
{
    capos_exit_now(0);
}

void system_fork_exit_wait(void)
{
    static _Alignas(16) uint8_t stack[256];
    static process_spawner_cap spawner;
    if (spawner.id == 0)
        spawner = setup.spawner.spawner;
    address_space_snapshot_cap snapshot;
    process_builder_cap builder;
    process_handle_cap child;
    require(forker_snapshot(setup.forker, setup.budget, &snapshot), "snapshot");
    require(process_spawner_create(spawner, "fork", 4, setup.budget, &builder), "create");
    require(process_builder_map_snapshot(builder, snapshot), "mapSnapshot");
    require(process_builder_start(builder, (uint64_t)fork_child,
                                  (uint64_t)(stack + sizeof stack), 0, &child),
            "start");
    address_space_snapshot_cap_release(&snapshot);
    process_builder_cap_release(&builder);
    process_await(child);
}

// ---- Shared memory ------------------------------------------------------------------

static struct {
    echo_cap server;
    process_handle_cap process;
    void *shared;
} peer;

static memory_object_cap shared_create(uint64_t *out_address)
{
    memory_object_cap object;
    require(memory_budget_create_memory_object(setup.budget, SHARED_BYTES, &object),
            "createMemoryObject");
    require(virtual_memory_map(setup.spawner.memory, object, 0, SHARED_BYTES, 0,
                               PROTECTION_READ_WRITE, out_address),
            "map");
    return object;
}

static void shared_pass(memory_object_cap object)
{
    capos_cap_id back;
    require(echo_pass(peer.server, object.id, &back), "Echo.pass");
    capos_release(back);
}

void system_peer_start(void)
{
    static const char *const arguments[] = {"bench", "peer"};
    struct capos_image image;
    image_open(&image, "bench");
    peer.server = server_start(&image, arguments, 2, 0, &peer.process);
    uint64_t address;
    memory_object_cap object = shared_create(&address);
    shared_pass(object);
    memory_object_cap_release(&object);
    peer.shared = (void *)address;
}

void system_share(void)
{
    uint64_t address;
    memory_object_cap object = shared_create(&address);
    *(volatile uint8_t *)address = 1;
    *(volatile uint8_t *)(address + 4096) = 1;
    shared_pass(object);
    require(virtual_memory_unmap(setup.spawner.memory, address, SHARED_BYTES), "unmap");
    memory_object_cap_release(&object);
}

void *system_shared(void)
{
    return peer.shared;
}

void system_shared_take(void)
{
    require(echo_ping(peer.server, 1, 2, 3, nullptr, nullptr, nullptr), "Echo.ping");
}

void system_peer_end(void)
{
    echo_cap_release(&peer.server);
    process_await(peer.process);
    require(virtual_memory_unmap(setup.spawner.memory, (uint64_t)peer.shared, SHARED_BYTES),
            "unmap");
}
