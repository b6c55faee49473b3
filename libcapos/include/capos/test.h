// SPDX-License-Identifier: MIT
// Booted tests: what a test program is made of.
//
// A test is a function without arguments whose name is a sentence.  Around each test the
// harness counts what the program's memory budget has charged and how many capabilities the
// program holds; a test that leaves more than it found fails.  Memory may be kept for reuse
// (a heap, a page table), so a test after which more is charged runs again, a few times: a
// leak grows each time.
//
// A test that needs another process starts its own program once more, in a *role*: a
// function that runs in the child with exactly the grants that the test names, and whose
// result is the child's exit code.
//
//     static int child_reads_the_clock(void) { ... return 0; }
//     static void a_child_with_a_timer_reads_it(void) { ... test_child("reads the clock", ...) }
//
//     static const struct test_role roles[] = {{"reads the clock", child_reads_the_clock}};
//     static void tests(void) { RUN(a_child_with_a_timer_reads_it); }
//     int main(int argc, char **argv)
//     {
//         return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
//     }
//
// Test programs are run by tests/system/testd.c, which prints what a whole program did
// wrong.  Lines are `ok NAME`, `FAIL NAME file:line: text`, `skip NAME reason`.
#pragma once

#include <abi/ring.h>
#include <capos/capset.h>
#include <gen/capos/caps.h>
#include <gen/status.h>
#include <gen/wire/process.h>
#include <stddef.h>
#include <stdint.h>

// ---- A test program ----------------------------------------------------------------

struct test_role {
    const char *name;
    int (*run)(void); // in the child; the result is its exit code
};

// Runs the tests, or the role that argv[1] names, and returns the exit status.
[[nodiscard]] int test_main(int argc, char **argv, void (*tests)(void),
                            const struct test_role *roles, size_t role_count);

// Runs one test, counts, and reports it by its name.
#define RUN(function) test_run(#function, function)
void test_run(const char *name, void (*function)(void));

// Says that the running test can't be done here, and why.  The test then returns.
void test_skip(const char *reason);

// Says that the running test failed.
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// A check returns whether it held, for tests that can't go on without:
//     if (!CHECK_OK(timer_now(timer, &now)))
//         return;
#define CHECK(condition) test_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQ(actual, expected)                                                           \
    test_check_equal((uint64_t)(actual), (uint64_t)(expected), #actual, #expected, __FILE__, \
                     __LINE__)
