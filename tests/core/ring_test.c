// SPDX-License-Identifier: MIT
// Tests of kernel/ipc/ring.c, submit.c and enter.c: rings as user code fills them, rightly
// and wrongly.
#include "core_test.h"

#include <kernel/object/objects.h>
#include <kernel/upcall.h>

CORE_TEST(nop_completes_with_its_user_data)
{
    struct actor *actor = actor_create("nop");
    actor_push(actor, &(struct capos_sqe){.opcode = CAPOS_OP_NOP, .user_data = 0x1234567890});
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), 1);
    struct capos_cqe cqe = take(actor);
    CHECK_EQ(cqe.user_data, 0x1234567890);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.flags | cqe.result_bytes | cqe.transfer_count | cqe.reserved, 0);
    CHECK(nothing_completed(actor));
    CHECK_EQ(actor_enter(actor, 0, 0), 0);
}

CORE_TEST(a_batch_of_a_full_queue_completes_in_order)
{
    struct actor *actor = actor_create("batch");
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
            actor_push_simple(actor, i, CAPOS_OP_NOP, 0, 0);
        CHECK_EQ(actor_enter(actor, CAPOS_CQ_ENTRIES, CAPOS_FOREVER), CAPOS_CQ_ENTRIES);
        for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
            CHECK_EQ(take(actor).user_data, i);
    }
}

CORE_TEST(submissions_wait_while_the_completion_queue_is_full)
{
    struct actor *actor = actor_create("full");
    for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
        actor_push_simple(actor, i, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(actor, 0, 0), CAPOS_CQ_ENTRIES);
    for (unsigned i = 0; i < 3; i++)
        actor_push_simple(actor, 100 + i, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(actor, 0, 0), CAPOS_CQ_ENTRIES);
    CHECK_EQ(actor_ring(actor)->sq_head, CAPOS_SQ_ENTRIES);
    CHECK_EQ(take(actor).user_data, 0);
    CHECK_EQ(take(actor).user_data, 1);
    CHECK_EQ(actor_enter(actor, 0, 0), CAPOS_CQ_ENTRIES); // two of three were taken
    CHECK_EQ(actor_ring(actor)->sq_head, CAPOS_SQ_ENTRIES + 2);
    for (unsigned i = 2; i < CAPOS_SQ_ENTRIES; i++)
        CHECK_EQ(take(actor).user_data, i);
    CHECK_EQ(take(actor).user_data, 100);
    CHECK_EQ(take(actor).user_data, 101);
    CHECK_EQ(actor_enter(actor, 0, 0), 1);
    CHECK_EQ(take(actor).user_data, 102);
}

CORE_TEST(impossible_indices_are_corrupt_and_harm_nobody)
{
    struct actor *actor = actor_create("corrupt");
    struct capos_ring_header *header = actor_ring(actor);
    header->sq_tail = CAPOS_SQ_ENTRIES + 1;
    CHECK_STATUS(actor_enter(actor, 0, 0), STATUS_CORRUPT_RING);
    header->sq_tail = UINT32_MAX;
    CHECK_STATUS(actor_enter(actor, 0, 0), STATUS_CORRUPT_RING);
    header->sq_tail = 0;
    header->cq_head = 1; // consumed what was never posted
    CHECK_STATUS(actor_enter(actor, 0, 0), STATUS_CORRUPT_RING);
    header->cq_head = UINT32_MAX - 100;
    CHECK_STATUS(actor_enter(actor, 0, 0), STATUS_CORRUPT_RING);
    actor_push_simple(actor, 5, CAPOS_OP_NOP, 0, 0);
    CHECK_STATUS(actor_enter(actor, 0, 0), STATUS_CORRUPT_RING);
    CHECK_EQ(header->sq_head, 0);
    header->cq_head = 0;
    CHECK_EQ(actor_enter(actor, 0, 0), 1);
    CHECK_EQ(take(actor).user_data, 5);
}

CORE_TEST(the_kernel_ignores_what_user_code_writes_to_its_own_indices)
{
    struct actor *actor = actor_create("liar");
    struct capos_ring_header *header = actor_ring(actor);
    memset(header, 0xff, offsetof(struct capos_ring_header, sq_tail));
    header->sq_head = 77;
    header->cq_tail = 99;
    actor_push_simple(actor, 5, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(actor, 0, 0), 1);
    CHECK_EQ(header->sq_head, 1);
    CHECK_EQ(header->cq_tail, 1);
    CHECK_EQ(take(actor).user_data, 5);
}

