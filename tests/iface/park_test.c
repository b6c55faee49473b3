// SPDX-License-Identifier: MIT
// ParkSpace, and the locks of libcapos over it.
#include <capos/test.h>

#include <capos/park.h>
#include <capos/sync.h>
#include <capos/thread.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/process.h>
#include <gen/capos/thread.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>

constexpr unsigned WORKERS = 4;
constexpr uint64_t PAGE = 4096;

static park_space_cap space(void)
{
    return (park_space_cap){test_grant("park", INTERFACE_PARK_SPACE)};
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

// Lets others run until so many threads of the program sleep.
static void await_sleepers(uint32_t count)
{
    uint32_t sleepers = 0;
    while (park_space_info(space(), &sleepers) == STATUS_OK && sleepers != count)
        capos_thread_yield();
}

// ---- Words -----------------------------------------------------------------------------

static uint32_t word;

static int sleep_until_it_changes(void *)
{
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0)
        if (capos_park(&word, 0, CAPOS_FOREVER) != STATUS_OK)
            return 1;
    return 0;
}

static void a_sleeper_is_woken(void)
{
    word = 0;
    struct capos_thread *thread = create(sleep_until_it_changes, nullptr);
    await_sleepers(1);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    capos_unpark(&word, 1);
    CHECK_EQ(join(thread), 0);
}

static void a_changed_word_is_not_slept_on(void)
{
    uint64_t wide = UINT64_C(1) << 32;
    word = 1;
    CHECK_OK(capos_park(&word, 0, CAPOS_FOREVER));
    CHECK_OK(capos_park_64(&wide, 0, CAPOS_FOREVER));
}

static void a_sleep_ends_with_its_time(void)
{
    uint64_t before_ns, after_ns;
    word = 0;
    CHECK_OK(timer_now(test_timer(), &before_ns));
    CHECK_STATUS(capos_park(&word, 0, 2'000'000), STATUS_TIMED_OUT);
    CHECK_OK(timer_now(test_timer(), &after_ns));
    CHECK(after_ns >= before_ns + 2'000'000);
    CHECK_STATUS(capos_park(&word, 0, 0), STATUS_TIMED_OUT);
}

static int child_has_no_timer(void)
{
    EXPECT(capos_park(&word, 0, 1000) == STATUS_BAD_CAPABILITY);
    EXPECT(capos_park(&word, 0, 0) == STATUS_TIMED_OUT);
    EXPECT(capos_park(&word, 1, CAPOS_FOREVER) == STATUS_OK);
    return 0;
}

static void a_time_out_needs_a_timer(void)
{
    const struct test_child_grant grants[] = {test_lend("park", space().id)};
    CHECK_CHILD("has no timer", grants, 1);
}

static void bad_words_are_refused(void)
{
    CHECK_STATUS(capos_park((const uint32_t *)16, 0, CAPOS_FOREVER), STATUS_BAD_ADDRESS);
    CHECK_STATUS(capos_park((const uint32_t *)((uintptr_t)&word + 2), 0, CAPOS_FOREVER),
                 STATUS_BAD_ADDRESS);
    CHECK_STATUS(capos_park((const uint32_t *)UINT64_C(0xffff800000000000), 0, CAPOS_FOREVER),
                 STATUS_BAD_ADDRESS);
}

static int sleep_on_the_page(void *page)
{
    return capos_park(page, 0, CAPOS_FOREVER) == STATUS_BAD_ADDRESS ? 0 : 1;
}

// Whether an operation on a page of reserved memory wakes who sleeps there.
static void check_wakes(enum status (*operation)(uint64_t address))
{
    uint64_t page;
    if (!CHECK_OK(virtual_memory_reserve(test_memory(), PAGE, 0, 0, &page)) ||
        !CHECK_OK(virtual_memory_commit(test_memory(), page, PAGE, PROTECTION_READ_WRITE)))
        return;
    struct capos_thread *thread = create(sleep_on_the_page, (void *)page);
    await_sleepers(1);
    CHECK_OK(operation(page));
    CHECK_EQ(join(thread), 0);
    CHECK_OK(virtual_memory_unmap(test_memory(), page, PAGE));
}

