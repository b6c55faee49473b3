// SPDX-License-Identifier: MIT
// A storm: processes that call, spawn, map, fault and spin are started and killed at random, on as
// many CPUs as the machine has.  Nobody may see a wrong answer, hang, or leave anything.
//
// What comes at random is chosen by a fixed seed; when it meets what others do isn't, so no
// two runs are alike and each must pass.  On several CPUs: `make test T=booted`.
#include <capos/test.h>

#include <capos/loop.h>
#include <capos/server.h>
#include <capos/spawn.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

constexpr unsigned CHILDREN = 12;
constexpr unsigned ROUNDS = 120;
constexpr uint32_t QUEUE_MAX = 32;
constexpr uint64_t PAGE = 4096;

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (*state >> 33) % limit;
}

static capos_cap_id grant_find(const char *name)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++)
        if (strcmp(capos_capset_at(i)->name, name) == 0)
            return capos_capset_at(i)->cap;
    return 0;
}

// ---- Children --------------------------------------------------------------------------

static void on_call(void *, struct capos_server_call *call)
{
    void *reply = capos_server_reply_buffer(call, call->params_bytes);
    memcpy(reply, call->params, call->params_bytes);
    capos_server_reply(call, call->params_bytes, nullptr, 0);
}

// Echoes what it is called with.
static int child_serves(void)
{
    static struct capos_server state;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    EXPECT_OK(capos_server_start(&state, grant_find("endpoint"), &handlers, nullptr,
                                 &(struct capos_server_options){.receive_count = 4}));
    capos_loop_run();
    return 0;
}

// An echo of two words.  True if it came back right, or if the server was killed meanwhile.
static bool echo_is_right(capos_cap_id object, uint64_t first, bool *out_answered)
{
    uint64_t params[2] = {first, ~first}, results[2] = {};
    struct test_call call = {
        .cap = object,
        .interface_id = TEST_INTERFACE,
        .params = params,
        .params_bytes = sizeof params,
        .results = results,
        .results_bytes_max = sizeof results,
    };
    enum status status = test_call(&call);
    *out_answered = status == STATUS_OK;
    if (status != STATUS_OK)
        return status == STATUS_DISCONNECTED || status == STATUS_OVERLOADED;
    return call.results_bytes == sizeof results && memcmp(params, results, sizeof params) == 0;
}

static int child_calls(void)
{
    capos_cap_id object = grant_find("object");
    bool answered;
    for (uint64_t i = 0;; i++)
        EXPECT(echo_is_right(object, i, &answered));
}

// Fresh memory is zero, keeps what is written, and faults nobody else.
static int child_maps(void)
{
    virtual_memory_cap memory = {grant_find("memory")};
    uint64_t seed = 1;
    for (;;) {
        uint64_t pages = 1 + random_below(&seed, 40), address;
        EXPECT_OK(virtual_memory_reserve(memory, pages * PAGE, 0, 0, &address));
        EXPECT_OK(virtual_memory_commit(memory, address, pages * PAGE, PROTECTION_READ_WRITE));
        for (uint64_t i = 0; i < pages; i++) {
            volatile uint64_t *word = (volatile uint64_t *)(address + i * PAGE);
            EXPECT(*word == 0);
            *word = address + i;
        }
        for (uint64_t i = 0; i < pages; i++)
            EXPECT(*(volatile uint64_t *)(address + i * PAGE) == address + i);
        EXPECT_OK(virtual_memory_unmap(memory, address, pages * PAGE));
    }
}

static int child_exits(void)
{
    return 42;
}

