// SPDX-License-Identifier: MIT
// Code that no compiler would write: privileged and odd instructions, software interrupts,
// segment selectors, system calls from strange places and with strange flags.  Each ends its
// own process with a typed fault, and the kernel goes on.
//
// A case is machine code for a hand-made process with one page of code at CODE, one of stack
// below STACK, and no capability.  The code goes to an int3 when all was as it should be, and
// to a ud2 when it should not have come that far.
#include <capos/test.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t CODE = 0x400000;
constexpr uint64_t LAST_PAGE = 0x7fffffffe000; // of user space
constexpr uint64_t STACK = 0x600000;
constexpr uint8_t TARGET = 24;       // of the far jumps, behind CODE
constexpr unsigned USER_CODE = 0x23; // the selector

#define INT3    0xcc
#define UD2     0x0f, 0x0b
#define SYSCALL 0x0f, 0x05
// mov eax, 1; xor edi, edi; xor esi, esi
#define CAP_ENTER_NOTHING 0xb8, 1, 0, 0, 0, 0x31, 0xff, 0x31, 0xf6
#define PUSH_FLAGS_WITH(byte1, byte2) \
    0x9c, 0x81, 0x0c, 0x24, 0, byte1, byte2, 0 // pushfq; or dword [rsp], flags
#define POPF 0x9d

struct hostile {
    const char *name;
    uint8_t code[40];
    enum fault_kind fault;
    enum fault_kind or_fault; // where CPUs differ
};

// Short, for the tables.
constexpr enum fault_kind GP = FAULT_KIND_GENERAL_PROTECTION;
constexpr enum fault_kind UD = FAULT_KIND_ILLEGAL_INSTRUCTION;
constexpr enum fault_kind BP = FAULT_KIND_BREAKPOINT;
constexpr enum fault_kind UNMAPPED = FAULT_KIND_UNMAPPED;
constexpr enum fault_kind PROTECTION = FAULT_KIND_PROTECTION;
constexpr enum fault_kind NO_OTHER = FAULT_KIND_NONE;

// ---- The processes -----------------------------------------------------------------------

static volatile uint8_t *code_page; // where the test writes it
static memory_object_cap code_object;

// Runs what code_page holds, mapped at `address`, from `entry` on.
static struct test_end run(uint64_t address, uint64_t entry)
{
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    process_builder_cap builder = {};
    process_handle_cap process = {};
    struct test_end end = {};
    CHECK_OK(process_spawner_create(spawner, "hostile", 7, test_budget(), &builder));
    CHECK_OK(
        process_builder_map(builder, code_object, 0, PAGE, address, PROTECTION_READ_EXECUTE));
    CHECK_OK(process_builder_commit(builder, STACK - PAGE, PAGE, PROTECTION_READ_WRITE));
    if (CHECK_OK(process_builder_start(builder, entry, STACK, 0, &process)))
        CHECK_OK(test_wait(process, &end));
    process_builder_cap_release(&builder);
    return end;
}

static void code_begin(void)
{
    uint64_t address = 0;
    CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &code_object));
    CHECK_OK(virtual_memory_map(test_memory(), code_object, 0, PAGE, 0, PROTECTION_READ_WRITE,
                                &address));
    code_page = (volatile uint8_t *)address;
}

static void code_end(void)
{
    CHECK_OK(virtual_memory_unmap(test_memory(), (uint64_t)code_page, PAGE));
    memory_object_cap_release(&code_object);
}

static void code_set(const uint8_t *code, size_t code_bytes)
{
    for (size_t i = 0; i < code_bytes; i++)
        code_page[i] = code[i];
}

static void check_cases(const struct hostile *cases, size_t count)
{
    code_begin();
    for (size_t i = 0; i < count; i++) {
        code_set(cases[i].code, sizeof cases[i].code);
        struct test_end end = run(CODE, CODE);
        bool expected = end.kind == END_KIND_FAULTED &&
                        (end.fault == cases[i].fault || (cases[i].or_fault != FAULT_KIND_NONE &&
                                                         end.fault == cases[i].or_fault));
        if (!expected)
            test_fail(__FILE__, __LINE__, "%s: fault %u at 0x%llx, expected %u", cases[i].name,
                      (unsigned)end.fault, (unsigned long long)end.instruction_pointer,
                      (unsigned)cases[i].fault);
    }
    code_end();
}
#define CHECK_CASES(cases) check_cases(cases, sizeof cases / sizeof cases[0])

