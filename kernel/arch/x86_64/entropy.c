// SPDX-License-Identifier: MIT
// Seeds from what the machine has: RDSEED, RDRAND, and the jitter of the TSC, always all
// of them, so that one that is broken or malicious doesn't weaken the others.
// Reference: Intel Digital Random Number Generator Guide 2.1, 5.2.1 and 5.3.1 (retries).
#include <kernel/arch.h>

#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/x86.h>

constexpr unsigned SEED_TRIES = 100;
constexpr unsigned RANDOM_TRIES = 10;
constexpr unsigned JITTER_SAMPLES = 64;

static uint64_t hardware_word(void)
{
    uint64_t word;
    for (unsigned i = 0; cpu_features.rdseed && i < SEED_TRIES; i++) {
        if (rdseed_try(&word))
            return word;
        cpu_relax();
    }
    for (unsigned i = 0; cpu_features.rdrand && i < RANDOM_TRIES; i++)
        if (rdrand_try(&word))
            return word;
    return 0;
}

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each input bit changes half of
// the output bits.
static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
}

// How long a CPUID takes varies, on a virtual machine by much: it goes to the host.
static uint64_t jitter_word(uint64_t state)
{
    for (unsigned i = 0; i < JITTER_SAMPLES; i++) {
        (void)cpuid_read(0, 0);
        state = mix(state + tsc_read());
    }
    return state;
}

void arch_entropy(uint8_t seed[32])
{
    static uint64_t state; // successive seeds differ even if nothing else does
    for (unsigned i = 0; i < 32 / sizeof(uint64_t); i++) {
        state = jitter_word(state);
        uint64_t word = state ^ hardware_word();
        __builtin_memcpy(seed + i * sizeof(word), &word, sizeof(word));
    }
}
