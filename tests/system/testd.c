// SPDX-License-Identifier: MIT
// testd: runs the booted tests, many in one boot.
//
//     capos run --system test testd            all of them
//     capos run --system test testd process    those with "process" in their names
//
// Every file of the boot package whose name ends in "_test" is a test program
// (<capos/test.h>).  Each runs alone, with a budget of its own and exactly the grants of the
// table below; what the table doesn't name gets the grants of every test program.  A program
// that hangs is killed.  After each one its budget must be back: then
// nothing that was charged to it is left.  Before them all comes the canary, whose failures
// must be noticed.
//
// Output: the programs print their own lines, testd adds `FAIL PROGRAM ...` for what a whole
// program did wrong, and a summary.  The exit status is 0 if nothing failed and something
// ran.
#include <capos/loop.h>
#include <capos/process.h>
#include <capos/server.h>
#include <capos/spawn.h>
#include <capos/test.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t HANG_SECONDS = 240; // on a busy host too; the environment may say another
constexpr uint64_t POLL_NS = 10'000'000;
constexpr uint64_t PAGE = 4096;
constexpr uint64_t OWN_BYTES = 1 << 20;             // what testd keeps of its budget
constexpr uint64_t OWN_GROWTH_BYTES_MAX = 4 * PAGE; // page tables for another size of file
constexpr uint32_t GRANTS_MAX = 24;
constexpr uint32_t NAME_BYTES_MAX = 64;

// What a program is granted besides its own memory, threads and budget, stdio, and "testd".
static const struct {
    const char *program;
    const char *grants;
} table[] = {
    {"boot_package_test", "spawner boot"},
    {"canary", "spawner boot"},
    {"console_test", "spawner boot console"},
    {"device_memory_test", "spawner boot devices"},
    {"dma_pool_test", "spawner boot dma"},
    {"echo_test", "spawner boot"},
    {"endpoint_test", "spawner boot"},
    {"entropy_source_test", "spawner boot entropy"},
    {"files_test", "spawner boot boot-files ramfs"},
    {"fault_code_test", "spawner boot threads"},
    {"fault_test", "spawner boot threads"},
    {"forker_test", "spawner boot forker"},
    {"interrupt_test", "spawner boot timer interrupts ports"},
    {"io_ports_test", "spawner boot ports"},
    {"libc_test", "spawner boot timer threads"},
    {"machine_test", "spawner boot timer"},
    {"memory_budget_test", "spawner boot"},
    {"memory_object_test", "spawner boot"},
    {"negative_test",
     "console timer entropy spawner boot ports devices interrupts dma forker inspector threads"},
    {"notification_test", "spawner boot"},
    {"park_test", "spawner boot timer threads"},
    {"process_test", "spawner boot timer"},
    {"quota_test", "spawner boot timer console threads"},
    {"revoker_test", "spawner boot"},
    {"ring_test", "spawner boot"},
    {"stdio_test", "spawner boot"},
    {"store_test", "spawner boot store namespace"},
    {"system_inspector_test", "spawner boot inspector"},
    {"thread_test", "spawner boot timer threads urgent"},
    {"timer_test", "spawner boot timer"},
    {"virtual_memory_test", "spawner boot"},
};
static const char default_grants[] = "spawner boot timer";
static const char canary[] = "canary";

static struct {
    struct capos_spawner spawner;
    boot_package_cap boot;
    memory_budget_cap budget;
    timer_cap timer;
    endpoint_cap endpoint; // of the object "testd"
    struct capos_server server;
    const char *program; // that runs
    struct capos_process process;
    struct test_counts program_counts;
    struct test_counts counts;
    uint32_t programs;
    uint32_t failures; // of whole programs
    uint64_t hang_ns;
} state;

