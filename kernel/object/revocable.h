// SPDX-License-Identifier: MIT
// Revocable capabilities: a forwarder in front of an object (revocable.c).
#pragma once

#include <abi/ring.h>
#include <gen/status.h>

struct budget;
struct object;
struct thread;

extern const struct object_type revocable_type;

constexpr uint32_t REVOCABLE_DEPTH_MAX = 8; // forwarders one behind the other

// A forwarder to an object and its revoker: one reference each, and no hold.  The forwarder
// has a hold on the target.  False when the budget, which pays for both, is exhausted.
[[nodiscard]] bool revocable_create(struct budget *budget, struct object *target,
                                    uint64_t interface_id, struct object **out_forwarder,
                                    struct object **out_revoker);

// How many forwarders a call on an object passes; 0: it is none.
[[nodiscard]] uint32_t revocable_depth(const struct object *object);

// The interface of what a forwarder forwards to, also after it was revoked.
[[nodiscard]] uint64_t revocable_interface_id(const struct object *forwarder);

// On what a forwarder has its hold; nullptr: it was revoked.
[[nodiscard]] const struct object *revocable_held(const struct object *forwarder);

// What a call on an object ends at, lent: itself, unless it is a forwarder.  nullptr: it was
// revoked.
[[nodiscard]] struct object *revocable_target(struct object *object);

// A call on a forwarder.  STATUS_PENDING when the completion is or will be posted.
[[nodiscard]] enum status revocable_call(struct thread *thread, const struct capos_sqe *sqe,
                                         struct object *forwarder);
