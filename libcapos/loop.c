// SPDX-License-Identifier: MIT
// The event loop over the thread's ring.  ring_consume has put what completed into two
// lists; here each entry is taken out and its owner is told.
#include <capos/loop.h>

#include "thread.h"

void capos_call_on_done(struct capos_call *call,
                        void (*on_done)(struct capos_call *call, void *context), void *context)
{
    bool done = capos_call_is_done(call);
    call->on_done = on_done;
    call->context = context;
    if (done)
        ring_ready_append(&thread_self()->ring, call);
}

static bool ready_dispatch(struct ring_client *ring)
{
    struct capos_call *call = ring->ready_first;
    if (call == nullptr)
        return false;
    ring->ready_first = call->next;
    call->on_done(call, call->context);
    return true;
}

static bool arrived_dispatch(struct ring_client *ring)
{
    struct capos_server_call *call = ring->arrived_first;
    if (call == nullptr)
        return false;
    ring->arrived_first = call->next;
    server_dispatch(call);
    return true;
}

// What arrived for other servers stays, in its order.
void server_dispatch_arrived(struct ring_client *ring, const struct capos_server *server)
{
    struct capos_server_call *rest = ring->arrived_first;
    ring->arrived_first = nullptr;
    while (rest != nullptr) {
        struct capos_server_call *call = rest;
        rest = call->next;
        if (call->server == server)
            server_dispatch(call);
        else
            server_arrived_append(ring, call);
    }
}

void capos_loop_step(bool wait)
{
    struct ring_client *ring = &thread_self()->ring;
    if (!wait)
        ring_consume(ring);
    while (wait && ring->ready_first == nullptr && ring->arrived_first == nullptr) {
        if (ring->in_flight == ring->quiet) {
            ring->loop_stopped = true;
            return;
        }
        ring_wait(ring);
    }
    while (!ring->loop_stopped && (ready_dispatch(ring) || arrived_dispatch(ring)))
        ;
}

void capos_loop_run(void)
{
    struct ring_client *ring = &thread_self()->ring;
    ring->loop_stopped = false;
    while (!ring->loop_stopped)
        capos_loop_step(true);
    ring->loop_stopped = false;
    ring_flush(ring);
}

void capos_loop_stop(void)
{
    thread_self()->ring.loop_stopped = true;
}