// ---- Instructions --------------------------------------------------------------------------

static void privileged_instructions_are_general_protection_faults(void)
{
    static const struct hostile cases[] = {
        {"hlt", {0xf4, UD2}, GP, NO_OTHER},
        {"cli", {0xfa, UD2}, GP, NO_OTHER},
        {"sti", {0xfb, UD2}, GP, NO_OTHER},
        {"in al, 0x60", {0xe4, 0x60, UD2}, GP, NO_OTHER},
        {"out 0x80, al", {0xe6, 0x80, UD2}, GP, NO_OTHER},
        {"in eax, dx", {0xed, UD2}, GP, NO_OTHER},
        {"outsb", {0x6e, UD2}, GP, NO_OTHER},
        {"mov rax, cr0", {0x0f, 0x20, 0xc0, UD2}, GP, NO_OTHER},
        {"mov cr3, rax", {0x0f, 0x22, 0xd8, UD2}, GP, NO_OTHER},
        {"mov rax, cr8", {0x44, 0x0f, 0x20, 0xc0, UD2}, GP, UD},
        {"mov rax, dr7", {0x0f, 0x21, 0xf8, UD2}, GP, NO_OTHER},
        {"mov dr7, rax", {0x0f, 0x23, 0xf8, UD2}, GP, NO_OTHER},
        {"rdmsr", {0x0f, 0x32, UD2}, GP, NO_OTHER},
        {"wrmsr", {0x0f, 0x30, UD2}, GP, NO_OTHER},
        {"lgdt", {0x0f, 0x01, 0x14, 0x24, UD2}, GP, NO_OTHER},
        {"lidt", {0x0f, 0x01, 0x1c, 0x24, UD2}, GP, NO_OTHER},
        {"lldt", {0x0f, 0x00, 0xd0, UD2}, GP, NO_OTHER},
        {"ltr", {0x0f, 0x00, 0xd8, UD2}, GP, NO_OTHER},
        {"lmsw", {0x0f, 0x01, 0xf0, UD2}, GP, NO_OTHER},
        {"clts", {0x0f, 0x06, UD2}, GP, NO_OTHER},
        {"invd", {0x0f, 0x08, UD2}, GP, NO_OTHER},
        {"wbinvd", {0x0f, 0x09, UD2}, GP, NO_OTHER},
        {"invlpg", {0x0f, 0x01, 0x3c, 0x24, UD2}, GP, NO_OTHER},
        {"swapgs", {0x0f, 0x01, 0xf8, UD2}, GP, NO_OTHER},
        {"sysret", {0x48, 0x0f, 0x07, UD2}, GP, NO_OTHER},
        {"sysexit", {0x0f, 0x35, UD2}, GP, UD},
        {"sysenter", {0x0f, 0x34, UD2}, GP, UD},
        {"xsetbv", {0x31, 0xc9, 0x0f, 0x01, 0xd1, UD2}, GP, NO_OTHER},
        {"clac", {0x0f, 0x01, 0xca, UD2}, UD, NO_OTHER},
        {"stac", {0x0f, 0x01, 0xcb, UD2}, UD, NO_OTHER},
        {"rdtsc", {0x0f, 0x31, UD2}, GP, NO_OTHER},
        {"rdtscp", {0x0f, 0x01, 0xf9, UD2}, GP, NO_OTHER},
        {"rdpmc", {0x31, 0xc9, 0x0f, 0x33, UD2}, GP, NO_OTHER},
    };
    CHECK_CASES(cases);
}

