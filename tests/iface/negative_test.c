// SPDX-License-Identifier: MIT
// Hostile calls: every method of every interface, called in every wrong way that the schema
// compiler knows (gen/test/negative.h), and through every wrong capability: a stale CapId, a
// foreign one, one of another interface, a revoked object.
//
// Each call must fail with the status that the case names, whatever it hits, and none may
// reach an implementation.  The harness counts pages and capabilities around each interface.
//
// Kernel objects are the granted ones and what can be made from them.  Service-homed
// interfaces are served by this program itself, through the generated glue over functions
// that say so when they are reached.  An interface that can't be had on this machine is a
// skipped test.  A kernel object can't be revoked: its end is tested with its interface.
#include <capos/test.h>

#include <capos/loop.h>
#include <capos/server.h>
#include <capos/thread.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/forker.h>
#include <gen/capos/interrupt.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/test/negative.h>
#include <stdio.h>
#include <string.h>

constexpr uint16_t TEST_METHOD_TAKE = 0; // of TEST_INTERFACE: the server takes a capability

// What the tests of one interface are run on.
struct subject {
    const struct negative_interface *interface;
    capos_cap_id live;
    capos_cap_id revoked; // 0: there can't be one
    capos_cap_id other;   // a capability of another interface than any parameter's
};

static struct subject subject;

// ---- The server in this program ------------------------------------------------------

static endpoint_cap endpoint;
static capos_cap_id taken;       // by TEST_METHOD_TAKE
static capos_cap_id take_object; // of TEST_INTERFACE

static void serve_take(struct capos_server_call *call)
{
    if (capos_server_take(call, 0, 0, &taken) == STATUS_OK)
        capos_server_reply(call, 0, nullptr, 0);
    else
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "no capability came");
}

static void on_call(void *, struct capos_server_call *call)
{
    if (call->interface_id == TEST_INTERFACE) {
        serve_take(call);
        return;
    }
    for (uint32_t i = 0; i < INTERFACE_COUNT; i++)
        if (negative_interfaces[i].id == call->interface_id) {
            negative_interfaces[i].serve(call);
            return;
        }
    capos_server_fail(call, STATUS_UNIMPLEMENTED, "no such interface");
}

static bool serve_here(void)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    static const struct capos_server_options options = {
        .receive_count = 1, .message_bytes_max = CAPOS_MESSAGE_BYTES_MAX};
    return memory_budget_create_endpoint(test_budget(), 4, &endpoint) == STATUS_OK &&
           endpoint_mint(endpoint, TEST_INTERFACE, 0, &take_object) == STATUS_OK &&
           capos_server_start(&server, endpoint.id, &handlers, nullptr, &options) == STATUS_OK;
}

// ---- One call ------------------------------------------------------------------------

struct hostile_call {
    capos_cap_id cap;
    uint64_t interface_id;
    uint16_t method;
    uint16_t transfer_count;
    capos_cap_id transfer;              // that many times
    const struct negative_method *room; // nullptr: no results are expected
    uint32_t params_bytes;
    const uint64_t *words; // behind them, zeros
    uint32_t word_count;
    uint16_t changed_word; // or NEGATIVE_NO_WORD
    uint64_t changed_value;
};

static void note_done(struct capos_call *, void *context)
{
    bool *done = context;
    *done = true;
}

static void fill_params(uint64_t *params, uint32_t room_bytes,
                        const struct hostile_call *hostile)
{
    memset(params, 0, room_bytes);
    if (hostile->word_count != 0)
        memcpy(params, hostile->words, hostile->word_count * sizeof *params);
    if (hostile->changed_word != NEGATIVE_NO_WORD)
        params[hostile->changed_word] = hostile->changed_value;
}

