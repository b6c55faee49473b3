// SPDX-License-Identifier: MIT
// The operations whose cost tools/bench/bench.py measures.
//
//     bench               measures, and prints which regions were marked
//     bench peer          the other process of some rows: peer.h
//     bench growth WHAT   measures how costs grow: growth.h
//     bench disk          measures files on a disk: files.h
//     bench hostfs        reads a file of a directory of the host: hostfs.h
//
// rows.c has the operations that other systems have too; here are those of capOS alone.
// Needs timer, spawner, boot, threads, forker, ramfs and, for random addresses, entropy.
#include <capos/panic.h>
#include <gen/capos/echo.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "growth.h"
#include "hostfs.h"
#include "measure.h"
#include "peer.h"
#include "rows.h"
#include "setup.h"

constexpr uint64_t PAGE_BYTES = 4096;

// ---- IPC without libcapos -----------------------------------------------------------

// The leanest IPC: both ends are programs that measure and answer without libcapos.
static void measure_ring_ping(const char *region, const char *bytes, const char *gift)
{
    static const char *const serve[] = {"ring_ping", "server"};
    const char *const call[] = {"ring_ping", "client", "6", "100", bytes, gift};
    static_assert(MEASURE_BATCHES == 6);
    struct capos_image image;
    image_open(&image, "ring_ping");
    echo_cap server = server_start(&image, serve, 2, 0, nullptr);
    struct capos_spawn_grant grants[] = {
        {.name = "server", .capability = capos_transfer_move(server.id)},
        {.name = "gift", .capability = capos_transfer_copy(setup.budget.id)},
    };
    process_await(image_start(&image, call, gift != nullptr ? 6 : 5, grants, 2, 0));
    measure_note(region, 100);
    capos_image_close(&image, &setup.spawner);
}

// ---- IPC as programs write it -------------------------------------------------------

static void echo(echo_cap server, size_t bytes)
{
    static uint8_t data[4096], back[4096];
    size_t back_bytes;
    require(echo_echo(server, data, bytes, back, bytes, &back_bytes), "Echo.echo");
}

static void ping(echo_cap server)
{
    uint64_t first, second, third;
    require(echo_ping(server, 1, 2, 3, &first, &second, &third), "Echo.ping");
}

static void pass(echo_cap server, capos_cap_id object)
{
    capos_cap_id back;
    require(echo_pass(server, object, &back), "Echo.pass");
    capos_release(back);
}

static void measure_typed(void)
{
    struct capos_image image;
    image_open(&image, "echo_server");
    static const char *const arguments[] = {"echo_server", "large"};
    echo_cap server = server_start(&image, arguments, 1, 0, nullptr);
    MEASURE("ipc_typed_rt_0", 100, echo(server, 0));
    MEASURE("ipc_typed_rt_32", 100, ping(server)); // a pointer and three words
    MEASURE("ipc_typed_rt_cap", 50, pass(server, setup.timer.id));
    echo_cap large = server_start(&image, arguments, 2, 0, nullptr);
    MEASURE("ipc_typed_rt_256", 50, echo(large, 256));
    MEASURE("ipc_typed_rt_4096", 50, echo(large, 4096));
}

// ---- Calls on the results of calls --------------------------------------------------
// Each of the first two returns the object on which the next is made: the server itself.

static void chain_one_by_one(echo_cap server)
{
    capos_cap_id first, second;
    require(echo_pass(server, server.id, &first), "Echo.pass");
    require(echo_pass((echo_cap){first}, first, &second), "Echo.pass");
    ping((echo_cap){second});
    capos_release(second);
    capos_release(first);
}

static void chain_of_promises(echo_cap server)
{
    struct capos_call calls[2];
    capos_cap_id first, second;
    require(echo_pass_promise(&calls[0], server, server.id, &first), "Echo.pass");
    require(echo_pass_promise(&calls[1], (echo_cap){first}, server.id, &second), "Echo.pass");
    ping((echo_cap){second});
    require(echo_pass_finish(&calls[1], nullptr), "Echo.pass");
    require(echo_pass_finish(&calls[0], nullptr), "Echo.pass");
}

static void measure_chains(void)
{
    struct capos_image image;
    image_open(&image, "echo_server");
    static const char *const arguments[] = {"echo_server"};
    echo_cap server = server_start(&image, arguments, 1, 0, nullptr);
    MEASURE("chain_3", 50, chain_of_promises(server));
    MEASURE("chain_3_one_by_one", 50, chain_one_by_one(server));
}

// ---- Memory -------------------------------------------------------------------------

static void object_map_touch_unmap(memory_object_cap page)
{
    uint64_t address;
    require(virtual_memory_map(setup.spawner.memory, page, 0, PAGE_BYTES, 0,
                               PROTECTION_READ_WRITE, &address),
            "map");
    *(volatile uint8_t *)address = 1;
    require(virtual_memory_unmap(setup.spawner.memory, address, PAGE_BYTES), "unmap");
}

static void measure_objects(void)
{
    memory_object_cap page;
    require(memory_budget_create_memory_object(setup.budget, PAGE_BYTES, &page),
            "createMemoryObject");
    MEASURE("object_map_touch_unmap", 50, object_map_touch_unmap(page));
    memory_object_cap_release(&page);
}

// What the machine gave away before this program ran, and what it took: for the host, which
// knows how much memory there is.
static void print_memory(void)
{
    uint64_t limit_bytes, used_bytes;
    require(memory_budget_info(setup.budget, &limit_bytes, &used_bytes, nullptr, nullptr),
            "MemoryBudget.info");
    printf("free_bytes %llu\n", (unsigned long long)(limit_bytes - used_bytes));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "peer") == 0)
        return peer_main();
    if (argc > 1 && strcmp(argv[1], "hostfs") == 0) {
        hostfs_measure();
        return 0;
    }
    setup_find();
    if (argc > 2 && strcmp(argv[1], "growth") == 0) {
        growth_measure(argv[2]);
        measure_print();
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "disk") == 0) {
        files_measure_disk();
        measure_print();
        return 0;
    }
    print_memory();
    measure_ring_ping("ipc_rt_0", "0", nullptr);
    measure_ring_ping("ipc_rt_32", "32", nullptr);
    measure_ring_ping("ipc_rt_256", "256", nullptr);
    measure_ring_ping("ipc_rt_4096", "4096", nullptr);
    measure_ring_ping("ipc_rt_cap", "32", "pass");
    measure_typed();
    measure_chains();
    measure_objects();
    files_measure();
    rows_measure();
    measure_print();
    return 0;
}
