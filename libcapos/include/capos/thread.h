// SPDX-License-Identifier: MIT
// Threads of a program.
//
//     static int worker(void *argument) { ... return 0; }
//
//     struct capos_thread *thread;
//     int64_t code;
//     if (capos_thread_create(&thread, worker, argument, nullptr) == STATUS_OK)
//         capos_thread_join(thread, &code);
//
// A program starts threads with its grant "threads" (ThreadSpawner) and ends them with its
// grant "thread" (ThreadControl), which every program has.
//
// Each thread has its own ring, stack and thread-local variables; memory and capabilities are
// the process's.  What is under way on a ring is its thread's affair: a struct capos_call is
// finished, and a server is run, by the thread that began it.  When `main` returns, or any
// thread calls `exit`, the process ends with all its threads.
#pragma once

#include <gen/capos/caps.h>
#include <gen/status.h>
#include <gen/wire/thread.h>
#include <stddef.h>
#include <stdint.h>

// A thread that was created here; it lives until it is joined or detached.
struct capos_thread;

struct capos_thread_options {
    size_t stack_bytes;         // at least; 0: CAPOS_THREAD_STACK_BYTES.  Committed at once
    uint8_t priority;           // 1 to the spawner's bound; 0: the calling thread's
    thread_spawner_cap spawner; // lent; id 0: the grant "threads"
};

// Changes how soon the calling thread runs when it becomes ready: normal, or interactive for
// a thread that waits for a person or a device.
// STATUS_INVALID_ARGUMENT: its spawner's bound forbids it; STATUS_NOT_FOUND: the program
// lacks "thread".
[[nodiscard]] enum status capos_thread_set_latency(enum latency_class latency_class);

constexpr size_t CAPOS_THREAD_STACK_BYTES = 64 * 1024;

// Starts a thread that runs `run(argument)`; its result is the thread's exit code.  Below the
// stack lies a page that is never mapped: running into it is the fault guardPage.  `options`
// may be null.  The caller owns the thread: it joins or detaches it, once.
// STATUS_NOT_FOUND, STATUS_WRONG_INTERFACE: the program lacks "threads", "thread" or "memory";
// STATUS_INVALID_ARGUMENT: stack_bytes above 1 GiB, or as ThreadSpawner.start;
// STATUS_OVERLOADED: no memory.
[[nodiscard]] enum status capos_thread_create(struct capos_thread **out_thread,
                                              int (*run)(void *argument), void *argument,
                                              const struct capos_thread_options *options);

// Waits until the thread has ended and gives back what it had; *out_code (may be null) is
// its exit code.  Consumes the thread when it succeeds.  STATUS_FAILED: it is the caller, or
// is being joined; STATUS_OVERLOADED: as capos_call_submit.
[[nodiscard]] enum status capos_thread_join(struct capos_thread *thread, int64_t *out_code);

// The thread's ThreadHandle, lent until the thread is joined or detached: for `info`, or to
// hand it to somebody.  Joining it gives back neither the stack nor the handle.
[[nodiscard]] thread_handle_cap capos_thread_handle(const struct capos_thread *thread);

// Nobody will join the thread: it gives back what it has by itself.  Consumes the thread.
void capos_thread_detach(struct capos_thread *thread);

// Ends the calling thread, the first one too.  The process ends with the last of its threads.
// Without the grant "thread" the process ends.
[[noreturn]] void capos_thread_exit(int64_t code);

// Lets other threads that are ready run first.  Without the grant "thread" it does nothing.
void capos_thread_yield(void);

// ---- Threads of a C library, or of another runtime that brings its own memory
// ----------------

// Starts a thread on memory that the caller provides: a stack, from `stack_top` downwards, of
// which libcapos takes a small part at the top, and the FS base, whose word at 0x20 it sets.
// The function ends the thread by capos_thread_end.  Nobody can join it. STATUS_NOT_FOUND,
// STATUS_WRONG_INTERFACE: the program lacks "threads" or "thread"; else as ThreadSpawner.start.
[[nodiscard]] enum status capos_thread_start_at(void *stack_top, void *base,
                                                int (*run)(void *argument), void *argument);

// Makes an address the FS base of the calling thread, which has its words to 0x28 in its
// layout: its own address first, at 0x20 a word for libcapos.
void capos_thread_set_base(void *base);

// Ends the calling thread.  Somebody else may free its stack and what the FS base points to as
// soon as `*word` is 0: that is stored when the thread needs them no more, and a sleeper of the
// word is woken.  `word` may be null.  If `byte_count` isn't 0, the range of whole pages is
// unmapped too.
[[noreturn]] void capos_thread_end(uint32_t *word, void *address, size_t byte_count);

// A word for what a runtime knows of the calling thread; null at first.
[[nodiscard]] void **capos_thread_slot(void);
