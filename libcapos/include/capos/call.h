// SPDX-License-Identifier: MIT
// Calls: the untyped half of every generated client and server.
//
// The generated functions in <gen/capos/X.h> are what a program uses; this header is
// what they are made of.  A client call has five steps, a synchronous one does them in
// one function and an asynchronous one in two:
//
//     void *params = capos_call_begin(&call, ...);        room for params and results
//     encode into params                                  generated
//     capos_call_submit(&call, ...);                      the SQE is in the ring
//     capos_call_wait(&call);                             the CQE is there
//     decode call.results, capos_call_take(&call, ...)    generated
//     capos_call_end(&call, status);                      gives back what begin took
//
// Invariants:
//  1. A call belongs to the thread that began it, from begin to end.  Between submit and
//     the completion its storage and its buffers belong to the kernel and the ring: the
//     struct must not move and not go out of scope.
//  2. Completions are matched by user_data, the address of the struct, so calls complete
//     in any order and a synchronous call works while others are in flight.
//  3. A result capability is taken, once and with its interface checked, or released by
//     capos_call_end.  None leaks, whatever the callee sent.
//  4. A synchronous call whose messages are small uses the ring's message area, which
//     needs no allocation.  There is one synchronous call at a time on a thread.
//
// A synchronous call without capabilities, in neither direction, has a shorter way:
//
//     void *message = capos_sync_begin(...);              room for params, then for results
//     encode into message                                 generated
//     int64_t results_bytes = capos_sync_call(message, ...);
//     decode message                                      generated
//     capos_sync_end(message, status);
//
// A method that returns one capability has X_promise besides X_begin: it gives the handle of
// what the call will return, on which further calls can be begun before that has arrived, and
// handles that they promise, and so on; the kernel makes each as soon as it can:
//
//     directory_cap directory;
//     file_cap file;
//     root_open_promise(&first, root, "data", 4, &directory);
//     directory_open_promise(&second, directory, "report", 6, &file);
//     file_size(file, &size);                             one round trip for all three
//     directory_open_finish(&second, nullptr);            nullptr: the file isn't kept
//     root_open_finish(&first, nullptr);
//
// If a call fails, those that build on it fail with the same status.  A promised handle is good
// until its call is finished; then it names nothing (STATUS_BAD_CAPABILITY).
//
// Implemented in call.c (client) and server.c (server).
#pragma once

#include <abi/ring.h>
#include <gen/status.h>
#include <lib/wire.h>
#include <stddef.h>
#include <stdint.h>

// One call.  Caller's storage; needs no initialisation before begin.
struct capos_call {
    // Results, from a successful capos_call_wait until capos_call_end.
    const void *results;                 // the message, 8-byte aligned
    const struct capos_cap_record *caps; // the capabilities that came with it
    uint32_t results_bytes;
    uint16_t cap_count;  // at most CAPOS_TRANSFER_COUNT_MAX
    uint16_t caps_taken; // bit i: capability i has an owner

    // Private to call.c and loop.c.
    uint8_t *params; // what begin returned
    uint8_t *result_buffer;
    uint32_t params_bytes_max; // message and transfers
    uint32_t result_bytes_max; // message and records
    int32_t completion_result; // of the CQE, valid once done
    uint32_t completion_flags;
    uint8_t memory;                  // enum call_memory: what end gives back
    uint8_t state;                   // enum call_state
    bool promised;                   // others may build on it
    uint32_t serial;                 // of a promised call, unique on the thread
    uint32_t ahead;                  // the serial of the call on which it builds, or 0
    struct capos_call *promise_next; // of the thread's promised calls
    struct capos_call *next;         // in the list of completions to tell of
    void (*on_done)(struct capos_call *call, void *context);
    void *context;
};

// The id of an interface from where `capos inspect` finds it.  Volatile, because link-time
// optimisation would otherwise take the number and drop the place.
[[nodiscard]] static inline uint64_t capos_linked_id(const uint64_t *id)
{
    return *(const volatile uint64_t *)id;
}