CORE_TEST(indices_wrap_at_2_to_the_32)
{
    struct actor *actor = actor_create("wrap");
    struct ring *ring = &actor_thread(actor)->ring;
    struct capos_ring_header *header = actor_ring(actor);
    // As if 2^32 - 2 had gone by.
    ring->sq_head = ring->cq_tail = UINT32_MAX - 1;
    header->sq_head = header->cq_tail = UINT32_MAX - 1;
    header->sq_tail = header->cq_head = actor->sq_tail = actor->cq_head = UINT32_MAX - 1;
    for (unsigned i = 0; i < 5; i++)
        actor_push_simple(actor, i, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(actor, 5, CAPOS_FOREVER), 5);
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(take(actor).user_data, i);
    CHECK_EQ(header->sq_head, 3);
}

// Submits one SQE and returns the completion's result.
static int32_t submit_one(struct actor *actor, const struct capos_sqe *sqe)
{
    actor_push(actor, sqe);
    CHECK_EQ(actor_enter(actor, 1, 0), 1);
    return take(actor).result;
}

// The flags that each opcode takes; what has none is reserved.
static const uint8_t flags_taken[CAPOS_OP_COUNT] = {
    [CAPOS_OP_NOP] = 0x08,    [CAPOS_OP_CALL] = 0x5b,        [CAPOS_OP_RECV] = 0x2a,
    [CAPOS_OP_RETURN] = 0x8d, [CAPOS_OP_RETURN_RECV] = 0x2f, [CAPOS_OP_RELEASE] = 0x88,
    [CAPOS_OP_CANCEL] = 0x88, [CAPOS_OP_PARK] = 0x08,        [CAPOS_OP_UNPARK] = 0x88,
    [CAPOS_OP_FINISH] = 0x88,
};

CORE_TEST(reserved_opcodes_flags_and_fields_are_refused)
{
    struct actor *actor = actor_create("reserved");
    for (unsigned opcode = CAPOS_OP_COUNT; opcode < 256; opcode++)
        CHECK_STATUS(submit_one(actor, &(struct capos_sqe){.opcode = (uint8_t)opcode}),
                     STATUS_BAD_OPCODE);
    for (unsigned opcode = 0; opcode < CAPOS_OP_COUNT; opcode++) {
        struct capos_sqe sqe = {.opcode = (uint8_t)opcode};
        if (flags_taken[opcode] == 0) {
            CHECK_STATUS(submit_one(actor, &sqe), STATUS_BAD_OPCODE);
            continue;
        }
        for (unsigned flag = 1; flag < 256; flag <<= 1) {
            if ((flags_taken[opcode] & flag) != 0)
                continue;
            sqe.flags = (uint8_t)flag;
            CHECK_STATUS(submit_one(actor, &sqe), STATUS_BAD_FLAGS);
        }
        sqe.flags = 0;
        sqe.result_index = 1;
        CHECK_STATUS(submit_one(actor, &sqe), STATUS_BAD_FLAGS);
        if (opcode == CAPOS_OP_NOP)
            continue; // of a NOP the kernel reads two words and no more
        sqe.result_index = 0;
        if (opcode == CAPOS_OP_PARK)
            continue; // there it is timeout_ns
        sqe.reserved1 = UINT64_C(1) << 63;
        CHECK_STATUS(submit_one(actor, &sqe), STATUS_BAD_FLAGS);
    }
    CHECK_STATUS(submit_one(actor, &(struct capos_sqe){.opcode = CAPOS_OP_CALL,
                                                       .flags = CAPOS_SQE_EXCEPTION}),
                 STATUS_BAD_FLAGS);
    CHECK_STATUS(submit_one(actor, &(struct capos_sqe){.opcode = CAPOS_OP_RECV,
                                                       .flags = CAPOS_SQE_PARAMS_IN_RING}),
                 STATUS_BAD_FLAGS);
    CHECK_STATUS(
        submit_one(actor, &(struct capos_sqe){.opcode = CAPOS_OP_RECV, .transfer_count = 1}),
        STATUS_BAD_TRANSFER);
    CHECK_STATUS(
        submit_one(actor, &(struct capos_sqe){.opcode = CAPOS_OP_CALL, .transfer_count = 17}),
        STATUS_BAD_TRANSFER);
}

