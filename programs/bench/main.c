// SPDX-License-Identifier: MIT
// The operations whose cost tools/bench/bench.py measures.
//
// Each region between two marks is one batch of an operation; the line "region NAME COUNT"
// tells the host which.  Lines are printed at the end, in the order of the regions, so that
// output isn't measured.  Needs timer, spawner, boot, threads and, for random addresses, entropy.
#include <capos/capset.h>
#include <capos/loop.h>
#include <capos/measure.h>
#include <capos/panic.h>
#include <capos/park.h>
#include <capos/spawn.h>
#include <capos/syscall.h>
#include <capos/thread.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/echo.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <stdio.h>
#include <string.h>

constexpr unsigned BATCHES = 6; // the first warms up; the host leaves it out
constexpr unsigned REGIONS_MAX = 128;
constexpr uint64_t PAGE_BYTES = 4096;

static struct {
    const char *name;
    unsigned operations;
} regions[REGIONS_MAX];
static unsigned region_count;

// A region's own overhead is the call of the two marks: six instructions a batch.
#define MEASURE(region_name, region_operations, operation)        \
    for (unsigned batch = 0; batch < BATCHES; batch++) {          \
        regions[region_count].name = (region_name);               \
        regions[region_count++].operations = (region_operations); \
        capos_mark_begin();                                       \
        for (unsigned i = 0; i < (region_operations); i++)        \
            operation;                                            \
        capos_mark_end();                                         \
    }

static void require(enum status status, const char *what)
{
    if (status != STATUS_OK)
        capos_panic("bench: %s: %s (%s)", what, status_name(status),
                    capos_last_exception()->reason);
}

static timer_cap timer;
static boot_package_cap boot;
static memory_budget_cap budget;
static struct capos_spawner spawner;

static void image_open(struct capos_image *image, const char *name)
{
    memory_object_cap file;
    uint64_t size_bytes;
    require(boot_package_open(boot, name, strlen(name), &file, &size_bytes), name);
    require(capos_image_open(image, &spawner, file, size_bytes), name);
}

static void exited(process_handle_cap process)
{
    enum end_kind kind;
    int64_t code;
    require(process_handle_wait(process, &kind, &code, nullptr, nullptr, nullptr, nullptr),
            "wait");
    if (kind != END_KIND_EXITED || code != 0)
        capos_panic("bench: a child ended by %u, %lld", kind, (long long)code);
    capos_release(process.id);
}

static void spawn_exit_wait(const struct capos_image *image)
{
    static const char *const arguments[] = {"exitcode"};
    struct capos_process process;
    require(capos_spawn(&spawner, image,
                        &(struct capos_spawn_request){
                            .name = "exitcode",
                            .budget = budget,
                            .arguments = arguments,
                            .argument_count = 1,
                            .stack_bytes = 16384,
                        },
                        &process),
            "spawn");
    exited(process.handle);
}

static void now(void)
{
    uint64_t time_ns;
    require(timer_now(timer, &time_ns), "Timer.now");
}

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

static void notify(notification_cap notification)
{
    require(notification_signal(notification, 1), "Notification.signal");
}

// Starts a server of Echo and returns an object of it.
static echo_cap server_start(const struct capos_image *image, const char *const *arguments,
                             uint32_t argument_count)
{
    endpoint_cap endpoint;
    require(memory_budget_create_endpoint(budget, 16, &endpoint), "createEndpoint");
    echo_cap server;
    require(endpoint_mint(endpoint, INTERFACE_ECHO, 1, &server.id), "mint");
    struct capos_spawn_grant grants[] = {
        {.name = "endpoint", .capability = capos_transfer_move(endpoint.id)},
        {.name = "memory", .capability = capos_transfer_copy(spawner.memory.id)},
    };
    struct capos_process process;
    require(capos_spawn(&spawner, image,
                        &(struct capos_spawn_request){
                            .name = "server",
                            .budget = budget,
                            .grants = grants,
                            .grant_count = 2,
                            .arguments = arguments,
                            .argument_count = argument_count,
                        },
                        &process),
            "spawn of a server");
    return server;
}

// The leanest IPC: both ends are programs that measure and answer without libcapos.  With a
// fifth argument a capability goes there and back as well.
static void measure_ring_ping(const char *region, uint32_t argument_count)
{
    static const char *const serve[] = {"ring_ping", "server"};
    static const char *const call[] = {"ring_ping", "client", "6", "100", "pass"};
    static_assert(BATCHES == 6);
    struct capos_image image;
    image_open(&image, "ring_ping");
    echo_cap server = server_start(&image, serve, 2);
    struct capos_spawn_grant grants[] = {
        {.name = "server", .capability = capos_transfer_move(server.id)},
        {.name = "gift", .capability = capos_transfer_copy(budget.id)},
    };
    struct capos_process process;
    require(capos_spawn(&spawner, &image,
                        &(struct capos_spawn_request){
                            .name = "ring_ping",
                            .budget = budget,
                            .grants = grants,
                            .grant_count = 2,
                            .arguments = call,
                            .argument_count = argument_count,
                        },
                        &process),
            "spawn of ring_ping");
    exited(process.handle);
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        regions[region_count].name = region;
        regions[region_count++].operations = 100;
    }
}

static void measure_ring(void)
{
    MEASURE("kernel_entry", 100, (void)capos_cap_enter(0, 0));
    MEASURE("nop_1", 100, capos_nop(1));
    MEASURE("nop_32_enter", 20, capos_nop(32));
    MEASURE("call_timer_now", 100, now());
    notification_cap notification;
    require(memory_budget_create_notification(budget, &notification), "createNotification");
    MEASURE("notify", 100, notify(notification));
}