// Makes the call and serves it too, if it comes here.
static enum status call_hostile(const struct hostile_call *hostile)
{
    const struct negative_method *room = hostile->room;
    uint32_t valid_bytes = (hostile->word_count + 1) * (uint32_t)sizeof(uint64_t);
    uint32_t room_bytes =
        hostile->params_bytes > valid_bytes ? hostile->params_bytes : valid_bytes;
    struct capos_transfer transfers[CAPOS_TRANSFER_COUNT_MAX];
    for (uint32_t i = 0; i < hostile->transfer_count; i++)
        transfers[i] = capos_transfer_copy(hostile->transfer);
    struct capos_call call;
    uint64_t *params = capos_call_begin(&call, room_bytes, hostile->transfer_count,
                                        room == nullptr ? 0 : room->results_bytes_max,
                                        room == nullptr ? 0 : room->result_capability_count);
    if (params == nullptr)
        return STATUS_OVERLOADED;
    fill_params(params, room_bytes, hostile);
    enum status status =
        capos_call_submit(&call, hostile->cap, hostile->interface_id, hostile->method,
                          hostile->params_bytes, transfers, hostile->transfer_count);
    if (status != STATUS_OK)
        return capos_call_abandon(&call, status);
    bool done = false;
    capos_call_on_done(&call, note_done, &done);
    while (!done)
        capos_loop_step(true);
    return capos_call_end(&call, capos_call_wait(&call));
}

// ---- One method ----------------------------------------------------------------------

static void expect(const struct hostile_call *hostile, const char *method, const char *what,
                   uint32_t expected)
{
    enum status status = call_hostile(hostile);
    if ((uint32_t)status >= STATUS_COUNT || (expected >> (uint32_t)status & 1) == 0)
        test_fail(__FILE__, __LINE__, "%s.%s: %s: %s", subject.interface->name, method, what,
                  status_name(status));
}

// A call of a method with its valid message.
static struct hostile_call valid_call(const struct negative_method *method, uint16_t ordinal)
{
    return (struct hostile_call){
        .cap = subject.live,
        .interface_id = subject.interface->id,
        .method = ordinal,
        .room = method,
        .params_bytes = method->valid_bytes,
        .words = method->valid,
        .word_count = method->valid_bytes / (uint32_t)sizeof(uint64_t),
        .changed_word = NEGATIVE_NO_WORD,
    };
}

static void run_cases(const struct negative_method *method, uint16_t ordinal)
{
    for (uint32_t i = 0; i < method->case_count; i++) {
        const struct negative_case *hostile = &method->cases[i];
        struct hostile_call call = valid_call(method, ordinal);
        call.params_bytes = hostile->params_bytes;
        call.changed_word = hostile->word;
        call.changed_value = hostile->value;
        if (hostile->transfers) {
            call.transfer_count = method->capability_count;
            call.transfer = subject.other;
        }
        expect(&call, method->name, hostile->name, hostile->expected);
    }
}

static void run_wrong_interfaces(const struct negative_method *method, uint16_t ordinal)
{
    const uint64_t wrong[] = {0, subject.interface->id + 1, ~subject.interface->id,
                              TEST_INTERFACE};
    struct hostile_call call = valid_call(method, ordinal);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        call.interface_id = wrong[i];
        expect(&call, method->name, "through another interface id",
               1u << STATUS_WRONG_INTERFACE);
    }
    call = valid_call(method, ordinal);
    call.cap = subject.other;
    expect(&call, method->name, "on an object of another interface",
           1u << STATUS_WRONG_INTERFACE);
}

static void run_foreign_ids(const struct negative_method *method, uint16_t ordinal)
{
    const uint64_t slot = (uint32_t)subject.live, generation = subject.live >> 32;
    const uint64_t foreign[] = {
        0,
        slot,                          // generation 0 was never issued
        (generation + 1) << 32 | slot, // not issued yet
        (generation - 1) << 32 | slot, // issued long ago, or never
        (generation ^ 1u << 31) << 32 | slot,
        UINT64_C(1) << 32 | 0x00ffffff, // no such slot
        UINT64_C(1) << 32 | UINT32_MAX,
        UINT64_MAX,
    };
    struct hostile_call call = valid_call(method, ordinal);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        call.cap = foreign[i];
        expect(&call, method->name, "through a foreign CapId", 1u << STATUS_BAD_CAPABILITY);
    }
}

static void run_revoked(const struct negative_method *method, uint16_t ordinal)
{
    struct hostile_call call = valid_call(method, ordinal);
    call.cap = subject.revoked;
    expect(&call, method->name, "on a revoked object", 1u << STATUS_DISCONNECTED);
}

// ---- One interface -------------------------------------------------------------------

// A second hold of the live object, which came by IPC and was released again: its id was
// good a moment ago.  0 if the object is not to be copied.
static capos_cap_id stale_id(void)
{
    struct hostile_call call = {
        .cap = take_object,
        .interface_id = TEST_INTERFACE,
        .method = TEST_METHOD_TAKE,
        .transfer_count = 1,
        .transfer = subject.live,
        .changed_word = NEGATIVE_NO_WORD,
    };
    enum status status = call_hostile(&call);
    if (status == STATUS_BAD_TRANSFER)
        return 0;
    if (!CHECK_OK(status))
        return 0;
    capos_release(taken);
    return taken;
}

