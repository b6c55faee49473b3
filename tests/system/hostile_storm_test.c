// SPDX-License-Identifier: MIT
// The storm: up to 64 processes that do to each other whatever processes can do, at random:
// call, answer, pass capabilities on, revoke, run out of memory, kill, fault.  Whatever happens,
// nobody outside is harmed, and afterwards every page and every capability is back.
//
// The eye keeps the processes coming.  Hubs are its Endpoints; each storming process serves one
// of them, together with others, and holds objects of some.  The processes keep what they are
// passed in a pool and pass it on.  The test gives the eye a budget, from which all of this is
// paid, and counts when it has ended.
//
// The environment says how long (STORM_SECONDS, 2) and what happens (STORM_SEED); what
// processes do to each other depends on the time as well, unless QEMU counts instructions.
#include <capos/loop.h>
#include <capos/server.h>
#include <capos/spawn.h>
#include <capos/test.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;
constexpr uint32_t PROCESSES_MAX = 64;
constexpr uint32_t HUBS = 8;
constexpr uint32_t OBJECTS_PER_PROCESS = 4;
constexpr uint64_t BUDGET_PAGES_MIN = 40; // too few for some to start
constexpr uint64_t BUDGET_PAGES_RANGE = 300;

// ---- Chance -------------------------------------------------------------------------------

static uint64_t chance;

// A number below `range`; Knuth's MMIX generator.
static uint32_t roll(uint32_t range)
{
    chance = chance * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)((chance >> 32) % range);
}

// ---- What happened ------------------------------------------------------------------------

// Shared by all: counts of what succeeded.  The storm goes on until there was everything.
enum event {
    EVENT_CALL_ANSWERED,
    EVENT_CALL_FAILED,
    EVENT_CALL_DISCONNECTED,
    EVENT_CALL_CANCELLED,
    EVENT_CAPABILITY_RECEIVED,
    EVENT_RELEASE_NOTICE,
    EVENT_REVOKED,
    EVENT_KILLED,
    EVENT_PROCESS_BUILT,
    EVENT_MAPPED,
    EVENT_OUT_OF_MEMORY,
    EVENT_COUNT,
};
static const char *const event_names[EVENT_COUNT] = {
    "calls answered",
    "calls failed",
    "calls disconnected",
    "calls cancelled",
    "capabilities received",
    "release notices",
    "revocations",
    "kills",
    "processes built by others",
    "mappings",
    "times out of memory",
};
static uint64_t *events;

static void note(enum event event)
{
    __atomic_fetch_add(&events[event], 1, __ATOMIC_RELAXED);
}

static void note_status(enum status status, enum event event)
{
    if (status == STATUS_OK)
        note(event);
    else if (status == STATUS_OVERLOADED)
        note(EVENT_OUT_OF_MEMORY);
}

static bool events_map(memory_object_cap object)
{
    uint64_t address;
    if (virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE,
                           &address) != STATUS_OK)
        return false;
    events = (uint64_t *)address;
    return true;
}

// ---- The pool of a storming process -------------------------------------------------------

constexpr uint32_t POOL_MAX = 32;

struct held {
    capos_cap_id id;
    uint64_t interface_id;
};

static struct held pool[POOL_MAX];
static uint32_t pool_count;

// Keeps a capability; in a full pool in the place of another one.
static void pool_put(capos_cap_id id, uint64_t interface_id)
{
    if (pool_count < POOL_MAX) {
        pool[pool_count++] = (struct held){id, interface_id};
        return;
    }
    struct held *place = &pool[roll(POOL_MAX)];
    capos_release(place->id);
    *place = (struct held){id, interface_id};
}

static void pool_forget(capos_cap_id id)
{
    for (uint32_t i = 0; i < pool_count; i++)
        if (pool[i].id == id)
            pool[i] = pool[--pool_count];
}

// Some capability of an interface, 0: of any; id 0 if there is none.
static capos_cap_id pool_pick(uint64_t interface_id)
{
    for (uint32_t tries = 0; tries < 8 && pool_count > 0; tries++) {
        const struct held *held = &pool[roll(pool_count)];
        if (interface_id == 0 || held->interface_id == interface_id)
            return held->id;
    }
    return 0;
}

