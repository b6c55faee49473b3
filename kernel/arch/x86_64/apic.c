// SPDX-License-Identifier: MIT
// See apic.h.  References: Intel SDM volume 3, chapter 11 (APIC), 11.6 (interprocessor
// interrupts), 11.12 (x2APIC); Intel
// 8259A data sheet.
#include <kernel/arch/x86_64/apic.h>

#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/log.h>

enum apic_register : uint32_t { // byte offsets
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_END_OF_INTERRUPT = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_ERROR_STATUS = 0x280,
    APIC_COMMAND = 0x300,
    APIC_COMMAND_TARGET = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

constexpr uint64_t APIC_BASE_ENABLE = 1u << 11;
constexpr uint64_t APIC_BASE_X2APIC = 1u << 10;
constexpr uint32_t SPURIOUS_ENABLE = 1u << 8;
constexpr uint32_t LVT_MASKED = 1u << 16;
constexpr uint32_t LVT_NMI = 4u << 8;
constexpr uint32_t LVT_TIMER_DEADLINE = 2u << 17;
constexpr uint32_t DIVIDE_BY_1 = 0xb;
constexpr uint32_t COMMAND_NMI = 4u << 8;
constexpr uint32_t COMMAND_INIT = 5u << 8;
constexpr uint32_t COMMAND_STARTUP = 6u << 8;
constexpr uint32_t COMMAND_PENDING = 1u << 12;
constexpr uint32_t COMMAND_ASSERT = 1u << 14;
constexpr uint32_t COMMAND_TO_OTHERS = 3u << 18;

static volatile uint32_t *registers; // nullptr: x2APIC, by MSR

static uint32_t apic_read(enum apic_register which)
{
    if (registers == nullptr)
        return (uint32_t)msr_read(MSR_X2APIC + which / 16);
    return registers[which / sizeof(uint32_t)];
}

static void apic_write(enum apic_register which, uint32_t value)
{
    if (registers == nullptr)
        msr_write(MSR_X2APIC + which / 16, value);
    else
        registers[which / sizeof(uint32_t)] = value;
}

// Moves the PICs' vectors away from the exceptions, then masks all their lines: masked,
// they can still raise a spurious interrupt.
static void pic_disable(void)
{
    constexpr uint16_t master = 0x20, slave = 0xa0;
    static const struct {
        uint16_t port;
        uint8_t value;
    } steps[] = {
        {master, 0x11},           {slave, 0x11},               // initialise, 4 words
        {master + 1, VECTOR_PIC}, {slave + 1, VECTOR_PIC + 8}, // vectors
        {master + 1, 4},          {slave + 1, 2},              // the cascade
        {master + 1, 1},          {slave + 1, 1},              // 8086 mode
        {master + 1, 0xff},       {slave + 1, 0xff},           // mask all
    };
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        port_write8(steps[i].port, steps[i].value);
}

paddr_t apic_physical(void)
{
    return msr_read(MSR_APIC_BASE) & PTE_ADDRESS;
}

void apic_init_cpu(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE;
    msr_write(MSR_APIC_BASE, base); // x2APIC mode is entered from the enabled state
    if (cpu_features.x2apic)
        msr_write(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_timer_start(0);
    apic_end_of_interrupt();
}

void apic_init(void)
{
    pic_disable();
    if (!cpu_features.x2apic)
        registers = kernel_map_registers(apic_physical());
    apic_init_cpu();
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);
    return registers == nullptr ? id : id >> 24;
}

void apic_end_of_interrupt(void)
{
    apic_write(APIC_END_OF_INTERRUPT, 0);
}

static void send(uint32_t apic_id_to, uint32_t command)
{
    if (registers == nullptr) {
        // The write of an MSR isn't ordered after earlier stores (11.12.3).
        __asm__ volatile("mfence; lfence" : : : "memory");
        msr_write(MSR_X2APIC + APIC_COMMAND / 16, (uint64_t)apic_id_to << 32 | command);
        return;
    }
    apic_write(APIC_COMMAND_TARGET, apic_id_to << 24);
    apic_write(APIC_COMMAND, command);
    while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
        cpu_relax();
}

void apic_send(uint32_t apic_id_to, uint8_t vector)
{
    send(apic_id_to, COMMAND_ASSERT | vector);
}

void apic_send_nmi_to_others(void)
{
    send(0, COMMAND_TO_OTHERS | COMMAND_ASSERT | COMMAND_NMI);
}

void apic_send_init(uint32_t apic_id_to)
{
    send(apic_id_to, COMMAND_ASSERT | COMMAND_INIT);
}

void apic_send_startup(uint32_t apic_id_to, paddr_t page)
{
    send(apic_id_to, COMMAND_ASSERT | COMMAND_STARTUP | (uint32_t)(page / PAGE_BYTES));
}

void apic_timer_start(uint32_t ticks)
{
    apic_write(APIC_TIMER_INITIAL, ticks);
}

uint32_t apic_timer_remaining(void)
{
    return apic_read(APIC_TIMER_CURRENT);
}

void apic_timer_use_deadline(void)
{
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | LVT_TIMER_DEADLINE);
    // The mode must be in effect before the first deadline is written (11.5.4.1).
    __asm__ volatile("mfence" : : : "memory");
}

void apic_report_error(void)
{
    apic_write(APIC_ERROR_STATUS, 0); // a write makes the register current
    uint32_t error = apic_read(APIC_ERROR_STATUS);
    apic_end_of_interrupt();
    log_printf("apic: error 0x%x\n", error);
}