static void program_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void program_fail(const char *format, ...)
{
    va_list arguments;
    state.failures++;
    printf("FAIL %s ", state.program);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

static const char *status_words(enum status status)
{
    return status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason
                                             : status_name(status);
}

// ---- The object "testd" --------------------------------------------------------------------

static void on_call(void *, struct capos_server_call *call)
{
    if (call->method == TEST_METHOD_SELF) {
        const struct capos_transfer self = capos_transfer_copy(state.process.handle.id);
        (void)capos_server_reply_buffer(call, 0);
        capos_server_reply(call, 0, &self, 1);
    } else if (call->method == TEST_METHOD_REPORT &&
               call->params_bytes == sizeof state.program_counts) {
        memcpy(&state.program_counts, call->params, sizeof state.program_counts);
        capos_server_reply(call, 0, nullptr, 0);
    } else {
        capos_server_fail(call, STATUS_UNIMPLEMENTED, "testd has no such method");
    }
}

static enum status server_start(void)
{
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    enum status status = memory_budget_create_endpoint(state.budget, 4, &state.endpoint);
    if (status != STATUS_OK)
        return status;
    return capos_server_start(&state.server, state.endpoint.id, &handlers, nullptr,
                              &(struct capos_server_options){.receive_count = 1});
}

// ---- Grants ----------------------------------------------------------------------------------

struct grant_list {
    struct capos_spawn_grant grants[GRANTS_MAX];
    uint32_t count;
    char names[256]; // the table's text, cut into names
};

static void grant_add(struct grant_list *list, const char *name, struct capos_transfer transfer)
{
    if (list->count < GRANTS_MAX)
        list->grants[list->count++] = (struct capos_spawn_grant){name, transfer};
}

// One of testd's own capabilities; false if testd wasn't granted it.
static bool grant_add_own(struct grant_list *list, const char *name)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        if (strcmp(entry->name, name) == 0) {
            grant_add(list, name, capos_transfer_copy(entry->cap));
            return true;
        }
    }
    return false;
}

static const char *grants_of(const char *program)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(program, table[i].program) == 0)
            return table[i].grants;
    return default_grants;
}

// Returns the name of the grant that testd lacks; nullptr if it has all.
static const char *grants_collect(struct grant_list *list, memory_budget_cap budget)
{
    char *rest;
    capos_cap_id object;
    list->count = 0;
    snprintf(list->names, sizeof list->names, "%s", grants_of(state.program));
    if (strcmp(state.program, canary) != 0 && !grant_add_own(list, "stdio"))
        return "stdio";
    list->count += capos_spawn_own_grants(&state.spawner, list->grants + list->count);
    grant_add(list, "budget", capos_transfer_copy(budget.id));
    for (char *name = strtok_r(list->names, " ", &rest); name != nullptr;
         name = strtok_r(nullptr, " ", &rest))
        if (!grant_add_own(list, name))
            return name;
    if (endpoint_mint(state.endpoint, TEST_INTERFACE, 0, &object) != STATUS_OK)
        return "testd";
    grant_add(list, "testd", capos_transfer_move(object));
    return nullptr;
}

// ---- One program -------------------------------------------------------------------------------

// testd's own environment is that of the programs.
static uint32_t environment_count(void)
{
    uint32_t count = 0;
    while (capos_environment()[count] != nullptr)
        count++;
    return count;
}

static enum status program_spawn(const struct grant_list *list, memory_budget_cap budget,
                                 const struct capos_image *image)
{
    const char *const arguments[] = {state.program};
    const struct capos_spawn_request request = {
        .name = state.program,
        .budget = budget,
        .grants = list->grants,
        .grant_count = list->count,
        .arguments = arguments,
        .argument_count = 1,
        .environment = (const char *const *)capos_environment(),
        .environment_count = environment_count(),
    };
    return capos_spawn(&state.spawner, image, &request, &state.process);
}

static void on_ended(struct capos_call *, void *context)
{
    *(bool *)context = true;
    capos_loop_stop();
}