// Takes memory for a call: params of up to `params_bytes_max` bytes with
// `transfers_max` capabilities, results of up to `results_bytes_max` bytes with
// `result_caps_max` capabilities.  Returns the 8-byte aligned buffer for the params
// message, not zeroed; nullptr if there is no memory: return STATUS_OVERLOADED without
// calling end.
//
// capos_call_begin_sync is for a call that ends before the thread begins another
// synchronous one; it is the fast path.
[[nodiscard]] void *capos_call_begin(struct capos_call *call, uint32_t params_bytes_max,
                                     uint32_t transfers_max, uint32_t results_bytes_max,
                                     uint32_t result_caps_max);
[[nodiscard]] void *capos_call_begin_sync(struct capos_call *call, uint32_t params_bytes_max,
                                          uint32_t transfers_max, uint32_t results_bytes_max,
                                          uint32_t result_caps_max);

// Puts the call into the submission queue.  The message of `params_bytes` bytes lies in
// the buffer from begin; the transfers are copied behind it.  STATUS_OVERLOADED if as
// many calls as the queues have entries are in flight; the caller then ends the call.
[[nodiscard]] enum status capos_call_submit(struct capos_call *call, capos_cap_id cap,
                                            uint64_t interface_id, uint16_t method,
                                            uint32_t params_bytes,
                                            const struct capos_transfer *transfers,
                                            uint32_t transfer_count);

// Before submit: others may build on the call.
void capos_call_promise(struct capos_call *call);

// The id of capability `index`, 0 to 7, of a promised call's results, for the `cap` of
// capos_call_submit only: it isn't one of the process's table and can't be transferred.
constexpr uint64_t CAPOS_PROMISED = UINT64_C(0xffff) << 48; // above all ids and addresses
[[nodiscard]] static inline capos_cap_id capos_call_promised(const struct capos_call *call,
                                                             uint32_t index)
{
    return CAPOS_PROMISED | (uint64_t)call | index;
}

// Waits for this call's completion, whatever else completes before, and for the completions
// of the calls on which it builds.  On STATUS_OK the
// public fields are set, bounds-checked against the result buffer.  Else the call
// failed: capos_last_exception() tells the reason if it is an exception.
[[nodiscard]] enum status capos_call_wait(struct capos_call *call);

// Takes result capability `index` if its interface is `interface_id` (0: any).
// STATUS_BAD_TRANSFER: no such capability, or taken already.  STATUS_WRONG_INTERFACE.
[[nodiscard]] enum status capos_call_take(struct capos_call *call, uint32_t index,
                                          uint64_t interface_id, capos_cap_id *out_cap);

// Gives back the call's memory and queues the release of the result capabilities that
// were not taken; of all of them if `status` isn't STATUS_OK.  Returns `status`.
enum status capos_call_end(struct capos_call *call, enum status status);

// The request half of an asynchronous call failed after begin and before submit, or
// submit failed: gives the memory back.  Returns `status`.
enum status capos_call_abandon(struct capos_call *call, enum status status);

// Withdraws a pending call: it completes soon, with STATUS_CANCELLED unless it took effect
// before.  The caller still waits for it or has it watched, and ends it.
void capos_call_cancel(struct capos_call *call);

// Whether the call has completed: then finish doesn't block.  Doesn't enter the kernel
// and doesn't submit.
[[nodiscard]] bool capos_call_is_done(const struct capos_call *call);

// ---- A synchronous call without capabilities ----------------------------------------

// Takes the room for params of up to `params_bytes_max` bytes, and then for results of up to
// `results_bytes_max` at the same place.  Returns the 8-byte aligned buffer, not zeroed; nullptr
// if there is no memory: return STATUS_OVERLOADED.
[[nodiscard]] void *capos_sync_begin(uint32_t params_bytes_max, uint32_t results_bytes_max);

// Calls with the message of `params_bytes` bytes in the buffer, and waits.  Returns the size of
// the results, which have taken its place, or the negative of an enum status, as capos_call_submit
// and capos_call_wait.  Capabilities that came though the method returns none are released.
[[nodiscard]] int64_t capos_sync_call(void *message, capos_cap_id cap, uint64_t interface_id,
                                      uint16_t method, uint32_t params_bytes);

// Gives the buffer back.  Returns `status`.
enum status capos_sync_end(void *message, enum status status);

// Why the thread's last failed call failed.  Set by calls that end with STATUS_FAILED to
// STATUS_INVALID_ARGUMENT; other calls leave it alone.  Lent until the next failure.
struct capos_exception {
    enum status status;
    uint32_t reason_bytes; // without the NUL
    char reason[201];
};
[[nodiscard]] const struct capos_exception *capos_last_exception(void);