static enum status unmap(uint64_t address)
{
    return virtual_memory_unmap(test_memory(), address, PAGE);
}

static enum status decommit(uint64_t address)
{
    return virtual_memory_decommit(test_memory(), address, PAGE);
}

static enum status protect(uint64_t address)
{
    return virtual_memory_protect(test_memory(), address, PAGE, PROTECTION_NONE);
}

static void memory_that_goes_wakes_its_sleepers(void)
{
    check_wakes(unmap);
    check_wakes(decommit);
    check_wakes(protect);
}

static uint32_t first_word, second_word, arrived;

static int sleep_on_the_first_word(void *)
{
    if (capos_park(&first_word, 0, CAPOS_FOREVER) != STATUS_OK)
        return 1;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
    return 0;
}

static void await_arrivals(uint32_t count)
{
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) != count)
        capos_thread_yield();
}

static void a_requeue_moves_sleepers(void)
{
    struct capos_thread *threads[WORKERS];
    first_word = second_word = arrived = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        threads[i] = create(sleep_on_the_first_word, nullptr);
    await_sleepers(WORKERS);
    capos_unpark_move(&first_word, 1, &second_word);
    await_arrivals(1);
    capos_unpark(&first_word, WORKERS); // nobody is there any more
    await_sleepers(WORKERS - 1);
    capos_unpark(&second_word, 1);
    await_arrivals(2);
    capos_unpark(&second_word, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK_EQ(join(threads[i]), 0);
}

constexpr uint32_t ROUNDS = 500;
static uint32_t turn[2];

static int play_ping_pong(void *argument)
{
    unsigned me = argument != nullptr;
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        while (__atomic_load_n(&turn[me], __ATOMIC_ACQUIRE) < i)
            (void)capos_park(&turn[me], i - 1, CAPOS_FOREVER);
        __atomic_store_n(&turn[1 - me], me == 0 ? i : i + 1, __ATOMIC_RELEASE);
        if (i < ROUNDS)
            (void)capos_unpark_and_park(&turn[1 - me], &turn[me], i);
    }
    capos_unpark(&turn[1 - me], 1);
    return 0;
}

static void two_threads_hand_over_to_each_other(void)
{
    turn[0] = 1;
    turn[1] = 0;
    struct capos_thread *ping = create(play_ping_pong, nullptr);
    struct capos_thread *pong = create(play_ping_pong, &turn);
    CHECK_EQ(join(ping), 0);
    CHECK_EQ(join(pong), 0);
}

// ---- Between processes -------------------------------------------------------------------

static int child_answers_in_shared_memory(void)
{
    memory_object_cap object;
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT_OK(memory_object_cap_find("object", &object));
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(virtual_memory_map(memory, object, 0, PAGE, 0, PROTECTION_READ_WRITE, &address));
    uint32_t *shared = (uint32_t *)address;
    for (uint32_t i = 1; i <= 100; i++) {
        while (__atomic_load_n(&shared[0], __ATOMIC_ACQUIRE) < i)
            EXPECT_OK(capos_park(&shared[0], i - 1, CAPOS_FOREVER));
        __atomic_store_n(&shared[1], i, __ATOMIC_RELEASE);
        capos_unpark(&shared[1], 1);
    }
    return 0;
}

