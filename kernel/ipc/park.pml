/* SPDX-License-Identifier: MIT
 *
 * A model of PARK and UNPARK, with the mutex and the condition variable that libcapos makes of
 * them, between threads on several CPUs, the clock, and somebody who unmaps the words.
 * `make model` verifies it, and that each mutation below breaks it.
 *
 * What it covers: every interleaving of the single accesses of user code to the words with a
 * kernel that is one critical section per operation (the big lock).  In one world two threads
 * wait for a condition, one of them perhaps with a time-out, which may end at any moment, which a third
 * makes true and tells to one after the other or to all, who are then moved to the mutex.  In the other one thread
 * sleeps on a word, and another moves it to a second word, while both words are unmapped.
 *
 * What it shows:
 *   1. No wake-up is lost: everybody comes to the end (no invalid end state).
 *   2. A sleep ends exactly once: by a wake, its time, or the end of its memory.
 *   3. One thread at a time has the mutex.
 *   4. Who sleeps on memory that goes away is told badAddress, wherever it was moved to, and
 *      nobody falls asleep there any more.
 *
 * What it doesn't: memory ordering weaker than sequential consistency (words are loaded by the
 * kernel and changed by user code with atomic operations, and the lock orders the rest), words
 * of several processes (tests/core/park_test.c), a thread that is killed in its sleep
 * (tests/core/kill_test.c), and CANCEL, which ends a sleep as the clock does.
 *
 * The names are those of kernel/ipc/park.c and libcapos/sync.c.
 */

/* Mutations: each must be found.  MUTATE_LOOK: PARK looks at the word before it takes the lock.
 * MUTATE_FIRE: a time-out leaves the sleeper in its queue.  MUTATE_STOP: a wake leaves the time-out
 * running.  MUTATE_UNMAP: unmapping wakes nobody.  MUTATE_MAPPED: PARK doesn't look whether the
 * word is mapped.  MUTATE_ADDRESS: who is moved keeps the address of the old word.  MUTATE_MOVE:
 * who is to be moved stays.  MUTATE_TARGET: somebody is moved to a word that isn't mapped.
 * MUTATE_CHANGE: a condition is signalled without a change of its
 * word.  MUTATE_TAKE: who waited for the mutex takes it as one for which nobody waits. */

#define THREADS 3
#define WORDS   2
#define ALL     THREADS

#define SEQUENCE 0 /* of the condition; in the second world just a word */
#define MUTEX    1

byte word[WORDS];
bool unmapped[WORDS];
bool lock; /* the kernel's */

chan sleepers[WORDS] = [THREADS] of { byte }; /* a bucket each, in order of arrival */
bool pending[THREADS]; /* its PARK */
bool timed[THREADS];   /* with a time-out that runs */
byte at[THREADS];      /* op.park_word: the bucket */
byte address[THREADS]; /* op.private_word */
bool bad_address[THREADS]; /* what its PARK completed with; other results are alike */
hidden byte id, woken, moved; /* within one step */

#ifdef MUTATE_TARGET
#define MAPPED(which) true
#else
#define MAPPED(which) !unmapped[which]
#endif

inline acquire() { atomic { !lock -> lock = true } }

/* op_finish: the thread runs on. */
inline finish(id) {
    assert(pending[id]); /* 2 */
    pending[id] = false
}

/* sleeper_wake, of one that was taken out of its bucket. */
inline sleeper_wake(id) {
#ifndef MUTATE_STOP
    timed[id] = false;
#endif
    finish(id)
}

inline wake(from, count) {
    woken = 0;
    do
    :: woken < count && nempty(sleepers[from]) ->
        sleepers[from] ? id;
        sleeper_wake(id);
        woken++
    :: else -> break
    od
}

inline park(me, where, expected, with_time) {
#ifdef MUTATE_LOOK
    value = word[where];
#endif
    acquire();
    if
#ifndef MUTATE_MAPPED
    :: unmapped[where] -> bad_address[me] = true; lock = false
#endif
    :: else ->
#ifndef MUTATE_LOOK
        value = word[where];
#endif
        if /* user code may change the word here */
        :: value != expected -> value = 0; lock = false
        :: else ->
            atomic {
                value = 0;
                pending[me] = true;
                timed[me] = with_time;
                at[me] = where;
                address[me] = where;
                sleepers[where] ! me;
                lock = false
            };
            !pending[me]
        fi
    fi
}