// Up to three capabilities to send.  What is moved isn't the pool's any more, wherever it
// ends: if the call doesn't arrive, the process just has one that it forgot.
static uint32_t pool_send(struct capos_transfer transfers[3])
{
    uint32_t count = 0;
    for (uint32_t wanted = roll(8); wanted > 4 && count < 3; wanted--) {
        capos_cap_id id = pool_pick(0);
        if (id == 0)
            break;
        bool moves = roll(2) == 0;
        transfers[count++] = moves ? capos_transfer_move(id) : capos_transfer_copy(id);
        if (moves)
            pool_forget(id);
    }
    return count;
}

// ---- Calls in flight ----------------------------------------------------------------------

constexpr uint32_t FLIGHTS = 8;
constexpr uint32_t MESSAGE_BYTES_MAX = 512;

static struct flight {
    struct capos_call call;
    bool used;
} flights[FLIGHTS];

static void flight_ended(struct capos_call *call, void *context)
{
    struct flight *flight = context;
    enum status status = capos_call_wait(call);
    for (uint32_t i = 0; status == STATUS_OK && i < call->cap_count; i++) {
        capos_cap_id id;
        if (capos_call_take(call, i, 0, &id) != STATUS_OK)
            continue;
        pool_put(id, call->caps[i].interface_id);
        note(EVENT_CAPABILITY_RECEIVED);
    }
    (void)capos_call_end(call, status);
    flight->used = false;
    note(status == STATUS_OK             ? EVENT_CALL_ANSWERED
         : status == STATUS_DISCONNECTED ? EVENT_CALL_DISCONNECTED
         : status == STATUS_CANCELLED    ? EVENT_CALL_CANCELLED
                                         : EVENT_CALL_FAILED);
}

// Begins a call with a message of any bytes: to a minted object a good one, to the kernel's
// mostly a bad one.
static void flight_begin(const struct held *to, uint16_t method, uint32_t words)
{
    struct flight *flight = &flights[roll(FLIGHTS)];
    struct capos_transfer transfers[3];
    if (flight->used)
        return;
    uint64_t *message = capos_call_begin(&flight->call, words * 8, 3, roll(2) * 512, roll(5));
    if (message == nullptr)
        return;
    for (uint32_t i = 0; i < words; i++)
        message[i] = roll(4) == 0 ? chance : roll(16);
    uint32_t count = to->interface_id == TEST_INTERFACE ? pool_send(transfers) : 0;
    enum status status = capos_call_submit(&flight->call, to->id, to->interface_id, method,
                                           words * 8, transfers, count);
    if (status != STATUS_OK) {
        (void)capos_call_abandon(&flight->call, status);
        return;
    }
    flight->used = true;
    capos_call_on_done(&flight->call, flight_ended, flight);
}

// ---- Serving a hub ------------------------------------------------------------------------

constexpr uint32_t LATE_MAX = 4;

static struct capos_server_call *late[LATE_MAX]; // answered later, perhaps
static uint32_t late_count;

static void answer(struct capos_server_call *call)
{
    struct capos_transfer transfers[3];
    uint32_t words = roll(MESSAGE_BYTES_MAX / 8);
    uint64_t *reply = capos_server_reply_buffer(call, words * 8);
    if (reply == nullptr || roll(8) == 0) {
        capos_server_fail(call, STATUS_FAILED, "as chance would have it");
        return;
    }
    memset(reply, 0x5a, words * 8);
    capos_server_reply(call, words * 8, transfers, pool_send(transfers));
}

static void on_call(void *, struct capos_server_call *call)
{
    for (uint32_t i = 0; i < call->cap_count; i++) {
        capos_cap_id id;
        if (roll(4) != 0 && capos_server_take(call, i, 0, &id) == STATUS_OK) {
            pool_put(id, call->caps[i].interface_id);
            note(EVENT_CAPABILITY_RECEIVED);
        }
    }
    struct capos_server_call *detached = nullptr;
    if (late_count < LATE_MAX && roll(3) == 0)
        detached = capos_server_detach(call);
    if (detached != nullptr)
        late[late_count++] = detached;
    else
        answer(call);
}

static void on_released(void *, uint64_t)
{
    note(EVENT_RELEASE_NOTICE);
}

static void do_answer_late(void)
{
    if (late_count > 0)
        answer(late[--late_count]);
}

// ---- What a storming process does ---------------------------------------------------------

static endpoint_cap hub;
static memory_budget_cap own_budget;

static void do_call(void)
{
    struct held to = {pool_pick(TEST_INTERFACE), TEST_INTERFACE};
    if (to.id != 0)
        flight_begin(&to, (uint16_t)roll(4), roll(MESSAGE_BYTES_MAX / 8));
}

