// SPDX-License-Identifier: MIT
// Faults that a program handles: ThreadControl.setFaultHandler and resume, by <capos/fault.h>.
// What comes back of each register is in tests/system/fault_code_test.c.
#include <capos/test.h>

#include <capos/fault.h>
#include <capos/thread.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/thread.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t NOWHERE = 0x400; // never mapped

static alignas(16) uint8_t stack[16384];

typedef void handler_function(struct capos_fault_frame *frame, void *context);

// The access is made, although nobody needs what is there.
static void touch(uint64_t address)
{
    (void)*(volatile const uint64_t *)address;
}

// ---- Memory that grows on demand -----------------------------------------------------------

// As the memory of a WebAssembly instance: reserved at once, committed where it is touched.
constexpr unsigned PAGES = 16;
struct growing {
    uint64_t address;
    unsigned fault_count;
    struct capos_fault_frame last;
};

static void commit_the_page(struct capos_fault_frame *frame, void *context)
{
    struct growing *growing = context;
    growing->last = *frame;
    growing->fault_count++;
    if (frame->address - growing->address >= PAGES * PAGE ||
        virtual_memory_commit(test_memory(), frame->address & ~(PAGE - 1), PAGE,
                              PROTECTION_READ_WRITE) != STATUS_OK)
        capos_thread_exit(EXIT_FAILURE);
}

static void a_page_is_provided_where_it_is_touched(void)
{
    struct growing growing = {};
    if (!CHECK_OK(
            virtual_memory_reserve(test_memory(), PAGES * PAGE, 0, 0, &growing.address)) ||
        !CHECK_OK(capos_fault_handler_set(commit_the_page, &growing, stack, sizeof stack)))
        return;
    for (unsigned i = 0; i < PAGES; i++) {
        volatile uint64_t *word = (volatile uint64_t *)(growing.address + i * PAGE + 8);
        *word = i; // tried again by itself
        CHECK_EQ(*word, i);
        CHECK_EQ(growing.fault_count, i + 1);
        CHECK_EQ(growing.last.access, CAPOS_FAULT_WRITE);
        CHECK_EQ(growing.last.address, (uint64_t)word);
    }
    CHECK_OK(capos_fault_handler_set(nullptr, nullptr, nullptr, 0));
    CHECK_OK(virtual_memory_unmap(test_memory(), growing.address, PAGES * PAGE));
}

static void the_kind_and_the_access_are_told(void)
{
    struct growing growing = {};
    if (!CHECK_OK(
            virtual_memory_reserve(test_memory(), PAGES * PAGE, 0, 0, &growing.address)) ||
        !CHECK_OK(capos_fault_handler_set(commit_the_page, &growing, stack, sizeof stack)))
        return;
    touch(growing.address);
    CHECK_EQ(growing.last.fault, FAULT_KIND_UNMAPPED);
    CHECK_EQ(growing.last.access, 0);
    CHECK_OK(virtual_memory_protect(test_memory(), growing.address, PAGE, PROTECTION_READ));
    *(volatile uint64_t *)growing.address = 1;
    CHECK_EQ(growing.last.fault, FAULT_KIND_PROTECTION);
    CHECK_EQ(growing.last.access, CAPOS_FAULT_WRITE);
    CHECK_OK(capos_fault_handler_set(nullptr, nullptr, nullptr, 0));
    CHECK_OK(virtual_memory_unmap(test_memory(), growing.address, PAGES * PAGE));
}

// ---- Threads ---------------------------------------------------------------------------------

// The result is the number of faults that its own handler saw.
static int grow_and_shrink(void *)
{
    struct growing growing = {};
    uint8_t *own_stack = aligned_alloc(16, CAPOS_FAULT_STACK_BYTES_MIN);
    if (own_stack == nullptr ||
        virtual_memory_reserve(test_memory(), PAGES * PAGE, 0, 0, &growing.address) !=
            STATUS_OK ||
        capos_fault_handler_set(commit_the_page, &growing, own_stack,
                                CAPOS_FAULT_STACK_BYTES_MIN) != STATUS_OK)
        return -1;
    for (unsigned round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < PAGES; i++) {
            volatile uint64_t *word = (volatile uint64_t *)(growing.address + i * PAGE);
            *word = (uint64_t)&growing + i;
            if (*word != (uint64_t)&growing + i)
                return -2;
        }
        if (virtual_memory_decommit(test_memory(), growing.address, PAGES * PAGE) != STATUS_OK)
            return -3;
    }
    if (capos_fault_handler_set(nullptr, nullptr, nullptr, 0) != STATUS_OK ||
        virtual_memory_unmap(test_memory(), growing.address, PAGES * PAGE) != STATUS_OK)
        return -4;
    free(own_stack);
    return (int)growing.fault_count;
}

