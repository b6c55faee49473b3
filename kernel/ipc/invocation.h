// SPDX-License-Identifier: MIT
// A call on a kernel object while its method runs: what generated dispatch code and
// the implementations in kernel/object use.
//
// A method validates everything before it changes anything.  Before it runs, the core
// has made sure that the results fit the caller's buffer, that the caller's table has
// room for the result capabilities and that the caller may defer, so what follows the
// validation can't fail.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <kernel/ipc/span.h>

struct object;
struct op;
struct process;
struct thread;

constexpr uint32_t INVOCATION_PARAMS_BYTES_MAX = 4096;
constexpr uint32_t INVOCATION_RESULTS_BYTES_MAX = 4608;

// A capability that travels with a call, resolved and held for the call's duration.
struct invocation_transfer {
    struct object *object;
    uint64_t interface_id;
    capos_cap_id sender_id; // the sender's slot
    uint8_t mode;           // enum capos_hold_mode the receiver gets
    bool moved;             // the hold is the sender's slot, in transit
    bool given;             // moved, and not to come back
};

struct invocation {
    struct thread *thread;   // the caller
    struct process *process; // its process
    const void *params;      // the message, copied into the kernel, 8-byte aligned
    uint32_t params_bytes;
    uint16_t transfer_count;
    uint16_t result_cap_count;
    const struct invocation_transfer *transfers;
    struct object *result_caps[CAPOS_TRANSFER_COUNT_MAX]; // references owned by the call
    const char *reason;                                   // set by invocation_fail
    void *results; // the CPU's scratch, or the caller's buffer in its ring
    uint32_t results_bytes_max;
    uint32_t results_bytes;
    // Of the submission.
    uint64_t user_data;
    uint64_t result; // where the results go: an address, or an offset into the ring
    uint32_t result_bytes_max;
    bool result_in_ring;
};

// Checks that capability `index` came with the call and has an interface (0: any).
// WIRE_CAP_NULL or a bad index: STATUS_BAD_TRANSFER; else STATUS_WRONG_INTERFACE, also for a
// revocable capability where an interface is asked for.
[[nodiscard]] enum status invocation_check_capability(struct invocation *invocation,
                                                      uint32_t index, uint64_t interface_id);

// The object of a capability that was checked.  Lent: take a reference to keep it.
[[nodiscard]] struct object *invocation_object(const struct invocation *invocation,
                                               uint32_t index);

// Adds a result capability and returns its index for the results struct.  Consumes one
// reference on the object.
[[nodiscard]] uint32_t invocation_add_capability(struct invocation *invocation,
                                                 struct object *object);

// The buffer in which generated code encodes the results, zeroed as far as it goes.
[[nodiscard]] void *invocation_results(struct invocation *invocation, uint32_t *out_bytes_max);
// States the size that was encoded.
void invocation_set_results_bytes(struct invocation *invocation, uint32_t size_bytes);

// Fails with an exception and says why: `status` is STATUS_FAILED to
// STATUS_INVALID_ARGUMENT, `reason` a static text that names the argument and its range.
// Returns the status, for `return invocation_fail(...)`.
[[nodiscard]] enum status invocation_fail(struct invocation *invocation, enum status status,
                                          const char *reason);

// Turns the call into an operation that completes later; the method then returns
// STATUS_PENDING.  nullptr when the caller's budget is exhausted: return STATUS_OVERLOADED.
// `on_cancel` takes the op out of the object's queue (CANCEL, or the end of the thread);
// the core frees it.
[[nodiscard]] struct op *invocation_defer(struct invocation *invocation, struct object *object,
                                          void (*on_cancel)(struct op *op));

// For generated `_complete` functions: the buffer to encode into, then the completion.
// op_complete frees the op.
[[nodiscard]] void *op_results(struct op *op, uint32_t *out_bytes_max);
void op_complete(struct op *op, uint32_t results_bytes);
// Completes with an exception.
void op_fail(struct op *op, enum status status, const char *reason);