// Any method of any interface, with any message.  Nobody is killed by that: a handle's kill
// has an operation of its own.
static void do_nonsense(void)
{
    if (pool_count == 0)
        return;
    const struct held *to = &pool[roll(pool_count)];
    if (to->interface_id != INTERFACE_PROCESS_HANDLE)
        flight_begin(to, (uint16_t)roll(10), roll(6));
}

static void do_create(void)
{
    memory_object_cap object = {};
    notification_cap notification = {};
    endpoint_cap endpoint = {};
    capos_cap_id minted = 0;
    switch (roll(4)) {
    case 0:
        note_status(
            memory_budget_create_memory_object(own_budget, (1 + roll(4)) * PAGE, &object),
            EVENT_MAPPED);
        if (object.id != 0)
            pool_put(object.id, INTERFACE_MEMORY_OBJECT);
        break;
    case 1:
        if (memory_budget_create_notification(own_budget, &notification) == STATUS_OK)
            pool_put(notification.id, INTERFACE_NOTIFICATION);
        break;
    case 2:
        if (memory_budget_create_endpoint(own_budget, 1 + roll(4), &endpoint) == STATUS_OK)
            pool_put(endpoint.id, INTERFACE_ENDPOINT);
        break;
    default:
        endpoint.id = roll(2) == 0 ? hub.id : pool_pick(INTERFACE_ENDPOINT);
        if (endpoint.id != 0 &&
            endpoint_mint(endpoint, TEST_INTERFACE, roll(100), &minted) == STATUS_OK)
            pool_put(minted, TEST_INTERFACE);
    }
}

static void do_release(void)
{
    capos_cap_id id = pool_pick(0);
    if (id == 0)
        return;
    pool_forget(id);
    capos_release(id);
}

static void do_revoke(void)
{
    capos_cap_id object = pool_pick(TEST_INTERFACE);
    if (object != 0 && roll(16) == 0)
        note_status(endpoint_revoke(hub, object), EVENT_REVOKED);
}

static void do_cancel(void)
{
    struct flight *flight = &flights[roll(FLIGHTS)];
    if (flight->used)
        capos_call_cancel(&flight->call);
}

static void do_signal(void)
{
    notification_cap notification = {pool_pick(INTERFACE_NOTIFICATION)};
    if (notification.id != 0)
        (void)notification_signal(notification, 1 + roll(3));
}

static void do_map(void)
{
    memory_object_cap object = {pool_pick(INTERFACE_MEMORY_OBJECT)};
    uint64_t address;
    if (object.id == 0)
        return;
    enum status status =
        virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE, &address);
    note_status(status, EVENT_MAPPED);
    if (status != STATUS_OK)
        return;
    *(volatile uint64_t *)address = chance;
    if (virtual_memory_unmap(test_memory(), address, PAGE) != STATUS_OK)
        abort();
}

// A process without code: it holds what it was granted until it faults at its entry, or until
// somebody kills it before.
static void do_build(void)
{
    constexpr uint64_t AT = 0x10000000;
    process_builder_cap builder = {};
    process_handle_cap process = {};
    capos_cap_id grant = pool_pick(0);
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    enum status status = process_spawner_create(spawner, "built", 5, own_budget, &builder);
    if (status == STATUS_OK && grant != 0)
        (void)process_builder_grant(builder, "something", 9, grant);
    if (status == STATUS_OK)
        status = process_builder_commit(builder, AT, PAGE, PROTECTION_READ_WRITE);
    if (status == STATUS_OK)
        status = process_builder_start(builder, AT, AT + PAGE, 0, &process);
    note_status(status, EVENT_PROCESS_BUILT);
    if (status == STATUS_OK)
        pool_put(process.id, INTERFACE_PROCESS_HANDLE);
    process_builder_cap_release(&builder);
}

static void do_kill(void)
{
    process_handle_cap process = {pool_pick(INTERFACE_PROCESS_HANDLE)};
    if (process.id != 0 && roll(4) == 0)
        note_status(process_handle_kill(process), EVENT_KILLED);
}

static void nothing_came(struct capos_call *call, void *)
{
    (void)timer_sleep_finish(call);
}

// Lets others run, and sees to what came.
static void do_wait(void)
{
    static struct capos_call nap;
    static bool begun;
    if (begun && !capos_call_is_done(&nap)) {
        capos_loop_step(false);
        return;
    }
    begun = timer_sleep_begin(&nap, test_timer(), roll(2'000'000)) == STATUS_OK;
    if (begun)
        capos_call_on_done(&nap, nothing_came, nullptr);
    capos_loop_step(begun);
}

