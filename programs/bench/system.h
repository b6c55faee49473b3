// SPDX-License-Identifier: MIT
// What rows.c needs of the system that it measures.  capOS's answers are in capos.c, Linux's
// in tools/bench/linux.  What fails ends the program with a message.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A region for the instruction counter (tools/bench/insn_count.c).
void system_mark_begin(void);
void system_mark_end(void);
// Prints the line "region NAME OPERATIONS".
void system_print_region(const char *name, unsigned operations);

// The cheapest way into the kernel and back.
void system_enter(void);
// Submits NOPs through the ring, enters once, and consumes their completions.
void system_nop(unsigned count);
// Asks the kernel what time it is.
void system_now(void);
// Tells somebody who isn't waiting that something happened.
void system_signal(void);

// Sleeps if the word holds `expected`; returns at any time.
void system_sleep(const uint32_t *word, uint32_t expected);
void system_wake(const uint32_t *word);
// Wakes the sleeper of one word and sleeps on another.
void system_wake_and_sleep(const uint32_t *woken, const uint32_t *word, uint32_t expected);
void system_yield(void);

struct system_thread;
struct system_thread *system_thread_start(void (*run)(void));
// Waits for the end of the thread and gives back what it had.
void system_thread_join(struct system_thread *thread);

// Zero-filled memory that nobody has touched, in pages of 4 KiB.
void *system_map(size_t size_bytes);
// The same, each page provided when it is touched for the first time, whatever the size.
void *system_map_lazily(size_t size_bytes);
void system_unmap(void *memory, size_t size_bytes);

// A process of the smallest program; it exits at once.
void system_spawn_exit_wait(void);
// A copy of this process; it exits at once.
void system_fork_exit_wait(void);

constexpr size_t SHARED_BYTES = 65536;
// Starts the process with which memory is shared.
void system_peer_start(void);
// Makes SHARED_BYTES of memory, writes to two pages of it, hands it to the peer, which maps
// it, writes to a page and unmaps it, and gives it up when the peer has answered.
void system_share(void);
// Memory of SHARED_BYTES that the peer has as well.
void *system_shared(void);
// Has the peer call rows_take(its mapping), and waits until it has.
void system_shared_take(void);
void system_peer_end(void);
