/* SPDX-License-Identifier: MIT
 *
 * A model of the capability ring: submission, completion, wait and wake, between a thread that
 * uses its ring and a kernel that another CPU enters at any moment.  `make model` verifies it,
 * and that each mutation below breaks it.
 *
 * What it covers: every interleaving of the single memory accesses of one thread with a kernel
 * that is one critical section per entry (the big lock), for queues of ENTRIES entries and
 * JOBS submissions of every kind: done at once, done later, withdrawn, quiet, and one receive
 * with many slots whose slots are given back.  The thread submits, enters with any number to
 * wait for, and consumes, in any order; it may lag behind with consuming.
 *
 * What it shows:
 *   1. No completion is written over one that wasn't consumed.
 *   2. Entries posted and not consumed + entries held <= ENTRIES, whenever the lock is free.
 *   3. What is consumed was posted, and is consumed once.
 *   4. No wake-up is lost: a thread doesn't sleep while as many completions are there as it waits
 *      for; and nothing else ever stops before the end (no invalid end state).
 *
 * What it doesn't: memory ordering weaker than sequential consistency (the index words are
 * written with release and read with acquire), indices that wrap or lie (tests/core/ring_test.c,
 * fuzz_sqe), several threads in one ring, and time-outs.
 *
 * The names are those of kernel/ipc/ring.c, enter.c and object/endpoint.c.
 */

#define ENTRIES 3
#define JOBS    4
#define SLOTS   1

/* Mutations: each must be found.  MUTATE_ADMIT: a submission is taken without room for its
 * completion.  MUTATE_WAKE: a completion doesn't look whether somebody waits.  MUTATE_CHECK: the
 * thread decides to wait before it takes the lock.  MUTATE_HOLD: a receive holds one entry for
 * all of its slots.  MUTATE_GIVE: a slot that is given back holds no entry again. */
#ifdef MUTATE_ADMIT
#define ROOM ENTRIES
#else
#define ROOM (ENTRIES - (cq_tail - cq_head) - held)
#endif

mtype = { AT_ONCE, LATER, QUIET, MANY, GIVE_BACK };

byte sq_tail, sq_head, cq_tail, cq_head; /* counts: they don't wrap here */
mtype sq[ENTRIES];
byte cq[ENTRIES];     /* 0: consumed */
byte held;            /* ring.pending_count */
byte later;           /* operations that are pending */
bool armed;           /* a receive with many slots */
byte free_slots, filled_slots; /* filled: the server has them */
bool lock, waiting;
byte wait_count;

inline acquire() { atomic { !lock -> lock = true } }
inline release() {
    assert(cq_tail - cq_head + held <= ENTRIES); /* 2 */
    assert(!(waiting && cq_tail - cq_head >= wait_count)); /* 4 */
    lock = false
}

/* ring_post */
inline post(what) {
    assert(cq[cq_tail % ENTRIES] == 0); /* 1 */
    cq[cq_tail % ENTRIES] = what;
    cq_tail++;
#ifndef MUTATE_WAKE
    if
    :: waiting && cq_tail - cq_head >= wait_count -> waiting = false
    :: else
    fi
#endif
}

/* One submission, in ring_drain. */
inline take(job) {
    if
    :: job == AT_ONCE -> post(1)
    :: job == LATER -> held++; later++
    :: job == QUIET /* succeeds: no completion; its entry was only admitted */
    :: job == MANY ->
        if
#ifdef MUTATE_HOLD
        :: !armed -> armed = true; free_slots = SLOTS; held = held + 1
#else
        :: !armed && cq_tail - cq_head + held + 1 + SLOTS <= ENTRIES ->
            armed = true; free_slots = SLOTS; held = held + 1 + SLOTS
#endif
        :: else -> post(2) /* queueFull */
        fi
    :: job == GIVE_BACK ->
        if
        :: armed && filled_slots > 0 ->
            filled_slots--; free_slots++;
#ifndef MUTATE_GIVE
#ifndef MUTATE_HOLD
            held++
#endif
#endif
        :: else -> post(3) /* notFound */
        fi
    fi
}

/* What happens elsewhere: interrupts, other CPUs, other processes. */
active proctype elsewhere() {
end_elsewhere:
    do
    :: atomic { !lock && later > 0 -> lock = true };
        if
        :: later > 0 -> later--; held--; post(4)
        :: else
        fi;
        release()
    :: atomic { !lock && armed && free_slots > 0 && filled_slots < SLOTS -> lock = true };
        if
        :: armed && free_slots > 0 -> /* a call is delivered, with MORE */
            free_slots--; filled_slots++;
#ifndef MUTATE_HOLD
            held--;
#endif
            post(5)
        :: else
        fi;
        release()
    od
}

/* cap_enter of the thread. */
inline enter() {
#ifdef MUTATE_CHECK
    must_wait = cq_tail - cq_head < min;
    acquire();
#else
    acquire();
#endif
    do /* ring_drain looks at the room before each, as it does when that can change */
    :: sq_head < sq_tail && ROOM > 0 -> take(sq[sq_head % ENTRIES]); sq_head++
    :: else -> break
    od;
#ifndef MUTATE_CHECK
    must_wait = cq_tail - cq_head < min;
#endif
    if
    :: must_wait && cq_tail - cq_head + held >= min ->
        wait_count = min; waiting = true; release();
end_waits: /* for calls that never come: not an error */
        !waiting
    :: else -> release() /* there are enough, or queueFull: nothing more can come */
    fi
}

inline consume() {
    if
    :: cq_head < cq_tail ->
        assert(cq[cq_head % ENTRIES] != 0); /* 3 */
        cq[cq_head % ENTRIES] = 0;
        cq_head++
    :: else
    fi
}

active proctype thread() {
    byte submitted, min;
    bool must_wait;
    mtype job;
    do
    :: submitted < JOBS && sq_tail - sq_head < ENTRIES ->
        if
        :: job = AT_ONCE
        :: job = LATER
        :: job = QUIET
        :: job = MANY
        :: job = GIVE_BACK
        fi;
        sq[sq_tail % ENTRIES] = job;
        sq_tail++; /* release: the entry is written before */
        submitted++
    :: if
       :: min = 0
       :: min = 1
       :: min = 2
       fi;
       enter()
    :: consume()
    :: submitted == JOBS && sq_head == sq_tail && later == 0 -> break
    od;
    /* In the end everything that was posted can be consumed. */
    do
    :: cq_head < cq_tail -> consume()
    :: else -> break
    od
}