CORE_TEST(ids_that_name_nothing_are_bad_capabilities)
{
    struct actor *actor = actor_create("nobody");
    static const capos_cap_id ids[] = {0,
                                       1,
                                       UINT64_C(1) << 32,
                                       UINT64_MAX,
                                       UINT32_MAX,
                                       (UINT64_C(1) << 32) + 127,
                                       (UINT64_C(1) << 32) + 128};
    static const uint8_t opcodes[] = {CAPOS_OP_CALL, CAPOS_OP_RECV, CAPOS_OP_RETURN,
                                      CAPOS_OP_RETURN_RECV, CAPOS_OP_RELEASE};
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        for (unsigned j = 0; j < sizeof opcodes; j++) {
            struct capos_sqe sqe = {.opcode = opcodes[j], .cap = ids[i]};
            CHECK_STATUS(submit_one(actor, &sqe), STATUS_BAD_CAPABILITY);
        }
    }
    CHECK_STATUS(submit_one(actor, &(struct capos_sqe){.opcode = CAPOS_OP_CANCEL}),
                 STATUS_NOT_FOUND);
}

CORE_TEST(waiting_for_more_than_can_come_is_refused)
{
    struct actor *actor = actor_create("greedy");
    CHECK_STATUS(actor_enter(actor, CAPOS_CQ_ENTRIES + 1, 0), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(actor_enter(actor, UINT64_MAX, CAPOS_FOREVER), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(actor_enter(actor, 1, CAPOS_FOREVER), STATUS_QUEUE_FULL);
    actor_push_simple(actor, 0, CAPOS_OP_NOP, 0, 0);
    CHECK_STATUS(actor_enter(actor, 2, CAPOS_FOREVER), STATUS_QUEUE_FULL);
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), 1); // the NOP was taken all the same
}

CORE_TEST(a_timed_wait_needs_a_timer)
{
    struct actor *actor = actor_create("timeless");
    CHECK_STATUS(actor_enter(actor, 1, 1000), STATUS_BAD_CAPABILITY);
    capos_cap_id timer = actor_give(actor, timer_object());
    CHECK_EQ(actor_enter(actor, 1, 1000), ACTOR_BLOCKED);
    host_advance_ns(999);
    CHECK_EQ(actor_returned(actor), ACTOR_BLOCKED);
    host_advance_ns(1);
    CHECK_EQ(actor_returned(actor), 0);
    CHECK_EQ(actor_release(actor, timer), 0);
    CHECK_STATUS(actor_enter(actor, 1, 1000), STATUS_BAD_CAPABILITY);
}

CORE_TEST(a_thread_that_waits_for_ever_can_be_killed)
{
    struct actor *actor = actor_create("sleeper");
    (void)actor_give(actor, timer_object());
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER - 1), ACTOR_BLOCKED);
    actor_destroy(actor);
}

CORE_TEST(an_unknown_system_call_ends_the_process)
{
    struct actor *actor = actor_create("number 2");
    actor_run(actor);
    (void)!kernel_bad_syscall();
    CHECK(!actor_alive(actor));
    CHECK_EQ(actor->process->end.kind, END_KIND_FAULTED);
    CHECK_EQ(actor->process->end.fault, FAULT_KIND_ILLEGAL_INSTRUCTION);
}

CORE_TEST(exit_ends_the_process_with_its_code)
{
    struct actor *actor = actor_create("exit");
    actor_exit(actor, -42);
    CHECK_EQ(actor->process->end.kind, END_KIND_EXITED);
    CHECK_EQ(actor->process->end.exit_code, -42);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(nop_completes_with_its_user_data);
    RUN(a_batch_of_a_full_queue_completes_in_order);
    RUN(submissions_wait_while_the_completion_queue_is_full);
    RUN(impossible_indices_are_corrupt_and_harm_nobody);
    RUN(the_kernel_ignores_what_user_code_writes_to_its_own_indices);
    RUN(indices_wrap_at_2_to_the_32);
    RUN(reserved_opcodes_flags_and_fields_are_refused);
    RUN(ids_that_name_nothing_are_bad_capabilities);
    RUN(waiting_for_more_than_can_come_is_refused);
    RUN(a_timed_wait_needs_a_timer);
    RUN(a_thread_that_waits_for_ever_can_be_killed);
    RUN(an_unknown_system_call_ends_the_process);
    RUN(exit_ends_the_process_with_its_code);
    return test_report();
}