static void run_stale(capos_cap_id stale)
{
    for (uint16_t i = 0; i < subject.interface->method_count; i++) {
        const struct negative_method *method = &subject.interface->methods[i];
        struct hostile_call call = valid_call(method, i);
        call.cap = stale;
        expect(&call, method->name, "through a released CapId", 1u << STATUS_BAD_CAPABILITY);
    }
}

static void run_unknown_methods(void)
{
    const uint16_t unknown[] = {subject.interface->method_count,
                                (uint16_t)(subject.interface->method_count + 1), UINT16_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct hostile_call call = {
            .cap = subject.live,
            .interface_id = subject.interface->id,
            .method = unknown[i],
            .changed_word = NEGATIVE_NO_WORD,
        };
        expect(&call, "?", "an ordinal that is no method", 1u << STATUS_UNIMPLEMENTED);
    }
}

// The valid message of a service's method does reach the function, so the cases are changes
// to something valid.  With a capability of another interface than the method asks for, it is
// the generated glue that refuses.
static void run_valid(const struct negative_method *method, uint16_t ordinal)
{
    struct hostile_call call = valid_call(method, ordinal);
    call.transfer_count = method->capability_count;
    call.transfer = subject.other;
    enum status expected = method->typed_capabilities ? STATUS_INVALID_ARGUMENT : STATUS_FAILED;
    expect(&call, method->name, "the valid message", 1u << expected);
}

static void run_interface(void)
{
    if (subject.live == 0) {
        test_skip("there is no such object on this machine");
        return;
    }
    capos_cap_id stale = stale_id();
    if (stale != 0)
        run_stale(stale);
    run_unknown_methods();
    for (uint16_t i = 0; i < subject.interface->method_count; i++) {
        const struct negative_method *method = &subject.interface->methods[i];
        run_cases(method, i);
        run_wrong_interfaces(method, i);
        run_foreign_ids(method, i);
        if (subject.revoked != 0)
            run_revoked(method, i);
        if (!subject.interface->kernel_homed)
            run_valid(method, i);
    }
}

// ---- Objects -------------------------------------------------------------------------

static capos_cap_id granted(const char *name, uint64_t interface_id)
{
    capos_cap_id cap;
    return capos_find(name, interface_id, &cap) == STATUS_OK ? cap : 0;
}

static capos_cap_id live_builder(void)
{
    process_spawner_cap spawner = {granted("spawner", INTERFACE_PROCESS_SPAWNER)};
    process_builder_cap builder = {};
    if (spawner.id != 0)
        CHECK_OK(process_spawner_create(spawner, "never", 5, test_budget(), &builder));
    return builder.id;
}

static int child_ends(void)
{
    return 0;
}

static capos_cap_id live_process(void)
{
    process_handle_cap process = {};
    CHECK_OK(test_start("ends", nullptr, 0, nullptr, 0, &process));
    return process.id;
}

// A line that nothing on the machine uses, if there is one.
static capos_cap_id live_interrupt(void)
{
    interrupt_controller_cap controller = {
        granted("interrupts", INTERFACE_INTERRUPT_CONTROLLER)};
    interrupt_cap interrupt = {};
    for (uint32_t line = 23; controller.id != 0 && interrupt.id == 0 && line > 0; line--)
        if (interrupt_controller_bind(controller, line, TRIGGER_EDGE, &interrupt) != STATUS_OK)
            interrupt.id = 0;
    return interrupt.id;
}

static int end_at_once(void *)
{
    return 0;
}

static capos_cap_id live_thread(void)
{
    struct capos_thread *thread;
    if (!CHECK_OK(capos_thread_create(&thread, end_at_once, nullptr, nullptr)))
        return 0;
    return capos_thread_handle(thread).id;
}

static capos_cap_id live_memory_object(void)
{
    memory_object_cap object = {};
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 4096, &object));
    return object.id;
}

static capos_cap_id live_notification(void)
{
    notification_cap notification = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    return notification.id;
}