// UMIP: where the kernel's tables lie is none of a program's business.
static void the_addresses_of_the_kernels_tables_are_not_told(void)
{
    static const struct hostile cases[] = {
        {"sgdt", {0x48, 0x83, 0xec, 16, 0x0f, 0x01, 0x04, 0x24, UD2}, GP, NO_OTHER},
        {"sidt", {0x48, 0x83, 0xec, 16, 0x0f, 0x01, 0x0c, 0x24, UD2}, GP, NO_OTHER},
        {"sldt", {0x0f, 0x00, 0xc0, UD2}, GP, NO_OTHER},
        {"str", {0x0f, 0x00, 0xc8, UD2}, GP, NO_OTHER},
        {"smsw", {0x0f, 0x01, 0xe0, UD2}, GP, NO_OTHER},
    };
    CHECK_CASES(cases);
}

static void undefined_instructions_are_illegal(void)
{
    static const struct hostile cases[] = {
        {"ud1", {0x0f, 0xb9, 0xc0, INT3}, UD, NO_OTHER},
        {"push es", {0x06, INT3}, UD, NO_OTHER},
        {"into", {0xce, INT3}, UD, NO_OTHER},
        {"lock nop", {0xf0, 0x90, INT3}, UD, NO_OTHER},
        {"mov cs, ax", {0x8e, 0xc8, INT3}, UD, NO_OTHER},
    };
    CHECK_CASES(cases);
}

// A program can't pretend to be a device, a fault or another system's system call.
static void software_interrupts_reach_no_handler(void)
{
    code_begin();
    for (unsigned vector = 0; vector < 256; vector++) {
        const uint8_t code[] = {0xcd, (uint8_t)vector, UD2};
        code_set(code, sizeof code);
        struct test_end end = run(CODE, CODE);
        enum fault_kind expected =
            vector == 3 ? FAULT_KIND_BREAKPOINT : FAULT_KIND_GENERAL_PROTECTION;
        if (end.kind != END_KIND_FAULTED || end.fault != expected)
            test_fail(__FILE__, __LINE__, "int 0x%x: fault %u", vector, (unsigned)end.fault);
    }
    code_end();
}

// ---- Segments ----------------------------------------------------------------------------------

// Far jumps to every selector: but for the user's own code segment each faults, and none
// leads to 32-bit code, in which the bytes of `dec rax` are two other instructions.
static void no_selector_leads_out_of_64_bit_user_code(void)
{
    code_begin();
    for (unsigned selector = 0; selector < 128; selector++) {
        // clang-format off
        const uint8_t code[] = {
            0x48, 0x83, 0xec, 16,                            // sub rsp, 16
            0xc7, 0x04, 0x24, TARGET, 0, 0x40, 0,            // mov dword [rsp], CODE + TARGET
            0xc7, 0x44, 0x24, 4, (uint8_t)selector, 0, 0, 0, // mov dword [rsp + 4], selector
            0xff, 0x2c, 0x24,                                // jmp far [rsp]
            UD2,
            0x31, 0xc0, 0x48, 0xff, 0xc8,                    // target: xor eax, eax; dec rax
            0x83, 0xf8, 0xff, 0x75, 0x01, INT3, UD2,         // cmp eax, -1; jne to the ud2
        };
        // clang-format on
        code_set(code, sizeof code);
        struct test_end end = run(CODE, CODE);
        enum fault_kind expected =
            (selector | 3) == USER_CODE ? FAULT_KIND_BREAKPOINT : FAULT_KIND_GENERAL_PROTECTION;
        if (end.kind != END_KIND_FAULTED || end.fault != expected)
            test_fail(__FILE__, __LINE__, "far jump to 0x%x: fault %u at 0x%llx", selector,
                      (unsigned)end.fault, (unsigned long long)end.instruction_pointer);
    }
    code_end();
}

// QEMU 7.2 reads the stack of a far return with the kernel's rights, which SMAP forbids; a
// CPU finds the null selector.  Either way the process ends.
static void a_far_return_to_nowhere_ends_the_process(void)
{
    // clang-format off
    static const struct hostile cases[] = {
        {"lret", {0x6a, 0, 0x6a, 0, 0x48, 0xcb, UD2}, GP, PROTECTION},
        {"iret", {0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x48, 0xcf, UD2},
         GP, PROTECTION},
    };
    // clang-format on
    CHECK_CASES(cases);
}