static void measure_ipc(void)
{
    struct capos_image image;
    image_open(&image, "echo_server");
    static const char *const arguments[] = {"echo_server", "large"};
    echo_cap server = server_start(&image, arguments, 1);
    MEASURE("ipc_typed_rt_0", 100, echo(server, 0));
    MEASURE("ipc_typed_rt_32", 100, ping(server)); // a pointer and three words
    MEASURE("ipc_typed_rt_cap", 50, pass(server, timer.id));
    echo_cap large = server_start(&image, arguments, 2);
    MEASURE("ipc_typed_rt_256", 50, echo(large, 256));
    MEASURE("ipc_typed_rt_4096", 50, echo(large, 4096));
}

static volatile uint8_t *anonymous; // the next page that was never touched

static void touch_next(void)
{
    *anonymous = 1;
    anonymous += PAGE_BYTES;
}

static void map_touch_unmap(void)
{
    uint64_t address;
    require(
        virtual_memory_allocate(spawner.memory, PAGE_BYTES, 0, PROTECTION_READ_WRITE, &address),
        "allocate");
    *(volatile uint8_t *)address = 1;
    require(virtual_memory_unmap(spawner.memory, address, PAGE_BYTES), "unmap");
}

static void object_map_touch_unmap(memory_object_cap page)
{
    uint64_t address;
    require(virtual_memory_map(spawner.memory, page, 0, PAGE_BYTES, 0, PROTECTION_READ_WRITE,
                               &address),
            "map");
    *(volatile uint8_t *)address = 1;
    require(virtual_memory_unmap(spawner.memory, address, PAGE_BYTES), "unmap");
}

static void measure_memory(void)
{
    constexpr unsigned touches = 50;
    constexpr uint64_t bytes = (uint64_t)BATCHES * touches * PAGE_BYTES;
    uint64_t address;
    require(virtual_memory_reserve(spawner.memory, bytes, 0, 0, &address), "reserve");
    require(virtual_memory_commit(spawner.memory, address, bytes, PROTECTION_READ_WRITE),
            "commit");
    anonymous = (volatile uint8_t *)address;
    MEASURE("page_fault", touches, touch_next());
    require(virtual_memory_unmap(spawner.memory, address, bytes), "unmap");

    MEASURE("map_touch_unmap", 50, map_touch_unmap());

    memory_object_cap page;
    require(memory_budget_create_memory_object(budget, PAGE_BYTES, &page),
            "createMemoryObject");
    MEASURE("object_map_touch_unmap", 50, object_map_touch_unmap(page));
    memory_object_cap_release(&page);
}

static int end_at_once(void *)
{
    return 0;
}

static void create_and_join(void)
{
    struct capos_thread *thread;
    require(capos_thread_create(&thread, end_at_once, nullptr, nullptr), "a thread");
    require(capos_thread_join(thread, nullptr), "join");
}

static bool stop;

static int yield_until_told(void *)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        capos_thread_yield();
    return 0;
}

// Two threads pass a turn: whoever has it gives it away and sleeps until it comes back.
static uint32_t turns[2];

static void turn_await(unsigned me, uint32_t turn)
{
    while (__atomic_load_n(&turns[me], __ATOMIC_ACQUIRE) != turn)
        (void)capos_park(&turns[me], turn - 1, CAPOS_FOREVER);
}

static void turn_pass(unsigned me, uint32_t turn, uint32_t next)
{
    __atomic_store_n(&turns[1 - me], turn, __ATOMIC_RELEASE);
    while (__atomic_load_n(&turns[me], __ATOMIC_ACQUIRE) != next)
        (void)capos_unpark_and_park(&turns[1 - me], &turns[me], next - 1);
}

static int pong(void *)
{
    turn_await(1, 1);
    for (uint32_t turn = 1; !__atomic_load_n(&stop, __ATOMIC_RELAXED); turn++)
        turn_pass(1, turn, turn + 1);
    return 0;
}

static void ping_pong(void)
{
    static uint32_t turn;
    turn++;
    turn_pass(0, turn, turn);
}

static void measure_threads(void)
{
    struct capos_thread *thread;
    MEASURE("thread_create_join", 50, create_and_join());

    require(capos_thread_create(&thread, yield_until_told, nullptr, nullptr), "a thread");
    capos_thread_yield();
    MEASURE("yield_pair", 100, capos_thread_yield());
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    require(capos_thread_join(thread, nullptr), "join");

    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    require(capos_thread_create(&thread, pong, nullptr, nullptr), "a thread");
    capos_thread_yield(); // it sleeps now
    MEASURE("park_pingpong", 100, ping_pong());
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    __atomic_fetch_add(&turns[1], 1, __ATOMIC_RELEASE);
    capos_unpark(&turns[1], 1);
    require(capos_thread_join(thread, nullptr), "join");
}

static void measure_processes(void)
{
    struct capos_image image;
    image_open(&image, "exitcode");
    MEASURE("spawn_exit_wait", 10, spawn_exit_wait(&image));
}

int main(void)
{
    require(capos_find("timer", INTERFACE_TIMER, &timer.id), "timer");
    require(capos_find("boot", INTERFACE_BOOT_PACKAGE, &boot.id), "boot");
    require(capos_find("budget", INTERFACE_MEMORY_BUDGET, &budget.id), "budget");
    require(capos_spawner_find(&spawner), "spawner");
    measure_ring();
    measure_ring_ping("ipc_rt_32", 4);
    measure_ring_ping("ipc_rt_cap", 5);
    measure_ipc();
    measure_memory();
    measure_threads();
    measure_processes();
    for (unsigned i = 0; i < region_count; i++)
        printf("region %s %u\n", regions[i].name, regions[i].operations);
    return 0;
}
