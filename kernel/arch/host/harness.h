// SPDX-License-Identifier: MIT
// Driving a whole core from a host test: actors, which are processes whose user code is
// the test, and the counts that must be the same before and after (harness.c).
//
// An actor is one thread of a process, most often its only one.  Each function that acts as
// an actor first makes the core's current thread its thread, as a scheduler would, then does
// what user code would do: write a submission into the ring, call cap_enter, read
// completions.  An actor that blocks in cap_enter stays there until the core makes it ready.
// With several CPUs an actor acts where its thread runs; if that is ready but runs nowhere,
// it gets the CPU that the test is on.  Kicks are delivered when the test says so.
//
// Nothing here fails: what a test does wrong is an assertion, which ends it with a
// backtrace.
#pragma once

#include <abi/ring.h>
#include <abi/syscall.h>
#include <kernel/arch/host/machine.h>
#include <kernel/mm/budget.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

// ---- The machine --------------------------------------------------------------------

constexpr uint64_t HARNESS_RAM_BYTES = 256 << 20;

// Boots a core on a machine with so much RAM and a boot package with two files: an init,
// which is put to sleep for ever, and "sample", HARNESS_SAMPLE_BYTES of a known text
// (byte i is i * 7 modulo 256).  Once in a test process.
void harness_boot(uint64_t ram_bytes);
// The same with several CPUs; the test runs on CPU 0, and goes to another with host_cpu_use.
void harness_boot_cpus(uint64_t ram_bytes, uint32_t cpu_count);

constexpr uint64_t HARNESS_SAMPLE_BYTES = 5000;

[[nodiscard]] struct budget *harness_root_budget(void);
[[nodiscard]] struct process *harness_init(void);

// An object that the kernel granted to init, by its name in init's CapSet, lent.
[[nodiscard]] struct object *harness_root(const char *name);

// Between begin and end lies one test: end drops all actors, ends every process but init
// and says on stdout what isn't as it was at the beginning.  Returns whether everything is.
void harness_begin(void);
[[nodiscard]] bool harness_end(void);

// Lets the next charges of a budget fail: after `page_count` more pages it is exhausted.
// `slack` structures of each size still find room in a page that is there, so that with
// different slack different ones of an operation are the first to find none.  `relax` undoes it.
void harness_squeeze(struct budget *budget, uint64_t page_count, unsigned slack);
void harness_relax(struct budget *budget);

// ---- Actors -------------------------------------------------------------------------

constexpr uint64_t ACTOR_BUDGET_BYTES = 16 << 20;
constexpr uint64_t ACTOR_MEMORY_BYTES = 256 << 10; // read-write, at actor.memory
constexpr unsigned ACTOR_SLOTS = 32;
constexpr uint64_t ACTOR_SLOT_BYTES = 4096; // of memory: params, then results
constexpr uint64_t ACTOR_RESULT_OFFSET = 2048;
constexpr uint32_t ACTOR_RESULT_BYTES = 2048;

struct actor {
    struct process *process; // referenced
    struct budget *budget;   // referenced
    uint64_t memory;
    uint64_t thread_id;
    uint32_t sq_tail, cq_head;
    bool used;
};

[[nodiscard]] struct actor *actor_create(const char *name);
// The same on a budget that others use too.
[[nodiscard]] struct actor *actor_create_on(struct budget *budget, const char *name);
// An actor for a process that some other actor built and started; `memory` is the address
// of ACTOR_MEMORY_BYTES that were committed in it, or 0.
[[nodiscard]] struct actor *actor_adopt(struct process *process, uint64_t memory);
// An actor for a thread that another actor of the process started with this ThreadHandle; it
// uses the part `memory` of the process's memory.
[[nodiscard]] struct actor *actor_adopt_thread(struct actor *starter, capos_cap_id handle,
                                               uint64_t memory);
// Ends the actor's process if it lives and drops all references.
void actor_destroy(struct actor *actor);
// Drops the references alone: nobody acts as that thread any more.
void actor_drop(struct actor *actor);

// Whether the actor's thread hasn't ended.
[[nodiscard]] bool actor_alive(const struct actor *actor);
[[nodiscard]] struct thread *actor_thread(const struct actor *actor);

// Puts a capability into the actor's table; takes a hold, and leaves the caller's
// reference alone.
[[nodiscard]] capos_cap_id actor_give(struct actor *actor, struct object *object);
// The same with a mode, and passing on the caller's reference.
[[nodiscard]] capos_cap_id actor_give_own(struct actor *actor, struct object *object,
                                          enum capos_hold_mode mode);

