// SPDX-License-Identifier: MIT
// The ring's side of Endpoints: calls on minted objects, receives and returns
// (kernel/object/endpoint.c).
//
// Each function returns STATUS_PENDING when the completion is or will be posted, and
// otherwise the status with which the submission completes.
#pragma once

#include <abi/ring.h>
#include <gen/status.h>

struct object;
struct process;
struct thread;

// The Endpoint that an id names.
[[nodiscard]] enum status endpoint_lookup(struct thread *thread, capos_cap_id id,
                                          struct object **out_endpoint);

// CALL on a minted object.
[[nodiscard]] enum status endpoint_call(struct thread *thread, const struct capos_sqe *sqe,
                                        struct object *minted);

// RECV.
[[nodiscard]] enum status endpoint_receive(struct thread *thread, const struct capos_sqe *sqe,
                                           struct object *endpoint);

// RECV with MULTISHOT.  STATUS_QUEUE_FULL: the completion queue has no room for its slots.
[[nodiscard]] enum status endpoint_receive_many(struct thread *thread,
                                                const struct capos_sqe *sqe,
                                                struct object *endpoint);

// RETURN_RECV with MULTISHOT.  STATUS_PENDING also when there will be no completion.
[[nodiscard]] enum status endpoint_return_slot(struct thread *thread,
                                               const struct capos_sqe *sqe,
                                               struct object *endpoint);

// RETURN; STATUS_OK when the caller has its answer, or couldn't take it.
[[nodiscard]] enum status endpoint_return(struct thread *thread, const struct capos_sqe *sqe,
                                          struct object *endpoint);

// The process is ending: the calls that it received and didn't answer complete as
// disconnected, whoever else holds their Endpoints.
void endpoint_receiver_ended(struct process *process);
