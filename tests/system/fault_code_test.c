// SPDX-License-Identifier: MIT
// What a fault handler sees of the CPU, and what the code that faulted gets back.
//
// The registers themselves are the subject here, so this file has instructions in it.
#include <capos/test.h>

#include <capos/fault.h>
#include <capos/thread.h>
#include <cpuid.h>

constexpr uint64_t FLAG_TRAP = 0x100;

static alignas(16) uint8_t stack[16384];
static struct capos_fault_frame last; // that a handler saw
static unsigned fault_count;

static void note(const struct capos_fault_frame *frame)
{
    last = *frame;
    fault_count++;
}

static void set(void (*handler)(struct capos_fault_frame *, void *))
{
    fault_count = 0;
    CHECK_OK(capos_fault_handler_set(handler, nullptr, stack, sizeof stack));
}

static void clear(void)
{
    CHECK_OK(capos_fault_handler_set(nullptr, nullptr, nullptr, 0));
}

// ---- Faults that are repaired --------------------------------------------------------------

// A load by three bytes of code, `movq (%rax), %rax`, so that a handler can skip it.
static uint64_t load(uint64_t address)
{
    uint64_t value = address;
    __asm__ volatile(".byte 0x48, 0x8b, 0x00" : "+a"(value) : : "memory");
    return value;
}

// As a language does that turns null pointers into exceptions.
static void skip_the_load(struct capos_fault_frame *frame, void *)
{
    frame->registers.rax = 0x1122334455667788;
    frame->registers.rip += 3;
}

static void note_and_skip_the_load(struct capos_fault_frame *frame, void *)
{
    note(frame);
    skip_the_load(frame, nullptr);
}

static void a_null_pointer_is_recovered_from(void)
{
    set(note_and_skip_the_load);
    CHECK_EQ(load(24), 0x1122334455667788);
    CHECK_EQ(fault_count, 1);
    CHECK_EQ(last.fault, FAULT_KIND_UNMAPPED);
    CHECK_EQ(last.access, 0);
    CHECK_EQ(last.address, 24);
    CHECK_EQ(last.registers.rax, 24);
    CHECK_EQ(load(32), 0x1122334455667788);
    CHECK_EQ(fault_count, 2);
    clear();
}

static void set_divisor(struct capos_fault_frame *frame, void *)
{
    note(frame);
    frame->registers.rcx = 7;
}

static void a_division_by_zero_is_repaired(void)
{
    uint64_t quotient = 42, rest = 0, divisor = 0;
    set(set_divisor);
    __asm__ volatile("divq %%rcx" : "+a"(quotient), "+d"(rest), "+c"(divisor));
    CHECK_EQ(quotient, 6);
    CHECK_EQ(last.fault, FAULT_KIND_DIVIDE);
    clear();
}

// ---- Registers that come back --------------------------------------------------------------

static void skip_ud2(struct capos_fault_frame *frame, void *)
{
    note(frame);
    __asm__ volatile("pxor %%xmm6, %%xmm6\n\tpxor %%xmm15, %%xmm15" : : : "xmm6", "xmm15");
    capos_thread_yield(); // by a system call the rest of them is lost
    frame->registers.rip += 2;
}

static void all_general_registers_and_flags_come_back(void)
{
    uint64_t sum = 0, carry = 0;
    set(skip_ud2);
    __asm__ volatile("movl $1, %%ebx\n\tmovl $2, %%ecx\n\tmovl $4, %%edx\n\t"
                     "movl $8, %%r8d\n\tmovl $16, %%r9d\n\tmovl $32, %%r10d\n\t"
                     "movl $64, %%r11d\n\tmovl $128, %%r12d\n\tmovl $256, %%r13d\n\t"
                     "movl $512, %%r14d\n\tmovl $1024, %%r15d\n\t"
                     "stc\n\t"
                     "ud2\n\t"
                     "sbbq %[carry], %[carry]\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "addq %%rbx, %%rax\n\taddq %%rcx, %%rax\n\taddq %%rdx, %%rax\n\t"
                     "addq %%r8, %%rax\n\taddq %%r9, %%rax\n\taddq %%r10, %%rax\n\t"
                     "addq %%r11, %%rax\n\taddq %%r12, %%rax\n\taddq %%r13, %%rax\n\t"
                     "addq %%r14, %%rax\n\taddq %%r15, %%rax"
                     : "=&a"(sum), [carry] "+S"(carry)
                     :
                     : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "cc", "memory");
    CHECK_EQ(sum, 2047);
    CHECK_EQ(carry, UINT64_MAX); // the carry flag was set
    CHECK_EQ(last.fault, FAULT_KIND_ILLEGAL_INSTRUCTION);
    clear();
}

