// SPDX-License-Identifier: MIT
// What a process sees of the CPU: clean registers at its entry, vector and control state
// of its own however often it is preempted, and its share of the time.
//
// The registers themselves are the subject here, so this file has instructions in it.
#include <capos/test.h>

#include <capos/syscall.h>
#include <cpuid.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t CODE = 0x400000;
constexpr uint64_t STACK = 0x600000;
constexpr uint64_t ARGUMENT = 0x1234567890abcdef;
constexpr uint32_t SPINS = 4'000'000; // several time slices, also on a fast machine

// ---- Registers at the entry ----------------------------------------------------------------

// The whole program of a hand-made process: a breakpoint if all is as ProcessBuilder.start
// says, an undefined instruction if not.  It runs from a copy, so it is position-independent
// and calls nothing.
[[gnu::naked]] static void entry_checks_registers(void)
{
    __asm__("orq %%rbx, %%rax\n\t"
            "orq %%rcx, %%rax\n\t"
            "orq %%rbp, %%rax\n\t"
            "orq %%r8, %%rax\n\t"
            "orq %%r9, %%rax\n\t"
            "orq %%r10, %%rax\n\t"
            "orq %%r11, %%rax\n\t"
            "orq %%r12, %%rax\n\t"
            "orq %%r13, %%rax\n\t"
            "orq %%r14, %%rax\n\t"
            "orq %%r15, %%rax\n\t"
            "rdfsbase %%rcx\n\t"
            "orq %%rcx, %%rax\n\t"
            "rdgsbase %%rcx\n\t"
            "orq %%rcx, %%rax\n\t"
            "jnz 1f\n\t"
            "movabsq $0x1234567890abcdef, %%rcx\n\t"
            "cmpq %%rcx, %%rdx\n\t"
            "jne 1f\n\t"
            "cmpq $0x600000, %%rsp\n\t"
            "jne 1f\n\t"
            "testq %%rdi, %%rdi\n\t"
            "jz 1f\n\t"
            "testq %%rsi, %%rsi\n\t"
            "jz 1f\n\t"
            "orps %%xmm1, %%xmm0\n\t"
            "orps %%xmm2, %%xmm0\n\t"
            "orps %%xmm3, %%xmm0\n\t"
            "orps %%xmm4, %%xmm0\n\t"
            "orps %%xmm5, %%xmm0\n\t"
            "orps %%xmm6, %%xmm0\n\t"
            "orps %%xmm7, %%xmm0\n\t"
            "orps %%xmm8, %%xmm0\n\t"
            "orps %%xmm9, %%xmm0\n\t"
            "orps %%xmm10, %%xmm0\n\t"
            "orps %%xmm11, %%xmm0\n\t"
            "orps %%xmm12, %%xmm0\n\t"
            "orps %%xmm13, %%xmm0\n\t"
            "orps %%xmm14, %%xmm0\n\t"
            "orps %%xmm15, %%xmm0\n\t"
            "ptest %%xmm0, %%xmm0\n\t"
            "jnz 1f\n\t"
            "pushfq\n\t"
            "popq %%rcx\n\t"
            "testq $0x7fd00, %%rcx\n\t" // ptest cleared the arithmetic ones among them
            "jnz 1f\n\t"
            "stmxcsr -8(%%rsp)\n\t"
            "cmpl $0x1f80, -8(%%rsp)\n\t"
            "jne 1f\n\t"
            "fnstcw -8(%%rsp)\n\t"
            "cmpw $0x37f, -8(%%rsp)\n\t"
            "jne 1f\n\t"
            "int3\n\t"
            "1: ud2"
            :
            :
            :);
}

static memory_object_cap code_create(void (*code)(void))
{
    memory_object_cap object = {};
    uint64_t address;
    CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &object));
    if (CHECK_OK(virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE,
                                    &address))) {
        memcpy((void *)address, (const void *)(uint64_t)code, 512);
        CHECK_OK(virtual_memory_unmap(test_memory(), address, PAGE));
    }
    return object;
}

// Runs the code in a process of its own and tells how it ended.
static struct test_end run_code(memory_object_cap code)
{
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    process_builder_cap builder = {};
    process_handle_cap process = {};
    struct test_end end = {};
    CHECK_OK(process_spawner_create(spawner, "code", 4, test_budget(), &builder));
    CHECK_OK(process_builder_map(builder, code, 0, PAGE, CODE, PROTECTION_READ_EXECUTE));
    CHECK_OK(process_builder_commit(builder, STACK - PAGE, PAGE, PROTECTION_READ_WRITE));
    if (CHECK_OK(process_builder_start(builder, CODE, STACK, ARGUMENT, &process)))
        CHECK_OK(test_wait(process, &end));
    process_builder_cap_release(&builder);
    return end;
}

