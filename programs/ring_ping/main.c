// SPDX-License-Identifier: MIT
// Both ends of the leanest IPC that the ABI allows, without the generated layers: what a
// runtime with a ring client of its own can reach, and what the kernel itself costs.
//
//     ring_ping server                     answers on the Endpoint "endpoint" with what came
//     ring_ping client BATCHES COUNT       calls "server" with 32 bytes, COUNT times between two
//                                          marks
//     ring_ping client BATCHES COUNT pass  moves the MemoryBudget "gift" there and back each time
//
// The program uses the ring alone from the first submission to the end (<capos/ring.h>).
#include <abi/syscall.h>
#include <capos/capset.h>
#include <capos/measure.h>
#include <capos/panic.h>
#include <capos/ring.h>
#include <capos/syscall.h>
#include <gen/interfaces.h>
#include <stdlib.h>

constexpr uint32_t MESSAGE_BYTES = 32;
constexpr uint64_t MESSAGE_AT = CAPOS_RING_MESSAGE_OFFSET;
constexpr uint64_t BUFFER_AT = MESSAGE_AT + 256;
constexpr uint8_t IN_RING = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING;

static struct capos_ring_header *ring;

static void *at(uint64_t offset)
{
    return (uint8_t *)ring + offset;
}

// How many capabilities came with the last completion.
static uint32_t transfer_count;

// Submits what was written into the next entry and returns its completion's result.
static int32_t enter(void)
{
    __atomic_store_n(&ring->sq_tail, ring->sq_tail + 1, __ATOMIC_RELEASE);
    if (capos_cap_enter(1, CAPOS_FOREVER) < 1)
        capos_trap();
    const struct capos_cqe *completions = at(CAPOS_RING_CQ_OFFSET);
    int32_t result = completions[ring->cq_head % CAPOS_CQ_ENTRIES].result;
    transfer_count = completions[ring->cq_head % CAPOS_CQ_ENTRIES].transfer_count;
    __atomic_store_n(&ring->cq_head, ring->cq_head + 1, __ATOMIC_RELEASE);
    return result;
}

static struct capos_sqe *next(void)
{
    struct capos_sqe *submissions = at(CAPOS_RING_SQ_OFFSET);
    return &submissions[ring->sq_tail % CAPOS_SQ_ENTRIES];
}

// Calls with a message and, if there is one, a capability, which comes back.
static inline void ping(capos_cap_id server, capos_cap_id *gift)
{
    if (gift != nullptr)
        *(struct capos_transfer *)at(MESSAGE_AT + MESSAGE_BYTES) =
            (struct capos_transfer){.cap = *gift, .how = CAPOS_TRANSFER_MOVE};

    *next() = (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = IN_RING,
        .method = ECHO_METHOD_PING,
        .transfer_count = gift != nullptr,
        .cap = server,
        .interface_id = INTERFACE_ECHO,
        .params = MESSAGE_AT,
        .params_bytes = MESSAGE_BYTES,
        .result = BUFFER_AT,
        .result_bytes_max = MESSAGE_BYTES + sizeof(struct capos_cap_record),
    };
    if (enter() != 0)
        capos_trap();
    if (gift != nullptr)
        *gift = ((const struct capos_cap_record *)at(BUFFER_AT + MESSAGE_BYTES))->cap;
}

[[noreturn]] static void serve(capos_cap_id endpoint)
{
    *next() = (struct capos_sqe){
        .opcode = CAPOS_OP_RECV,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .cap = endpoint,
        .result = BUFFER_AT,
        .result_bytes_max = 256,
    };
    while (enter() == 0) {
        const struct capos_recv_header *call = at(BUFFER_AT);
        if (call->call_id == 0) // the client is gone
            capos_exit_now(0);
        // The record of a capability becomes the descriptor that sends it back.
        if (transfer_count > 0) {
            struct capos_transfer *gift = at(BUFFER_AT + sizeof *call + MESSAGE_BYTES);
            *gift = (struct capos_transfer){.cap = gift->cap, .how = CAPOS_TRANSFER_MOVE};
        }
        *next() = (struct capos_sqe){
            .opcode = CAPOS_OP_RETURN_RECV,
            .flags = IN_RING,
            .transfer_count = (uint16_t)transfer_count,
            .cap = endpoint,
            .call_id = call->call_id,
            .params = BUFFER_AT + sizeof *call, // the answer is what came
            .params_bytes = MESSAGE_BYTES,
            .result = BUFFER_AT,
            .result_bytes_max = 256,
        };
    }
    capos_trap();
}

int main(int argc, char **argv)
{
    capos_cap_id cap;
    ring = capos_ring();
    if (argc == 2 && capos_find("endpoint", INTERFACE_ENDPOINT, &cap) == STATUS_OK)
        serve(cap);
    if (argc < 4 || capos_find("server", INTERFACE_ECHO, &cap) != STATUS_OK)
        capos_panic("ring_ping: server | client BATCHES COUNT [pass]");
    capos_cap_id gift;
    bool passes = argc == 5;
    if (passes && capos_find("gift", INTERFACE_MEMORY_BUDGET, &gift) != STATUS_OK)
        capos_panic("ring_ping: needs a MemoryBudget to pass, granted as \"gift\"");
    int batches = atoi(argv[2]), count = atoi(argv[3]);
    for (int batch = 0; batch < batches; batch++) {
        capos_mark_begin();
        if (passes)
            for (int i = 0; i < count; i++)
                ping(cap, &gift);
        else
            for (int i = 0; i < count; i++)
                ping(cap, nullptr);
        capos_mark_end();
    }
    capos_exit_now(0);
}