static void do_end(void)
{
    switch (roll(2000)) {
    case 0:
        exit(0);
    case 1:
        __builtin_trap();
    default:
        break;
    }
}

static void pool_put_granted(void)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        if (entry->interface_id == TEST_INTERFACE ||
            entry->interface_id == INTERFACE_PROCESS_HANDLE ||
            entry->interface_id == INTERFACE_NOTIFICATION)
            pool_put(entry->cap, entry->interface_id);
    }
}

static int child_storms(void)
{
    static void (*const operations[])(void) = {
        do_call,    do_call, do_call, do_call,  do_answer_late, do_create, do_create,
        do_release, do_map,  do_wait, do_wait,  do_wait,        do_cancel, do_revoke,
        do_signal,  do_kill, do_end,  do_build, do_nonsense,
    };
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    static const struct capos_server_options options = {.receive_count = 2,
                                                        .message_bytes_max = MESSAGE_BYTES_MAX};
    static struct capos_server server;
    memory_object_cap counters;
    chance = strtoull(test_argument(0), nullptr, 16);
    hub = (endpoint_cap){test_grant("hub", INTERFACE_ENDPOINT)};
    own_budget = test_budget();
    EXPECT(capos_find("events", INTERFACE_MEMORY_OBJECT, &counters.id) == STATUS_OK);
    if (!events_map(counters) ||
        capos_server_start(&server, hub.id, &handlers, nullptr, &options) != STATUS_OK)
        return 0; // its budget was too small
    pool_put_granted();
    for (;;)
        operations[roll(sizeof operations / sizeof operations[0])]();
}

// ---- The eye ------------------------------------------------------------------------------

// What must hold in the eye; it exits with how often it didn't.
static int mistakes;

static bool holds(bool condition, const char *text, int line)
{
    if (!condition) {
        printf("# hostile_storm_test.c:%d: %s\n", line, text);
        mistakes++;
    }
    return condition;
}
#define HOLDS(condition) holds((condition), #condition, __LINE__)
#define SUCCEEDS(call)   HOLDS((call) == STATUS_OK)

static struct {
    struct capos_spawner spawner;
    struct capos_image image;
    memory_object_cap file, counters;
    notification_cap bell;
    endpoint_cap hubs[HUBS];
    capos_cap_id objects[HUBS];
    struct slot {
        bool used;
        process_handle_cap process;
        struct capos_call wait;
    } slots[PROCESSES_MAX];
    uint32_t living, living_most;
    uint64_t started, faulted, exited, killed;
} storm;

static bool image_open(void)
{
    boot_package_cap boot = {test_grant("boot", INTERFACE_BOOT_PACKAGE)};
    uint64_t size_bytes;
    return SUCCEEDS(capos_spawner_find(&storm.spawner)) &&
           SUCCEEDS(
               boot_package_open(boot, "hostile_storm_test", 18, &storm.file, &size_bytes)) &&
           SUCCEEDS(capos_image_open(&storm.image, &storm.spawner, storm.file, size_bytes));
}

static void image_close(void)
{
    capos_image_close(&storm.image, &storm.spawner);
    memory_object_cap_release(&storm.file);
}

static bool storm_open(void)
{
    bool opened =
        image_open() &&
        SUCCEEDS(memory_budget_create_memory_object(test_budget(), PAGE, &storm.counters)) &&
        HOLDS(events_map(storm.counters)) &&
        SUCCEEDS(memory_budget_create_notification(test_budget(), &storm.bell));
    for (uint32_t i = 0; i < HUBS && opened; i++)
        opened = SUCCEEDS(memory_budget_create_endpoint(test_budget(), 8, &storm.hubs[i])) &&
                 SUCCEEDS(endpoint_mint(storm.hubs[i], TEST_INTERFACE, i, &storm.objects[i]));
    return opened;
}

static void process_ended(struct capos_call *call, void *context)
{
    struct slot *slot = context;
    enum end_kind kind = END_KIND_RUNNING;
    enum fault_kind fault = FAULT_KIND_NONE;
    int64_t code = 0;
    SUCCEEDS(process_handle_wait_finish(call, &kind, &code, &fault, nullptr, nullptr, nullptr,
                                        nullptr));
    storm.killed += kind == END_KIND_KILLED;
    storm.exited += kind == END_KIND_EXITED;
    storm.faulted += kind == END_KIND_FAULTED;
    // Its own mistakes are those it makes on purpose, and a stack that found no memory.
    if (kind == END_KIND_FAULTED)
        HOLDS(fault == FAULT_KIND_ILLEGAL_INSTRUCTION || fault == FAULT_KIND_OUT_OF_MEMORY);
    if (kind == END_KIND_EXITED)
        HOLDS(code == 0);
    process_handle_cap_release(&slot->process);
    slot->used = false;
    storm.living--;
}

