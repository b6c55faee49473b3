// SPDX-License-Identifier: MIT
// Fault handlers: where a thread goes when it faults, and how it goes on.
#include "core_test.h"

#include <abi/fault.h>
#include <gen/wire/thread.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/upcall.h>

constexpr uint64_t ENTRY = 0x401000, NOWHERE = 0x20000;

static struct actor *actor;
static capos_cap_id control;
static uint64_t frame, stack; // in the actor's memory

static void make_world(void)
{
    actor = actor_create("faulty");
    control = actor_give(actor, thread_control_object());
    frame = actor->memory + 40 * PAGE_BYTES;
    stack = frame + 8 * PAGE_BYTES;
}

static enum status set_handler(uint64_t entry, uint64_t stack_pointer, uint64_t frame_address)
{
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_FAULT_HANDLER);
    WITH(&call, thread_control_set_fault_handler_params, .entry = entry,
         .stack_pointer = stack_pointer, .frame = frame_address);
    return (enum status) - actor_call(actor, &call).result;
}

// The actor's thread faults.
static void fault(enum fault_kind kind, uint64_t address, bool write)
{
    actor_run(actor);
    const struct thread *next = kernel_fault(kind, address, write, false);
    CHECK(next == arch_cpu()->current);
}

static struct capos_registers registers_now(void)
{
    struct capos_registers registers;
    arch_thread_registers(&actor_thread(actor)->arch, &registers);
    return registers;
}

static struct capos_fault_frame read_frame(void)
{
    struct capos_fault_frame read;
    actor_read(actor, frame, &read, sizeof read);
    return read;
}

// Enters with a resumption, which doesn't return if it succeeds.
static void resume(uint64_t address)
{
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_RESUME);
    WITH(&call, thread_control_resume_params, .frame = address);
    actor_push_call(actor, 0, &call);
    (void)actor_enter(actor, 1, CAPOS_FOREVER);
}

CORE_TEST(a_fault_goes_to_its_handler)
{
    make_world();
    CHECK_EQ(set_handler(ENTRY, stack, frame), STATUS_OK);
    struct capos_registers before = registers_now();
    before.rip = 0x123456;
    before.r12 = 12;
    arch_thread_set_registers(&actor_thread(actor)->arch, &before);
    fault(FAULT_KIND_UNMAPPED, NOWHERE, true);
    CHECK(actor_alive(actor));
    struct capos_fault_frame there = read_frame();
    CHECK_EQ(there.fault, FAULT_KIND_UNMAPPED);
    CHECK_EQ(there.access, CAPOS_FAULT_WRITE);
    CHECK_EQ(there.address, NOWHERE);
    CHECK_EQ(there.registers.rip, 0x123456);
    CHECK_EQ(there.registers.r12, 12);
    struct capos_registers now = registers_now();
    CHECK_EQ(now.rip, ENTRY);
    CHECK_EQ(now.rsp, stack);
    CHECK_EQ(now.rdi, frame);
    CHECK_EQ(now.r12, 0);
}

CORE_TEST(a_page_that_only_was_not_there_yet_is_no_fault)
{
    make_world();
    CHECK_EQ(set_handler(ENTRY, stack, frame), STATUS_OK);
    uint64_t rip = registers_now().rip;
    fault(FAULT_KIND_UNMAPPED, actor->memory + 50 * PAGE_BYTES, true);
    CHECK_EQ(registers_now().rip, rip);
}

CORE_TEST(a_handler_resumes_where_it_likes)
{
    make_world();
    CHECK_EQ(set_handler(ENTRY, stack, frame), STATUS_OK);
    for (unsigned i = 0; i < 3; i++) { // again and again
        fault(FAULT_KIND_DIVIDE, 0, false);
        struct capos_fault_frame there = read_frame();
        there.registers.rip = 0x777;
        there.registers.rbx = i;
        actor_write(actor, frame, &there, sizeof there);
        resume(frame);
        CHECK(actor_alive(actor));
        CHECK_EQ(registers_now().rip, 0x777);
        CHECK_EQ(registers_now().rbx, i);
        CHECK_STATUS(take(actor).result, STATUS_OK); // the call's completion is there
    }
}

CORE_TEST(a_fault_in_the_handler_ends_the_process_with_the_first_one)
{
    make_world();
    CHECK_EQ(set_handler(ENTRY, stack, frame), STATUS_OK);
    fault(FAULT_KIND_DIVIDE, 0, false);
    fault(FAULT_KIND_UNMAPPED, NOWHERE, false);
    CHECK(!actor_alive(actor));
    CHECK_EQ(actor->process->end.kind, END_KIND_FAULTED);
    CHECK_EQ(actor->process->end.fault, FAULT_KIND_DIVIDE);
    CHECK_EQ(actor->process->end.thread_id, 1);
}

CORE_TEST(a_frame_that_cannot_be_written_ends_the_process)
{
    for (unsigned i = 0; i < 3; i++) {
        make_world();
        const uint64_t frames[] = {
            NOWHERE,
            actor->process->capset_address, // read-only
            actor->memory + ACTOR_MEMORY_BYTES - sizeof(struct capos_fault_frame) / 2,
        };
        CHECK_EQ(set_handler(ENTRY, stack, frames[i]), STATUS_OK);
        fault(FAULT_KIND_ALIGNMENT, 0, false);
        CHECK(!actor_alive(actor));
        CHECK_EQ(actor->process->end.fault, FAULT_KIND_ALIGNMENT);
    }
}