static void each_thread_handles_its_own_faults(void)
{
    struct capos_thread *threads[3];
    unsigned count = 0;
    int64_t code;
    while (count < 3 &&
           CHECK_OK(capos_thread_create(&threads[count], grow_and_shrink, nullptr, nullptr)))
        count++;
    for (unsigned i = 0; i < count; i++) {
        CHECK_OK(capos_thread_join(threads[i], &code));
        CHECK_EQ(code, 5 * PAGES);
    }
}

// ---- Stack overflow ------------------------------------------------------------------------

static void end_the_thread(struct capos_fault_frame *frame, void *)
{
    capos_thread_exit(frame->fault);
}

// Not a tail call: each level needs its frame.
[[gnu::noinline]] static int recurse(volatile uint64_t *above)
{
    volatile uint64_t frame[16] = {*above + 1};
    return (frame[0] == 0 ? 0 : recurse(frame)) + (int)frame[0];
}

static int overflow(void *)
{
    uint64_t depth = 0;
    if (capos_fault_handler_set(end_the_thread, nullptr, stack, sizeof stack) != STATUS_OK)
        return -1;
    return recurse(&depth);
}

static void a_handler_has_a_stack_when_the_thread_has_none_left(void)
{
    struct capos_thread *thread;
    int64_t code;
    if (!CHECK_OK(capos_thread_create(&thread, overflow, nullptr, nullptr)))
        return;
    CHECK_OK(capos_thread_join(thread, &code));
    CHECK_EQ(code, FAULT_KIND_GUARD_PAGE);
}

// ---- What ends the process -----------------------------------------------------------------

static const struct test_child_grant *grants(void)
{
    static struct test_child_grant list[2];
    list[0] = test_lend("memory", test_memory().id);
    list[1] = test_lend("thread", test_grant("thread", INTERFACE_THREAD_CONTROL));
    return list;
}

static int fault_with(handler_function *handler)
{
    EXPECT_OK(capos_fault_handler_set(handler, nullptr, stack, sizeof stack));
    touch(NOWHERE);
    return 0;
}

static void fault_again(struct capos_fault_frame *, void *)
{
    touch(0x500);
}

static int child_faults_in_its_handler(void)
{
    return fault_with(fault_again);
}

static void want_ports(struct capos_fault_frame *frame, void *)
{
    frame->registers.rflags |= 0x3000; // IOPL 3
}

static int child_wants_the_ports(void)
{
    return fault_with(want_ports);
}

static void go_into_the_kernel(struct capos_fault_frame *frame, void *)
{
    frame->registers.rip = 0xffffffff80000000;
}

static int child_goes_into_the_kernel(void)
{
    return fault_with(go_into_the_kernel);
}

static int child_has_no_room_for_the_frame(void)
{
    thread_control_cap control;
    EXPECT_OK(thread_control_cap_find("thread", &control));
    EXPECT_OK(thread_control_set_fault_handler(control, 0x10000, 0x20000, 0x30000));
    touch(NOWHERE);
    return 0;
}

static int child_withdraws_its_handler(void)
{
    EXPECT_OK(capos_fault_handler_set(fault_again, nullptr, stack, sizeof stack));
    EXPECT_OK(capos_fault_handler_set(nullptr, nullptr, nullptr, 0));
    touch(NOWHERE);
    return 0;
}

// Each ends with the first fault that was not repaired.
static void what_no_handler_repairs_ends_the_process(void)
{
    static const char *const roles[] = {"faults in its handler", "wants the ports",
                                        "goes into the kernel", "has no room for the frame",
                                        "withdraws its handler"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct test_end end = {};
        CHECK_FAULTS(roles[i], grants(), 2, FAULT_KIND_UNMAPPED, &end);
        CHECK_EQ(end.fault_address, NOWHERE);
    }
}

// Faults twice: the second time with a stack pointer that is no address at all.
static void break_the_stack_pointer(struct capos_fault_frame *frame, void *)
{
    static const uint64_t broken = UINT64_C(1) << 63;
    if (frame->registers.rsp == broken)
        capos_thread_exit(0);
    frame->registers.rsp = broken;
}

static int child_breaks_its_stack_pointer(void)
{
    (void)fault_with(break_the_stack_pointer);
    return __LINE__;
}