static void sse_registers_come_back(void)
{
    uint64_t xmm6 = 0x66, xmm15 = 0xff;
    uint32_t rounds_up = 0x5f80, mxcsr = 0;
    set(skip_ud2);
    __asm__ volatile("movq %[x6], %%xmm6\n\t"
                     "movq %[x15], %%xmm15\n\t"
                     "ldmxcsr %[up]\n\t"
                     "ud2\n\t"
                     "stmxcsr %[mxcsr]\n\t"
                     "movq %%xmm6, %[x6]\n\t"
                     "movq %%xmm15, %[x15]"
                     : [x6] "+r"(xmm6), [x15] "+r"(xmm15), [mxcsr] "=m"(mxcsr)
                     : [up] "m"(rounds_up)
                     : "xmm6", "xmm15", "memory");
    __builtin_ia32_ldmxcsr(0x1f80);
    CHECK_EQ(xmm6, 0x66);
    CHECK_EQ(xmm15, 0xff);
    CHECK_EQ(mxcsr, rounds_up);
    clear();
}

static bool has_avx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_OSXSAVE) != 0 && (c & bit_AVX) != 0;
}

[[gnu::target("avx")]] static void upper_half_through_a_fault(const uint64_t from[4],
                                                              uint64_t to[4])
{
    __asm__ volatile("vmovups (%0), %%ymm9\n\t"
                     "ud2\n\t"
                     "vmovups %%ymm9, (%1)\n\t"
                     "vzeroupper"
                     :
                     : "r"(from), "r"(to)
                     : "ymm9", "memory");
}

static void avx_registers_come_back(void)
{
    static const uint64_t from[4] = {1, 2, 3, 4};
    uint64_t to[4] = {};
    if (!has_avx()) {
        test_skip("this machine has no AVX");
        return;
    }
    set(skip_ud2);
    upper_half_through_a_fault(from, to);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(to[i], from[i]);
    clear();
}

// ---- Exceptions of arithmetic ----------------------------------------------------------------

static void divide_and_skip(struct capos_fault_frame *frame, void *)
{
    volatile long double zero = 0, infinite = 1 / zero; // masked here, as it is at the start
    note(frame);
    frame->registers.rip += infinite > 0 ? 1 : 0; // FWAIT
}

static void a_handler_computes_with_the_defaults(void)
{
    static const uint16_t division_traps = 0x37b;
    uint16_t control;
    set(divide_and_skip);
    __asm__ volatile("fldcw %[traps]\n\t"
                     "fldz\n\t"
                     "fld1\n\t"
                     "fdiv %%st(1), %%st\n\t" // 1 / 0
                     "fwait\n\t"
                     "fnstcw %[control]\n\t"
                     "fninit"
                     : [control] "=m"(control)
                     : [traps] "m"(division_traps)
                     : "st", "st(1)");
    CHECK_EQ(fault_count, 1);
    CHECK_EQ(last.fault, FAULT_KIND_FLOATING_POINT);
    CHECK_EQ(control, division_traps);
    clear();
}

// ---- Single steps -----------------------------------------------------------------------------

static void step(struct capos_fault_frame *frame, void *)
{
    note(frame);
    if (fault_count == 1)
        frame->registers.rflags |= FLAG_TRAP;
    if (fault_count == 4)
        frame->registers.rflags &= ~FLAG_TRAP;
}

static void a_debugger_steps_through_code(void)
{
    uint64_t count = 0;
    set(step);
    __asm__ volatile("int3\n\tincq %0\n\tincq %0\n\tincq %0\n\tincq %0" : "+r"(count));
    CHECK_EQ(count, 4);
    CHECK_EQ(fault_count, 4); // the breakpoint and three steps
    CHECK_EQ(last.fault, FAULT_KIND_BREAKPOINT);
    clear();
}

// ---- Side by side ------------------------------------------------------------------------------

static int load_many_times(void *own_stack)
{
    if (capos_fault_handler_set(skip_the_load, nullptr, own_stack, 8192) != STATUS_OK)
        return 1;
    for (unsigned i = 0; i < 200; i++)
        if (load(16 + i % 64 * 8) != 0x1122334455667788)
            return 2;
    return 0;
}

static void threads_recover_side_by_side(void)
{
    static alignas(16) uint8_t stacks[3][8192];
    struct capos_thread *threads[3];
    unsigned count = 0;
    int64_t code;
    while (count < 3 && CHECK_OK(capos_thread_create(&threads[count], load_many_times,
                                                     stacks[count], nullptr)))
        count++;
    for (unsigned i = 0; i < count; i++) {
        CHECK_OK(capos_thread_join(threads[i], &code));
        CHECK_EQ(code, 0);
    }
}

static void tests(void)
{
    RUN(a_null_pointer_is_recovered_from);
    RUN(a_division_by_zero_is_repaired);
    RUN(all_general_registers_and_flags_come_back);
    RUN(sse_registers_come_back);
    RUN(avx_registers_come_back);
    RUN(a_handler_computes_with_the_defaults);
    RUN(a_debugger_steps_through_code);
    RUN(threads_recover_side_by_side);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, tests, nullptr, 0);
}