// The kernel's object behind an id; nullptr if the actor has none.
[[nodiscard]] struct object *actor_object(const struct actor *actor, capos_cap_id cap);

// ---- System calls -------------------------------------------------------------------

constexpr int64_t ACTOR_BLOCKED = INT64_MIN;   // it waits in cap_enter
constexpr int64_t ACTOR_ENDED = INT64_MIN + 1; // its process ended

// cap_enter as the actor.
int64_t actor_enter(struct actor *actor, uint64_t min_complete, uint64_t timeout_ns);
// What the cap_enter in which the actor blocked returned; ACTOR_BLOCKED if it is still in
// there, ACTOR_ENDED if it will never return.
[[nodiscard]] int64_t actor_returned(const struct actor *actor);
void actor_exit(struct actor *actor, int64_t code);
// Kills the actor's process, if it lives, from outside.
void actor_kill(struct actor *actor);
// An access to user memory as the CPU does it: with a page fault if need be.  False if
// that ended the process or led to the thread's fault handler.
bool actor_touch(struct actor *actor, uint64_t address, bool write);
// The current thread in the eyes of the core becomes the actor's.
void actor_run(struct actor *actor);

// ---- Memory and ring ----------------------------------------------------------------

void actor_write(struct actor *actor, uint64_t address, const void *from, uint64_t size_bytes);
void actor_read(struct actor *actor, uint64_t address, void *to, uint64_t size_bytes);
[[nodiscard]] struct capos_ring_header *actor_ring(struct actor *actor);

// Writes a submission and advances sq_tail; the actor enters later.
void actor_push(struct actor *actor, const struct capos_sqe *sqe);
// Takes the oldest completion; false if there is none.
bool actor_pop(struct actor *actor, struct capos_cqe *out_cqe);

// ---- Calls --------------------------------------------------------------------------
// A slot is a part of the actor's memory for one operation in flight, and its user_data.

struct actor_call {
    capos_cap_id cap;
    uint64_t interface_id;
    uint16_t method;
    uint16_t transfer_count;
    uint32_t params_bytes;
    const void *params;
    const struct capos_transfer *transfers;
};

[[nodiscard]] uint64_t actor_params_address(const struct actor *actor, unsigned slot);
[[nodiscard]] uint64_t actor_result_address(const struct actor *actor, unsigned slot);

// Pushes a CALL, a RECV or a RETURN in a slot.  For a RETURN `call` has the Endpoint as
// cap, the call's id as interface_id, and 0 or a Status of an exception as method.
void actor_push_call(struct actor *actor, unsigned slot, const struct actor_call *call);
void actor_push_receive(struct actor *actor, unsigned slot, capos_cap_id endpoint);
void actor_push_return(struct actor *actor, unsigned slot, const struct actor_call *call);
void actor_push_simple(struct actor *actor, unsigned slot, uint8_t opcode, capos_cap_id cap,
                       uint64_t call_id);

// Pushes a PARK of a 32-bit word, and an UNPARK.
void actor_push_park(struct actor *actor, unsigned slot, capos_cap_id space, uint64_t address,
                     uint32_t expected, uint64_t timeout_ns);
void actor_push_unpark(struct actor *actor, unsigned slot, capos_cap_id space, uint64_t address,
                       uint32_t wake_count);

// Pushes and enters without waiting.
void actor_submit_call(struct actor *actor, unsigned slot, const struct actor_call *call);
void actor_submit_receive(struct actor *actor, unsigned slot, capos_cap_id endpoint);

// Submits a CALL in slot 0 and takes its completion, which must be there at once.
[[nodiscard]] struct capos_cqe actor_call(struct actor *actor, const struct actor_call *call);
// RELEASE and RETURN likewise; the completion's result.
int32_t actor_release(struct actor *actor, capos_cap_id cap);
int32_t actor_return(struct actor *actor, const struct actor_call *call);

// Reads the result of a slot, and the id of one of its capability records.
void actor_result(struct actor *actor, unsigned slot, void *to, uint64_t size_bytes);
[[nodiscard]] capos_cap_id actor_result_cap(struct actor *actor, unsigned slot,
                                            const struct capos_cqe *cqe, unsigned index);
// The header of a received call, and a capability that came with it.
[[nodiscard]] struct capos_recv_header actor_received(struct actor *actor, unsigned slot);
[[nodiscard]] capos_cap_id actor_received_cap(struct actor *actor, unsigned slot,
                                              const struct capos_cqe *cqe, unsigned index);
