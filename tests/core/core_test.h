// SPDX-License-Identifier: MIT
// What the tests of the kernel core share: each test runs between harness_begin and
// harness_end, so it fails when it leaks a frame, a charge or a process.
#pragma once

#include <gen/interfaces.h>
#include <gen/status.h>
#include <kernel/arch/host/harness.h>
#include <test/test.h>

#define CORE_TEST(name)            \
    static void name##_body(void); \
    static void name(void)         \
    {                              \
        harness_begin();           \
        name##_body();             \
        CHECK(harness_end());      \
    }                              \
    static void name##_body(void)

// Checks that a completion carries a status and, for an exception, the flag.
#define CHECK_STATUS(cqe_result, status) CHECK_EQ(-(int64_t)(cqe_result), (status))

// Takes one completion, which must be there.
static inline struct capos_cqe take(struct actor *actor)
{
    struct capos_cqe cqe = {.result = INT32_MAX};
    CHECK(actor_pop(actor, &cqe));
    return cqe;
}

static inline bool nothing_completed(struct actor *actor)
{
    struct capos_cqe cqe;
    return !actor_pop(actor, &cqe);
}

// A call of a method without parameters, and the same with encoded parameters: prefix is
// that of the params struct, as in WITH(&call, notification_wait_params, .mask = 1).
static inline struct actor_call call_of(capos_cap_id cap, uint64_t interface_id,
                                        uint16_t method)
{
    return (struct actor_call){.cap = cap, .interface_id = interface_id, .method = method};
}

#define WITH(call, prefix, ...)                                                        \
    do {                                                                               \
        static alignas(8) uint8_t encoded_[2048];                                      \
        (call)->params = encoded_;                                                     \
        (call)->params_bytes =                                                         \
            prefix##_encode(&(struct prefix){__VA_ARGS__}, encoded_, sizeof encoded_); \
        CHECK((call)->params_bytes != 0);                                              \
    } while (0)

// Reads a result of slot `slot` into a results struct.
#define RESULTS(actor, slot, cqe, prefix, out)                                     \
    do {                                                                           \
        static alignas(8) uint8_t message_[ACTOR_RESULT_BYTES];                    \
        actor_result((actor), (slot), message_, sizeof message_);                  \
        CHECK_EQ(prefix##_decode(message_, (cqe).result_bytes, (out)), STATUS_OK); \
    } while (0)