CORE_TEST(a_process_is_killed_in_its_handler)
{
    make_world();
    CHECK_EQ(set_handler(ENTRY, stack, frame), STATUS_OK);
    fault(FAULT_KIND_DIVIDE, 0, false);
    actor_kill(actor);
    CHECK_EQ(actor->process->end.kind, END_KIND_KILLED);
}

CORE_TEST(a_handler_can_be_withdrawn)
{
    make_world();
    CHECK_EQ(set_handler(ENTRY, stack, frame), STATUS_OK);
    CHECK_EQ(set_handler(0, 0, 0), STATUS_OK);
    fault(FAULT_KIND_BREAKPOINT, 0, false);
    CHECK(!actor_alive(actor));
}

CORE_TEST(bad_handlers_and_frames_are_refused)
{
    make_world();
    CHECK_EQ(set_handler(UINT64_MAX, stack, frame), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_handler(ENTRY, USER_ADDRESS_END, frame), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_handler(ENTRY, stack, frame + 4), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_handler(ENTRY, stack, UINT64_MAX - 7), STATUS_INVALID_ARGUMENT);
    static const uint64_t addresses[] = {NOWHERE, 4, USER_ADDRESS_END, UINT64_MAX - 7};
    for (unsigned i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        resume(addresses[i]);
        CHECK_STATUS(take(actor).result, STATUS_INVALID_ARGUMENT);
    }
    resume(frame + 4);
    CHECK_STATUS(take(actor).result, STATUS_INVALID_ARGUMENT);
}

// Resumes with these registers; whether the thread has them then, and nothing happened if not.
static bool resumes_with(uint64_t rip, uint64_t rsp, uint64_t rflags)
{
    const struct capos_fault_frame there = {
        .registers = {.rip = rip, .rsp = rsp, .rflags = rflags}};
    struct capos_registers before = registers_now(), now;
    actor_write(actor, frame, &there, sizeof there);
    resume(frame);
    now = registers_now();
    bool resumed = take(actor).result == STATUS_OK;
    CHECK(actor_alive(actor));
    CHECK_EQ(now.rip, resumed ? rip : before.rip);
    CHECK_EQ(now.rsp, resumed ? rsp : before.rsp);
    return resumed;
}

CORE_TEST(only_registers_that_user_code_can_have_are_resumed_with)
{
    make_world();
    CHECK(resumes_with(0, 0, 0));
    CHECK(resumes_with(USER_ADDRESS_END - 1, 0, 0));
    CHECK(!resumes_with(USER_ADDRESS_END, 0, 0));
    CHECK(!resumes_with(UINT64_C(1) << 47, 0, 0)); // not canonical: IRET would fault in ring 0
    CHECK(!resumes_with(UINT64_C(0xffff) << 47, 0, 0));
    CHECK(!resumes_with(UINT64_MAX, 0, 0));
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t flag = UINT64_C(1) << bit;
        CHECK(resumes_with(0x1000, flag, 0)); // user code can load anything into RSP
        CHECK_EQ(resumes_with(0x1000, 0, flag), (flag & CAPOS_RFLAGS_ALLOWED) != 0);
    }
}

// Whatever stands behind a resumption is taken as well, and sees the thread as it goes on.
CORE_TEST(submissions_behind_a_resumption_are_taken)
{
    make_world();
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_RESUME);
    const struct capos_fault_frame there = {.registers = {.rip = 0x777}};
    actor_write(actor, frame, &there, sizeof there);
    WITH(&call, thread_control_resume_params, .frame = frame);
    actor_push_call(actor, 0, &call);
    actor_push_call(actor, 1, &call);
    call.method = THREAD_CONTROL_METHOD_SET_THREAD_BASE;
    WITH(&call, thread_control_set_thread_base_params, .thread_base = 0x5000);
    actor_push_call(actor, 2, &call);
    call = call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_YIELD);
    actor_push_call(actor, 3, &call);
    (void)actor_enter(actor, 64, CAPOS_FOREVER);
    for (unsigned i = 0; i < 4; i++)
        CHECK_STATUS(take(actor).result, STATUS_OK);
    CHECK_EQ(registers_now().rip, 0x777);
    CHECK_EQ(host_thread_entry(&actor_thread(actor)->arch).base, 0x5000);
}

CORE_TEST(another_system_call_is_no_fault_to_handle)
{
    make_world();
    CHECK_EQ(set_handler(ENTRY, stack, frame), STATUS_OK);
    actor_run(actor);
    const struct thread *next = kernel_bad_syscall();
    CHECK(next == arch_cpu()->current);
    CHECK(!actor_alive(actor));
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_fault_goes_to_its_handler);
    RUN(a_page_that_only_was_not_there_yet_is_no_fault);
    RUN(a_handler_resumes_where_it_likes);
    RUN(a_fault_in_the_handler_ends_the_process_with_the_first_one);
    RUN(a_frame_that_cannot_be_written_ends_the_process);
    RUN(a_process_is_killed_in_its_handler);
    RUN(a_handler_can_be_withdrawn);
    RUN(bad_handlers_and_frames_are_refused);
    RUN(only_registers_that_user_code_can_have_are_resumed_with);
    RUN(submissions_behind_a_resumption_are_taken);
    RUN(another_system_call_is_no_fault_to_handle);
    return test_report();
}
