// SPDX-License-Identifier: MIT
// Capabilities on their way between tables (transfer.c).
//
// A sender's descriptors are read once and resolved into a set: a copied capability gets a
// hold of its own, a moved one stays in the sender's slot, marked as in transit.  Then the
// set is either committed (the receiver's table has the holds, moved slots are empty) or
// dropped (everything as before, but for what was given).  Commit can't fail: room was
// reserved first.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <kernel/ipc/invocation.h>

struct process;

struct transfer_set {
    struct process *sender; // borrowed: an op of one of its threads owns the set
    uint32_t count;
    struct invocation_transfer entries[CAPOS_TRANSFER_COUNT_MAX];
};

// Resolves descriptors.  STATUS_BAD_TRANSFER, STATUS_BAD_CAPABILITY; then nothing changed.
[[nodiscard]] enum status transfer_resolve(struct transfer_set *set, struct process *sender,
                                           const struct capos_transfer *descriptors,
                                           uint32_t count);

// Puts the capabilities into a table with room for them and describes each in a record.
void transfer_commit(struct transfer_set *set, struct process *receiver,
                     struct capos_cap_record *out_records);

// For a receiver that isn't a table (a kernel method that took its own holds): gives up
// what the sender moved and the holds of the set.
void transfer_consume(struct transfer_set *set);

// Undoes transfer_resolve, except that what was given is gone.
void transfer_drop(struct transfer_set *set);

// Storage for a set that outlives the submission; nullptr when the budget is exhausted.
[[nodiscard]] struct transfer_set *transfer_set_create(struct process *sender);
void transfer_set_destroy(struct transfer_set *set);
