// SPDX-License-Identifier: MIT
// ProcessSpawner, ProcessBuilder, ProcessHandle: building, running, ending, and that
// nothing stays behind, however a process ends.
#include <capos/test.h>

#include <abi/load.h>
#include <capos/syscall.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t BUSY_SPLIT_PAGES = 32;
constexpr uint64_t CODE = 0x400000;  // where hand-made processes have their code
constexpr uint64_t STACK = 0x600000; // and the first byte above their stack

// ---- Roles: how processes end ------------------------------------------------------------

static int child_exits(void)
{
    capos_exit_now(strtoll(test_argument(0), nullptr, 10));
}

static int child_divides_by_zero(void)
{
    volatile int seven = 7, zero = 0;
    return seven / zero;
}

static int child_overflows_a_quotient(void)
{
    volatile int lowest = INT32_MIN, minus_one = -1;
    return lowest / minus_one;
}

static int child_executes_an_undefined_instruction(void)
{
    capos_trap();
}

static int child_touches_a_non_canonical_address(void)
{
    return *(volatile int *)0x8000000000000000;
}

static int child_touches_the_kernel(void)
{
    return *(volatile int *)0xffffffff80000000;
}

static int child_hits_a_breakpoint(void)
{
    __builtin_debugtrap();
    return __LINE__;
}

static int child_unmasks_a_floating_point_exception(void)
{
    volatile double one = 1, nothing = 0;
    __builtin_ia32_ldmxcsr(0x1f80 & ~0x200u); // division by zero
    volatile double quotient = one / nothing;
    return (int)quotient + __LINE__;
}

static int child_reads_unaligned_with_the_check_on(void)
{
    static const uint64_t words[2];
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | 1u << 18); // AC
    const volatile uint32_t *unaligned = (const volatile uint32_t *)((const char *)words + 1);
    uint32_t word = *unaligned;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(1ull << 18));
    return (int)word + __LINE__;
}

static int child_single_steps(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | 1u << 8); // TF
    return __LINE__;
}

// ---- Roles: running ------------------------------------------------------------------------

static int child_spins(void)
{
    for (volatile uint64_t i = 0;; i++) {
    }
}

static int child_waits_for_a_bell(void)
{
    notification_cap bell;
    EXPECT_OK(notification_cap_find("bell", &bell));
    EXPECT_OK(notification_wait(bell, 1, nullptr));
    return 0;
}

static int child_rings_the_bell(void)
{
    notification_cap bell;
    EXPECT_OK(notification_cap_find("bell", &bell));
    EXPECT_OK(notification_signal(bell, 1));
    return 0;
}

static int child_makes_a_builder(void)
{
    process_spawner_cap spawner;
    memory_budget_cap budget;
    process_builder_cap builder, inner;
    EXPECT_OK(process_spawner_cap_find("spawner", &spawner));
    EXPECT_OK(memory_budget_cap_find("budget", &budget));
    EXPECT_OK(process_spawner_create(spawner, "outer", 5, budget, &builder));
    EXPECT_OK(process_spawner_create(spawner, "inner", 5, budget, &inner));
    EXPECT_OK(process_builder_commit(inner, CODE, 4 * PAGE, PROTECTION_READ_WRITE));
    EXPECT_OK(
        process_builder_grant_transfer(builder, "inner", 5, capos_transfer_move(inner.id)));
    return 0; // a builder within a builder is left to the kernel
}

// Something of everything, for ever.
static int child_is_busy(void)
{
    virtual_memory_cap memory;
    memory_budget_cap budget;
    process_spawner_cap spawner;
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(memory_budget_cap_find("budget", &budget));
    EXPECT_OK(process_spawner_cap_find("spawner", &spawner));
    for (;;) {
        memory_budget_cap part = {};
        memory_object_cap object = {};
        notification_cap notification = {};
        endpoint_cap endpoint = {};
        process_builder_cap builder = {};
        struct capos_call waiting;
        capos_cap_id minted = 0;
        uint64_t address = 0;
        EXPECT_OK(memory_budget_split(budget, BUSY_SPLIT_PAGES * PAGE, &part));
        EXPECT_OK(memory_budget_create_memory_object(part, 8 * PAGE, &object));
        EXPECT_OK(memory_budget_create_notification(part, &notification));
        EXPECT_OK(memory_budget_create_endpoint(part, 4, &endpoint));
        EXPECT_OK(endpoint_mint(endpoint, TEST_INTERFACE, 1, &minted));
        EXPECT_OK(notification_wait_begin(&waiting, notification, 1));
        EXPECT_OK(process_spawner_create(spawner, "never", 5, budget, &builder));
        EXPECT_OK(process_builder_map(builder, object, 0, PAGE, CODE, PROTECTION_READ));
        EXPECT_OK(process_builder_grant(builder, "endpoint", 8, endpoint.id));
        EXPECT_OK(virtual_memory_map(memory, object, 0, 8 * PAGE, 0, PROTECTION_READ_WRITE,
                                     &address));
        memset((void *)address, 1, 8 * PAGE);
        EXPECT_OK(virtual_memory_unmap(memory, address, 8 * PAGE));
        capos_call_cancel(&waiting);
        EXPECT(notification_wait_finish(&waiting, nullptr) == STATUS_CANCELLED);
        process_builder_cap_release(&builder);
        capos_release(minted);
        endpoint_cap_release(&endpoint);
        notification_cap_release(&notification);
        memory_object_cap_release(&object);
        memory_budget_cap_release(&part);
    }
}

