// SPDX-License-Identifier: MIT
// ThreadSpawner, ThreadHandle, ThreadControl, and the threads of libcapos over them.
#include <capos/test.h>

#include <capos/park.h>
#include <capos/syscall.h>
#include <capos/thread.h>
#include <gen/capos/process.h>
#include <gen/capos/thread.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

static thread_spawner_cap spawner(void)
{
    return (thread_spawner_cap){test_grant("threads", INTERFACE_THREAD_SPAWNER)};
}

static thread_control_cap control(void)
{
    return (thread_control_cap){test_grant("thread", INTERFACE_THREAD_CONTROL)};
}

static struct capos_thread *create(int (*run)(void *), void *argument)
{
    struct capos_thread *thread = nullptr;
    CHECK_OK(capos_thread_create(&thread, run, argument, nullptr));
    return thread;
}

static int64_t join(struct capos_thread *thread)
{
    int64_t code = INT64_MIN;
    CHECK_OK(capos_thread_join(thread, &code));
    return code;
}

// ---- Threads of libcapos ---------------------------------------------------------------

static int return_the_argument(void *argument)
{
    return *(const int *)argument;
}

static void a_thread_returns_its_exit_code(void)
{
    int code = -5;
    CHECK_EQ(join(create(return_the_argument, &code)), -5);
}

static int exit_from_within(void *argument)
{
    (void)argument;
    capos_thread_exit(INT64_C(1) << 40);
}

static void a_thread_can_exit_from_within(void)
{
    CHECK_EQ(join(create(exit_from_within, nullptr)), INT64_C(1) << 40);
}

static thread_local uint64_t tls_number = 42;
static thread_local uint64_t tls_zero;
static thread_local alignas(64) char tls_text[64] = "thread-local";

// In a new thread the variables have their first values, whatever others did to theirs.
static int look_at_thread_locals(void *argument)
{
    uint64_t mark = (uint64_t)argument;
    if (tls_number != 42 || tls_zero != 0 || strcmp(tls_text, "thread-local") != 0 ||
        (uint64_t)tls_text % 64 != 0)
        return 1;
    for (unsigned i = 0; i < 100; i++) {
        tls_number = tls_zero = mark + i;
        tls_text[0] = (char)mark;
        capos_thread_yield();
        if (tls_number != mark + i || tls_zero != mark + i || tls_text[0] != (char)mark)
            return 2;
    }
    return 0;
}

static void thread_local_variables_are_each_threads_own(void)
{
    struct capos_thread *threads[4];
    tls_number = 7;
    for (uint64_t i = 0; i < 4; i++)
        threads[i] = create(look_at_thread_locals, (void *)(1000 * (i + 1)));
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(join(threads[i]), 0);
    // Memory of joined threads is used again.
    CHECK_EQ(join(create(look_at_thread_locals, (void *)77)), 0);
    CHECK_EQ(tls_number, 7);
    tls_number = 42;
}

static int call_the_timer(void *argument)
{
    timer_cap timer = *(const timer_cap *)argument;
    uint64_t before_ns, now_ns;
    if (timer_now(timer, &before_ns) != STATUS_OK)
        return 1;
    for (unsigned i = 0; i < 50; i++) {
        if (timer_sleep(timer, 1000) != STATUS_OK || timer_now(timer, &now_ns) != STATUS_OK ||
            now_ns < before_ns + 1000)
            return 2;
        before_ns = now_ns;
    }
    return 0;
}

static void each_thread_calls_through_its_own_ring(void)
{
    struct capos_thread *threads[3];
    timer_cap timer = test_timer();
    for (unsigned i = 0; i < 3; i++)
        threads[i] = create(call_the_timer, &timer);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(join(threads[i]), 0);
}

static int churn_the_heap(void *argument)
{
    uint8_t mark = (uint8_t)(uint64_t)argument;
    uint8_t *blocks[16] = {};
    size_t sizes[16] = {};
    for (unsigned i = 0; i < 2000; i++) {
        unsigned at = i % 16;
        for (size_t j = 0; j < sizes[at]; j += 61)
            if (blocks[at][j] != mark)
                return 1;
        free(blocks[at]);
        sizes[at] = 16 + i * 37 % 3000;
        blocks[at] = malloc(sizes[at]);
        if (blocks[at] == nullptr)
            return 2;
        memset(blocks[at], mark, sizes[at]);
        if (i % 64 == 0)
            capos_thread_yield();
    }
    for (unsigned i = 0; i < 16; i++)
        free(blocks[i]);
    return 0;
}

static void the_heap_serves_all_threads(void)
{
    struct capos_thread *threads[4];
    for (uint64_t i = 0; i < 4; i++)
        threads[i] = create(churn_the_heap, (void *)(i + 1));
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(join(threads[i]), 0);
}

static uint32_t detached_done;

