// SPDX-License-Identifier: MIT
// Calls of methods that are known at run time only: what <gen/capos/X.h> is for a program that
// knows its interfaces, for one that learns them from a descriptor.
//
//     struct capos_dynamic_call call;
//     status = capos_dynamic_call(&call, &schema, timer.id, INTERFACE_TIMER, &method,
//                                 arguments, 1, &arena);
//     if (status == STATUS_OK)
//         value_print_fields(&sink, &schema, &call.results, "");
//     else
//         complain(status, call.problem.text);
//     capos_dynamic_end(&call);
//
// A capability value's number is a capos_cap_id.  As an argument it is lent; among the results
// it belongs to the call until capos_dynamic_keep.
#pragma once

#include <capos/call.h>
#include <lib/value.h>

struct capos_dynamic_call {
    struct value
        results; // a STRUCT, lent until end: texts from the message, items from the arena
    struct value_problem problem;
    struct capos_call call; // once it has begun: for capos_call_on_done and capos_call_cancel
    bool begun;             // private
    uint32_t results_of;    // private
};

// Calls and waits.  Must be followed by capos_dynamic_end, whatever it returns.
// STATUS_INVALID_ARGUMENT before anything is sent: the arguments don't fit the method;
// STATUS_BAD_MESSAGE: the results aren't what the descriptor says; STATUS_OVERLOADED: no
// memory, or the arena is full; else as the callee answers.  problem says why, for a person.
[[nodiscard]] enum status
capos_dynamic_call(struct capos_dynamic_call *call, const struct descriptor *descriptor,
                   capos_cap_id cap, uint64_t interface_id,
                   const struct descriptor_method *method, const struct value_item *arguments,
                   uint32_t argument_count, struct value_arena *arena);

// The halves of capos_dynamic_call: to be told of the completion, or to cancel it, in between.
// Begin fails as above, and then finish isn't called.
[[nodiscard]] enum status capos_dynamic_begin(struct capos_dynamic_call *call,
                                              const struct descriptor *descriptor,
                                              capos_cap_id cap, uint64_t interface_id,
                                              const struct descriptor_method *method,
                                              const struct value_item *arguments,
                                              uint32_t argument_count);
[[nodiscard]] enum status capos_dynamic_finish(struct capos_dynamic_call *call,
                                               const struct descriptor *descriptor,
                                               struct value_arena *arena);

// Makes a capability of the results the caller's own.  False: it isn't among them, or was
// kept already.
[[nodiscard]] bool capos_dynamic_keep(struct capos_dynamic_call *call, capos_cap_id cap);

// Releases the results and the capabilities that weren't kept.
void capos_dynamic_end(struct capos_dynamic_call *call);
