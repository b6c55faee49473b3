// SPDX-License-Identifier: MIT
// PARK and UNPARK: what is compared, who is woken, and every way in which a sleep ends.
#include "core_test.h"

#include <gen/wire/thread.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/mm/memory_object.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>

constexpr uint64_t SHARED = 0x7000'0000;

static struct actor *one, *two;
static capos_cap_id one_park, two_park, one_memory;
static uint64_t word; // in one's memory, behind its slots

static void make_world(void)
{
    one = actor_create("one");
    two = actor_create("two");
    one_park = actor_give(one, park_space_object());
    two_park = actor_give(two, park_space_object());
    one_memory = actor_give(one, harness_root("memory"));
    word = one->memory + 40 * PAGE_BYTES;
}

static void store(struct actor *actor, uint64_t address, uint32_t value)
{
    actor_write(actor, address, &value, sizeof value);
}

// Parks one of the actors, which must stay asleep.
static void sleep_on(struct actor *actor, unsigned slot, uint64_t address)
{
    actor_push_park(actor, slot, actor == two ? two_park : one_park, address, 0, CAPOS_FOREVER);
    CHECK_EQ(actor_enter(actor, 0, 0), 0);
}

static struct capos_cqe submit(struct actor *actor, const struct capos_sqe *sqe)
{
    actor_push(actor, sqe);
    CHECK_EQ(actor_enter(actor, 0, 0), 1);
    return take(actor);
}

static struct capos_sqe park_of(uint64_t address)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_PARK,
        .cap = one_park,
        .params = address,
        .timeout_ns = CAPOS_FOREVER,
    };
}

static struct capos_sqe unpark_of(uint64_t address, uint32_t count)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_UNPARK,
        .cap = one_park,
        .params = address,
        .params_bytes = count,
    };
}

static int32_t park_result(struct capos_sqe sqe)
{
    return submit(one, &sqe).result;
}

// The result of an UNPARK by `one`.  The completions of its own sleepers that it woke, which
// come before, are taken too.
static int32_t wake(uint64_t address, uint32_t count)
{
    actor_push_unpark(one, UINT32_MAX, one_park, address, count);
    CHECK(actor_enter(one, 0, 0) >= 1);
    struct capos_cqe cqe = take(one);
    while (cqe.user_data != UINT32_MAX) {
        CHECK_EQ(cqe.result, CAPOS_PARK_WOKEN);
        cqe = take(one);
    }
    return cqe.result;
}

static uint32_t sleeper_count(struct actor *actor)
{
    return (uint32_t)list_count(&actor->process->space.sleepers);
}

// ---- Sleeping and waking ----------------------------------------------------------------

CORE_TEST(a_sleeper_is_woken_by_an_unpark_of_its_word)
{
    make_world();
    sleep_on(one, 1, word);
    CHECK_EQ(sleeper_count(one), 1);
    CHECK_EQ(wake(word + 4, 1), 0); // another word
    CHECK(nothing_completed(one));
    actor_push_unpark(one, 2, one_park, word, 1);
    CHECK_EQ(actor_enter(one, 2, CAPOS_FOREVER), 2);
    struct capos_cqe woken = take(one), unpark = take(one);
    CHECK_EQ(woken.user_data, 1);
    CHECK_EQ(woken.result, CAPOS_PARK_WOKEN);
    CHECK_EQ(unpark.result, 1);
    CHECK_EQ(sleeper_count(one), 0);
    CHECK_EQ(wake(word, 1), 0);
}

CORE_TEST(a_word_that_changed_is_not_slept_on)
{
    make_world();
    store(one, word, 5);
    CHECK_EQ(park_result(park_of(word)), CAPOS_PARK_CHANGED);
    struct capos_sqe sqe = park_of(word);
    sqe.expected = UINT64_C(1) << 32 | 5; // more than 32 bits hold
    CHECK_EQ(park_result(sqe), CAPOS_PARK_CHANGED);
    CHECK_EQ(sleeper_count(one), 0);
}

