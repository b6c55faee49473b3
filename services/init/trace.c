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
constexpr uint32_t PIECE_BYTES = HOST_CONTROL_TRACE_PARAMS_DATA_BYTES_MAX;

static struct {
    struct capos_trace_header *header; // nullptr: no trace
    const uint8_t *data;
    notification_cap notification;
    struct capos_call wait;
    uint64_t read_bytes;
} ring;

// Sends what is there now, in pieces that don't wrap.
static void drain(void)
{
    uint64_t write_bytes;
    while ((write_bytes = __atomic_load_n(&ring.header->write_bytes, __ATOMIC_ACQUIRE)) !=
           ring.read_bytes) {
        uint64_t at = ring.read_bytes % DATA_BYTES;
        uint64_t bytes = write_bytes - ring.read_bytes;
        if (bytes > DATA_BYTES - at)
            bytes = DATA_BYTES - at;
        if (bytes > PIECE_BYTES)
            bytes = PIECE_BYTES;
        report_trace(ring.data + at, (uint32_t)bytes);
        ring.read_bytes += bytes;
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
    if (lost.id != 0)
        report_trace((const uint8_t *)&lost, sizeof lost);
}
