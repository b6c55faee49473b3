// SPDX-License-Identifier: MIT
// The harness of booted tests.  See <capos/test.h>.
//
// The program's own capability count comes from its ProcessHandle, which only its parent
// has: testd lends it through the object "testd".  A program that something else started
// goes without that count.
#include <capos/test.h>

#include <capos/spawn.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr size_t CHILD_GRANTS_MAX = 16;
constexpr size_t CHILD_ARGUMENTS_MAX = 4;
constexpr int ROUNDS_MAX = 5;
static const char denied_role[] = "is denied";

static struct {
    const char *program; // argv[0], the file's name in the boot package
    char **arguments;    // of a role
    size_t argument_count;
    const char *name; // of the running test
    const char *skip_reason;
    bool failed; // the running test
    process_handle_cap self;
    struct test_counts counts;
    struct capos_spawner spawner;
    struct capos_image image; // the program's own file
    bool has_image;
} state;

// ---- Calls -----------------------------------------------------------------------------

static enum status call_take_results(struct test_call *test, struct capos_call *call)
{
    if (call->results_bytes > test->results_bytes_max || call->cap_count > 4)
        return STATUS_NO_RESULT_SPACE;
    if (call->results_bytes > 0)
        memcpy(test->results, call->results, call->results_bytes);
    test->results_bytes = call->results_bytes;
    test->cap_count = call->cap_count;
    for (uint32_t i = 0; i < call->cap_count; i++) {
        test->caps[i] = call->caps[i];
        enum status status = capos_call_take(call, i, 0, &test->caps[i].cap);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status test_call(struct test_call *test)
{
    struct capos_call call;
    void *message = capos_call_begin(&call, test->params_bytes, test->transfer_count,
                                     test->results_bytes_max, 4);
    if (message == nullptr)
        return STATUS_OVERLOADED;
    if (test->params_bytes > 0)
        memcpy(message, test->params, test->params_bytes);
    enum status status =
        capos_call_submit(&call, test->cap, test->interface_id, test->method,
                          test->params_bytes, test->transfers, test->transfer_count);
    if (status != STATUS_OK)
        return capos_call_abandon(&call, status);
    status = capos_call_wait(&call);
    if (status == STATUS_OK)
        status = call_take_results(test, &call);
    return capos_call_end(&call, status);
}

// ---- Grants and counting ---------------------------------------------------------------

capos_cap_id test_grant(const char *name, uint64_t interface_id)
{
    capos_cap_id cap;
    enum status status = capos_find(name, interface_id, &cap);
    if (status == STATUS_OK)
        return cap;
    printf("FAIL %s needs the grant \"%s\": %s\n", state.program, name, status_name(status));
    exit(EXIT_FAILURE);
}

uint64_t test_charged_bytes(void)
{
    uint64_t charged_bytes;
    if (memory_budget_info(test_budget(), nullptr, &charged_bytes, nullptr, nullptr) !=
        STATUS_OK)
        return 0;
    return charged_bytes;
}

struct test_usage test_usage_now(void)
{
    struct test_usage usage = {.charged_bytes = test_charged_bytes()};
    char name[64];
    if (state.self.id != 0 &&
        process_handle_info(state.self, nullptr, name, sizeof name, nullptr, nullptr,
                            &usage.capability_count, nullptr) != STATUS_OK)
        usage.capability_count = 0;
    return usage;
}

// ---- One test ----------------------------------------------------------------------------

void test_skip(const char *reason)
{
    state.skip_reason = reason;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    state.failed = true;
    printf("FAIL %s %s:%d: ", state.name, file, line);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

// Memory that is kept for reuse stops growing after a few rounds, a leak doesn't.
static void test_run_counted(void (*function)(void))
{
    struct test_usage before, after;
    int rounds = 0;
    do {
        before = test_usage_now();
        function();
        after = test_usage_now();
        if (state.failed || state.skip_reason != nullptr)
            return;
    } while (after.charged_bytes > before.charged_bytes && ++rounds < ROUNDS_MAX);
    if (after.charged_bytes > before.charged_bytes)
        test_fail(__FILE__, __LINE__, "the test leaks %llu bytes of the budget each time",
                  (unsigned long long)(after.charged_bytes - before.charged_bytes));
    if (after.capability_count != before.capability_count)
        test_fail(__FILE__, __LINE__, "the test began with %llu capabilities, it leaves %llu",
                  (unsigned long long)before.capability_count,
                  (unsigned long long)after.capability_count);
}

void test_run(const char *name, void (*function)(void))
{
    state.name = name;
    state.failed = false;
    state.skip_reason = nullptr;
    test_run_counted(function);
    if (state.failed) {
        state.counts.failed++;
    } else if (state.skip_reason != nullptr) {
        state.counts.skipped++;
        printf("skip %s %s\n", name, state.skip_reason);
    } else {
        state.counts.passed++;
        printf("ok %s\n", name);
    }
    fflush(stdout);
}

bool test_check(bool holds, const char *condition, const char *file, int line)
{
    if (!holds)
        test_fail(file, line, "%s", condition);
    return holds;
}

bool test_check_equal(uint64_t actual, uint64_t expected, const char *actual_text,
                      const char *expected_text, const char *file, int line)
{
    if (actual == expected)
        return true;
    test_fail(file, line, "%s is %llu (0x%llx), not %s = %llu", actual_text,
              (unsigned long long)actual, (unsigned long long)actual, expected_text,
              (unsigned long long)expected);
    return false;
}

bool test_check_status(enum status actual, enum status expected, const char *call,
                       const char *file, int line)
{
    if (actual == expected)
        return true;
    bool exception = actual >= STATUS_FAILED && actual <= STATUS_INVALID_ARGUMENT &&
                     capos_last_exception()->status == actual;
    test_fail(file, line, "%s is %s, not %s%s%s", call, status_name(actual),
              status_name(expected), exception ? ": " : "",
              exception ? capos_last_exception()->reason : "");
    return false;
}

// ---- Children ----------------------------------------------------------------------------

// Maps the program's own file, from which its children are started, before anything is
// counted.  A program without these grants has no children.
static void image_open(void)
{
    boot_package_cap boot;
    memory_object_cap file;
    uint64_t size_bytes;
    if (capos_spawner_find(&state.spawner) != STATUS_OK ||
        capos_find("boot", INTERFACE_BOOT_PACKAGE, &boot.id) != STATUS_OK)
        return;
    enum status status =
        boot_package_open(boot, state.program, strlen(state.program), &file, &size_bytes);
    if (status == STATUS_OK)
        status = capos_image_open(&state.image, &state.spawner, file, size_bytes);
    if (status == STATUS_OK)
        state.has_image = true;
    else
        printf("FAIL %s can't open its own file: %s\n", state.program, status_name(status));
}

enum status test_start(const char *role, const char *const *arguments, size_t argument_count,
                       const struct test_child_grant *grants, size_t grant_count,
                       process_handle_cap *out_process)
{
    const char *argument_list[2 + CHILD_ARGUMENTS_MAX] = {state.program, role};
    struct capos_spawn_grant spawn_grants[CHILD_GRANTS_MAX];
    if (!state.has_image || grant_count > CHILD_GRANTS_MAX ||
        argument_count > CHILD_ARGUMENTS_MAX)
        return STATUS_INVALID_ARGUMENT;
    for (size_t i = 0; i < argument_count; i++)
        argument_list[2 + i] = arguments[i];
    for (size_t i = 0; i < grant_count; i++)
        spawn_grants[i] = (struct capos_spawn_grant){
            .name = grants[i].name,
            .capability = {.cap = grants[i].cap, .receiver_mode = (uint16_t)grants[i].mode},
        };
    struct capos_spawn_request request = {
        .name = role,
        .budget = test_budget(),
        .grants = spawn_grants,
        .grant_count = (uint32_t)grant_count,
        .arguments = argument_list,
        .argument_count = (uint32_t)argument_count + 2,
    };
    struct capos_process process;
    enum status status = capos_spawn(&state.spawner, &state.image, &request, &process);
    if (status == STATUS_OK)
        *out_process = process.handle;
    return status;
}

enum status test_wait(process_handle_cap process, struct test_end *out_end)
{
    enum status status = process_handle_wait(
        process, &out_end->kind, &out_end->exit_code, &out_end->fault, &out_end->fault_address,
        &out_end->instruction_pointer, &out_end->stack_pointer, &out_end->thread_id);
    process_handle_cap_release(&process);
    return status;
}

// Starts a child and waits for its end.
static bool child_run(const char *role, const char *const *arguments, size_t argument_count,
                      const struct test_child_grant *grants, size_t grant_count,
                      struct test_end *out_end, const char *file, int line)
{
    process_handle_cap process;
    enum status status =
        test_start(role, arguments, argument_count, grants, grant_count, &process);
    return test_check_status(status, STATUS_OK, "the start of the child", file, line) &&
           test_check_status(test_wait(process, out_end), STATUS_OK, "the wait for the child",
                             file, line);
}

bool test_check_child(const char *role, const char *const *arguments, size_t argument_count,
                      const struct test_child_grant *grants, size_t grant_count,
                      const char *file, int line)
{
    struct test_end end;
    if (!child_run(role, arguments, argument_count, grants, grant_count, &end, file, line))
        return false;
    if (end.kind == END_KIND_EXITED && end.exit_code == 0)
        return true;
    if (end.kind == END_KIND_EXITED)
        test_fail(file, line, "the child \"%s\" exited with %lld (a line of its role)", role,
                  (long long)end.exit_code);
    else
        test_fail(file, line, "the child \"%s\" ended by fault %u at 0x%llx, address 0x%llx",
                  role, (unsigned)end.fault, (unsigned long long)end.instruction_pointer,
                  (unsigned long long)end.fault_address);
    return false;
}

bool test_check_fault(const char *role, const struct test_child_grant *grants,
                      size_t grant_count, enum fault_kind expected, struct test_end *out_end,
                      const char *file, int line)
{
    struct test_end end;
    if (!child_run(role, nullptr, 0, grants, grant_count, &end, file, line))
        return false;
    if (out_end != nullptr)
        *out_end = end;
    return test_check_equal(end.kind, END_KIND_FAULTED, "how the child ended", "faulted", file,
                            line) &&
           test_check_equal(end.fault, expected, "the child's fault", "the one expected", file,
                            line);
}

// In the child: tries every id of a low slot and generation.  A live one of another
// interface answers wrongInterface, so the child holds no object of the interface at all
// if no answer is another one.
static int child_is_denied(void)
{
    const char *name = test_argument(0);
    uint64_t interface_id = strtoull(test_argument(1), nullptr, 16);
    capos_cap_id found;
    EXPECT(capos_find(name, interface_id, &found) == STATUS_NOT_FOUND);
    for (uint64_t generation = 0; generation < 4; generation++) {
        for (uint64_t slot = 0; slot < 64; slot++) {
            struct test_call call = {.cap = generation << 32 | slot,
                                     .interface_id = interface_id};
            enum status status = test_call(&call);
            EXPECT(status == STATUS_BAD_CAPABILITY || status == STATUS_WRONG_INTERFACE);
        }
    }
    return 0;
}

bool test_check_denied(const char *name, uint64_t interface_id, const char *file, int line)
{
    char interface_text[17];
    snprintf(interface_text, sizeof interface_text, "%llx", (unsigned long long)interface_id);
    const char *const arguments[] = {name, interface_text};
    return test_check_child(denied_role, arguments, 2, nullptr, 0, file, line);
}

const char *test_argument(size_t index)
{
    return index < state.argument_count ? state.arguments[index] : "";
}

// ---- A test program ------------------------------------------------------------------------

static int role_run(const char *role, const struct test_role *roles, size_t role_count)
{
    if (strcmp(role, denied_role) == 0)
        return child_is_denied();
    for (size_t i = 0; i < role_count; i++)
        if (strcmp(role, roles[i].name) == 0)
            return roles[i].run();
    fprintf(stderr, "%s: no role \"%s\"\n", state.program, role);
    return EXIT_FAILURE;
}

// Asks testd for this process's own handle.
static void self_find(capos_cap_id testd)
{
    struct test_call call = {
        .cap = testd, .interface_id = TEST_INTERFACE, .method = TEST_METHOD_SELF};
    if (test_call(&call) == STATUS_OK && call.cap_count == 1)
        state.self.id = call.caps[0].cap;
}

static void report(capos_cap_id testd)
{
    struct test_call call = {
        .cap = testd,
        .interface_id = TEST_INTERFACE,
        .method = TEST_METHOD_REPORT,
        .params = &state.counts,
        .params_bytes = sizeof state.counts,
    };
    if (test_call(&call) != STATUS_OK)
        printf("FAIL %s can't report to testd\n", state.program);
}

int test_main(int argc, char **argv, void (*tests)(void), const struct test_role *roles,
              size_t role_count)
{
    state.program = argv[0];
    if (argc > 1) {
        state.arguments = argv + 2;
        state.argument_count = (size_t)argc - 2;
        return role_run(argv[1], roles, role_count);
    }
    capos_cap_id testd;
    bool reports = capos_find("testd", TEST_INTERFACE, &testd) == STATUS_OK;
    if (reports)
        self_find(testd);
    image_open();
    tests();
    if (reports)
        report(testd);
    return state.counts.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