static void strange_segments_and_bases_do_not_reach_the_kernel(void)
{
    // clang-format off
    static const struct hostile cases[] = {
        // mov gs, fs, ds, es = the user's data segment, then a system call.
        {"selectors",
         {0xb8, 0x1b, 0, 0, 0, 0x8e, 0xe8, 0x8e, 0xe0, 0x8e, 0xd8, 0x8e, 0xc0,
          CAP_ENTER_NOTHING, SYSCALL, INT3}, BP, NO_OTHER},
        // The null selector.
        {"null selectors",
         {0x31, 0xc0, 0x8e, 0xe8, 0x8e, 0xe0, 0x8e, 0xd8, 0x8e, 0xc0, CAP_ENTER_NOTHING, SYSCALL,
          INT3}, BP, NO_OTHER},
        {"kernel data selector", {0xb8, 0x10, 0, 0, 0, 0x8e, 0xe8, UD2}, GP, NO_OTHER},
        {"task selector", {0xb8, 0x28, 0, 0, 0, 0x8e, 0xe8, UD2}, GP, NO_OTHER},
        // GS base in the kernel's half: wrgsbase, a system call, then a fault.
        {"kernel GS base",
         {0x48, 0xc7, 0xc0, 0, 0, 0, 0x80, 0xf3, 0x48, 0x0f, 0xae, 0xd8, CAP_ENTER_NOTHING,
          SYSCALL, 0x65, 0x8a, 0x04, 0x25, 0, 0, 0, 0, UD2}, UNMAPPED, PROTECTION},
        // A CPU refuses these; QEMU 7.2 takes them, and then they must do no harm either.
        {"non-canonical GS base",
         {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xf3, 0x48, 0x0f, 0xae, 0xd8, CAP_ENTER_NOTHING,
          SYSCALL, UD2}, GP, UD},
        {"non-canonical FS base",
         {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xf3, 0x48, 0x0f, 0xae, 0xd0, CAP_ENTER_NOTHING,
          SYSCALL, UD2}, GP, UD},
    };
    // clang-format on
    CHECK_CASES(cases);
}

// ---- System calls ----------------------------------------------------------------------------

static void a_system_call_that_is_none_is_an_illegal_instruction(void)
{
    // clang-format off
    static const struct hostile cases[] = {
        {"2", {0xb8, 2, 0, 0, 0, SYSCALL, INT3}, UD, NO_OTHER},
        {"231", {0xb8, 231, 0, 0, 0, SYSCALL, INT3}, UD, NO_OTHER},
        {"-1", {0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, SYSCALL, INT3}, UD, NO_OTHER},
        {"1 + 2^32", {0x48, 0xb8, 1, 0, 0, 0, 1, 0, 0, 0, SYSCALL, INT3}, UD, NO_OTHER},
    };
    // clang-format on
    CHECK_CASES(cases);
}

static void a_system_call_needs_no_stack(void)
{
    // clang-format off
    static const struct hostile cases[] = {
        {"rsp = 0", {0x31, 0xe4, CAP_ENTER_NOTHING, SYSCALL, INT3}, BP, NO_OTHER},
        {"rsp in the kernel",
         {0x48, 0xc7, 0xc4, 0, 0, 0, 0x80, CAP_ENTER_NOTHING, SYSCALL, INT3}, BP, NO_OTHER},
        {"rsp not canonical",
         {0x48, 0xbc, 0, 0, 0, 0, 0, 0, 0, 0x80, CAP_ENTER_NOTHING, SYSCALL, INT3},
         BP, NO_OTHER},
        {"a fault with rsp in the kernel", {0x48, 0xc7, 0xc4, 0, 0, 0, 0x80, UD2},
         UD, NO_OTHER},
        {"push with rsp = 0", {0x31, 0xe4, 0x50, INT3}, UNMAPPED,
         GP},
    };
    // clang-format on
    CHECK_CASES(cases);
}