static int child_holds_what_it_was_granted(void)
{
    EXPECT(capos_capset_count() == 3);
    EXPECT(strcmp(capos_capset_at(0)->name, "first") == 0);
    EXPECT(strcmp(capos_capset_at(1)->name, "second") == 0);
    EXPECT(strcmp(capos_capset_at(2)->name, "a name of thirty-one characters") == 0);
    EXPECT(capos_capset_at(3) == nullptr);
    EXPECT(capos_capset_at(0)->interface_id == INTERFACE_NOTIFICATION);
    EXPECT(capos_capset_at(1)->interface_id == INTERFACE_MEMORY_BUDGET);
    return 0;
}

// ---- Helpers ---------------------------------------------------------------------------------

static process_spawner_cap spawner(void)
{
    return (process_spawner_cap){test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
}

static process_builder_cap builder_create(const char *name)
{
    process_builder_cap builder = {};
    CHECK_OK(process_spawner_create(spawner(), name, strlen(name), test_budget(), &builder));
    return builder;
}

// An object with code at its start.
static memory_object_cap code_create(const uint8_t *code, size_t code_bytes)
{
    memory_object_cap object = {};
    uint64_t address;
    CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &object));
    if (CHECK_OK(virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE,
                                    &address))) {
        memcpy((void *)address, code, code_bytes);
        CHECK_OK(virtual_memory_unmap(test_memory(), address, PAGE));
    }
    return object;
}

static notification_cap bell_create(void)
{
    notification_cap bell = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    return bell;
}

static void check_killed(process_handle_cap process)
{
    struct test_end end;
    if (!CHECK_OK(test_wait(process, &end)))
        return;
    CHECK_EQ(end.kind, END_KIND_KILLED);
    CHECK_EQ(end.exit_code, 0);
    CHECK_EQ(end.fault, FAULT_KIND_NONE);
}

// ---- Tests: authority --------------------------------------------------------------------------

static void spawner_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("spawner", INTERFACE_PROCESS_SPAWNER);
}

static void spawner_works_for_whom_it_was_granted_and_discards_what_it_leaves(void)
{
    const struct test_child_grant grants[] = {test_lend("spawner", spawner().id),
                                              test_lend("budget", test_budget().id)};
    CHECK_CHILD("makes a builder", grants, 2);
}

static void a_process_holds_exactly_what_it_was_granted_in_that_order(void)
{
    notification_cap bell = bell_create();
    const struct test_child_grant grants[] = {
        test_lend("first", bell.id),
        test_lend("second", test_budget().id),
        test_lend("a name of thirty-one characters", bell.id),
    };
    CHECK_CHILD("holds what it was granted", grants, 3);
    notification_cap_release(&bell);
}

// ---- Tests: ends ----------------------------------------------------------------------------

static void the_exit_code_comes_back_whole(void)
{
    static const char *const codes[] = {
        "0", "1", "255", "-1", "4294967296", "9223372036854775807", "-9223372036854775808"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        process_handle_cap process;
        struct test_end end = {};
        if (!CHECK_OK(test_start("exits", &codes[i], 1, nullptr, 0, &process)) ||
            !CHECK_OK(test_wait(process, &end)))
            return;
        CHECK_EQ(end.kind, END_KIND_EXITED);
        CHECK_EQ(end.exit_code, strtoll(codes[i], nullptr, 10));
        CHECK_EQ(end.fault, FAULT_KIND_NONE);
        CHECK_EQ(end.instruction_pointer, 0);
    }
}

static void a_fault_ends_the_process_with_its_kind(void)
{
    static const struct {
        const char *role;
        enum fault_kind fault;
    } faults[] = {
        {"divides by zero", FAULT_KIND_DIVIDE},
        {"overflows a quotient", FAULT_KIND_DIVIDE},
        {"executes an undefined instruction", FAULT_KIND_ILLEGAL_INSTRUCTION},
        {"touches a non-canonical address", FAULT_KIND_GENERAL_PROTECTION},
        {"hits a breakpoint", FAULT_KIND_BREAKPOINT},
        {"single-steps", FAULT_KIND_BREAKPOINT},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct test_end end = {};
        if (CHECK_FAULTS(faults[i].role, nullptr, 0, faults[i].fault, &end))
            CHECK(end.instruction_pointer != 0 && end.stack_pointer != 0);
        else
            test_fail(__FILE__, __LINE__, "in the child that %s", faults[i].role);
    }
}

static void an_access_to_the_kernel_ends_the_process(void)
{
    process_handle_cap process;
    struct test_end end = {};
    if (CHECK_OK(test_start("touches the kernel", nullptr, 0, nullptr, 0, &process)) &&
        CHECK_OK(test_wait(process, &end))) {
        CHECK_EQ(end.kind, END_KIND_FAULTED);
        CHECK(end.fault == FAULT_KIND_UNMAPPED || end.fault == FAULT_KIND_PROTECTION);
        CHECK_EQ(end.fault_address, 0xffffffff80000000);
    }
}

// Faults that QEMU's emulation doesn't raise and a CPU does: if they come, as this kind.
static void check_fault_where_it_is_raised(const char *role, enum fault_kind fault)
{
    process_handle_cap process;
    struct test_end end = {};
    if (!CHECK_OK(test_start(role, nullptr, 0, nullptr, 0, &process)) ||
        !CHECK_OK(test_wait(process, &end)))
        return;
    if (end.kind == END_KIND_EXITED)
        test_skip("this machine doesn't raise the exception");
    else
        CHECK_EQ(end.fault, fault);
}

static void an_unaligned_access_under_check_is_its_own_kind_of_fault(void)
{
    check_fault_where_it_is_raised("reads unaligned with the check on", FAULT_KIND_ALIGNMENT);
}

static void an_unmasked_sse_exception_is_its_own_kind_of_fault(void)
{
    check_fault_where_it_is_raised("unmasks a floating-point exception",
                                   FAULT_KIND_FLOATING_POINT);
}