#define CHECK_STATUS(call, expected) \
    test_check_status((call), (expected), #call, __FILE__, __LINE__)
#define CHECK_OK(call) CHECK_STATUS(call, STATUS_OK)

bool test_check(bool holds, const char *condition, const char *file, int line);
bool test_check_equal(uint64_t actual, uint64_t expected, const char *actual_text,
                      const char *expected_text, const char *file, int line);
bool test_check_status(enum status actual, enum status expected, const char *call,
                       const char *file, int line);

// ---- Grants of the program -----------------------------------------------------------

// A capability by its name; fails the test program at once, with a word, if testd's table
// doesn't grant it.
[[nodiscard]] capos_cap_id test_grant(const char *name, uint64_t interface_id);

[[nodiscard]] static inline memory_budget_cap test_budget(void)
{
    return (memory_budget_cap){test_grant("budget", INTERFACE_MEMORY_BUDGET)};
}
[[nodiscard]] static inline virtual_memory_cap test_memory(void)
{
    return (virtual_memory_cap){test_grant("memory", INTERFACE_VIRTUAL_MEMORY)};
}
[[nodiscard]] static inline timer_cap test_timer(void)
{
    return (timer_cap){test_grant("timer", INTERFACE_TIMER)};
}

// ---- Counting --------------------------------------------------------------------------

struct test_usage {
    uint64_t charged_bytes;    // of the program's budget
    uint64_t capability_count; // that the program holds; 0 if it can't be known
};
[[nodiscard]] struct test_usage test_usage_now(void);

// The charged bytes alone.
[[nodiscard]] uint64_t test_charged_bytes(void);

// ---- Children --------------------------------------------------------------------------

struct test_child_grant {
    const char *name;
    capos_cap_id cap;
    enum capos_hold_mode mode; // what the child may do with it
};

// A grant that the child may pass on.
[[nodiscard]] static inline struct test_child_grant test_lend(const char *name,
                                                              capos_cap_id cap)
{
    return (struct test_child_grant){.name = name, .cap = cap};
}

// How a process ended: the results of ProcessHandle.wait.
struct test_end {
    enum end_kind kind;
    int64_t exit_code;
    enum fault_kind fault;
    uint64_t fault_address;
    uint64_t instruction_pointer;
    uint64_t stack_pointer;
    uint64_t thread_id;
};

// Starts this program in a role, with these grants and nothing else; it is charged to the
// program's own budget.  Up to four arguments follow the role's name: test_argument(0) is
// the first.  Needs "spawner", "memory" and "boot".
[[nodiscard]] enum status test_start(const char *role, const char *const *arguments,
                                     size_t argument_count,
                                     const struct test_child_grant *grants, size_t grant_count,
                                     process_handle_cap *out_process);
// Waits for the end of a child and releases the handle.
[[nodiscard]] enum status test_wait(process_handle_cap process, struct test_end *out_end);

// Starts, waits, and checks that the child exited with 0; a role returns a line number or
// another word on what went wrong.
#define CHECK_CHILD(role, grants, grant_count) \
    test_check_child((role), nullptr, 0, (grants), (grant_count), __FILE__, __LINE__)
#define CHECK_CHILD_WITH(role, arguments, argument_count, grants, grant_count)                 \
    test_check_child((role), (arguments), (argument_count), (grants), (grant_count), __FILE__, \
                     __LINE__)
bool test_check_child(const char *role, const char *const *arguments, size_t argument_count,
                      const struct test_child_grant *grants, size_t grant_count,
                      const char *file, int line);

// Starts, waits, and checks that the child ended with a fault.
#define CHECK_FAULTS(role, grants, grant_count, expected, out_end) \
    test_check_fault((role), (grants), (grant_count), (expected), (out_end), __FILE__, __LINE__)
bool test_check_fault(const char *role, const struct test_child_grant *grants,
                      size_t grant_count, enum fault_kind expected, struct test_end *out_end,
                      const char *file, int line);

// Checks that a child without a grant reaches no object of an interface: neither by name
// nor by any id that it could guess.
#define CHECK_DENIED(name, interface_id) \
    test_check_denied((name), (interface_id), __FILE__, __LINE__)
bool test_check_denied(const char *name, uint64_t interface_id, const char *file, int line);

// In a role: an argument of the child, and a check whose line becomes the exit code.
[[nodiscard]] const char *test_argument(size_t index);
#define EXPECT(condition)    \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)
#define EXPECT_OK(call) EXPECT((call) == STATUS_OK)

// ---- Calls without generated code --------------------------------------------------------

// An interface that no schema has, for objects that tests mint.
constexpr uint64_t TEST_INTERFACE = 0xe7a5c0de00000001;

// One synchronous call with a message of the test's own making.  *out_results_bytes and
// out_caps (of `caps_max`, all taken) may be null.
struct test_call {
    capos_cap_id cap;
    uint64_t interface_id;
    uint16_t method;
    const void *params;
    uint32_t params_bytes;
    const struct capos_transfer *transfers;
    uint32_t transfer_count;
    void *results;
    uint32_t results_bytes_max;
    uint32_t results_bytes; // out
    struct capos_cap_record caps[4];
    uint32_t cap_count; // out
};
[[nodiscard]] enum status test_call(struct test_call *call);

// ---- Between test programs and testd -----------------------------------------------------

// What testd serves under the name "testd", of TEST_INTERFACE.
enum test_method {
    TEST_METHOD_SELF = 0,   // returns the caller's own ProcessHandle
    TEST_METHOD_REPORT = 1, // takes a struct test_counts
};
constexpr uint64_t TEST_CANARY_FAILED = 6; // what testd expects of tests/system/canary.c
constexpr uint64_t TEST_CANARY_PASSED = 1;
struct test_counts {
    uint64_t passed;
    uint64_t failed;
    uint64_t skipped;
};