static void a_system_call_takes_any_flags(void)
{
    // clang-format off
    static const struct hostile cases[] = {
        {"direction", {0xfd, CAP_ENTER_NOTHING, SYSCALL, INT3}, BP, NO_OTHER},
        {"alignment check",
         {PUSH_FLAGS_WITH(0, 4), CAP_ENTER_NOTHING, POPF, SYSCALL, INT3}, BP, NO_OTHER},
        {"nested task", {PUSH_FLAGS_WITH(0x40, 0), CAP_ENTER_NOTHING, POPF, SYSCALL, INT3},
         BP, NO_OTHER},
        // The trap comes behind the system call, in the program.
        {"single step", {PUSH_FLAGS_WITH(1, 0), CAP_ENTER_NOTHING, POPF, SYSCALL, UD2},
         BP, NO_OTHER},
        // IOPL is not a program's to change: popf leaves it, cli still faults.
        {"I/O privilege", {PUSH_FLAGS_WITH(0x30, 0), POPF, 0xfa, UD2}, GP, NO_OTHER},
    };
    // clang-format on
    CHECK_CASES(cases);
}

// SYSCALL as the very last instruction of user space: the return address is the first one
// that is never mapped, and the fault is the program's.
static void a_system_call_at_the_end_of_user_space_faults_behind_it(void)
{
    static const uint8_t code[] = {CAP_ENTER_NOTHING, SYSCALL};
    const uint64_t entry = LAST_PAGE + PAGE - sizeof code;
    code_begin();
    for (size_t i = 0; i < sizeof code; i++)
        code_page[PAGE - sizeof code + i] = code[i];
    struct test_end end = run(LAST_PAGE, entry);
    CHECK_EQ(end.kind, END_KIND_FAULTED);
    CHECK_EQ(end.fault, FAULT_KIND_UNMAPPED);
    CHECK_EQ(end.fault_address, LAST_PAGE + PAGE);
    code_end();
}

static void a_jump_to_where_no_address_is_faults(void)
{
    // clang-format off
    static const struct hostile cases[] = {
        {"non-canonical", {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0xe0}, GP, NO_OTHER},
        {"the kernel", {0x48, 0xc7, 0xc0, 0, 0, 0, 0x80, 0xff, 0xe0}, UNMAPPED, PROTECTION},
        {"its own stack", {0x48, 0x83, 0xec, 16, 0xff, 0xe4}, PROTECTION, NO_OTHER},
    };
    // clang-format on
    CHECK_CASES(cases);
}

// Any bytes: whatever the process does, it ends by a fault or is killed, and nothing stays.
static void random_code_harms_nobody(void)
{
    uint64_t seed = 0x853c49e6748fea9b;
    code_begin();
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < PAGE; i++) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            code_page[i] = (uint8_t)(seed >> 56);
        }
        // Most loops would be endless: the page ends in an int3 for those who get there.
        code_page[PAGE - 1] = INT3;
        process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
        process_builder_cap builder = {};
        process_handle_cap process = {};
        struct test_end end;
        CHECK_OK(process_spawner_create(spawner, "random", 6, test_budget(), &builder));
        CHECK_OK(
            process_builder_map(builder, code_object, 0, PAGE, CODE, PROTECTION_READ_EXECUTE));
        CHECK_OK(process_builder_commit(builder, STACK - PAGE, PAGE, PROTECTION_READ_WRITE));
        if (CHECK_OK(process_builder_start(builder, CODE, STACK, 0, &process))) {
            CHECK_OK(timer_sleep(test_timer(), 200'000));
            CHECK_OK(process_handle_kill(process));
            CHECK_OK(test_wait(process, &end));
        }
        process_builder_cap_release(&builder);
    }
    code_end();
}

static void tests(void)
{
    RUN(privileged_instructions_are_general_protection_faults);
    RUN(the_addresses_of_the_kernels_tables_are_not_told);
    RUN(undefined_instructions_are_illegal);
    RUN(software_interrupts_reach_no_handler);
    RUN(no_selector_leads_out_of_64_bit_user_code);
    RUN(a_far_return_to_nowhere_ends_the_process);
    RUN(strange_segments_and_bases_do_not_reach_the_kernel);
    RUN(a_system_call_that_is_none_is_an_illegal_instruction);
    RUN(a_system_call_needs_no_stack);
    RUN(a_system_call_takes_any_flags);
    RUN(a_system_call_at_the_end_of_user_space_faults_behind_it);
    RUN(a_jump_to_where_no_address_is_faults);
    RUN(random_code_harms_nobody);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, tests, nullptr, 0);
}