CORE_TEST(words_of_64_bits_are_compared_whole)
{
    make_world();
    uint64_t value = UINT64_C(7) << 32 | 1;
    actor_write(one, word, &value, sizeof value);
    struct capos_sqe sqe = park_of(word);
    sqe.method = CAPOS_PARK_64;
    sqe.expected = 1;
    CHECK_EQ(park_result(sqe), CAPOS_PARK_CHANGED);
    sqe.expected = value;
    actor_push(one, &sqe);
    CHECK_EQ(actor_enter(one, 0, 0), 0);
    CHECK_EQ(wake(word, 1), 1);
}

CORE_TEST(sleepers_wake_in_order_of_arrival)
{
    make_world();
    for (unsigned i = 1; i <= 4; i++)
        sleep_on(one, i, word);
    actor_push_unpark(one, 9, one_park, word, 2);
    CHECK_EQ(actor_enter(one, 0, 0), 3);
    CHECK_EQ(take(one).user_data, 1);
    CHECK_EQ(take(one).user_data, 2);
    CHECK_EQ(take(one).result, 2);
    actor_push_unpark(one, 9, one_park, word, UINT32_MAX);
    CHECK_EQ(actor_enter(one, 0, 0), 3);
    CHECK_EQ(take(one).user_data, 3);
    CHECK_EQ(take(one).user_data, 4);
    CHECK_EQ(take(one).result, 2);
}

CORE_TEST(an_unpark_of_none_wakes_nobody)
{
    make_world();
    sleep_on(one, 1, word);
    CHECK_EQ(wake(word, 0), 0);
    CHECK_EQ(sleeper_count(one), 1);
}

// ---- Which words are the same --------------------------------------------------------------

static void map_shared(struct actor *actor, struct memory_object *object, uint64_t address,
                       uint64_t offset_bytes)
{
    uint64_t mapped;
    const char *reason;
    CHECK_EQ(space_map(&actor->process->space, object, offset_bytes, PAGE_BYTES, address,
                       PROTECTION_READ_WRITE, &mapped, &reason),
             STATUS_OK);
}

CORE_TEST(private_words_of_processes_are_different)
{
    make_world();
    uint64_t address = one->memory; // the same address in both, in memory of their own
    const char *reason;
    if (two->memory != address)
        CHECK_EQ(space_allocate(&two->process->space, PAGE_BYTES, SHARED, PROTECTION_READ_WRITE,
                                &address, &reason),
                 STATUS_OK);
    if (one->memory != address)
        CHECK_EQ(space_allocate(&one->process->space, PAGE_BYTES, address,
                                PROTECTION_READ_WRITE, &address, &reason),
                 STATUS_OK);
    sleep_on(two, 1, address);
    CHECK_EQ(wake(address, 1), 0);
}