static void processes_wake_each_other_in_shared_memory(void)
{
    memory_object_cap object;
    process_handle_cap process;
    struct test_end end;
    uint64_t address;
    if (!CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &object)) ||
        !CHECK_OK(virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE,
                                     &address)))
        return;
    uint32_t *shared = (uint32_t *)address;
    const struct test_child_grant grants[] = {test_lend("memory", test_memory().id),
                                              test_lend("park", space().id),
                                              test_lend("object", object.id)};
    if (CHECK_OK(test_start("answers in shared memory", nullptr, 0, grants, 3, &process))) {
        for (uint32_t i = 1; i <= 100; i++) {
            __atomic_store_n(&shared[0], i, __ATOMIC_RELEASE);
            capos_unpark(&shared[0], 1);
            while (__atomic_load_n(&shared[1], __ATOMIC_ACQUIRE) < i)
                CHECK_OK(capos_park(&shared[1], i - 1, CAPOS_FOREVER));
        }
        CHECK_OK(test_wait(process, &end));
        CHECK_EQ(end.kind, END_KIND_EXITED);
        CHECK_EQ(end.exit_code, 0);
    }
    CHECK_OK(virtual_memory_unmap(test_memory(), address, PAGE));
    memory_object_cap_release(&object);
}

// ---- Mutex -------------------------------------------------------------------------------

constexpr unsigned TURNS = 1000;
static struct capos_mutex mutex;
static uint64_t counter, inside;

static int count_under_the_mutex(void *)
{
    for (unsigned i = 0; i < TURNS; i++) {
        capos_mutex_lock(&mutex);
        uint64_t before = counter;
        if (inside++ != 0)
            return 1;
        if (i % 16 == 0)
            capos_thread_yield(); // with the lock, so that the others have to wait
        inside--;
        counter = before + 1;
        capos_mutex_unlock(&mutex);
    }
    return 0;
}

static void a_mutex_admits_one(void)
{
    struct capos_thread *threads[WORKERS];
    counter = inside = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        threads[i] = create(count_under_the_mutex, nullptr);
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(counter, WORKERS * TURNS);
    CHECK_EQ(mutex.state, 0);
}

static void a_taken_mutex_is_not_taken_again(void)
{
    CHECK(capos_mutex_try_lock(&mutex));
    CHECK(!capos_mutex_try_lock(&mutex));
    capos_mutex_unlock(&mutex);
    CHECK(capos_mutex_try_lock(&mutex));
    capos_mutex_unlock(&mutex);
}

// ---- Condition variable --------------------------------------------------------------------

constexpr unsigned QUEUE_MAX = 4, ITEMS = 500;
static struct capos_condition not_empty, not_full, go;
static unsigned queued, produced, consumed;
static bool gone;

static int produce(void *)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        capos_mutex_lock(&mutex);
        while (queued == QUEUE_MAX)
            capos_condition_wait(&not_full, &mutex);
        queued++;
        produced++;
        capos_mutex_unlock(&mutex);
        capos_condition_signal(&not_empty);
    }
    return 0;
}

static int consume(void *)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        capos_mutex_lock(&mutex);
        while (queued == 0)
            capos_condition_wait(&not_empty, &mutex);
        queued--;
        consumed++;
        capos_mutex_unlock(&mutex);
        capos_condition_signal(&not_full);
    }
    return 0;
}

static void a_bounded_queue_passes_everything(void)
{
    struct capos_thread *threads[4];
    queued = produced = consumed = 0;
    for (unsigned i = 0; i < 4; i++)
        threads[i] = create(i % 2 == 0 ? produce : consume, nullptr);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(produced, 2 * ITEMS);
    CHECK_EQ(consumed, 2 * ITEMS);
    CHECK_EQ(not_empty.waiters + not_full.waiters, 0);
}

static int wait_for_the_start(void *)
{
    capos_mutex_lock(&mutex);
    while (!gone)
        capos_condition_wait(&go, &mutex);
    counter++;
    capos_mutex_unlock(&mutex);
    return 0;
}

static void a_broadcast_wakes_everybody(void)
{
    struct capos_thread *threads[WORKERS];
    gone = false;
    counter = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        threads[i] = create(wait_for_the_start, nullptr);
    await_sleepers(WORKERS);
    capos_mutex_lock(&mutex);
    gone = true;
    capos_condition_broadcast(&go, &mutex);
    capos_mutex_unlock(&mutex);
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(counter, WORKERS);
    CHECK_EQ(go.waiters, 0);
}