static int count_down(void *)
{
    __atomic_fetch_add(&detached_done, 1, __ATOMIC_RELEASE);
    return 0;
}

static void detached_threads_give_back_their_memory(void)
{
    uint64_t before_bytes = test_charged_bytes();
    detached_done = 0;
    for (unsigned i = 0; i < 20; i++)
        capos_thread_detach(create(count_down, nullptr));
    while (__atomic_load_n(&detached_done, __ATOMIC_ACQUIRE) < 20)
        capos_thread_yield();
    // They may still be on their last steps.  The harness compares what is charged, and runs
    // a test again after which more is.
    for (unsigned i = 0; i < 1000 && test_charged_bytes() > before_bytes + 4096; i++)
        CHECK_OK(timer_sleep(test_timer(), 1'000'000));
}

static void a_thread_that_ended_can_be_detached(void)
{
    detached_done = 0;
    struct capos_thread *thread = create(count_down, nullptr);
    while (__atomic_load_n(&detached_done, __ATOMIC_ACQUIRE) == 0)
        capos_thread_yield();
    capos_thread_yield();
    capos_thread_detach(thread);
}

static void options_are_checked(void)
{
    struct capos_thread *thread;
    CHECK_STATUS(capos_thread_create(&thread, count_down, nullptr,
                                     &(struct capos_thread_options){.stack_bytes = SIZE_MAX}),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(capos_thread_create(&thread, count_down, nullptr,
                                     &(struct capos_thread_options){.priority = 17}),
                 STATUS_INVALID_ARGUMENT);
    CHECK_OK(capos_thread_create(
        &thread, count_down, nullptr,
        &(struct capos_thread_options){.stack_bytes = 8192, .priority = 1}));
    CHECK_EQ(join(thread), 0);
}

// ---- The interfaces ----------------------------------------------------------------------

static void the_first_thread_knows_itself(void)
{
    uint64_t id, cpus;
    uint8_t priority, priority_max;
    uint32_t cpu_count;
    CHECK_OK(thread_control_info(control(), &id, &priority, &priority_max, &cpu_count, &cpus));
    CHECK_EQ(id, 1);
    CHECK_EQ(priority, 16);
    CHECK_EQ(priority_max, 16);
    CHECK(cpu_count >= 1 && cpu_count <= 64);
    CHECK_EQ(cpus, (UINT64_C(2) << (cpu_count - 1)) - 1);
}

static void affinity_is_a_mask_of_cpus(void)
{
    uint64_t cpus;
    CHECK_STATUS(thread_control_set_affinity(control(), 0), STATUS_INVALID_ARGUMENT);
    CHECK_OK(thread_control_set_affinity(control(), 1));
    CHECK_OK(thread_control_info(control(), nullptr, nullptr, nullptr, nullptr, &cpus));
    CHECK_EQ(cpus, 1);
    CHECK_OK(thread_control_set_affinity(control(), UINT64_MAX));
}

static void a_spawner_bounds_the_priority(void)
{
    thread_spawner_cap urgent = {test_grant("urgent", INTERFACE_THREAD_SPAWNER)}, narrow;
    thread_handle_cap thread;
    CHECK_STATUS(thread_spawner_start(spawner(), 0, 0, 0, 0, 17, &thread),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(thread_spawner_narrow(spawner(), 17, LATENCY_CLASS_NORMAL, &narrow),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(thread_spawner_narrow(spawner(), 1, LATENCY_CLASS_INTERACTIVE, &narrow),
                 STATUS_INVALID_ARGUMENT);
    CHECK_OK(thread_spawner_narrow(urgent, 20, LATENCY_CLASS_NORMAL, &narrow));
    CHECK_STATUS(thread_spawner_start(narrow, 0, 0, 0, 0, 21, &thread),
                 STATUS_INVALID_ARGUMENT);
    thread_spawner_cap_release(&narrow);
}

static void a_latency_class_needs_a_spawner_that_allows_it(void)
{
    enum latency_class latency_class, latency_max;
    CHECK_OK(thread_control_latency(control(), &latency_class, &latency_max));
    CHECK_EQ(latency_class, LATENCY_CLASS_NORMAL);
    CHECK_EQ(latency_max, LATENCY_CLASS_NORMAL);
    CHECK_STATUS(capos_thread_set_latency(LATENCY_CLASS_INTERACTIVE), STATUS_INVALID_ARGUMENT);
    CHECK_OK(capos_thread_set_latency(LATENCY_CLASS_NORMAL));
}

constexpr uint32_t TOLD_TO_END = UINT32_MAX;
static uint32_t bell, bell_answered;

// Answers each ring of the bell on CPU 0, where the one who rings runs too.
static int answer_the_bell(void *latency_class)
{
    uint32_t seen = 0;
    if (thread_control_set_affinity(control(), 1) != STATUS_OK ||
        capos_thread_set_latency(*(const enum latency_class *)latency_class) != STATUS_OK)
        return 1;
    while (seen != TOLD_TO_END) {
        if (capos_park(&bell, seen, CAPOS_FOREVER) != STATUS_OK)
            return 2;
        seen = __atomic_load_n(&bell, __ATOMIC_ACQUIRE);
        __atomic_store_n(&bell_answered, seen, __ATOMIC_RELEASE);
    }
    return 0;
}

// Whether the answer is there when the call that rings returns.
static bool ring_once(uint32_t number)
{
    uint32_t sleepers = 0;
    while (sleepers == 0) {
        capos_thread_yield();
        CHECK_OK(park_space_info((park_space_cap){test_grant("park", INTERFACE_PARK_SPACE)},
                                 &sleepers));
    }
    __atomic_store_n(&bell, number, __ATOMIC_RELEASE);
    capos_unpark(&bell, 1);
    return __atomic_load_n(&bell_answered, __ATOMIC_ACQUIRE) == number;
}

// Rings until most rings were answered at once, but no more than `ring_max` times: whether they
// were.  A host that stops the machine for a while costs the sleeper its head start and so some
// answers, and a timer's interrupt gives a thread of any class one.
static bool is_answered_at_once(enum latency_class latency_class, uint32_t ring_max)
{
    struct capos_thread_options options = {
        .spawner = {test_grant("urgent", INTERFACE_THREAD_SPAWNER)}};
    struct capos_thread *thread;
    uint32_t rings = 0, answered = 0;
    bell = bell_answered = 0;
    if (!CHECK_OK(capos_thread_create(&thread, answer_the_bell, &latency_class, &options)))
        return false;
    CHECK_OK(thread_control_set_affinity(control(), 1));
    while (rings < ring_max && (rings < 20 || answered <= rings / 2))
        answered += ring_once(++rings);
    (void)ring_once(TOLD_TO_END);
    CHECK_EQ(join(thread), 0);
    CHECK_OK(thread_control_set_affinity(control(), UINT64_MAX));
    return answered > rings / 2;
}

static void an_interactive_thread_runs_before_the_one_that_wakes_it_goes_on(void)
{
    CHECK(is_answered_at_once(LATENCY_CLASS_INTERACTIVE, 10'000));
    CHECK(!is_answered_at_once(LATENCY_CLASS_NORMAL, 100));
}

static void the_thread_base_is_the_register(void)
{
    uint64_t base = *(const uint64_t __seg_fs *)0; // its first word is its own address
    CHECK_STATUS(thread_control_set_thread_base(control(), UINT64_MAX),
                 STATUS_INVALID_ARGUMENT);
    CHECK_OK(thread_control_set_thread_base(control(), base));
    CHECK_EQ(*(const uint64_t __seg_fs *)0, base);
}

static void nobody_starts_threads_without_the_grant(void)
{
    CHECK_DENIED("threads", INTERFACE_THREAD_SPAWNER);
    CHECK_DENIED("thread", INTERFACE_THREAD_CONTROL);
}

static int child_lacks_threads(void)
{
    struct capos_thread *thread;
    EXPECT(capos_thread_create(&thread, count_down, nullptr, nullptr) == STATUS_NOT_FOUND);
    return 0;
}

static void creating_without_the_grant_says_so(void)
{
    const struct test_child_grant grants[] = {test_lend("memory", test_memory().id),
                                              test_lend("thread", control().id)};
    CHECK_CHILD("lacks threads", grants, 2);
}

// ---- Processes with threads ----------------------------------------------------------------

static const struct test_child_grant *thread_grants(void)
{
    static struct test_child_grant grants[3];
    grants[0] = test_lend("memory", test_memory().id);
    grants[1] = test_lend("thread", control().id);
    grants[2] = test_lend("threads", spawner().id);
    return grants;
}

static int wait_for_ever(void *)
{
    for (;;)
        capos_thread_yield();
}

static int child_exits_with_threads(void)
{
    for (unsigned i = 0; i < 3; i++)
        EXPECT_OK(capos_thread_create(&(struct capos_thread *){nullptr}, wait_for_ever, nullptr,
                                      nullptr));
    return 0;
}

static void exit_ends_all_threads(void)
{
    CHECK_CHILD("exits with threads", thread_grants(), 3);
}

// The first thread ends and unmaps this page in one operation, so who finds it gone is the last.
static uint64_t page_of_the_first;

static int exit_as_the_last(void *)
{
    while (virtual_memory_protect(test_memory(), page_of_the_first, 4096,
                                  PROTECTION_READ_WRITE) == STATUS_OK)
        capos_thread_yield();
    capos_thread_exit(7);
}

static int child_leaves_a_thread_behind(void)
{
    EXPECT_OK(virtual_memory_reserve(test_memory(), 4096, 0, 0, &page_of_the_first));
    EXPECT_OK(
        virtual_memory_commit(test_memory(), page_of_the_first, 4096, PROTECTION_READ_WRITE));
    EXPECT_OK(capos_thread_create(&(struct capos_thread *){nullptr}, exit_as_the_last, nullptr,
                                  nullptr));
    EXPECT_OK(thread_control_exit_and_unmap(control(), 3, page_of_the_first, 4096));
    return 1; // not reached
}

static void the_last_thread_decides_the_exit_code(void)
{
    process_handle_cap process;
    struct test_end end;
    if (!CHECK_OK(
            test_start("leaves a thread behind", nullptr, 0, thread_grants(), 3, &process)) ||
        !CHECK_OK(test_wait(process, &end)))
        return;
    CHECK_EQ(end.kind, END_KIND_EXITED);
    CHECK_EQ(end.exit_code, 7);
}

static int touch_nothing(void *)
{
    return *(volatile int *)16;
}

static int child_faults_in_a_thread(void)
{
    struct capos_thread *thread;
    EXPECT_OK(capos_thread_create(&thread, touch_nothing, nullptr, nullptr));
    EXPECT_OK(capos_thread_join(thread, nullptr));
    return 0;
}

static void a_fault_of_a_thread_ends_the_process(void)
{
    struct test_end end;
    CHECK_FAULTS("faults in a thread", thread_grants(), 3, FAULT_KIND_UNMAPPED, &end);
    CHECK_EQ(end.fault_address, 16);
    CHECK_EQ(end.thread_id, 2);
}

// Not a tail call: each level needs its frame.
[[gnu::noinline]] static int recurse(volatile uint64_t *above)
{
    volatile uint64_t frame[16] = {*above + 1};
    return (frame[0] == 0 ? 0 : recurse(frame)) + (int)frame[0];
}

static int overflow_the_stack(void *)
{
    uint64_t depth = 0;
    return recurse(&depth);
}

static int child_overflows_a_stack(void)
{
    struct capos_thread *thread;
    EXPECT_OK(capos_thread_create(&thread, overflow_the_stack, nullptr, nullptr));
    EXPECT_OK(capos_thread_join(thread, nullptr));
    return 0;
}

static void a_stack_overflow_hits_the_guard_page(void)
{
    struct test_end end;
    CHECK_FAULTS("overflows a stack", thread_grants(), 3, FAULT_KIND_GUARD_PAGE, &end);
}

static int child_runs_for_ever_in_threads(void)
{
    struct capos_thread *threads[3];
    for (unsigned i = 0; i < 3; i++)
        EXPECT_OK(capos_thread_create(&threads[i], wait_for_ever, nullptr, nullptr));
    EXPECT_OK(capos_thread_join(threads[0], nullptr));
    return 0;
}

static void a_process_with_threads_can_be_killed(void)
{
    process_handle_cap process;
    struct test_end end;
    if (!CHECK_OK(
            test_start("runs for ever in threads", nullptr, 0, thread_grants(), 3, &process)))
        return;
    for (unsigned i = 0; i < 20; i++)
        capos_thread_yield();
    CHECK_OK(process_handle_kill(process));
    CHECK_OK(test_wait(process, &end));
    CHECK_EQ(end.kind, END_KIND_KILLED);
}

static void tests(void)
{
    RUN(a_thread_returns_its_exit_code);
    RUN(a_thread_can_exit_from_within);
    RUN(thread_local_variables_are_each_threads_own);
    RUN(each_thread_calls_through_its_own_ring);
    RUN(the_heap_serves_all_threads);
    RUN(detached_threads_give_back_their_memory);
    RUN(a_thread_that_ended_can_be_detached);
    RUN(options_are_checked);
    RUN(the_first_thread_knows_itself);
    RUN(affinity_is_a_mask_of_cpus);
    RUN(a_spawner_bounds_the_priority);
    RUN(a_latency_class_needs_a_spawner_that_allows_it);
    RUN(an_interactive_thread_runs_before_the_one_that_wakes_it_goes_on);
    RUN(the_thread_base_is_the_register);
    RUN(nobody_starts_threads_without_the_grant);
    RUN(creating_without_the_grant_says_so);
    RUN(exit_ends_all_threads);
    RUN(the_last_thread_decides_the_exit_code);
    RUN(a_fault_of_a_thread_ends_the_process);
    RUN(a_stack_overflow_hits_the_guard_page);
    RUN(a_process_with_threads_can_be_killed);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"lacks threads", child_lacks_threads},
        {"exits with threads", child_exits_with_threads},
        {"leaves a thread behind", child_leaves_a_thread_behind},
        {"faults in a thread", child_faults_in_a_thread},
        {"overflows a stack", child_overflows_a_stack},
        {"runs for ever in threads", child_runs_for_ever_in_threads},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