static void kill_ends_a_process_that_spins(void)
{
    process_handle_cap process;
    if (!CHECK_OK(test_start("spins", nullptr, 0, nullptr, 0, &process)))
        return;
    CHECK_OK(timer_sleep(test_timer(), 2'000'000));
    CHECK_OK(process_handle_kill(process));
    CHECK_OK(process_handle_kill(process)); // twice is no error
    check_killed(process);
}

static void kill_ends_a_process_that_waits(void)
{
    notification_cap bell = bell_create();
    const struct test_child_grant grants[] = {test_lend("bell", bell.id)};
    process_handle_cap process;
    if (CHECK_OK(test_start("waits for a bell", nullptr, 0, grants, 1, &process))) {
        CHECK_OK(timer_sleep(test_timer(), 2'000'000));
        CHECK_OK(process_handle_kill(process));
        check_killed(process);
    }
    notification_cap_release(&bell);
}

static void kill_ends_a_process_that_never_ran(void)
{
    process_handle_cap process;
    if (!CHECK_OK(test_start("spins", nullptr, 0, nullptr, 0, &process)))
        return;
    CHECK_OK(process_handle_kill(process));
    check_killed(process);
}

static void kill_of_an_ended_process_changes_nothing(void)
{
    static const char *const code[] = {"7"};
    process_handle_cap process;
    struct test_end end = {};
    if (!CHECK_OK(test_start("exits", code, 1, nullptr, 0, &process)))
        return;
    CHECK_OK(process_handle_wait(process, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                                 nullptr));
    CHECK_OK(process_handle_kill(process));
    CHECK_OK(test_wait(process, &end));
    CHECK_EQ(end.kind, END_KIND_EXITED);
    CHECK_EQ(end.exit_code, 7);
}

static void every_waiter_gets_the_same_answer(void)
{
    enum { WAITERS = 8 };
    notification_cap bell = bell_create();
    const struct test_child_grant grants[] = {test_lend("bell", bell.id)};
    struct capos_call waits[WAITERS];
    process_handle_cap process;
    struct test_end end;
    if (CHECK_OK(test_start("waits for a bell", nullptr, 0, grants, 1, &process))) {
        for (size_t i = 0; i < WAITERS; i++)
            CHECK_OK(process_handle_wait_begin(&waits[i], process));
        CHECK_OK(notification_signal(bell, 1));
        for (size_t i = 0; i < WAITERS; i++) {
            enum end_kind kind = END_KIND_RUNNING;
            int64_t code = 1;
            CHECK_OK(process_handle_wait_finish(&waits[i], &kind, &code, nullptr, nullptr,
                                                nullptr, nullptr, nullptr));
            CHECK_EQ(kind, END_KIND_EXITED);
            CHECK_EQ(code, 0);
        }
        CHECK_OK(test_wait(process, &end)); // and so does a late one
        CHECK_EQ(end.kind, END_KIND_EXITED);
    }
    notification_cap_release(&bell);
}

static void a_wait_is_cancelled(void)
{
    process_handle_cap process;
    struct capos_call wait;
    if (!CHECK_OK(test_start("spins", nullptr, 0, nullptr, 0, &process)))
        return;
    CHECK_OK(process_handle_wait_begin(&wait, process));
    capos_call_cancel(&wait);
    CHECK_STATUS(process_handle_wait_finish(&wait, nullptr, nullptr, nullptr, nullptr, nullptr,
                                            nullptr, nullptr),
                 STATUS_CANCELLED);
    CHECK_OK(process_handle_kill(process));
    check_killed(process);
}

static void releasing_the_handle_leaves_the_process_running(void)
{
    notification_cap bell = bell_create();
    const struct test_child_grant grants[] = {test_lend("bell", bell.id)};
    uint64_t before = test_charged_bytes();
    process_handle_cap process;
    if (CHECK_OK(test_start("rings the bell", nullptr, 0, grants, 1, &process))) {
        process_handle_cap_release(&process);
        CHECK_OK(notification_wait(bell, 1, nullptr));
        // Until it has ended, it is charged to the budget whose count the harness compares.
        while (test_charged_bytes() > before + 2 * PAGE)
            CHECK_OK(timer_sleep(test_timer(), 1'000'000));
    }
    notification_cap_release(&bell);
}

static void info_tells_what_is_known(void)
{
    notification_cap bell = bell_create();
    const struct test_child_grant grants[] = {test_lend("bell", bell.id)};
    process_handle_cap process;
    uint64_t id = 0, capability_count = 0, later_id = 0;
    char name[64] = "";
    enum end_kind kind = END_KIND_KILLED;
    struct test_end end;
    if (CHECK_OK(test_start("waits for a bell", nullptr, 0, grants, 1, &process))) {
        CHECK_OK(process_handle_info(process, &id, name, sizeof name, nullptr, &kind,
                                     &capability_count, nullptr));
        CHECK(id != 0 && id != capos_process_id());
        CHECK(strcmp(name, "waits for a bell") == 0);
        CHECK_EQ(kind, END_KIND_RUNNING);
        CHECK_EQ(capability_count, 1);
        CHECK_OK(notification_signal(bell, 1));
        CHECK_OK(process_handle_wait(process, nullptr, nullptr, nullptr, nullptr, nullptr,
                                     nullptr, nullptr));
        CHECK_OK(process_handle_info(process, &later_id, name, sizeof name, nullptr, &kind,
                                     &capability_count, nullptr));
        CHECK_EQ(later_id, id);
        CHECK_EQ(kind, END_KIND_EXITED);
        CHECK_EQ(capability_count, 0);
        CHECK_OK(test_wait(process, &end));
    }
    notification_cap_release(&bell);
}

