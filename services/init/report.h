// SPDX-License-Identifier: MIT
// What init tells the outside about the requested program: the host if a service of the
// system leads there, the console otherwise.
#pragma once

#include <gen/wire/host_control.h>

// Connects to the host if the system has a way to it.
void report_init(void);

// The program ended so.  Returns when the host has it.
void report_finish(const struct host_control_finish_params *end);

// The program was not started, for a reason in words.
void report_refuse(enum host_control_refusal refusal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Hands a piece of the program's trace to the host, of at most
// HOST_CONTROL_TRACE_PARAMS_DATA_BYTES_MAX bytes.  STATUS_OVERLOADED: there is no memory for
// a message of that size; one of 4096 bytes needs none.  STATUS_DISCONNECTED: nobody takes it.
[[nodiscard]] enum status report_trace(const uint8_t *data, uint32_t size_bytes);
