// SPDX-License-Identifier: MIT
// See clock.h.
//
// The frequency of the TSC is what the CPU or the hypervisor says; else it is measured
// against channel 0 of the PIT, which nothing else uses.  The alarm is set lazily:
// a later deadline leaves the hardware as it is, the early interrupt sets it again.
// Most deadlines are moved or withdrawn, so this saves a slow register write for each.
//
// References: Intel SDM volume 2, CPUID leaves 15H and 16H; volume 3, 11.5.4 (timer),
// 18.17 (TSC); Intel 8254 data sheet.
#include <kernel/arch/x86_64/clock.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/apic.h>
#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/log.h>

constexpr uint64_t NS_PER_SECOND = 1'000'000'000;

// Frequencies as factors of fixed point: wide enough for any CPU, and no division when
// time is read.
constexpr unsigned NS_SHIFT = 32;
constexpr unsigned TICK_SHIFT = 28;

static uint64_t tsc_at_boot;
static uint64_t ns_per_tick;   // << NS_SHIFT
static uint64_t ticks_per_ns;  // << TICK_SHIFT
static uint64_t apic_per_tick; // << NS_SHIFT; 0: the timer takes TSC deadlines

static uint64_t scale(uint64_t value, uint64_t factor, unsigned shift)
{
    return (uint64_t)((unsigned __int128)value * factor >> shift);
}

// ---- Measuring ----------------------------------------------------------------------

static uint64_t tsc_hz_from_cpuid(void)
{
    uint32_t leaf_max = cpuid_read(0, 0).eax;
    if (leaf_max >= 0x15) {
        struct cpuid ratio = cpuid_read(0x15, 0); // EBX / EAX times the crystal
        if (ratio.eax != 0 && ratio.ebx != 0 && ratio.ecx != 0)
            return (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
    }
    if (cpu_features.hypervisor) {
        // A convention of VMware that KVM and others follow: kHz in EAX.
        constexpr uint32_t base = 0x40000000, frequency = 0x40000010;
        uint32_t hypervisor_max = cpuid_read(base, 0).eax;
        if (hypervisor_max >= frequency && hypervisor_max < base + 0x10000)
            return cpuid_read(frequency, 0).eax * 1000ull;
    }
    return 0;
}

constexpr uint64_t PIT_HZ = 1193182;
constexpr uint16_t PIT_COMMAND = 0x43;
constexpr uint16_t PIT_CHANNEL_0 = 0x40;
constexpr uint16_t PIT_WINDOW_TICKS = PIT_HZ * 3 / 1000; // 3 ms
constexpr unsigned PIT_STILL_MAX = 20'000; // equal readings of a PIT that isn't there
constexpr unsigned PIT_RESTARTS_MAX = 200;
// A virtual CPU may lose its host CPU at any instruction.  A reading that took this many times
// as long as the quickest, or came this many times as late as the usual, is not believed: the
// count wraps every 55 ms, and then the time between two readings can't be told.
constexpr uint64_t PIT_SLOW_FACTOR = 16;

struct pit_sample {
    uint64_t tsc;      // in the middle of the reading
    uint64_t took_tsc; // from before the latch to after it
    uint16_t count;    // falls
};

static struct pit_sample pit_sample(void)
{
    uint64_t before = tsc_read();
    port_write8(PIT_COMMAND, 0x00); // latch channel 0
    uint64_t after = tsc_read();
    uint8_t low = port_read8(PIT_CHANNEL_0);
    uint8_t high = port_read8(PIT_CHANNEL_0);
    return (struct pit_sample){
        .tsc = before + (after - before) / 2,
        .took_tsc = after - before,
        .count = (uint16_t)(high << 8 | low),
    };
}

// The quickest reading and the shortest step between two, as the machine shows them.
struct pit_pace {
    uint64_t took_tsc;
    uint64_t step_tsc;
};

static bool pit_undisturbed(struct pit_pace *pace, const struct pit_sample *previous,
                            const struct pit_sample *sample)
{
    uint64_t step_tsc = sample->tsc - previous->tsc;
    if (sample->took_tsc < pace->took_tsc)
        pace->took_tsc = sample->took_tsc;
    if (step_tsc < pace->step_tsc)
        pace->step_tsc = step_tsc;
    return sample->took_tsc / PIT_SLOW_FACTOR <= pace->took_tsc &&
           step_tsc / PIT_SLOW_FACTOR <= pace->step_tsc;
}

// The frequency over a window in which nothing disturbed: on a machine that is too busy, over
// the longest that there was.  0 if there is no PIT.
static uint64_t tsc_hz_from_pit(void)
{
    port_write8(PIT_COMMAND, 0x30); // channel 0, both bytes, counts down once
    port_write8(PIT_CHANNEL_0, 0xff);
    port_write8(PIT_CHANNEL_0, 0xff);
    struct pit_pace pace = {.took_tsc = UINT64_MAX, .step_tsc = UINT64_MAX};
    struct pit_sample first = pit_sample(), previous = first;
    unsigned still = 0, restarts = 0;
    uint64_t best_hz = 0;
    uint16_t best_ticks = 0;
    while (still < PIT_STILL_MAX && restarts < PIT_RESTARTS_MAX) {
        struct pit_sample sample = pit_sample();
        still = sample.count == previous.count ? still + 1 : 0;
        uint16_t ticks = (uint16_t)(first.count - sample.count);
        // Before the first clock edge the counter still holds its old value.
        bool wrapped = first.count < sample.count;
        if (!pit_undisturbed(&pace, &previous, &sample) || wrapped) {
            restarts++;
            first = sample;
        } else if (ticks > best_ticks) {
            best_ticks = ticks;
            best_hz = (sample.tsc - first.tsc) * PIT_HZ / ticks;
        }
        if (best_ticks >= PIT_WINDOW_TICKS)
            break;
        previous = sample;
    }
    return best_hz;
}

static void wait_ticks(uint64_t ticks)
{
    uint64_t start = tsc_read();
    while (tsc_read() - start < ticks)
        cpu_relax();
}

// The frequency of the TSC, measured if nobody tells; a millisecond at least passes.
static uint64_t tsc_hz(void)
{
    uint64_t hz = tsc_hz_from_cpuid();
    if (hz != 0) {
        if (!cpu_features.tsc_deadline)
            wait_ticks(hz / 1000);
        return hz;
    }
    hz = tsc_hz_from_pit();
    if (hz != 0)
        return hz;
    constexpr uint64_t guess = 2'000'000'000;
    log_printf("clock: neither CPU, hypervisor nor a PIT tell how fast the TSC is; "
               "taking it for 2 GHz\n");
    wait_ticks(guess / 1000);
    return guess;
}

// What the APIC timer and the TSC have counted, at the same time: of a few readings the
// quickest, for a virtual CPU may lose its host CPU between the two.
static void read_both(uint64_t start, uint64_t *out_apic_ticks, uint64_t *out_tsc_ticks)
{
    uint64_t quickest = UINT64_MAX;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = tsc_read();
        uint64_t apic_ticks = UINT32_MAX - apic_timer_remaining();
        uint64_t after = tsc_read();
        if (after - before >= quickest)
            continue;
        quickest = after - before;
        *out_apic_ticks = apic_ticks;
        *out_tsc_ticks = before + quickest / 2 - start;
    }
}

