// SPDX-License-Identifier: MIT
// Draining the trace of the requested program; see trace.h, and abi/trace.h for the ring.
//
// init doesn't look at the records: it copies bytes to the host as they come.
#include "trace.h"

#include "report.h"

#include <abi/trace.h>
#include <capos/loop.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/virtual_memory.h>
#include <gen/wire/host_control.h>

// Holds some thousand calls of a program that doesn't let init run.
constexpr uint64_t DATA_BYTES = 256 * 1024;
constexpr uint64_t BUFFER_BYTES = CAPOS_TRACE_HEADER_BYTES + DATA_BYTES;
constexpr uint64_t SIGNAL_BITS = 1;
// Powers of two, for a message of another size would be memory of another size; up to the
// least it is no memory at all, but a part of the ring.
constexpr uint32_t PIECE_BYTES_MAX = 32 * 1024;
constexpr uint32_t PIECE_BYTES_MIN = 4096;
static_assert(PIECE_BYTES_MAX <= HOST_CONTROL_TRACE_PARAMS_DATA_BYTES_MAX);

static struct {
    struct capos_trace_header *header; // nullptr: no trace
    const uint8_t *data;
    notification_cap notification;
    struct capos_call wait;
    uint64_t read_bytes;
    bool ended; // nobody takes it any more
} ring;

// How much of `bytes` bytes is sent at once.
static uint32_t piece_of(uint64_t bytes)
{
    uint32_t piece = PIECE_BYTES_MAX;
    while (piece > bytes && piece > PIECE_BYTES_MIN)
        piece /= 2;
    return bytes < piece ? (uint32_t)bytes : piece;
}

// Sends the beginning of `bytes` bytes, which don't wrap, and returns how much that was.  A
// piece that is left out would break the stream: the next one begins anywhere in a record.
static uint32_t send(const uint8_t *data, uint64_t bytes)
{
    uint32_t piece = piece_of(bytes);
    enum status status;
    while ((status = report_trace(data, piece)) == STATUS_OVERLOADED && piece > PIECE_BYTES_MIN)
        piece /= 2;
    ring.ended = status != STATUS_OK;
    return piece;
}

// Sends what is there now.
static void drain(void)
{
    uint64_t write_bytes;
    while (!ring.ended &&
           (write_bytes = __atomic_load_n(&ring.header->write_bytes, __ATOMIC_ACQUIRE)) !=
               ring.read_bytes) {
        uint64_t at = ring.read_bytes % DATA_BYTES;
        uint64_t bytes = write_bytes - ring.read_bytes;
        if (bytes > DATA_BYTES - at)
            bytes = DATA_BYTES - at;
        ring.read_bytes += send(ring.data + at, bytes);
        __atomic_store_n(&ring.header->read_bytes, ring.read_bytes, __ATOMIC_SEQ_CST);
    }
}

static void watch(void);

static void on_signal(struct capos_call *wait, void *)
{
    if (notification_wait_finish(wait, nullptr) != STATUS_OK)
        return;
    drain();
    watch();
}

static void watch(void)
{
    if (notification_wait_begin(&ring.wait, ring.notification, SIGNAL_BITS) == STATUS_OK)
        capos_call_on_done(&ring.wait, on_signal, nullptr);
}

enum status trace_begin(const struct capos_spawner *spawner, uint32_t capture_bytes,
                        struct capos_spawn_trace *out_trace)
{
    memory_budget_cap budget;
    memory_object_cap buffer;
    uint64_t address;
    enum status status = memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = memory_budget_create_memory_object(budget, BUFFER_BYTES, &buffer);
    if (status == STATUS_OK)
        status = virtual_memory_map(spawner->memory, buffer, 0, BUFFER_BYTES, 0,
                                    PROTECTION_READ_WRITE, &address);
    if (status == STATUS_OK)
        status = memory_budget_create_notification(budget, &ring.notification);
    if (status != STATUS_OK)
        return status;
    ring.header = (struct capos_trace_header *)address;
    ring.data = (const uint8_t *)address + CAPOS_TRACE_HEADER_BYTES;
    *out_trace = (struct capos_spawn_trace){
        .buffer = buffer,
        .notification = ring.notification,
        .bits = SIGNAL_BITS,
        .capture_bytes = capture_bytes,
    };
    watch();
    return STATUS_OK;
}

void trace_finish(void)
{
    if (ring.header == nullptr)
        return;
    drain();
    struct capos_trace_record lost = {
        .size_bytes = sizeof lost,
        .kind = CAPOS_TRACE_LOST,
        .id = ring.header->dropped_count,
    };
    if (lost.id != 0 && !ring.ended)
        (void)send((const uint8_t *)&lost, sizeof lost);
}
