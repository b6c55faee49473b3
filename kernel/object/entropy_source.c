// SPDX-License-Identifier: MIT
// EntropySource: random bytes from one generator for the machine.
//
// The generator is ChaCha20 with fast key erasure (lib/chacha20.h), seeded from the machine
// at boot and stirred with fresh machine entropy before a fill, at most every STIR_NS: so a
// machine that was cloned from a snapshot soon differs from its twin where the CPU has a
// generator, and a burst of fills doesn't pay for it each time.

#include <kernel/object/entropy_source.h>

#include <gen/kernel/entropy_source.h>
#include <kernel/arch.h>
#include <kernel/ipc/invocation.h>
#include <kernel/object/object.h>
#include <kernel/object/objects.h>
#include <lib/chacha20.h>

constexpr uint64_t STIR_NS = 1'000'000;

static struct chacha20_rng generator;
static uint64_t stir_due_ns;

void entropy_init(void)
{
    arch_entropy(generator.seed);
}

static void stir(void)
{
    uint64_t now_ns = arch_now_ns();
    if (now_ns < stir_due_ns)
        return;
    stir_due_ns = now_ns + STIR_NS;
    uint8_t fresh[CHACHA20_KEY_BYTES];
    arch_entropy(fresh);
    for (size_t i = 0; i < sizeof fresh; i++)
        generator.seed[i] ^= fresh[i];
}

void entropy_fill(void *to, size_t size_bytes)
{
    stir();
    chacha20_rng_fill(&generator, to, size_bytes);
}

uint64_t entropy_word(void)
{
    static uint64_t stock[60]; // with the generator's next key 8 blocks, to the last byte
    static unsigned count;
    if (count == 0) {
        entropy_fill(stock, sizeof stock);
        count = sizeof stock / sizeof stock[0];
    }
    uint64_t word = stock[--count];
    stock[count] = 0; // handed out once, and then nobody's to read
    return word;
}

static const struct object_type entropy_type = {
    .dispatch = &entropy_source_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
};

static struct object entropy_source = {.type = &entropy_type, .reference_count = 1};

struct object *entropy_source_object(void)
{
    return &entropy_source;
}

enum status entropy_source_fill(struct object *, struct invocation *invocation,
                                const struct entropy_source_fill_params *params,
                                struct entropy_source_fill_results *out_results)
{
    static uint8_t bytes[1024]; // the big kernel lock is held; the results are encoded from it
    if (params->length_bytes < 1 || params->length_bytes > sizeof bytes)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, "lengthBytes: 1 to 1024");
    entropy_fill(bytes, params->length_bytes);
    out_results->data.data = bytes;
    out_results->data.size_bytes = params->length_bytes;
    return STATUS_OK;
}