static uint32_t grants_collect(struct capos_spawn_grant grants[16], memory_budget_cap budget)
{
    static const char *const names[OBJECTS_PER_PROCESS] = {"a", "b", "c", "d"};
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    const struct slot *sibling = &storm.slots[roll(PROCESSES_MAX)];
    uint32_t count = 0;
    grants[count++] =
        (struct capos_spawn_grant){"memory", capos_transfer_copy(test_memory().id)};
    grants[count++] = (struct capos_spawn_grant){"timer", capos_transfer_copy(test_timer().id)};
    grants[count++] = (struct capos_spawn_grant){"spawner", capos_transfer_copy(spawner.id)};
    grants[count++] = (struct capos_spawn_grant){"budget", capos_transfer_copy(budget.id)};
    grants[count++] = (struct capos_spawn_grant){"bell", capos_transfer_copy(storm.bell.id)};
    grants[count++] =
        (struct capos_spawn_grant){"events", capos_transfer_copy(storm.counters.id)};
    grants[count++] =
        (struct capos_spawn_grant){"hub", capos_transfer_copy(storm.hubs[roll(HUBS)].id)};
    for (uint32_t i = 0; i < OBJECTS_PER_PROCESS; i++)
        grants[count++] = (struct capos_spawn_grant){
            names[i], capos_transfer_copy(storm.objects[roll(HUBS)])};
    if (sibling->used)
        grants[count++] =
            (struct capos_spawn_grant){"sibling", capos_transfer_copy(sibling->process.id)};
    return count;
}

static void process_start(struct slot *slot)
{
    char seed[17];
    struct capos_spawn_grant grants[16];
    struct capos_process process;
    memory_budget_cap budget;
    snprintf(seed, sizeof seed, "%llx", (unsigned long long)(chance ^ storm.started << 48));
    const char *const arguments[] = {"hostile_storm_test", "storms", seed};
    if (memory_budget_split(test_budget(), (BUDGET_PAGES_MIN + roll(BUDGET_PAGES_RANGE)) * PAGE,
                            &budget) != STATUS_OK)
        return;
    enum status status =
        capos_spawn(&storm.spawner, &storm.image,
                    &(struct capos_spawn_request){.name = "storms",
                                                  .budget = budget,
                                                  .grants = grants,
                                                  .grant_count = grants_collect(grants, budget),
                                                  .arguments = arguments,
                                                  .argument_count = 3,
                                                  .stack_bytes = 8 * PAGE},
                    &process);
    memory_budget_cap_release(&budget);
    HOLDS(status == STATUS_OK || status == STATUS_OVERLOADED);
    if (status != STATUS_OK ||
        !SUCCEEDS(process_handle_wait_begin(&slot->wait, process.handle)))
        return;
    slot->process = process.handle;
    slot->used = true;
    capos_call_on_done(&slot->wait, process_ended, slot);
    storm.started++;
    if (++storm.living > storm.living_most)
        storm.living_most = storm.living;
}

// Another object takes the place of a hub's; whoever holds the old one is cut off.
static void object_renew(uint32_t index)
{
    SUCCEEDS(endpoint_revoke(storm.hubs[index], storm.objects[index]));
    capos_release(storm.objects[index]);
    SUCCEEDS(endpoint_mint(storm.hubs[index], TEST_INTERFACE, index, &storm.objects[index]));
}

static uint64_t now_ns(void)
{
    uint64_t time_ns = 0;
    SUCCEEDS(timer_now(test_timer(), &time_ns));
    return time_ns;
}

// A slow machine needs longer until there was everything.
static bool all_has_happened(void)
{
    for (uint32_t i = 0; i < EVENT_COUNT; i++)
        if (events[i] == 0)
            return false;
    return true;
}