inline unpark(from, count, to, move) {
    atomic {
        !lock -> /* the whole of it needs nothing that user code can change */
        wake(from, count);
        moved = 0;
        do
        :: moved < move && nempty(sleepers[from]) && MAPPED(to) ->
            sleepers[from] ? id;
#ifdef MUTATE_MOVE
            sleepers[from] ! id;
#else
            sleepers[to] ! id;
            at[id] = to;
#ifndef MUTATE_ADDRESS
            address[id] = to;
#endif
#endif
            moved++
        :: else -> break
        od
    }
}

/* sleeper_fire: the time of a sleep is over. */
inline fire(which) {
    atomic {
        !lock && timed[which] ->
        timed[which] = false;
#ifndef MUTATE_FIRE
        if
        :: sleepers[at[which]] ?? eval(which)
        :: else
        fi;
#endif
        finish(which)
    }
}

proctype clock() {
end_clock:
    do
    :: fire(0)
    od
}

/* ---- A mutex and a condition variable ------------------------------------------------------ */

bool ready;     /* what is waited for, changed under the mutex */
byte waiters;   /* condition.waiters */
byte holders;   /* of the mutex */

/* capos_mutex_wait */
inline mutex_wait(me) {
    do
    :: atomic {
           old = word[MUTEX];
#ifdef MUTATE_TAKE
           word[MUTEX] = (old == 0 -> 1 : 2)
#else
           word[MUTEX] = 2
#endif
       };
       if
       :: old == 0 -> break
       :: else -> park(me, MUTEX, 2, false)
       fi
    od;
    holders++;
    assert(holders == 1) /* 3 */
}

inline mutex_lock(me) {
    atomic {
        if
        :: word[MUTEX] == 0 -> word[MUTEX] = 1; holders++; old = 1
        :: else -> old = 0
        fi
    };
    if
    :: old == 0 -> mutex_wait(me)
    :: else -> assert(holders == 1) /* 3 */
    fi
}

inline mutex_unlock() {
    atomic { holders--; old = word[MUTEX]; word[MUTEX] = 0 };
    if
    :: old == 2 -> old = 0; unpark(MUTEX, 1, MUTEX, 0)
    :: else -> old = 0
    fi
}

/* capos_condition_wait_for */
inline condition_wait(me, with_time) {
    waiters++;
    sequence = word[SEQUENCE];
    mutex_unlock();
    park(me, SEQUENCE, sequence, with_time);
    sequence = 0;
    mutex_wait(me);
    waiters--
}

/* condition_advance, then the wake of capos_condition_signal or broadcast. */
inline condition_wake(move) {
#ifdef MUTATE_CHANGE
    skip;
#else
    word[SEQUENCE] = word[SEQUENCE] + 1;
#endif
    if
    :: waiters != 0 -> unpark(SEQUENCE, 1, MUTEX, move)
    :: else
    fi
}

proctype waiter(byte me; bool with_time) {
    byte value, old, sequence;
    mutex_lock(me);
    do
    :: !ready -> condition_wait(me, with_time)
    :: else -> break
    od;
    mutex_unlock()
}

proctype teller(byte me) {
    byte value, old;
    mutex_lock(me);
    ready = true;
    mutex_unlock();
    if
    :: condition_wake(0); condition_wake(0) /* two signals */
    :: condition_wake(ALL)                  /* a broadcast */
    fi
}

/* ---- Memory that goes away ------------------------------------------------------------------ */

proctype sleeper(byte me) {
    byte value;
    park(me, 0, 0, false);
    assert(bad_address[me]) /* 4 */
}

proctype mover() {
    unpark(0, 0, 1, 1)
}

/* park_wake_range, when a space loses a word. */
inline unmap(which) {
    atomic {
        !lock -> unmapped[which] = true;
#ifndef MUTATE_UNMAP
        if
        :: pending[0] && address[0] == which ->
            sleepers[at[0]] ?? eval(0);
            sleeper_wake(0);
            bad_address[0] = true
        :: else
        fi;
#endif
        assert(!(pending[0] && at[0] == which)) /* 4 */
    }
}

proctype unmapper() {
    if
    :: unmap(0); unmap(1)
    :: unmap(1); unmap(0)
    fi
}

init {
    atomic {
        if
        :: run clock(); run waiter(0, true); run waiter(1, false); run teller(2)
        :: run waiter(0, false); run waiter(1, false); run teller(2)
        :: run sleeper(0); run mover(); run unmapper()
        fi
    }
}