CORE_TEST(shared_words_are_the_same_at_whatever_address)
{
    make_world();
    struct memory_object *object = memory_object_create(one->budget, 2 * PAGE_BYTES);
    map_shared(one, object, SHARED, PAGE_BYTES);
    struct memory_object *view =
        memory_object_create_view(one->budget, object, PAGE_BYTES, PAGE_BYTES, true, false);
    map_shared(two, view, SHARED + 64 * PAGE_BYTES, 0);
    object_put(memory_object_as_object(view));
    object_put(memory_object_as_object(object));
    actor_push_park(two, 1, two_park, SHARED + 64 * PAGE_BYTES + 8, 0, CAPOS_FOREVER);
    CHECK_EQ(actor_enter(two, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK_EQ(wake(SHARED + 12, 1), 0);
    CHECK_EQ(wake(SHARED + 8, 1), 1);
    CHECK_EQ(actor_returned(two), 1);
    CHECK_EQ(take(two).result, CAPOS_PARK_WOKEN);
}

CORE_TEST(an_unmap_wakes_the_sleepers_of_its_own_space_alone)
{
    make_world();
    struct memory_object *object = memory_object_create(one->budget, PAGE_BYTES);
    map_shared(one, object, SHARED, 0);
    map_shared(two, object, SHARED, 0);
    object_put(memory_object_as_object(object));
    sleep_on(two, 1, SHARED);
    sleep_on(one, 1, SHARED);
    const char *reason;
    CHECK_EQ(space_unmap(&one->process->space, SHARED, PAGE_BYTES, &reason), STATUS_OK);
    CHECK_STATUS(take(one).result, STATUS_BAD_ADDRESS);
    CHECK(nothing_completed(two));
    CHECK_EQ(sleeper_count(two), 1);
}

// ---- Requeue -------------------------------------------------------------------------------

CORE_TEST(a_requeue_moves_the_rest_to_another_word)
{
    make_world();
    for (unsigned i = 1; i <= 4; i++)
        sleep_on(one, i, word);
    sleep_on(one, 5, word + 8);
    struct capos_sqe sqe = unpark_of(word, 1);
    sqe.result = word + 8;
    sqe.result_bytes_max = 2;
    actor_push(one, &sqe);
    CHECK_EQ(actor_enter(one, 0, 0), 2);
    CHECK_EQ(take(one).user_data, 1);
    struct capos_cqe cqe = take(one);
    CHECK_EQ(cqe.result, 1);       // woken
    CHECK_EQ(cqe.result_bytes, 2); // moved
    actor_push_unpark(one, 9, one_park, word + 8, 9);
    CHECK_EQ(actor_enter(one, 0, 0), 4);
    CHECK_EQ(take(one).user_data, 5); // who was there comes first
    CHECK_EQ(take(one).user_data, 2);
    CHECK_EQ(take(one).user_data, 3);
    CHECK_EQ(take(one).result, 3);
    actor_push_unpark(one, 9, one_park, word, 9);
    CHECK_EQ(actor_enter(one, 0, 0), 2);
    CHECK_EQ(take(one).user_data, 4);
    CHECK_EQ(take(one).result, 1);
}

CORE_TEST(moved_sleepers_end_with_the_memory_of_their_new_word)
{
    make_world();
    sleep_on(one, 1, word);
    struct capos_sqe sqe = unpark_of(word, 0);
    sqe.result = word + PAGE_BYTES;
    sqe.result_bytes_max = 1;
    CHECK_EQ(submit(one, &sqe).result_bytes, 1);
    const char *reason;
    CHECK_EQ(space_unmap(&one->process->space, word, PAGE_BYTES, &reason), STATUS_OK);
    CHECK(nothing_completed(one));
    CHECK_EQ(space_unmap(&one->process->space, word + PAGE_BYTES, PAGE_BYTES, &reason),
             STATUS_OK);
    CHECK_STATUS(take(one).result, STATUS_BAD_ADDRESS);
}

CORE_TEST(sleepers_of_others_are_woken_instead_of_moved)
{
    make_world();
    struct memory_object *object = memory_object_create(one->budget, PAGE_BYTES);
    map_shared(one, object, SHARED, 0);
    map_shared(two, object, SHARED, 0);
    object_put(memory_object_as_object(object));
    sleep_on(two, 1, SHARED);
    sleep_on(one, 2, SHARED);
    struct capos_sqe sqe = unpark_of(SHARED, 0);
    sqe.result = word;
    sqe.result_bytes_max = 2;
    struct capos_cqe cqe = submit(one, &sqe);
    CHECK_EQ(cqe.result, 1);
    CHECK_EQ(cqe.result_bytes, 1);
    CHECK_EQ(take(two).result, CAPOS_PARK_WOKEN);
}

CORE_TEST(a_requeue_to_the_same_word_moves_nobody)
{
    make_world();
    sleep_on(one, 1, word);
    struct capos_sqe sqe = unpark_of(word, 0);
    sqe.result = word;
    sqe.result_bytes_max = 9;
    struct capos_cqe cqe = submit(one, &sqe);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.result_bytes, 0);
    CHECK_EQ(sleeper_count(one), 1);
}

CORE_TEST(a_quiet_unpark_completes_only_if_it_fails)
{
    make_world();
    sleep_on(one, 1, word);
    struct capos_sqe sqe = unpark_of(word, 1);
    sqe.flags = CAPOS_SQE_QUIET;
    actor_push(one, &sqe);
    CHECK_EQ(actor_enter(one, 0, 0), 1);
    CHECK_EQ(take(one).user_data, 1);
    sqe.params = word + 1;
    CHECK_STATUS(submit(one, &sqe).result, STATUS_BAD_ADDRESS);
}

// ---- Other ends of a sleep -------------------------------------------------------------------

CORE_TEST(a_sleep_ends_with_its_time)
{
    make_world();
    (void)actor_give(one, timer_object());
    struct capos_sqe sqe = park_of(word);
    sqe.timeout_ns = 1000;
    actor_push(one, &sqe);
    CHECK_EQ(actor_enter(one, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    host_advance_ns(999);
    CHECK_EQ(actor_returned(one), ACTOR_BLOCKED);
    host_advance_ns(1);
    CHECK_EQ(actor_returned(one), 1);
    CHECK_STATUS(take(one).result, STATUS_TIMED_OUT);
    CHECK_EQ(sleeper_count(one), 0);
    // One that was woken has no time-out left.
    actor_push(one, &sqe);
    CHECK_EQ(actor_enter(one, 0, 0), 0);
    CHECK_EQ(wake(word, 1), 1);
    host_advance_ns(5000);
    CHECK(nothing_completed(one));
}

CORE_TEST(a_deadline_is_a_time_of_the_clock)
{
    make_world();
    (void)actor_give(one, timer_object());
    host_advance_ns(5000);
    struct capos_sqe sqe = park_of(word);
    sqe.method = CAPOS_PARK_DEADLINE;
    sqe.timeout_ns = arch_now_ns();
    CHECK_STATUS(park_result(sqe), STATUS_TIMED_OUT);
    sqe.timeout_ns = arch_now_ns() + 10;
    actor_push(one, &sqe);
    CHECK_EQ(actor_enter(one, 0, 0), 0);
    host_advance_ns(10);
    CHECK_STATUS(take(one).result, STATUS_TIMED_OUT);
}

CORE_TEST(a_time_out_needs_a_timer)
{
    make_world();
    struct capos_sqe sqe = park_of(word);
    sqe.timeout_ns = 1000;
    CHECK_STATUS(park_result(sqe), STATUS_BAD_CAPABILITY);
    sqe.timeout_ns = 0; // this tells no time
    CHECK_STATUS(park_result(sqe), STATUS_TIMED_OUT);
    store(one, word, 1);
    CHECK_EQ(park_result(sqe), CAPOS_PARK_CHANGED);
}

CORE_TEST(a_sleep_can_be_cancelled)
{
    make_world();
    sleep_on(one, 1, word);
    actor_push_simple(one, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK_EQ(actor_enter(one, 0, 0), 2);
    CHECK_STATUS(take(one).result, STATUS_CANCELLED);
    CHECK_STATUS(take(one).result, STATUS_OK);
    CHECK_EQ(wake(word, 1), 0);
}

CORE_TEST(memory_that_goes_wakes_who_sleeps_there)
{
    static const uint16_t methods[] = {VIRTUAL_MEMORY_METHOD_UNMAP,
                                       VIRTUAL_MEMORY_METHOD_DECOMMIT,
                                       VIRTUAL_MEMORY_METHOD_PROTECT};
    make_world();
    for (unsigned i = 0; i < 3; i++) {
        uint64_t page = word + (8 - 2 * i) * PAGE_BYTES; // an unmap goes last
        struct actor_call call = call_of(one_memory, INTERFACE_VIRTUAL_MEMORY, methods[2 - i]);
        sleep_on(one, 2, page - 4);
        sleep_on(one, 3, page);
        sleep_on(one, 4, page + PAGE_BYTES - 4);
        sleep_on(one, 5, page + PAGE_BYTES);
        if (methods[2 - i] == VIRTUAL_MEMORY_METHOD_PROTECT)
            WITH(&call, virtual_memory_protect_params, .address = page,
                 .length_bytes = PAGE_BYTES, .protection = PROTECTION_NONE);
        else // the parameters of the two look the same
            WITH(&call, virtual_memory_unmap_params, .address = page,
                 .length_bytes = PAGE_BYTES);
        actor_push_call(one, 0, &call);
        CHECK_EQ(actor_enter(one, 0, 0), 3);
        struct capos_cqe cqe = take(one);
        CHECK_EQ(cqe.user_data, 3);
        CHECK_STATUS(cqe.result, STATUS_BAD_ADDRESS);
        CHECK_EQ(take(one).user_data, 4);
        CHECK_STATUS(take(one).result, STATUS_OK);
        CHECK_EQ(sleeper_count(one), 2);
        CHECK_EQ(wake(page - 4, 1), 1);
        CHECK_EQ(wake(page + PAGE_BYTES, 1), 1);
    }
}

CORE_TEST(the_end_of_a_process_takes_its_sleepers_along)
{
    make_world();
    struct memory_object *object = memory_object_create(one->budget, PAGE_BYTES);
    map_shared(one, object, SHARED, 0);
    map_shared(two, object, SHARED, 0);
    object_put(memory_object_as_object(object));
    for (unsigned i = 1; i <= 3; i++)
        sleep_on(two, i, SHARED);
    actor_kill(two);
    CHECK_EQ(wake(SHARED, 9), 0);
}

// ---- Bad requests ----------------------------------------------------------------------------

CORE_TEST(bad_words_are_refused)
{
    make_world();
    static const uint64_t bad[] = {0, 1, 0x8000, USER_ADDRESS_END, UINT64_MAX - 3};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_STATUS(park_result(park_of(bad[i])), STATUS_BAD_ADDRESS);
        CHECK_STATUS(wake(bad[i], 1), STATUS_BAD_ADDRESS);
    }
    CHECK_STATUS(park_result(park_of(word + 2)), STATUS_BAD_ADDRESS); // misaligned
    CHECK_STATUS(wake(word + 2, 1), STATUS_BAD_ADDRESS);
    struct capos_sqe sqe = park_of(word + 4);
    sqe.method = CAPOS_PARK_64;
    CHECK_STATUS(park_result(sqe), STATUS_BAD_ADDRESS);
    sqe = unpark_of(word, 1);
    sqe.result = 0x8000;
    CHECK_STATUS(submit(one, &sqe).result, STATUS_BAD_ADDRESS);
}

CORE_TEST(bad_requests_are_refused)
{
    make_world();
    struct capos_sqe sqe = park_of(word);
    sqe.cap = one_memory;
    CHECK_STATUS(park_result(sqe), STATUS_WRONG_INTERFACE);
    sqe.cap = 0;
    CHECK_STATUS(park_result(sqe), STATUS_BAD_CAPABILITY);
    sqe = park_of(word);
    sqe.method = 4;
    CHECK_STATUS(park_result(sqe), STATUS_BAD_FLAGS);
    sqe = park_of(word);
    sqe.flags = CAPOS_SQE_PARAMS_IN_RING;
    CHECK_STATUS(park_result(sqe), STATUS_BAD_FLAGS);
    sqe = unpark_of(word, 1);
    sqe.method = 1;
    CHECK_STATUS(submit(one, &sqe).result, STATUS_BAD_FLAGS);
    sqe = unpark_of(word, 1);
    sqe.cap = one_memory;
    CHECK_STATUS(submit(one, &sqe).result, STATUS_WRONG_INTERFACE);
    sqe = unpark_of(word, 1);
    sqe.timeout_ns = 1;
    CHECK_STATUS(submit(one, &sqe).result, STATUS_BAD_FLAGS);
    CHECK_EQ(sleeper_count(one), 0);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_sleeper_is_woken_by_an_unpark_of_its_word);
    RUN(a_word_that_changed_is_not_slept_on);
    RUN(words_of_64_bits_are_compared_whole);
    RUN(sleepers_wake_in_order_of_arrival);
    RUN(an_unpark_of_none_wakes_nobody);
    RUN(private_words_of_processes_are_different);
    RUN(shared_words_are_the_same_at_whatever_address);
    RUN(an_unmap_wakes_the_sleepers_of_its_own_space_alone);
    RUN(a_requeue_moves_the_rest_to_another_word);
    RUN(moved_sleepers_end_with_the_memory_of_their_new_word);
    RUN(sleepers_of_others_are_woken_instead_of_moved);
    RUN(a_requeue_to_the_same_word_moves_nobody);
    RUN(a_quiet_unpark_completes_only_if_it_fails);
    RUN(a_sleep_ends_with_its_time);
    RUN(a_deadline_is_a_time_of_the_clock);
    RUN(a_time_out_needs_a_timer);
    RUN(a_sleep_can_be_cancelled);
    RUN(memory_that_goes_wakes_who_sleeps_there);
    RUN(the_end_of_a_process_takes_its_sleepers_along);
    RUN(bad_words_are_refused);
    RUN(bad_requests_are_refused);
    return test_report();
}
