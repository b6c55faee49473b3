// SPDX-License-Identifier: MIT
// Both ends of the leanest IPC that the ABI allows, without the generated layers: what a
// runtime with a ring client of its own can reach, and what the kernel itself costs.
//
//     ring_ping server
//         answers on the Endpoint "endpoint" with what came
//     ring_ping client BATCHES COUNT BYTES
//         calls "server" with a message of BYTES, COUNT times between two marks
//     ring_ping client BATCHES COUNT BYTES pass
//         moves the MemoryBudget "gift" there and back each time
//
// BYTES is a multiple of 8, up to 4096.  The answer lies where the question did.
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

constexpr uint32_t MESSAGE_BYTES_MAX = 4096;
constexpr uint64_t BUFFER_AT = CAPOS_RING_MESSAGE_OFFSET;
constexpr uint32_t BUFFER_BYTES =
    sizeof(struct capos_recv_header) + MESSAGE_BYTES_MAX + sizeof(struct capos_cap_record);
static_assert(BUFFER_BYTES <= CAPOS_RING_MESSAGE_BYTES);
constexpr uint8_t IN_RING = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING;

static void *at(struct capos_ring_header *ring, uint64_t offset)
{
    return (uint8_t *)ring + offset;
}

// Submits what was written into the next entry and returns its completion, which stays there
// until the next one comes.
static inline const struct capos_cqe *enter(struct capos_ring_header *ring)
{
    __atomic_store_n(&ring->sq_tail, ring->sq_tail + 1, __ATOMIC_RELEASE);
    if (capos_cap_enter(1, CAPOS_FOREVER) < 1)
        capos_trap();
    const struct capos_cqe *completions = at(ring, CAPOS_RING_CQ_OFFSET);
    const struct capos_cqe *completion = &completions[ring->cq_head % CAPOS_CQ_ENTRIES];
    __atomic_store_n(&ring->cq_head, ring->cq_head + 1, __ATOMIC_RELEASE);
    return completion;
}

static struct capos_sqe *next(struct capos_ring_header *ring)
{
    struct capos_sqe *submissions = at(ring, CAPOS_RING_SQ_OFFSET);
    return &submissions[ring->sq_tail % CAPOS_SQ_ENTRIES];
}

// Calls with a message and, if there is one, a capability, which comes back.
static inline void ping(struct capos_ring_header *ring, capos_cap_id server, uint32_t bytes,
                        capos_cap_id *gift)
{
    if (gift != nullptr)
        *(struct capos_transfer *)at(ring, BUFFER_AT + bytes) =
            (struct capos_transfer){.cap = *gift, .how = CAPOS_TRANSFER_MOVE};

    *next(ring) = (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = IN_RING,
        .method = ECHO_METHOD_PING,
        .transfer_count = gift != nullptr,
        .cap = server,
        .interface_id = INTERFACE_ECHO,
        .params = BUFFER_AT,
        .params_bytes = bytes,
        .result = BUFFER_AT,
        .result_bytes_max = bytes + (uint32_t)sizeof(struct capos_cap_record),
    };
    if (enter(ring)->result != 0)
        capos_trap();
    if (gift != nullptr)
        *gift = ((const struct capos_cap_record *)at(ring, BUFFER_AT + bytes))->cap;
}

[[noreturn]] static void serve(struct capos_ring_header *ring, capos_cap_id endpoint)
{
    *next(ring) = (struct capos_sqe){
        .opcode = CAPOS_OP_RECV,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .cap = endpoint,
        .result = BUFFER_AT,
        .result_bytes_max = BUFFER_BYTES,
    };
    const struct capos_cqe *received;
    while ((received = enter(ring))->result == 0) {
        const struct capos_recv_header *call = at(ring, BUFFER_AT);
        if (call->call_id == 0) // the client is gone
            capos_exit_now(0);
        // The record of a capability becomes the descriptor that sends it back.
        if (received->transfer_count > 0) {
            struct capos_transfer *gift =
                at(ring, BUFFER_AT + sizeof *call + received->result_bytes);
            *gift = (struct capos_transfer){.cap = gift->cap, .how = CAPOS_TRANSFER_MOVE};
        }
        *next(ring) = (struct capos_sqe){
            .opcode = CAPOS_OP_RETURN_RECV,
            .flags = IN_RING,
            .transfer_count = (uint16_t)received->transfer_count,
            .cap = endpoint,
            .call_id = call->call_id,
            .params = BUFFER_AT + sizeof *call, // the answer is what came
            .params_bytes = received->result_bytes,
            .result = BUFFER_AT,
            .result_bytes_max = BUFFER_BYTES,
        };
    }
    capos_trap();
}

int main(int argc, char **argv)
{
    capos_cap_id cap;
    struct capos_ring_header *ring = capos_ring();
    if (argc == 2 && capos_find("endpoint", INTERFACE_ENDPOINT, &cap) == STATUS_OK)
        serve(ring, cap);
    if (argc < 5 || capos_find("server", INTERFACE_ECHO, &cap) != STATUS_OK)
        capos_panic("ring_ping: server | client BATCHES COUNT BYTES [pass]");
    capos_cap_id gift;
    bool passes = argc == 6;
    if (passes && capos_find("gift", INTERFACE_MEMORY_BUDGET, &gift) != STATUS_OK)
        capos_panic("ring_ping: needs a MemoryBudget to pass, granted as \"gift\"");
    int batches = atoi(argv[2]), count = atoi(argv[3]);
    uint32_t bytes = (uint32_t)atoi(argv[4]);
    if (bytes > MESSAGE_BYTES_MAX || bytes % 8 != 0)
        capos_panic("ring_ping: BYTES: a multiple of 8, up to %u", MESSAGE_BYTES_MAX);
    for (int batch = 0; batch < batches; batch++) {
        capos_mark_begin();
        if (passes)
            for (int i = 0; i < count; i++)
                ping(ring, cap, bytes, &gift);
        else
            for (int i = 0; i < count; i++)
                ping(ring, cap, bytes, nullptr);
        capos_mark_end();
    }
    capos_exit_now(0);
}