static void a_handler_needs_nothing_of_the_stack_pointer_that_was(void)
{
    CHECK_CHILD("breaks its stack pointer", grants(), 2);
}

// ---- The end of a thread that is in its handler --------------------------------------------

static void wait_in_the_handler(struct capos_fault_frame *, void *context)
{
    const notification_cap *there = context;
    if (notification_signal(*there, 1) != STATUS_OK)
        capos_thread_exit(EXIT_FAILURE);
    for (;;)
        capos_thread_yield();
}

static int child_stays_in_its_handler(void)
{
    notification_cap there;
    EXPECT_OK(notification_cap_find("there", &there));
    EXPECT_OK(capos_fault_handler_set(wait_in_the_handler, &there, stack, sizeof stack));
    touch(NOWHERE);
    return 0;
}

static void a_process_is_killed_in_its_handler(void)
{
    notification_cap there;
    process_handle_cap process;
    struct test_end end;
    if (!CHECK_OK(memory_budget_create_notification(test_budget(), &there)))
        return;
    struct test_child_grant list[3] = {grants()[0], grants()[1], test_lend("there", there.id)};
    if (CHECK_OK(test_start("stays in its handler", nullptr, 0, list, 3, &process))) {
        CHECK_OK(notification_wait(there, 1, nullptr));
        CHECK_OK(process_handle_kill(process));
        CHECK_OK(test_wait(process, &end));
        CHECK_EQ(end.kind, END_KIND_KILLED);
    }
    notification_cap_release(&there);
}

// ---- Arguments -------------------------------------------------------------------------------

static void bad_arguments_are_refused(void)
{
    thread_control_cap control = {test_grant("thread", INTERFACE_THREAD_CONTROL)};
    CHECK_STATUS(thread_control_set_fault_handler(control, UINT64_MAX, 0, 0),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(thread_control_set_fault_handler(control, 0x1000, 0x1000, 4),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(thread_control_resume(control, 8), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(
        capos_fault_handler_set(fault_again, nullptr, stack, CAPOS_FAULT_STACK_BYTES_MIN - 1),
        STATUS_INVALID_ARGUMENT);
}

static void registers_that_user_code_cannot_have_are_refused(void)
{
    static const uint64_t places[] = {0x7ffffffff000, UINT64_C(1) << 47, UINT64_C(0xffff) << 47,
                                      0xffffffff80000000, UINT64_MAX};
    thread_control_cap control = {test_grant("thread", INTERFACE_THREAD_CONTROL)};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct capos_fault_frame frame = {.registers = {.rip = places[i]}};
        CHECK_STATUS(thread_control_resume(control, (uint64_t)&frame), STATUS_INVALID_ARGUMENT);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        struct capos_fault_frame frame = {.registers = {.rflags = UINT64_C(1) << bit}};
        if ((frame.registers.rflags & CAPOS_RFLAGS_ALLOWED) == 0)
            CHECK_STATUS(thread_control_resume(control, (uint64_t)&frame),
                         STATUS_INVALID_ARGUMENT);
    }
}

static int child_has_no_thread_control(void)
{
    EXPECT(capos_fault_handler_set(fault_again, nullptr, stack, sizeof stack) ==
           STATUS_NOT_FOUND);
    return 0;
}

static void without_the_grant_faults_are_not_handled(void)
{
    CHECK_CHILD("has no thread control", nullptr, 0);
}

static void tests(void)
{
    RUN(a_page_is_provided_where_it_is_touched);
    RUN(the_kind_and_the_access_are_told);
    RUN(each_thread_handles_its_own_faults);
    RUN(a_handler_has_a_stack_when_the_thread_has_none_left);
    RUN(what_no_handler_repairs_ends_the_process);
    RUN(a_handler_needs_nothing_of_the_stack_pointer_that_was);
    RUN(a_process_is_killed_in_its_handler);
    RUN(bad_arguments_are_refused);
    RUN(registers_that_user_code_cannot_have_are_refused);
    RUN(without_the_grant_faults_are_not_handled);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"faults in its handler", child_faults_in_its_handler},
        {"wants the ports", child_wants_the_ports},
        {"goes into the kernel", child_goes_into_the_kernel},
        {"has no room for the frame", child_has_no_room_for_the_frame},
        {"withdraws its handler", child_withdraws_its_handler},
        {"breaks its stack pointer", child_breaks_its_stack_pointer},
        {"stays in its handler", child_stays_in_its_handler},
        {"has no thread control", child_has_no_thread_control},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