static void storm_blow(uint64_t duration_ns)
{
    uint64_t end_ns = now_ns() + duration_ns;
    while (now_ns() < end_ns || !all_has_happened()) {
        for (int i = 0; i < 16; i++) {
            struct slot *slot = &storm.slots[roll(PROCESSES_MAX)];
            if (!slot->used)
                process_start(slot);
            else if (roll(8) == 0)
                SUCCEEDS(process_handle_kill(slot->process));
        }
        if (roll(16) == 0)
            object_renew(roll(HUBS));
        SUCCEEDS(timer_sleep(test_timer(), 500'000));
        capos_loop_step(false);
    }
}

static void storm_end(void)
{
    for (uint32_t i = 0; i < PROCESSES_MAX; i++)
        if (storm.slots[i].used)
            SUCCEEDS(process_handle_kill(storm.slots[i].process));
    while (storm.living > 0)
        capos_loop_step(true);
}

static void storm_tell(void)
{
    printf("# %llu processes, at most %u at once: %llu killed, %llu exited, %llu faulted\n#",
           (unsigned long long)storm.started, storm.living_most,
           (unsigned long long)storm.killed, (unsigned long long)storm.exited,
           (unsigned long long)storm.faulted);
    for (uint32_t i = 0; i < EVENT_COUNT; i++)
        printf(" %llu %s%s", (unsigned long long)events[i], event_names[i],
               i + 1 < EVENT_COUNT ? "," : "\n");
}

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == nullptr ? otherwise : strtoull(text, nullptr, 0);
}

static int child_is_the_eye(void)
{
    chance = strtoull(test_argument(0), nullptr, 16);
    uint64_t duration_ns = strtoull(test_argument(1), nullptr, 16);
    if (!storm_open())
        return 1;
    storm_blow(duration_ns);
    storm_end();
    storm_tell();
    return mistakes;
}

// ---- The test -----------------------------------------------------------------------------

static enum status eye_start(memory_budget_cap budget, process_handle_cap *out_process)
{
    char seed_text[17], duration_text[17];
    uint64_t seed = environment_number("STORM_SEED", 1);
    uint64_t seconds = environment_number("STORM_SECONDS", 2);
    printf("# STORM_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    snprintf(seed_text, sizeof seed_text, "%llx", (unsigned long long)seed);
    snprintf(duration_text, sizeof duration_text, "%llx",
             (unsigned long long)seconds * 1'000'000'000);
    const char *const arguments[] = {"hostile_storm_test", "is the eye", seed_text,
                                     duration_text};
    const struct capos_spawn_grant grants[] = {
        {"stdio", capos_transfer_copy(test_grant("stdio", INTERFACE_STDIO))},
        {"memory", capos_transfer_copy(test_memory().id)},
        {"timer", capos_transfer_copy(test_timer().id)},
        {"spawner", capos_transfer_copy(test_grant("spawner", INTERFACE_PROCESS_SPAWNER))},
        {"boot", capos_transfer_copy(test_grant("boot", INTERFACE_BOOT_PACKAGE))},
        {"budget", capos_transfer_copy(budget.id)},
    };
    struct capos_process process = {};
    enum status status =
        capos_spawn(&storm.spawner, &storm.image,
                    &(struct capos_spawn_request){.name = "eye",
                                                  .budget = budget,
                                                  .grants = grants,
                                                  .grant_count = sizeof grants / sizeof *grants,
                                                  .arguments = arguments,
                                                  .argument_count = 4},
                    &process);
    *out_process = process.handle;
    return status;
}

static void a_storm_leaves_nothing_behind(void)
{
    memory_budget_cap budget = {};
    process_handle_cap process;
    struct test_end end = {};
    uint64_t limit_bytes = 0, used_bytes = 0;
    if (!CHECK_OK(
            memory_budget_info(test_budget(), &limit_bytes, &used_bytes, nullptr, nullptr)) ||
        !CHECK_OK(memory_budget_split(
            test_budget(), (limit_bytes - used_bytes) / PAGE * 7 / 8 * PAGE, &budget)))
        return;
    if (image_open() && CHECK_OK(eye_start(budget, &process)) &&
        CHECK_OK(test_wait(process, &end))) {
        CHECK_EQ(end.kind, END_KIND_EXITED);
        CHECK_EQ(end.exit_code, 0);
        // Processes that were built by others end at their first instruction.
        do
            CHECK_OK(memory_budget_info(budget, nullptr, &used_bytes, nullptr, nullptr));
        while (used_bytes != 0 && CHECK_OK(timer_sleep(test_timer(), 1'000'000)));
    }
    image_close();
    memory_budget_cap_release(&budget);
}

static void tests(void)
{
    RUN(a_storm_leaves_nothing_behind);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"is the eye", child_is_the_eye},
                                             {"storms", child_storms}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