// Queues the release of a capability; it takes effect before the thread's next
// submission does.  0 is no error.
void capos_release(capos_cap_id cap);

// Appends a capability to the transfers of a message and returns its index, for a
// capability field of the message; WIRE_CAP_NULL for the id 0.
[[nodiscard]] static inline uint32_t capos_transfer_add(struct capos_transfer *transfers,
                                                        uint32_t *count,
                                                        struct capos_transfer transfer)
{
    if (transfer.cap == 0)
        return WIRE_CAP_NULL;
    transfers[*count] = transfer;
    return (*count)++;
}

// A transfer that lends: the receiver gets a copy that it may copy and move.
[[nodiscard]] static inline struct capos_transfer capos_transfer_copy(capos_cap_id cap)
{
    return (struct capos_transfer){.cap = cap, .how = CAPOS_TRANSFER_COPY};
}

// A transfer that gives away: the sender's hold is gone once the message has arrived.
[[nodiscard]] static inline struct capos_transfer capos_transfer_move(capos_cap_id cap)
{
    return (struct capos_transfer){.cap = cap, .how = CAPOS_TRANSFER_MOVE};
}

// ---- The server's side -------------------------------------------------------------

// A call that a server received and has not answered.  libcapos owns the storage, from
// its reception until one of the answers below, which consume it.
struct capos_server_call {
    uint64_t word; // under which the called object was minted
    uint64_t interface_id;
    const void *params;                  // the message, 8-byte aligned, lent until the answer
    const struct capos_cap_record *caps; // the capabilities that came with it
    uint32_t params_bytes;
    uint16_t cap_count;
    uint16_t caps_taken; // bit i: capability i has an owner
    uint16_t method;

    // Private to server.c.
    uint64_t call_id;
    struct capos_server *server;
    uint8_t *receive_buffer;
    uint8_t *reply_buffer;
    uint8_t *small_reply_buffer; // while a larger one has its place
    uint64_t receive_place;      // of the buffers, as a submission says it
    uint64_t reply_place;
    uint32_t reply_bytes_max;
    uint32_t reply_message_bytes; // of the answer under way, with the padding
    uint16_t reply_transfer_count;
    uint8_t state;          // enum slot_state
    uint8_t receive_memory; // enum slot_memory
    uint8_t reply_memory;
    uint8_t small_reply_memory;
    uint8_t receive_flags; // CAPOS_SQE_RESULT_IN_RING or 0
    uint8_t reply_flags;   // CAPOS_SQE_PARAMS_IN_RING or 0
    int32_t completion_result;
    uint32_t completion_flags;
    struct capos_server_call *next;
};

// Whether capability `index` came with the call and has the interface (0: any).
// Doesn't take it.  STATUS_BAD_TRANSFER, STATUS_WRONG_INTERFACE.
[[nodiscard]] enum status capos_server_check(const struct capos_server_call *call,
                                             uint32_t index, uint64_t interface_id);

// Takes a parameter capability, as capos_call_take.  Those not taken are released when
// the call is answered.
[[nodiscard]] enum status capos_server_take(struct capos_server_call *call, uint32_t index,
                                            uint64_t interface_id, capos_cap_id *out_cap);

// An 8-byte aligned buffer of at least `bytes_max` bytes (a multiple of 8) for the
// results; nullptr if there is no memory: fail with STATUS_OVERLOADED.
[[nodiscard]] void *capos_server_reply_buffer(struct capos_server_call *call,
                                              uint32_t bytes_max);

// Answers with the message of `results_bytes` bytes in the reply buffer.  Consumes the
// call.  A client that is gone is no error; capabilities to be moved are then released.  If
// a transfer isn't the server's to give, the client gets STATUS_FAILED.
void capos_server_reply(struct capos_server_call *call, uint32_t results_bytes,
                        const struct capos_transfer *transfers, uint32_t transfer_count);

// Answers with an exception: `status` is STATUS_FAILED to STATUS_INVALID_ARGUMENT,
// `reason` says why, cut at 200 bytes.  Consumes the call.
void capos_server_fail(struct capos_server_call *call, enum status status, const char *reason);