static void a_wait_ends_with_its_time(void)
{
    capos_mutex_lock(&mutex);
    CHECK_STATUS(capos_condition_wait_for(&go, &mutex, 1'000'000), STATUS_TIMED_OUT);
    CHECK(!capos_mutex_try_lock(&mutex)); // it is ours again
    capos_mutex_unlock(&mutex);
    CHECK_EQ(go.waiters, 0);
}

// ---- Once ------------------------------------------------------------------------------------

static struct capos_once once;
static unsigned once_runs;

static void run_once(void)
{
    for (unsigned i = 0; i < 10; i++)
        capos_thread_yield();
    once_runs++;
}

static int use_what_is_made_once(void *)
{
    capos_once(&once, run_once);
    return once_runs == 1 ? 0 : 1;
}

static void a_function_runs_once(void)
{
    struct capos_thread *threads[WORKERS];
    once = (struct capos_once){};
    once_runs = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        threads[i] = create(use_what_is_made_once, nullptr);
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(once_runs, 1);
}

// ---- The end of a process ----------------------------------------------------------------------

static int sleep_for_ever(void *)
{
    for (;;)
        (void)capos_park(&first_word, first_word, CAPOS_FOREVER);
}

static int child_sleeps_in_threads(void)
{
    EXPECT_OK(capos_thread_create(&(struct capos_thread *){nullptr}, sleep_for_ever, nullptr,
                                  nullptr));
    await_sleepers(1);
    return 0;
}

static void a_process_ends_with_its_sleepers(void)
{
    const struct test_child_grant grants[] = {
        test_lend("memory", test_memory().id),
        test_lend("park", space().id),
        test_lend("thread", test_grant("thread", INTERFACE_THREAD_CONTROL)),
        test_lend("threads", test_grant("threads", INTERFACE_THREAD_SPAWNER)),
    };
    CHECK_CHILD("sleeps in threads", grants, 4);
}

static int child_parks_by_hand(void)
{
    uint32_t sleepers;
    park_space_cap park;
    EXPECT_OK(park_space_cap_find("park", &park));
    EXPECT_OK(park_space_info(park, &sleepers));
    EXPECT(sleepers == 0);
    return 0;
}

static void info_counts_the_own_sleepers_alone(void)
{
    word = 0;
    struct capos_thread *thread = create(sleep_until_it_changes, nullptr);
    await_sleepers(1);
    const struct test_child_grant grants[] = {test_lend("park", space().id)};
    CHECK_CHILD("counts sleepers", grants, 1);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    capos_unpark(&word, 1);
    CHECK_EQ(join(thread), 0);
}

static void nobody_parks_without_the_grant(void)
{
    CHECK_DENIED("park", INTERFACE_PARK_SPACE);
}

static void tests(void)
{
    RUN(a_sleeper_is_woken);
    RUN(a_changed_word_is_not_slept_on);
    RUN(a_sleep_ends_with_its_time);
    RUN(a_time_out_needs_a_timer);
    RUN(bad_words_are_refused);
    RUN(memory_that_goes_wakes_its_sleepers);
    RUN(a_requeue_moves_sleepers);
    RUN(two_threads_hand_over_to_each_other);
    RUN(processes_wake_each_other_in_shared_memory);
    RUN(a_mutex_admits_one);
    RUN(a_taken_mutex_is_not_taken_again);
    RUN(a_bounded_queue_passes_everything);
    RUN(a_broadcast_wakes_everybody);
    RUN(a_wait_ends_with_its_time);
    RUN(a_function_runs_once);
    RUN(a_process_ends_with_its_sleepers);
    RUN(info_counts_the_own_sleepers_alone);
    RUN(nobody_parks_without_the_grant);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"has no timer", child_has_no_timer},
        {"answers in shared memory", child_answers_in_shared_memory},
        {"sleeps in threads", child_sleeps_in_threads},
        {"counts sleepers", child_parks_by_hand},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