static void on_hang(struct capos_call *, void *)
{
    program_fail("hangs: it was killed after %llu s",
                 (unsigned long long)(state.hang_ns / 1'000'000'000));
    if (process_handle_kill(state.process.handle) != STATUS_OK)
        capos_loop_stop();
}

static void report_end(enum end_kind kind, int64_t exit_code, enum fault_kind fault,
                       uint64_t fault_address, uint64_t instruction_pointer, uint64_t thread_id)
{
    const struct test_counts *counts = &state.program_counts;
    if (kind == END_KIND_FAULTED)
        program_fail("faulted: %s at 0x%llx of its file, address 0x%llx, thread %llu",
                     fault_kind_name(fault),
                     (unsigned long long)(instruction_pointer - state.process.load_bias),
                     (unsigned long long)fault_address, (unsigned long long)thread_id);
    else if (kind == END_KIND_EXITED && exit_code != 0 && counts->failed == 0)
        program_fail("exited with %lld without a failed test", (long long)exit_code);
    else if (kind == END_KIND_EXITED && counts->passed + counts->failed + counts->skipped == 0)
        program_fail("ran no test");
}

// Waits for the end, serving "testd" meanwhile.
static void program_await(void)
{
    struct capos_call wait, hang;
    bool ended = false;
    enum end_kind kind = END_KIND_RUNNING;
    enum fault_kind fault;
    int64_t exit_code;
    uint64_t fault_address, instruction_pointer, thread_id;
    if (process_handle_wait_begin(&wait, state.process.handle) != STATUS_OK ||
        timer_sleep_begin(&hang, state.timer, state.hang_ns) != STATUS_OK) {
        program_fail("can't be waited for");
        return;
    }
    capos_call_on_done(&wait, on_ended, &ended);
    capos_call_on_done(&hang, on_hang, nullptr);
    while (!ended)
        capos_loop_run();
    if (process_handle_wait_finish(&wait, &kind, &exit_code, &fault, &fault_address,
                                   &instruction_pointer, nullptr, &thread_id) == STATUS_OK)
        report_end(kind, exit_code, fault, fault_address, instruction_pointer, thread_id);
    capos_call_cancel(&hang);
    if (timer_sleep_finish(&hang) == STATUS_OK && kind != END_KIND_KILLED)
        program_fail("ended when it was about to be killed");
}

// What testd's own budget is charged with.
struct charged {
    uint64_t free_bytes;
    uint64_t split_bytes; // the budgets of programs
    uint64_t own_bytes;   // all else but testd's own pages: its objects and page tables
};

static struct charged charged_now(void)
{
    struct charged charged = {};
    uint64_t limit_bytes = 0, used_bytes = 0, committed_bytes = 0;
    if (memory_budget_info(state.budget, &limit_bytes, &used_bytes, nullptr,
                           &charged.split_bytes) != STATUS_OK ||
        virtual_memory_info(state.spawner.memory, nullptr, &committed_bytes, nullptr) !=
            STATUS_OK)
        program_fail("testd can't read what it is charged with");
    charged.free_bytes = limit_bytes - used_bytes;
    charged.own_bytes = used_bytes - charged.split_bytes - committed_bytes;
    return charged;
}

static void program_run_image(const struct capos_image *image)
{
    static struct grant_list list;
    memory_budget_cap budget;
    uint64_t free_bytes = charged_now().free_bytes;
    enum status status =
        memory_budget_split(state.budget, (free_bytes - OWN_BYTES) & ~(PAGE - 1), &budget);
    if (status != STATUS_OK) {
        program_fail("has no budget: %s", status_words(status));
        return;
    }
    const char *missing = grants_collect(&list, budget);
    if (missing != nullptr) {
        printf("skip %s testd has no \"%s\"\n", state.program, missing);
        state.counts.skipped++;
    } else if ((status = program_spawn(&list, budget, image)) != STATUS_OK) {
        program_fail("can't be started: %s", status_words(status));
    } else {
        program_await();
        process_handle_cap_release(&state.process.handle);
    }
    memory_budget_cap_release(&budget);
}

static void program_run(void)
{
    struct capos_image image;
    memory_object_cap file;
    uint64_t size_bytes;
    state.program_counts = (struct test_counts){};
    state.programs++;
    fflush(stdout);
    enum status status =
        boot_package_open(state.boot, state.program, strlen(state.program), &file, &size_bytes);
    if (status == STATUS_OK)
        status = capos_image_open(&image, &state.spawner, file, size_bytes);
    if (status != STATUS_OK) {
        program_fail("can't be opened: %s", status_words(status));
        return;
    }
    program_run_image(&image);
    capos_image_close(&image, &state.spawner);
    memory_object_cap_release(&file);
}

// Runs a program and checks that its budget, with all that was charged to it, came back.  It
// may have left processes that are about to end; they are given time.
static void program_run_counted(void)
{
    struct charged before = charged_now(), after;
    program_run();
    for (uint64_t waited_ns = 0; waited_ns < state.hang_ns; waited_ns += POLL_NS) {
        after = charged_now();
        if (after.split_bytes == before.split_bytes ||
            timer_sleep(state.timer, POLL_NS) != STATUS_OK)
            break;
    }
    if (after.split_bytes != before.split_bytes)
        program_fail("leaks: its budget of %llu bytes is still in use",
                     (unsigned long long)(after.split_bytes - before.split_bytes));
    if (after.own_bytes > before.own_bytes + OWN_GROWTH_BYTES_MAX)
        program_fail("leaks: testd is charged %llu bytes more than before it",
                     (unsigned long long)(after.own_bytes - before.own_bytes));
}

// ---- All programs ---------------------------------------------------------------------------

static bool is_test(const char *name, const char *filter)
{
    static const char suffix[] = "_test";
    size_t length = strlen(name);
    return length > sizeof suffix - 1 &&
           strcmp(name + length - (sizeof suffix - 1), suffix) == 0 &&
           (filter == nullptr || strstr(name, filter) != nullptr);
}

static void counts_add(void)
{
    state.counts.passed += state.program_counts.passed;
    state.counts.failed += state.program_counts.failed;
    state.counts.skipped += state.program_counts.skipped;
}

static void canary_run(void)
{
    state.program = canary;
    program_run_counted();
    if (state.program_counts.failed == TEST_CANARY_FAILED &&
        state.program_counts.passed == TEST_CANARY_PASSED) {
        printf("ok the_canary_is_noticed\n");
        state.counts.passed++;
    } else {
        program_fail("fails %llu of its tests, not %llu: the harness is blind",
                     (unsigned long long)state.program_counts.failed,
                     (unsigned long long)TEST_CANARY_FAILED);
    }
}

static void programs_run(const char *filter)
{
    static char command_line[2048];
    char name[NAME_BYTES_MAX];
    uint32_t count = 0;
    if (boot_package_info(state.boot, &count, command_line, sizeof command_line, nullptr) !=
        STATUS_OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (boot_package_entry(state.boot, i, name, sizeof name, nullptr, nullptr) !=
                STATUS_OK ||
            !is_test(name, filter))
            continue;
        state.program = name;
        program_run_counted();
        counts_add();
    }
}

static bool grants_find(void)
{
    return capos_spawner_find(&state.spawner) == STATUS_OK &&
           boot_package_cap_find("boot", &state.boot) == STATUS_OK &&
           memory_budget_cap_find("budget", &state.budget) == STATUS_OK &&
           timer_cap_find("timer", &state.timer) == STATUS_OK && server_start() == STATUS_OK;
}

int main(int argc, char **argv)
{
    if (!grants_find()) {
        printf("FAIL testd needs the grants spawner, boot and timer\n");
        return 1;
    }
    const char *hang_seconds = getenv("HANG_SECONDS");
    state.hang_ns =
        (hang_seconds == nullptr ? HANG_SECONDS : strtoull(hang_seconds, nullptr, 10)) *
        1'000'000'000;
    canary_run();
    programs_run(argc > 1 ? argv[1] : nullptr);
    // The canary is one of the programs and one of the tests.
    printf("# %u programs: %llu tests passed, %llu failed, %llu skipped", state.programs,
           (unsigned long long)state.counts.passed, (unsigned long long)state.counts.failed,
           (unsigned long long)state.counts.skipped);
    printf(state.failures == 0 ? "\n" : "; %u programs went wrong\n", state.failures);
    return state.counts.failed == 0 && state.failures == 0 && state.counts.passed > 1 ? 0 : 1;
}