// ---- Tests: builders ---------------------------------------------------------------------------

static void a_builder_that_is_released_leaves_nothing(void)
{
    notification_cap bell = bell_create();
    process_builder_cap builder = builder_create("discarded");
    CHECK_OK(process_builder_commit(builder, CODE, 16 * PAGE, PROTECTION_READ_WRITE));
    CHECK_OK(process_builder_grant(builder, "bell", 4, bell.id));
    process_builder_cap_release(&builder);
    notification_cap_release(&bell);
}

static void the_first_failure_spoils_the_builder(void)
{
    process_builder_cap builder = builder_create("spoiled");
    CHECK_OK(process_builder_commit(builder, CODE, PAGE, PROTECTION_READ));
    CHECK_STATUS(process_builder_commit(builder, 1, PAGE, PROTECTION_READ),
                 STATUS_INVALID_ARGUMENT);
    char reason[201];
    strcpy(reason, capos_last_exception()->reason);
    CHECK_STATUS(process_builder_commit(builder, STACK, PAGE, PROTECTION_READ_WRITE),
                 STATUS_INVALID_ARGUMENT);
    CHECK(strcmp(capos_last_exception()->reason, reason) == 0);
    CHECK_STATUS(process_builder_start(builder, CODE, STACK, 0, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK(strcmp(capos_last_exception()->reason, reason) == 0);
    process_builder_cap_release(&builder);
}

static void a_builder_is_spent_by_its_start(void)
{
    static const uint8_t code[] = {0xeb, 0xfe}; // jmp $
    memory_object_cap object = code_create(code, sizeof code);
    process_builder_cap builder = builder_create("spent");
    process_handle_cap process;
    CHECK_OK(process_builder_map(builder, object, 0, PAGE, CODE, PROTECTION_READ_EXECUTE));
    if (CHECK_OK(process_builder_start(builder, CODE, STACK, 0, &process))) {
        CHECK_STATUS(process_builder_commit(builder, STACK, PAGE, PROTECTION_READ),
                     STATUS_FAILED);
        CHECK_STATUS(process_builder_start(builder, CODE, STACK, 0, nullptr), STATUS_FAILED);
        CHECK_OK(process_handle_kill(process));
        check_killed(process);
    }
    process_builder_cap_release(&builder);
    memory_object_cap_release(&object);
}

static void a_process_is_built_in_one_batch(void)
{
    static const uint8_t code[] = {0x0f, 0x0b}; // ud2
    memory_object_cap object = code_create(code, sizeof code);
    process_builder_cap builder = builder_create("batch");
    struct capos_call map, commit, grant, start;
    process_handle_cap process = {};
    struct test_end end = {};
    CHECK_OK(process_builder_map_begin(&map, builder, object, 0, PAGE, CODE,
                                       PROTECTION_READ_EXECUTE));
    CHECK_OK(process_builder_commit_begin(&commit, builder, STACK - PAGE, PAGE,
                                          PROTECTION_READ_WRITE));
    CHECK_OK(process_builder_grant_begin(&grant, builder, "budget", 6, test_budget().id));
    CHECK_OK(process_builder_start_begin(&start, builder, CODE, STACK, 0));
    CHECK_OK(process_builder_start_finish(&start, &process));
    CHECK(capos_call_is_done(&map) && capos_call_is_done(&commit));
    CHECK_OK(process_builder_map_finish(&map));
    CHECK_OK(process_builder_commit_finish(&commit));
    CHECK_OK(process_builder_grant_finish(&grant));
    CHECK_OK(test_wait(process, &end));
    CHECK_EQ(end.fault, FAULT_KIND_ILLEGAL_INSTRUCTION);
    CHECK_EQ(end.instruction_pointer, CODE);
    CHECK_EQ(end.stack_pointer, STACK);
    process_builder_cap_release(&builder);
    memory_object_cap_release(&object);
}

// Each of these spoils a builder of its own.
static void check_map(uint64_t offset_bytes, uint64_t length_bytes, uint64_t address,
                      enum protection protection, enum status expected)
{
    memory_object_cap object = {}, view = {};
    process_builder_cap builder = builder_create("map");
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 2 * PAGE, &object));
    CHECK_OK(memory_object_view(object, 0, 2 * PAGE, false, false, &view));
    CHECK_STATUS(
        process_builder_map(builder, view, offset_bytes, length_bytes, address, protection),
        expected);
    process_builder_cap_release(&builder);
    memory_object_cap_release(&view);
    memory_object_cap_release(&object);
}