static void vector_registers_fill(void)
{
    static const uint64_t pattern[2] = {0xdeadbeefdeadbeef, 0xfeedfacefeedface};
    __asm__ volatile("movups (%0), %%xmm0\n\t"
                     "movups (%0), %%xmm5\n\t"
                     "movups (%0), %%xmm9\n\t"
                     "movups (%0), %%xmm15"
                     :
                     : "r"(pattern)
                     : "xmm0", "xmm5", "xmm9", "xmm15", "memory");
}

static void a_process_starts_with_clean_registers(void)
{
    memory_object_cap code = code_create(entry_checks_registers);
    for (int i = 0; i < 4; i++) {
        vector_registers_fill(); // what would be seen if they leaked
        CHECK_EQ(run_code(code).fault, FAULT_KIND_BREAKPOINT);
    }
    memory_object_cap_release(&code);
}

static void a_process_starts_with_clean_registers_beside_one_that_uses_them(void)
{
    static const char *const arguments[] = {"3"};
    memory_object_cap code = code_create(entry_checks_registers);
    process_handle_cap process;
    if (CHECK_OK(
            test_start("holds its registers for ever", arguments, 1, nullptr, 0, &process))) {
        struct test_end end;
        for (int i = 0; i < 8; i++) {
            CHECK_OK(timer_sleep(test_timer(), 1'000'000)); // the other one runs
            CHECK_EQ(run_code(code).fault, FAULT_KIND_BREAKPOINT);
        }
        CHECK_OK(process_handle_kill(process));
        CHECK_OK(test_wait(process, &end));
        CHECK_EQ(end.kind, END_KIND_KILLED);
    }
    memory_object_cap_release(&code);
}

// ---- Registers over preemption ---------------------------------------------------------------

// Loads all 16 vector registers, spins without a call, stores them.
static void xmm_through_time(const uint8_t from[256], uint8_t to[256], uint32_t spins)
{
#define LOAD(n)  "movups " #n "*16(%1), %%xmm" #n "\n\t"
#define STORE(n) "movups %%xmm" #n ", " #n "*16(%2)\n\t"
#define EACH(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
    __asm__ volatile(EACH(LOAD) "1: decl %0\n\t"
                                "jnz 1b\n\t" EACH(STORE)
                     : "+r"(spins)
                     : "r"(from), "r"(to)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15");
#undef LOAD
#undef STORE
}

[[gnu::target("avx")]] static void ymm_through_time(const uint8_t from[512], uint8_t to[512],
                                                    uint32_t spins)
{
#define LOAD(n)  "vmovups " #n "*32(%1), %%ymm" #n "\n\t"
#define STORE(n) "vmovups %%ymm" #n ", " #n "*32(%2)\n\t"
    __asm__ volatile(EACH(LOAD) "1: decl %0\n\t"
                                "jnz 1b\n\t" EACH(STORE) "vzeroupper"
                     : "+r"(spins)
                     : "r"(from), "r"(to)
                     : "memory", "cc", "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6",
                       "ymm7", "ymm8", "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14",
                       "ymm15");
#undef LOAD
#undef STORE
#undef EACH
}

static void pattern_fill(uint8_t *pattern, size_t size, uint8_t seed)
{
    for (size_t i = 0; i < size; i++)
        pattern[i] = (uint8_t)(seed * 31 + i * 7 + 1);
}

static uint8_t seed_argument(void)
{
    return (uint8_t)atoi(test_argument(0));
}

static int child_holds_its_sse_registers(void)
{
    static uint8_t from[256], to[256];
    uint8_t seed = seed_argument();
    uint32_t control = seed % 2 == 0 ? 0x1f80 : 0x5f80; // rounds to nearest, or up
    pattern_fill(from, sizeof from, seed);
    __builtin_ia32_ldmxcsr(control);
    xmm_through_time(from, to, SPINS);
    EXPECT((__builtin_ia32_stmxcsr() & ~0x3fu) == control);
    EXPECT(memcmp(from, to, sizeof from) == 0);
    return 0;
}

static int child_holds_its_avx_registers(void)
{
    static uint8_t from[512], to[512];
    pattern_fill(from, sizeof from, seed_argument());
    ymm_through_time(from, to, SPINS);
    EXPECT(memcmp(from, to, sizeof from) == 0);
    return 0;
}

static int child_holds_its_registers_for_ever(void)
{
    static uint8_t from[256], to[256];
    pattern_fill(from, sizeof from, seed_argument());
    for (;;)
        xmm_through_time(from, to, UINT32_MAX);
}

// Runs several of a role side by side; each must come through.
static void check_side_by_side(const char *role)
{
    static const char *const seeds[] = {"1", "2", "3"};
    process_handle_cap processes[3];
    struct test_end end;
    size_t count = 0;
    while (count < 3 &&
           CHECK_OK(test_start(role, &seeds[count], 1, nullptr, 0, &processes[count])))
        count++;
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(test_wait(processes[i], &end));
        CHECK_EQ(end.kind, END_KIND_EXITED);
        CHECK_EQ(end.exit_code, 0);
    }
}