void clock_init(void)
{
    uint64_t start = tsc_read();
    apic_timer_start(UINT32_MAX);
    uint64_t hz = tsc_hz();
    uint64_t apic_ticks, tsc_ticks;
    read_both(start, &apic_ticks, &tsc_ticks);
    apic_timer_start(0);

    tsc_at_boot = start;
    ns_per_tick = (NS_PER_SECOND << NS_SHIFT) / hz;
    ticks_per_ns = (hz << TICK_SHIFT) / NS_PER_SECOND;
    if (cpu_features.tsc_deadline)
        apic_timer_use_deadline();
    else
        apic_per_tick = (apic_ticks << NS_SHIFT) / tsc_ticks;
    log_printf("clock: TSC %llu kHz, timer by %s\n", (unsigned long long)(hz / 1000),
               cpu_features.tsc_deadline ? "TSC deadline" : "count");
}

void clock_init_cpu(void)
{
    if (cpu_features.tsc_deadline)
        apic_timer_use_deadline();
}

void clock_wait_ns(uint64_t duration_ns)
{
    wait_ticks(scale(duration_ns, ticks_per_ns, TICK_SHIFT));
}

// ---- Clock and alarm ----------------------------------------------------------------

uint64_t arch_now_ns(void)
{
    return scale(tsc_read() - tsc_at_boot, ns_per_tick, NS_SHIFT);
}

static void program(struct percpu *cpu, uint64_t deadline_ns)
{
    // Far deadlines are approached in steps, so that nothing overflows.
    constexpr uint64_t step_ns_max = 1ull << 40;
    uint64_t now_ns = arch_now_ns();
    uint64_t step_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    if (step_ns > step_ns_max)
        step_ns = step_ns_max;
    // One more, so that rounding doesn't make it early.
    uint64_t ticks = scale(step_ns + 1, ticks_per_ns, TICK_SHIFT) + 1;
    cpu->timer_programmed_ns = deadline_ns;
    if (cpu_features.tsc_deadline) {
        msr_write(MSR_TSC_DEADLINE, tsc_read() + ticks);
        return;
    }
    uint64_t count = scale(ticks, apic_per_tick, NS_SHIFT) + 1;
    apic_timer_start(count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

void arch_timer_set(uint64_t deadline_ns)
{
    struct percpu *cpu = percpu();
    cpu->timer_wanted_ns = deadline_ns;
    if (deadline_ns < cpu->timer_programmed_ns)
        program(cpu, deadline_ns);
}

bool clock_interrupt(void)
{
    struct percpu *cpu = percpu();
    cpu->timer_programmed_ns = UINT64_MAX;
    if (cpu->timer_wanted_ns == UINT64_MAX)
        return false;
    if (arch_now_ns() < cpu->timer_wanted_ns) {
        program(cpu, cpu->timer_wanted_ns);
        return false;
    }
    cpu->timer_wanted_ns = UINT64_MAX;
    return true;
}