static void map_refuses_what_the_object_or_the_space_forbids(void)
{
    check_map(0, 2 * PAGE, CODE, PROTECTION_READ, STATUS_OK);
    check_map(0, PAGE, CODE, PROTECTION_READ_WRITE, STATUS_INVALID_ARGUMENT);
    check_map(0, PAGE, CODE, PROTECTION_READ_EXECUTE, STATUS_INVALID_ARGUMENT);
    check_map(0, PAGE, CODE, (enum protection)9, STATUS_BAD_MESSAGE);
    check_map(0, 3 * PAGE, CODE, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
    check_map(PAGE, 2 * PAGE, CODE, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
    check_map(0, 0, CODE, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
    check_map(0, PAGE, 0, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
    check_map(0, PAGE, 0x1000, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
    check_map(0, PAGE, CODE + 8, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
    check_map(0, PAGE, 0x7ffffffff000, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
    check_map(0, PAGE, 0xffffffff80000000, PROTECTION_READ, STATUS_INVALID_ARGUMENT);
}

static void two_mappings_do_not_overlap(void)
{
    process_builder_cap builder = builder_create("overlap");
    CHECK_OK(process_builder_commit(builder, CODE, 4 * PAGE, PROTECTION_READ));
    CHECK_STATUS(process_builder_commit(builder, CODE + 3 * PAGE, PAGE, PROTECTION_READ),
                 STATUS_FAILED);
    process_builder_cap_release(&builder);
}

// A file whose bytes tell their place.
static memory_object_cap file_create(uint8_t *out_bytes)
{
    memory_object_cap file = {};
    uint64_t address = 0;
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 4 * PAGE, &file));
    CHECK_OK(virtual_memory_map(test_memory(), file, 0, 3 * PAGE, 0, PROTECTION_READ_WRITE,
                                &address)); // the last page is never touched
    for (uint64_t i = 0; i < 3 * PAGE; i++)
        out_bytes[i] = ((uint8_t *)address)[i] = (uint8_t)(i * 7 + i / PAGE);
    memset(out_bytes + 3 * PAGE, 0, PAGE);
    CHECK_OK(virtual_memory_unmap(test_memory(), address, 3 * PAGE));
    return file;
}

// A program copies what it was loaded with into an object, from which the test reads.
static void load_puts_each_byte_where_it_belongs(void)
{
    static uint8_t bytes[4 * 4096], page[4096];
    // mov rsi, rdx; mov ecx, 0x6000; mov rdi, [rsi + 0x6000]; rep movsb; ud2
    static const uint8_t code[] = {0x48, 0x89, 0xd6, 0xb9, 0x00, 0x60, 0x00, 0x00, 0x48, 0x8b,
                                   0xbe, 0x00, 0x60, 0x00, 0x00, 0xf3, 0xa4, 0x0f, 0x0b};
    constexpr uint64_t out = 0x900000, at = 0x700000;
    memory_object_cap file = file_create(bytes), program = code_create(code, sizeof code);
    memory_object_cap copy = {};
    process_builder_cap builder = builder_create("loaded");
    const struct capos_load_piece pieces[] = {
        {at, 2 * PAGE, 0x1000, 0, CAPOS_LOAD_MAP, PROTECTION_READ, 0, 0},
        {at + 2 * PAGE, 3 * PAGE, 0xe10, 0x12f0, CAPOS_LOAD_COMMIT, PROTECTION_READ, 0, 0},
        {at + 5 * PAGE, PAGE, 0x2ff8, 0x208, CAPOS_LOAD_COMMIT, PROTECTION_NONE, 0, 0},
        {at + 6 * PAGE, PAGE, 0, 0, CAPOS_LOAD_COMMIT, PROTECTION_READ_WRITE, 0, 0},
    };
    struct capos_load_piece readable[4];
    memcpy(readable, pieces, sizeof pieces);
    readable[2].offset_bytes = 0x2e00; // ends in the page that was never touched
    readable[2].copy_bytes = 0x200;
    readable[2].protection = PROTECTION_READ;
    CHECK_STATUS(process_builder_load(builder, file, pieces, sizeof pieces, 0, nullptr, 0),
                 STATUS_INVALID_ARGUMENT); // 0x2ff8 + 0x208 doesn't fit into its page
    process_builder_cap_release(&builder);

    builder = builder_create("loaded");
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 6 * PAGE, &copy));
    CHECK_OK(process_builder_load(builder, file, readable, sizeof readable, at + 6 * PAGE, &out,
                                  sizeof out));
    CHECK_OK(process_builder_map(builder, program, 0, PAGE, CODE, PROTECTION_READ_EXECUTE));
    CHECK_OK(process_builder_map(builder, copy, 0, 6 * PAGE, out, PROTECTION_READ_WRITE));
    process_handle_cap process = {};
    struct test_end end = {};
    CHECK_OK(process_builder_start(builder, CODE, STACK, at, &process));
    CHECK_OK(test_wait(process, &end));
    CHECK_EQ(end.fault, FAULT_KIND_ILLEGAL_INSTRUCTION);
    for (uint64_t i = 0; i < 6; i++) {
        static uint8_t expected[4096];
        memset(expected, 0, sizeof expected);
        if (i < 2)
            memcpy(expected, bytes + (1 + i) * PAGE, PAGE);
        if (i == 2)
            memcpy(expected + 0xe10, bytes + 0xe10, 0x1f0);
        if (i == 3)
            memcpy(expected, bytes + 0x1000, 0x1000);
        if (i == 4)
            memcpy(expected, bytes + 0x2000, 0x100);
        if (i == 5)
            memcpy(expected + 0xe00, bytes + 0x2e00, 0x200);
        size_t size;
        CHECK_OK(memory_object_read(copy, i * PAGE, (uint32_t)PAGE, page, sizeof page, &size));
        CHECK(memcmp(page, expected, PAGE) == 0);
    }
    process_builder_cap_release(&builder);
    memory_object_cap_release(&copy);
    memory_object_cap_release(&program);
    memory_object_cap_release(&file);
}

// Each of these spoils a builder of its own.
static void check_pieces(const struct capos_load_piece *pieces, size_t pieces_bytes,
                         uint64_t address, size_t contents_bytes, enum status expected)
{
    static const uint8_t contents[4096];
    memory_object_cap object = {}, view = {};
    process_builder_cap builder = builder_create("load");
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 100 * PAGE, &object));
    CHECK_OK(memory_object_view(object, 0, 100 * PAGE, false, false, &view));
    CHECK_STATUS(process_builder_load(builder, view, pieces, pieces_bytes, address, contents,
                                      contents_bytes),
                 expected);
    process_builder_cap_release(&builder);
    memory_object_cap_release(&view);
    memory_object_cap_release(&object);
}

static void check_load(struct capos_load_piece piece, size_t pieces_bytes, uint64_t address,
                       size_t contents_bytes, enum status expected)
{
    struct capos_load_piece pieces[2] = {piece, piece};
    check_pieces(pieces, pieces_bytes, address, contents_bytes, expected);
}

// The kernel commits what lies together at once; each piece is looked at all the same.
static void load_refuses_pieces_that_only_their_sum_makes_good(void)
{
    constexpr enum status ok = STATUS_OK, bad = STATUS_INVALID_ARGUMENT;
    constexpr uint8_t commit = CAPOS_LOAD_COMMIT, write = PROTECTION_READ_WRITE;
    constexpr uint64_t all = UINT64_MAX & ~(PAGE - 1);
    static const struct {
        struct capos_load_piece pieces[3];
        enum status expected;
    } cases[] = {
        {{{CODE, PAGE, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, 2 * PAGE, 0, PAGE + 8, commit, write, 0, 0},
          {CODE + 3 * PAGE, PAGE, 8, 8, commit, write, 0, 0}},
         ok},
        {{{CODE, PAGE, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, PAGE, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, PAGE, 0, 8, commit, write, 0, 0}},
         STATUS_FAILED}, // the range is taken
        {{{CODE, PAGE - 8, 0, 8, commit, write, 0, 0},
          {CODE + PAGE - 8, 8, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, PAGE, 0, 8, commit, write, 0, 0}},
         bad},
        {{{CODE, PAGE, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, PAGE / 2, 0, 8, commit, write, 0, 0},
          {CODE + PAGE + PAGE / 2, PAGE / 2, 0, 8, commit, write, 0, 0}},
         bad},
        {{{CODE, PAGE, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, 0, 0, 0, commit, write, 0, 0},
          {CODE + PAGE, PAGE, 0, 8, commit, write, 0, 0}},
         bad},
        {{{CODE, all, 0, 8, commit, write, 0, 0},
          {CODE - PAGE, 2 * PAGE, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, PAGE, 0, 8, commit, write, 0, 0}},
         bad},
        {{{CODE, PAGE, 0, 8, commit, write, 0, 0},
          {CODE + PAGE, PAGE, 8, PAGE, commit, write, 0, 0}, // more than fits
          {CODE + 2 * PAGE, PAGE, 0, 8, commit, write, 0, 0}},
         bad},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_pieces(cases[i].pieces, sizeof cases[i].pieces, 0, 0, cases[i].expected);
}

static void load_refuses_what_no_piece_may_be(void)
{
    constexpr enum status ok = STATUS_OK, bad = STATUS_INVALID_ARGUMENT;
    constexpr uint8_t map = CAPOS_LOAD_MAP, commit = CAPOS_LOAD_COMMIT;
    constexpr uint8_t read = PROTECTION_READ, write = PROTECTION_READ_WRITE;
    static const struct {
        struct capos_load_piece piece;
        enum status expected;
    } cases[] = {
        {{CODE, PAGE, 0, 0, map, read, 0, 0}, ok},
        {{CODE, PAGE, 0, 0, map, write, 0, 0}, bad}, // the file isn't writable
        {{CODE, PAGE, 0, 0, map, PROTECTION_READ_EXECUTE, 0, 0}, bad},
        {{CODE, PAGE, 0, 0, map, 9, 0, 0}, bad},
        {{CODE, PAGE, 0, 0, 2, read, 0, 0}, bad},
        {{CODE, PAGE, 0, 0, map, read, 1, 0}, bad},
        {{CODE, PAGE, 0, 0, map, read, 0, 1}, bad},
        {{CODE, PAGE, 0, 1, map, read, 0, 0}, bad},
        {{CODE, PAGE, 8, 0, map, read, 0, 0}, bad},
        {{CODE, PAGE, 100 * PAGE, 0, map, read, 0, 0}, bad},
        {{0, PAGE, 0, 0, map, read, 0, 0}, bad},
        {{CODE + 1, PAGE, 0, 0, map, read, 0, 0}, bad},
        {{CODE, 0, 0, 0, map, read, 0, 0}, bad},
        {{CODE, PAGE, 0, 0, commit, write, 0, 0}, ok},
        {{CODE, PAGE, 0, PAGE, commit, read, 0, 0}, ok},
        {{CODE, PAGE, UINT64_MAX, 0, commit, write, 0, 0}, ok}, // nothing is copied
        {{0, PAGE, 0, 0, commit, write, 0, 0}, bad},
        {{CODE, PAGE, 0, PAGE + 1, commit, write, 0, 0}, bad},
        {{CODE, PAGE, 1, PAGE, commit, write, 0, 0}, bad},
        {{CODE, PAGE, UINT64_MAX, 1, commit, write, 0, 0}, bad},
        {{CODE, PAGE, 0, UINT64_MAX, commit, write, 0, 0}, bad},
        {{CODE, PAGE, 100 * PAGE - 1, 2, commit, write, 0, 0}, bad},
        {{CODE, 64 * PAGE, 0, 64 * PAGE, commit, write, 0, 0}, ok},
        {{CODE, 65 * PAGE, 1, 64 * PAGE, commit, write, 0, 0}, bad},
        {{0x7ffffffff000, PAGE, 0, 1, commit, write, 0, 0}, bad},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_load(cases[i].piece, sizeof cases[i].piece, 0, 0, cases[i].expected);
    struct capos_load_piece good = cases[13].piece;
    check_load(good, sizeof good - 1, 0, 0, bad);
    check_load(good, 2 * sizeof good, 0, 0, STATUS_FAILED); // both at the same address
    check_load(good, 0, 0, 0, ok);
    check_load(good, sizeof good, CODE, 3072, ok);
    check_load(good, sizeof good, CODE + PAGE - 1, 1, ok);
    check_load(good, sizeof good, CODE + PAGE - 1, 2, bad);
    check_load(good, sizeof good, UINT64_MAX, 2, bad);
    check_load(good, 0, CODE, 1, bad);
    good.protection = PROTECTION_READ;
    check_load(good, sizeof good, CODE, 1, bad);
}

static void check_grant(const char *name, size_t name_bytes, enum status expected)
{
    process_builder_cap builder = builder_create("grant");
    CHECK_OK(process_builder_grant(builder, "taken", 5, test_budget().id));
    CHECK_STATUS(process_builder_grant(builder, name, name_bytes, test_budget().id), expected);
    process_builder_cap_release(&builder);
}

static void the_name_of_a_grant_is_checked(void)
{
    check_grant("a", 1, STATUS_OK);
    check_grant("a name of thirty-one characters", 31, STATUS_OK);
    check_grant("", 0, STATUS_INVALID_ARGUMENT);
    check_grant("taken", 5, STATUS_INVALID_ARGUMENT);
    check_grant("tak", 3, STATUS_OK);
    check_grant("with\0nul", 8, STATUS_INVALID_ARGUMENT);
    check_grant("a name of thirty-two characters!", 32, STATUS_BAD_MESSAGE);
}

static void the_capset_has_an_end(void)
{
    process_builder_cap builder = builder_create("many");
    char name[8];
    for (unsigned i = 0; i < CAPOS_CAPSET_COUNT_MAX; i++) {
        int name_bytes = snprintf(name, sizeof name, "n%u", i);
        if (!CHECK_OK(
                process_builder_grant(builder, name, (size_t)name_bytes, test_budget().id)))
            break;
    }
    CHECK_STATUS(process_builder_grant(builder, "one more", 8, test_budget().id),
                 STATUS_OVERLOADED);
    process_builder_cap_release(&builder);
}

static void a_builder_is_not_granted_to_itself(void)
{
    process_builder_cap builder = builder_create("self");
    CHECK(process_builder_grant_transfer(builder, "self", 4, capos_transfer_move(builder.id)) !=
          STATUS_OK);
    process_builder_cap_release(&builder);
}

static void start_checks_entry_and_stack(void)
{
    static const struct {
        uint64_t entry, stack_pointer;
    } starts[] = {
        {0x8000000000000000, STACK}, {0xffffffff80000000, STACK}, {0x7ffffffff000, STACK},
        {CODE, STACK + 8},           {CODE, 0xffffffff80000000},  {CODE, 0x8000000000000000},
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        process_builder_cap builder = builder_create("start");
        CHECK_STATUS(process_builder_start(builder, starts[i].entry, starts[i].stack_pointer, 0,
                                           nullptr),
                     STATUS_INVALID_ARGUMENT);
        process_builder_cap_release(&builder);
    }
}

static void an_entry_where_nothing_is_mapped_faults_there(void)
{
    process_builder_cap builder = builder_create("nowhere");
    process_handle_cap process;
    struct test_end end = {};
    if (CHECK_OK(process_builder_start(builder, CODE, STACK, 0, &process)) &&
        CHECK_OK(test_wait(process, &end))) {
        CHECK_EQ(end.fault, FAULT_KIND_UNMAPPED);
        CHECK_EQ(end.fault_address, CODE);
        CHECK_EQ(end.instruction_pointer, CODE);
    }
    process_builder_cap_release(&builder);
}

// ---- Tests: many --------------------------------------------------------------------------------

static void two_hundred_processes_in_a_row_leave_nothing(void)
{
    static const char *const code[] = {"3"};
    for (int i = 0; i < 200; i++) {
        process_handle_cap process;
        struct test_end end = {};
        if (!CHECK_OK(test_start("exits", code, 1, nullptr, 0, &process)) ||
            !CHECK_OK(test_wait(process, &end)) || !CHECK_EQ(end.exit_code, 3))
            return;
    }
}

static void many_processes_live_at_once(void)
{
    enum { COUNT = 16 };
    notification_cap bell = bell_create();
    const struct test_child_grant grants[] = {test_lend("bell", bell.id)};
    process_handle_cap processes[COUNT];
    struct test_end end;
    size_t count = 0;
    while (count < COUNT &&
           CHECK_OK(test_start("waits for a bell", nullptr, 0, grants, 1, &processes[count])))
        count++;
    for (size_t i = 0; i < count; i++) {
        // One signal for one waiter; the bit is free again when it was taken.
        CHECK_OK(timer_sleep(test_timer(), 500'000));
        CHECK_OK(notification_signal(bell, 1));
    }
    // Two signals may have met before anyone waited: kill who still waits.
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(process_handle_kill(processes[i]));
        CHECK_OK(test_wait(processes[i], &end));
    }
    notification_cap_release(&bell);
}

static void a_process_is_killed_at_any_instant(void)
{
    const struct test_child_grant grants[] = {
        test_lend("memory", test_memory().id),
        test_lend("budget", test_budget().id),
        test_lend("spawner", spawner().id),
    };
    uint64_t before = test_charged_bytes(), seed = 2024;
    for (int i = 0; i < 60; i++) {
        process_handle_cap process;
        struct test_end end = {};
        seed = seed * 6364136223846793005 + 1442695040888963407;
        if (!CHECK_OK(test_start("is busy", nullptr, 0, grants, 3, &process)))
            return;
        CHECK_OK(timer_sleep(test_timer(), (seed >> 33) % 4'000'000));
        CHECK_OK(process_handle_kill(process));
        CHECK_OK(test_wait(process, &end));
        if (!CHECK_EQ(end.kind, END_KIND_KILLED)) {
            test_fail(__FILE__, __LINE__, "it exited with %lld", (long long)end.exit_code);
            return;
        }
    }
    CHECK(test_charged_bytes() <= before + 2 * PAGE);
}

// The busy process with a budget that ends at its n-th page: it stops at the first error, a
// typed one, or it has enough and is killed.  Either way its budget is whole again.
static void check_busy_within(uint64_t pages)
{
    memory_budget_cap part = {};
    process_handle_cap process;
    struct test_end end = {};
    uint64_t used_bytes = 1;
    CHECK_OK(memory_budget_split(test_budget(), pages * PAGE, &part));
    const struct test_child_grant grants[] = {
        test_lend("memory", test_memory().id),
        test_lend("budget", part.id),
        test_lend("spawner", spawner().id),
    };
    if (CHECK_OK(test_start("is busy", nullptr, 0, grants, 3, &process))) {
        if (pages > BUSY_SPLIT_PAGES) { // else it ends by itself, sooner or later
            CHECK_OK(timer_sleep(test_timer(), 2'000'000));
            CHECK_OK(process_handle_kill(process));
        }
        CHECK_OK(test_wait(process, &end));
        CHECK(end.kind == END_KIND_EXITED || end.kind == END_KIND_KILLED);
    }
    CHECK_OK(memory_budget_info(part, nullptr, &used_bytes, nullptr, nullptr));
    CHECK_EQ(used_bytes, 0);
    memory_budget_cap_release(&part);
}

static void a_budget_that_ends_anywhere_is_given_back_whole(void)
{
    for (uint64_t pages = 1; pages <= 90; pages++)
        check_busy_within(pages);
}

static void a_released_id_stays_stale(void)
{
    notification_cap first = bell_create(), second;
    notification_cap stale = first;
    notification_cap_release(&first);
    CHECK_STATUS(notification_signal(stale, 1), STATUS_BAD_CAPABILITY);
    second = bell_create(); // likely in the same slot
    CHECK(second.id != stale.id);
    CHECK_STATUS(notification_signal(stale, 1), STATUS_BAD_CAPABILITY);
    CHECK_OK(notification_signal(second, 1));
    notification_cap_release(&second);
}

// Thousands of uses of a slot never bring an old id back.
static void generations_do_not_repeat(void)
{
    notification_cap bell = bell_create();
    const capos_cap_id first = bell.id;
    notification_cap_release(&bell);
    for (int i = 0; i < 3000; i++) {
        bell = bell_create();
        if (!CHECK(bell.id != first))
            break;
        notification_cap_release(&bell);
    }
}

static void tests(void)
{
    RUN(spawner_is_out_of_reach_without_the_grant);
    RUN(spawner_works_for_whom_it_was_granted_and_discards_what_it_leaves);
    RUN(a_process_holds_exactly_what_it_was_granted_in_that_order);
    RUN(the_exit_code_comes_back_whole);
    RUN(a_fault_ends_the_process_with_its_kind);
    RUN(an_access_to_the_kernel_ends_the_process);
    RUN(an_unaligned_access_under_check_is_its_own_kind_of_fault);
    RUN(an_unmasked_sse_exception_is_its_own_kind_of_fault);
    RUN(kill_ends_a_process_that_spins);
    RUN(kill_ends_a_process_that_waits);
    RUN(kill_ends_a_process_that_never_ran);
    RUN(kill_of_an_ended_process_changes_nothing);
    RUN(every_waiter_gets_the_same_answer);
    RUN(a_wait_is_cancelled);
    RUN(releasing_the_handle_leaves_the_process_running);
    RUN(info_tells_what_is_known);
    RUN(a_builder_that_is_released_leaves_nothing);
    RUN(the_first_failure_spoils_the_builder);
    RUN(a_builder_is_spent_by_its_start);
    RUN(a_process_is_built_in_one_batch);
    RUN(map_refuses_what_the_object_or_the_space_forbids);
    RUN(two_mappings_do_not_overlap);
    RUN(load_puts_each_byte_where_it_belongs);
    RUN(load_refuses_pieces_that_only_their_sum_makes_good);
    RUN(load_refuses_what_no_piece_may_be);
    RUN(the_name_of_a_grant_is_checked);
    RUN(the_capset_has_an_end);
    RUN(a_builder_is_not_granted_to_itself);
    RUN(start_checks_entry_and_stack);
    RUN(an_entry_where_nothing_is_mapped_faults_there);
    RUN(two_hundred_processes_in_a_row_leave_nothing);
    RUN(many_processes_live_at_once);
    RUN(a_process_is_killed_at_any_instant);
    RUN(a_budget_that_ends_anywhere_is_given_back_whole);
    RUN(a_released_id_stays_stale);
    RUN(generations_do_not_repeat);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"exits", child_exits},
        {"divides by zero", child_divides_by_zero},
        {"overflows a quotient", child_overflows_a_quotient},
        {"executes an undefined instruction", child_executes_an_undefined_instruction},
        {"touches a non-canonical address", child_touches_a_non_canonical_address},
        {"touches the kernel", child_touches_the_kernel},
        {"hits a breakpoint", child_hits_a_breakpoint},
        {"single-steps", child_single_steps},
        {"unmasks a floating-point exception", child_unmasks_a_floating_point_exception},
        {"reads unaligned with the check on", child_reads_unaligned_with_the_check_on},
        {"spins", child_spins},
        {"waits for a bell", child_waits_for_a_bell},
        {"rings the bell", child_rings_the_bell},
        {"makes a builder", child_makes_a_builder},
        {"is busy", child_is_busy},
        {"holds what it was granted", child_holds_what_it_was_granted},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
