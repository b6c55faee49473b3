// SPDX-License-Identifier: MIT
// The end of a panic: registers, a backtrace with names, and stopping the machine; and
// the stack protector's two symbols.
//
// Backtraces follow frame pointers and trust nothing: a frame must lie on the stack that
// is being walked, above the one before.  So a damaged chain, or one that ends in a
// frame pointer of user code, just ends.
//
// Names come from the section .ksyms, which tools/ksyms.py makes from the linked image:
//     uint32_t count; uint32_t offsets[count], from text_start, ascending;
//     char names[]: one NUL-terminated name each, in the same order.
#include <kernel/arch.h>

#include <kernel/arch/x86_64/debug.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/remote.h>
#include <kernel/arch/x86_64/trap.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/sched/cpu.h>

constexpr unsigned BACKTRACE_FRAMES_MAX = 32;

// QEMU's isa-debug-exit ends QEMU with 2 * value + 1: here 125, the status by which the
// capos command says that capOS itself failed.
constexpr uint16_t EXIT_PORT = 0xf4;
constexpr uint32_t EXIT_VALUE = 62;

uint64_t __stack_chk_guard;
static bool exit_on_panic;

void debug_init(bool stop_by_exit)
{
    exit_on_panic = stop_by_exit;
}

[[noreturn]] void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
    PANIC("a stack frame was overwritten");
}

// ---- Names --------------------------------------------------------------------------

struct symbol {
    const char *name; // nullptr: unknown
    uint64_t offset;  // of the address, within it
};

static struct symbol symbol_find(uint64_t address)
{
    bool named = (uint64_t)ksyms_start != (uint64_t)ksyms_end;
    if (!named || address < (uint64_t)text_start || address >= (uint64_t)text_end)
        return (struct symbol){};
    uint32_t count = ksyms_start[0];
    const uint32_t *offsets = ksyms_start + 1;
    const char *name = (const char *)(offsets + count);
    uint64_t wanted = address - (uint64_t)text_start;
    if (count == 0 || offsets[0] > wanted)
        return (struct symbol){};
    uint32_t index = 0;
    while (index + 1 < count && offsets[index + 1] <= wanted)
        index++;
    for (uint32_t i = 0; i < index; i++)
        name += __builtin_strlen(name) + 1;
    return (struct symbol){name, wanted - offsets[index]};
}

static void print_code_address(uint64_t address)
{
    struct symbol symbol = symbol_find(address);
    if (symbol.name == nullptr)
        log_printf("  0x%016llx\n", (unsigned long long)address);
    else
        log_printf("  0x%016llx %s+0x%llx\n", (unsigned long long)address, symbol.name,
                   (unsigned long long)symbol.offset);
}

// ---- Backtrace ----------------------------------------------------------------------

struct stack_frame {
    uint64_t next;
    uint64_t return_address;
};

static bool frame_within(uint64_t frame, uint64_t start, uint64_t size_bytes)
{
    return frame >= start && frame - start <= size_bytes - sizeof(struct stack_frame);
}

// Whether a frame is on a stack of this CPU.
static bool frame_valid(uint64_t frame)
{
    const struct percpu *cpu = percpu();
    return frame % sizeof(uint64_t) == 0 &&
           (frame_within(frame, cpu->stack_top - STACK_BYTES, STACK_BYTES) ||
            frame_within(frame, (uint64_t)cpu->fault_stacks,
                         FAULT_STACK_COUNT * FAULT_STACK_BYTES));
}

static void print_frames(uint64_t frame)
{
    for (unsigned i = 0; i < BACKTRACE_FRAMES_MAX && frame_valid(frame); i++) {
        const struct stack_frame *at = (const struct stack_frame *)frame;
        if (at->return_address < (uint64_t)text_start ||
            at->return_address >= (uint64_t)text_end)
            return;
        // A call's return address may be the start of the next function: look before it.
        print_code_address(at->return_address - 1);
        if (at->next <= frame)
            return;
        frame = at->next;
    }
}

void debug_backtrace(uint64_t instruction_pointer, uint64_t frame_pointer)
{
    print_code_address(instruction_pointer);
    print_frames(frame_pointer);
}

void arch_backtrace(void)
{
    print_frames((uint64_t)__builtin_frame_address(0));
}

// ---- Panic --------------------------------------------------------------------------

static void print_registers(const struct trap_frame *frame)
{
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {
        {"rip", frame->rip}, {"rsp", frame->rsp}, {"flg", frame->rflags}, {"rax", frame->rax},
        {"rbx", frame->rbx}, {"rcx", frame->rcx}, {"rdx", frame->rdx},    {"rsi", frame->rsi},
        {"rdi", frame->rdi}, {"rbp", frame->rbp}, {"r8 ", frame->r8},     {"r9 ", frame->r9},
        {"r10", frame->r10}, {"r11", frame->r11}, {"r12", frame->r12},    {"r13", frame->r13},
        {"r14", frame->r14}, {"r15", frame->r15}, {"cr2", cr2_read()},    {"cr3", cr3_read()},
        {"cr4", cr4_read()},
    };
    constexpr unsigned count = sizeof(registers) / sizeof(registers[0]);
    for (unsigned i = 0; i < count; i++)
        log_printf("  %s %016llx%s", registers[i].name, (unsigned long long)registers[i].value,
                   i % 3 == 2 ? "\n" : "");
}

// The user's state at the entry during which the kernel panicked.
static void print_user(struct arch_thread *thread)
{
    log_printf("entered from user mode at 0x%llx, stack 0x%llx\n",
               (unsigned long long)arch_thread_instruction_pointer(thread),
               (unsigned long long)arch_thread_stack_pointer(thread));
}

[[noreturn]] static void halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

[[noreturn]] static void stop(void)
{
    if (exit_on_panic)
        port_write32(EXIT_PORT, EXIT_VALUE);
    halt();
}

static struct percpu *panicking; // the CPU that panicked first

void arch_panic_begin(void)
{
    struct percpu *first = nullptr;
    if (__atomic_compare_exchange_n(&panicking, &first, percpu(), false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        remote_stop_all();
    else if (first != percpu())
        halt();
}

void debug_stop_if_asked(void)
{
    struct percpu *first = __atomic_load_n(&panicking, __ATOMIC_SEQ_CST);
    if (first == nullptr || first == percpu())
        return;
    __atomic_store_n(&percpu()->stopped, true, __ATOMIC_RELAXED);
    halt();
}

void arch_panic_stop(void)
{
    struct percpu *cpu = percpu();
    if (cpu->panicking) // by printing what follows
        stop();
    cpu->panicking = true;
    if (cpu->fault != nullptr) {
        print_registers(cpu->fault);
        log_printf("backtrace:\n");
        debug_backtrace(cpu->fault->rip, cpu->fault->rbp);
    } else {
        log_printf("  cr2 %016llx  cr3 %016llx  cr4 %016llx\nbacktrace:\n",
                   (unsigned long long)cr2_read(), (unsigned long long)cr3_read(),
                   (unsigned long long)cr4_read());
        arch_backtrace();
    }
    if (arch_cpu_count() > 1)
        log_printf("on CPU %u of %u\n", cpu->core->index, arch_cpu_count());
    log_printf("kernel moved by 0x%llx\n", (unsigned long long)(kernel_base() - KERNEL_BASE));
    if (cpu->thread != &cpu->no_thread)
        print_user(cpu->thread);
    log_printf("the machine is stopped\n");
    stop();
}