static void sse_state_survives_preemption(void)
{
    check_side_by_side("holds its SSE registers");
}

static bool has_avx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_OSXSAVE) != 0 && (c & bit_AVX) != 0;
}

static void avx_state_survives_preemption(void)
{
    if (has_avx())
        check_side_by_side("holds its AVX registers");
    else
        test_skip("this machine has no AVX");
}

// ---- Exceptions -----------------------------------------------------------------------------

static int child_unmasks_an_x87_exception(void)
{
    static const uint16_t control = 0x37b; // division by zero
    __asm__ volatile("fldcw %0\n\t"
                     "fldz\n\t"
                     "fld1\n\t"
                     "fdiv %%st(1), %%st\n\t" // 1 / 0
                     "fwait"
                     :
                     : "m"(control)
                     : "st", "st(1)");
    return __LINE__;
}

static void an_unmasked_x87_exception_is_its_own_kind_of_fault(void)
{
    CHECK_FAULTS("unmasks an x87 exception", nullptr, 0, FAULT_KIND_FLOATING_POINT, nullptr);
}

// ---- Time -----------------------------------------------------------------------------------

static int child_spins(void)
{
    for (volatile uint64_t i = 0;; i++) {
    }
}

static uint64_t cpu_time_ns(process_handle_cap process)
{
    uint64_t time_ns = 0;
    char name[64];
    CHECK_OK(process_handle_info(process, nullptr, name, sizeof name, nullptr, nullptr, nullptr,
                                 &time_ns));
    return time_ns;
}

// The least and the most that one of them had.
static void cpu_times(const process_handle_cap *processes, size_t count, uint64_t *out_least_ns,
                      uint64_t *out_most_ns)
{
    *out_least_ns = UINT64_MAX;
    *out_most_ns = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t time_ns = cpu_time_ns(processes[i]);
        *out_least_ns = time_ns < *out_least_ns ? time_ns : *out_least_ns;
        *out_most_ns = time_ns > *out_most_ns ? time_ns : *out_most_ns;
    }
}

// The time that the host takes from the machine is counted for who runs then, so on a busy
// host it takes a while until the shares can be compared.
static void processes_that_spin_share_the_time(void)
{
    enum { COUNT = 3 };
    process_handle_cap processes[COUNT];
    uint64_t least_ns = 0, most_ns = 1;
    struct test_end end;
    size_t count = 0;
    while (count < COUNT &&
           CHECK_OK(test_start("spins", nullptr, 0, nullptr, 0, &processes[count])))
        count++;
    for (int i = 0; i < 500 && most_ns >= 3 * least_ns; i++) {
        CHECK_OK(timer_sleep(test_timer(), 100'000'000));
        cpu_times(processes, count, &least_ns, &most_ns);
    }
    CHECK(least_ns > 0 && most_ns < 3 * least_ns);
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(process_handle_kill(processes[i]));
        CHECK_OK(test_wait(processes[i], &end));
    }
}

// A sleeper is woken although another process never gives the CPU away; else this hangs.
static void a_process_that_spins_does_not_keep_others_from_waking(void)
{
    process_handle_cap process;
    struct test_end end;
    if (!CHECK_OK(test_start("spins", nullptr, 0, nullptr, 0, &process)))
        return;
    for (int i = 0; i < 10; i++)
        CHECK_OK(timer_sleep(test_timer(), 1'000'000));
    CHECK_OK(process_handle_kill(process));
    CHECK_OK(test_wait(process, &end));
}

static void tests(void)
{
    RUN(a_process_starts_with_clean_registers);
    RUN(a_process_starts_with_clean_registers_beside_one_that_uses_them);
    RUN(sse_state_survives_preemption);
    RUN(avx_state_survives_preemption);
    RUN(an_unmasked_x87_exception_is_its_own_kind_of_fault);
    RUN(processes_that_spin_share_the_time);
    RUN(a_process_that_spins_does_not_keep_others_from_waking);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"holds its SSE registers", child_holds_its_sse_registers},
        {"holds its AVX registers", child_holds_its_avx_registers},
        {"holds its registers for ever", child_holds_its_registers_for_ever},
        {"unmasks an x87 exception", child_unmasks_an_x87_exception},
        {"spins", child_spins},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