static capos_cap_id live_snapshot(void)
{
    forker_cap forker = {granted("forker", INTERFACE_FORKER)};
    address_space_snapshot_cap snapshot = {};
    if (forker.id != 0)
        CHECK_OK(forker_snapshot(forker, test_budget(), &snapshot));
    return snapshot.id;
}

static capos_cap_id live_watch(void)
{
    budget_watch_cap watch = {};
    CHECK_OK(memory_budget_watch(test_budget(), UINT64_MAX,
                                 (notification_cap){live_notification()}, 1, &watch));
    return watch.id;
}

static capos_cap_id live_revoker(void)
{
    capos_cap_id lent;
    revoker_cap revoker = {};
    CHECK_OK(memory_budget_create_revocable(test_budget(), take_object, &lent, &revoker));
    capos_release(lent);
    return revoker.id;
}

static capos_cap_id live_endpoint(void)
{
    return endpoint.id;
}

// How a live object of each interface is had: by a grant's name, or made.
static const struct source {
    uint64_t interface_id;
    const char *grant;
    capos_cap_id (*make)(void);
} sources[] = {
    {INTERFACE_ADDRESS_SPACE_SNAPSHOT, nullptr, live_snapshot},
    {INTERFACE_BOOT_PACKAGE, "boot", nullptr},
    {INTERFACE_BUDGET_WATCH, nullptr, live_watch},
    {INTERFACE_CONSOLE, "console", nullptr},
    {INTERFACE_DEVICE_MEMORY, "devices", nullptr},
    {INTERFACE_DMA_POOL, "dma", nullptr},
    {INTERFACE_ENDPOINT, nullptr, live_endpoint},
    {INTERFACE_ENTROPY_SOURCE, "entropy", nullptr},
    {INTERFACE_FORKER, "forker", nullptr},
    {INTERFACE_INTERRUPT_CONTROLLER, "interrupts", nullptr},
    {INTERFACE_INTERRUPT, nullptr, live_interrupt},
    {INTERFACE_IO_PORTS, "ports", nullptr},
    {INTERFACE_MEMORY_BUDGET, "budget", nullptr},
    {INTERFACE_MEMORY_OBJECT, nullptr, live_memory_object},
    {INTERFACE_NOTIFICATION, nullptr, live_notification},
    {INTERFACE_PARK_SPACE, "park", nullptr},
    {INTERFACE_PROCESS_SPAWNER, "spawner", nullptr},
    {INTERFACE_PROCESS_BUILDER, nullptr, live_builder},
    {INTERFACE_PROCESS_HANDLE, nullptr, live_process},
    {INTERFACE_REVOKER, nullptr, live_revoker},
    {INTERFACE_SYSTEM_INSPECTOR, "inspector", nullptr},
    {INTERFACE_THREAD_CONTROL, "thread", nullptr},
    {INTERFACE_THREAD_HANDLE, nullptr, live_thread},
    {INTERFACE_THREAD_SPAWNER, "threads", nullptr},
    {INTERFACE_TIMER, "timer", nullptr},
    {INTERFACE_VIRTUAL_MEMORY, "memory", nullptr},
};

static capos_cap_id live_object(const struct negative_interface *interface)
{
    capos_cap_id object = 0;
    if (!interface->kernel_homed) {
        CHECK_OK(endpoint_mint(endpoint, interface->id, 1, &object));
        return object;
    }
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (sources[i].interface_id == interface->id)
            return sources[i].grant != nullptr ? granted(sources[i].grant, interface->id)
                                               : sources[i].make();
    test_fail(__FILE__, __LINE__, "%s has no entry in the table of sources", interface->name);
    return 0;
}

static capos_cap_id revoked_object(const struct negative_interface *interface)
{
    capos_cap_id object = 0;
    if (!interface->kernel_homed) {
        CHECK_OK(endpoint_mint(endpoint, interface->id, 2, &object));
        CHECK_OK(endpoint_revoke(endpoint, object));
    }
    return object;
}

static void tests(void)
{
    if (!CHECK(serve_here()))
        return;
    for (uint32_t i = 0; i < INTERFACE_COUNT; i++) {
        const struct negative_interface *interface = &negative_interfaces[i];
        static char name[96];
        snprintf(name, sizeof name, "%s_refuses_every_hostile_call", interface->name);
        subject = (struct subject){.interface = interface,
                                   .live = live_object(interface),
                                   .revoked = revoked_object(interface),
                                   .other = take_object};
        test_run(name, run_interface);
    }
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"ends", child_ends}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