static int child_spawns(void)
{
    static const char program[] = "storm_test";
    static const char *const arguments[] = {program, "exits"};
    struct capos_spawner spawner;
    struct capos_image image;
    memory_object_cap file;
    uint64_t size_bytes;
    boot_package_cap boot = {grant_find("boot")};
    EXPECT_OK(capos_spawner_find(&spawner));
    EXPECT_OK(boot_package_open(boot, program, strlen(program), &file, &size_bytes));
    EXPECT_OK(capos_image_open(&image, &spawner, file, size_bytes));
    struct capos_spawn_request request = {
        .name = "exits",
        .budget = {grant_find("budget")},
        .arguments = arguments,
        .argument_count = 2,
    };
    for (;;) {
        struct capos_process process;
        struct test_end end = {};
        EXPECT_OK(capos_spawn(&spawner, &image, &request, &process));
        EXPECT_OK(test_wait(process.handle, &end));
        EXPECT(end.kind == END_KIND_EXITED && end.exit_code == 42);
    }
}

static int child_spins(void)
{
    for (volatile uint64_t i = 0;; i++) {
    }
}

// ---- The storm -------------------------------------------------------------------------

static endpoint_cap endpoint;
static capos_cap_id object;

static enum status start(const char *role, process_handle_cap *out_process)
{
    const struct test_child_grant grants[] = {
        test_lend("memory", test_memory().id),
        test_lend("budget", test_budget().id),
        test_lend("endpoint", endpoint.id),
        test_lend("object", object),
        test_lend("spawner", test_grant("spawner", INTERFACE_PROCESS_SPAWNER)),
        test_lend("boot", test_grant("boot", INTERFACE_BOOT_PACKAGE)),
    };
    return test_start(role, nullptr, 0, grants, sizeof grants / sizeof grants[0], out_process);
}

static bool stop(process_handle_cap process)
{
    struct test_end end = {};
    if (!CHECK_OK(process_handle_kill(process)) || !CHECK_OK(test_wait(process, &end)))
        return false;
    if (end.kind == END_KIND_KILLED)
        return true;
    return test_fail(__FILE__, __LINE__,
                     "a child ended by %u, exit code %lld, fault %u at %#llx", end.kind,
                     (long long)end.exit_code, end.fault,
                     (unsigned long long)end.fault_address),
           false;
}

static void processes_that_come_and_go_on_all_cpus_leave_nothing(void)
{
    static const char *const roles[] = {"serves", "calls", "calls", "maps", "spawns", "spins"};
    process_handle_cap keeper, children[CHILDREN] = {};
    uint64_t seed = 4711, answers = 0;
    struct test_end end = {};
    // Starting a process maps it here for a moment; the page table that this may take stays.
    if (!CHECK_OK(test_start("exits", nullptr, 0, nullptr, 0, &keeper)) ||
        !CHECK_OK(test_wait(keeper, &end)))
        return;
    uint64_t before_bytes = test_charged_bytes();
    CHECK_OK(memory_budget_create_endpoint(test_budget(), QUEUE_MAX, &endpoint));
    CHECK_OK(endpoint_mint(endpoint, TEST_INTERFACE, 1, &object));
    if (!CHECK_OK(start("serves", &keeper)))
        return;
    bool fine = true;
    for (unsigned round = 0; fine && round < ROUNDS; round++) {
        process_handle_cap *child = &children[random_below(&seed, CHILDREN)];
        const char *role = roles[random_below(&seed, sizeof roles / sizeof roles[0])];
        if (child->id == 0) {
            fine = CHECK_OK(start(role, child));
        } else {
            fine = stop(*child);
            child->id = 0;
        }
        bool answered = false;
        fine = fine && CHECK(echo_is_right(object, round, &answered));
        answers += answered;
    }
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].id != 0)
            (void)stop(children[i]);
    (void)stop(keeper);
    CHECK(answers > 0);
    capos_release(object);
    endpoint_cap_release(&endpoint);
    // A grandchild whose parent was killed ends by itself.
    for (unsigned i = 0; i < 1000 && test_charged_bytes() > before_bytes; i++)
        CHECK_OK(timer_sleep(test_timer(), 10'000'000));
    CHECK(test_charged_bytes() <= before_bytes); // page tables that were kept may have gone
}

static void tests(void)
{
    RUN(processes_that_come_and_go_on_all_cpus_leave_nothing);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"serves", child_serves}, {"calls", child_calls},   {"maps", child_maps},
        {"exits", child_exits},   {"spawns", child_spawns}, {"spins", child_spins},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
