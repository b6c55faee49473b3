// SPDX-License-Identifier: MIT
// What one CPU makes another do (remote.c).
//
// The owner of the kernel lock writes a request into the other CPU's struct percpu and sends
// it an interrupt.  That brings it into the kernel if it runs user code or idles; there it
// waits for the lock, and serves the request while it waits.  The owner waits until it is
// served.
//
// Invariants:
//  1. Only the owner of the lock asks, and it keeps the lock until it is answered: there is one
//     request at a time, and none when the lock is taken.
//  2. A CPU is always one of: in user code or halted, with interrupts on; waiting for the lock; a
//     bounded number of instructions away from one of these.  So each request is served, and
//     who serves never waits for who asks.
#pragma once

#include <stdint.h>

struct percpu;

enum remote_request : uint32_t {
    REMOTE_NONE,
    REMOTE_FLUSH, // forget translations
    REMOTE_LEAVE, // save the loaded thread, and load the kernel's own tables
};

// Serves a request, if there is one.  For who waits for the lock.
void remote_serve(struct percpu *cpu);

// Makes all other CPUs that have loaded the address space of a root forget a range.
void remote_flush(uint64_t root, uint64_t address, uint64_t length_bytes);

// Whether another CPU has loaded it.
[[nodiscard]] bool remote_has_loaded(uint64_t root);

// For ever stops all other CPUs, at whatever they do, and waits a little for that.
void remote_stop_all(void);
