// SPDX-License-Identifier: MIT
// Serving: a thread receives the calls on its Endpoint's objects and answers them, at once
// or later, in any order.  <capos/call.h> declares the answers, <gen/capos/X.h> the
// dispatch of an interface: X_serve.
//
//     static void on_call(void *context, struct capos_server_call *call)
//     {
//         stdio_serve(&stdio_ops, context, call);
//     }
//     ...
//     capos_serve(endpoint.id, &(struct capos_server_handlers){.on_call = on_call}, context);
#pragma once

#include <capos/call.h>

constexpr uint32_t CAPOS_SERVER_RECEIVE_MAX = 32;

struct capos_server_handlers {
    // A call came.  It is answered now or later; until then it holds a receive buffer.
    void (*on_call)(void *context, struct capos_server_call *call);
    // The last hold of an object minted with `word` is gone.  May be nullptr.
    void (*on_released)(void *context, uint64_t word);
};

struct capos_server_options {
    // How many calls are received and not yet answered at once, 1 to
    // CAPOS_SERVER_RECEIVE_MAX; more wait in the Endpoint.  0: 4.
    uint32_t receive_count;
    // The longest message that is received; callers of longer ones fail.  A multiple of
    // 8.  0: 224 bytes, which lie in the ring.
    uint32_t message_bytes_max;
    // The receive buffers, receive_count times capos_server_buffer_bytes(...), for a
    // server that wants the data to arrive in a place of its own; 8-byte aligned.  nullptr:
    // libcapos takes memory.
    void *buffers;
};

// The bytes of one receive buffer.  A message starts CAPOS_SERVER_MESSAGE_OFFSET behind
// the buffer's start.
constexpr uint32_t CAPOS_SERVER_MESSAGE_OFFSET = sizeof(struct capos_recv_header);
[[nodiscard]] static inline uint32_t capos_server_buffer_bytes(uint32_t message_bytes_max)
{
    return CAPOS_SERVER_MESSAGE_OFFSET + message_bytes_max +
           CAPOS_TRANSFER_COUNT_MAX * (uint32_t)sizeof(struct capos_cap_record);
}

// A server's state.  Caller's storage, which lives and stays in place as long as the
// thread serves.
struct capos_server {
    capos_cap_id endpoint;
    struct capos_server_handlers handlers;
    void *context;
    uint32_t receive_bytes;
    uint32_t receive_count;
    bool stopping;
    struct capos_server_call slots[CAPOS_SERVER_RECEIVE_MAX];
};

// Starts to receive; the calls come in capos_loop_run.  `options` may be nullptr.
// STATUS_OVERLOADED without memory or room in the ring.
[[nodiscard]] enum status capos_server_start(struct capos_server *server, capos_cap_id endpoint,
                                             const struct capos_server_handlers *handlers,
                                             void *context,
                                             const struct capos_server_options *options);

// Stops to receive and gives the server's memory back; calls that come in the meantime fail
// as `disconnected`.  Every call that was received has been answered, and the endpoint is
// still held.
void capos_server_stop(struct capos_server *server);

// Starts and runs the loop.  Returns only on failure to start, or when the loop was stopped.
[[nodiscard]] enum status
capos_serve(capos_cap_id endpoint, const struct capos_server_handlers *handlers, void *context);

// Frees the receive buffer of a call that will be answered much later: returns the call in
// memory of its own, without params and capabilities, and `call` is no more.  nullptr
// without memory: `call` is as it was.
[[nodiscard]] struct capos_server_call *capos_server_detach(struct capos_server_call *call);

// Asks to be told when a call ends that was received and is kept, most often one that was
// detached: it was answered, or nobody waits for it any more, because the client cancelled it or
// ended, the object was revoked, or the endpoint is gone (Endpoint.watch).  `on_ended` is called
// from the loop, once, and ends the watch by capos_server_watch_finish; also when the call had
// ended already.  A kept call that nobody waits for is still to be answered, in vain.
//
// `watch` is the caller's storage until then.  A call has one watch at a time.  Doesn't block.
// STATUS_OVERLOADED: no memory, or no room in the queues; nothing will be told.
[[nodiscard]] enum status
capos_server_watch(const struct capos_server_call *call, struct capos_call *watch,
                   void (*on_ended)(struct capos_call *watch, void *context), void *context);

// Ends the watch.  *out_answered, which may be a null pointer: it was answered; else an answer
// is in vain.  STATUS_FAILED: the call has another watch.
[[nodiscard]] enum status capos_server_watch_finish(struct capos_call *watch,
                                                    bool *out_answered);
