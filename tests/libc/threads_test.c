// SPDX-License-Identifier: MIT
// Threads, what they wait for, and clocks.  No test depends on who runs first.
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 500 };

static void start(pthread_t *threads, int count, void *(*run)(void *), void *argument)
{
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run, argument) != 0)
            abort();
}

static void join(pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++)
        if (pthread_join(threads[i], NULL) != 0)
            abort();
}

static void *same(void *argument)
{
    return argument;
}

static void a_thread_returns_its_result(void)
{
    pthread_t thread;
    void *result = NULL;
    CHECK(pthread_create(&thread, NULL, same, &thread) == 0);
    CHECK(pthread_join(thread, &result) == 0 && result == &thread);
    for (intptr_t i = 0; i < 200; i++) {
        CHECK(pthread_create(&thread, NULL, same, (void *)i) == 0);
        CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == i);
    }
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int shared;

static void *count_up(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        shared++;
        pthread_mutex_unlock(&mutex);
    }
    return argument;
}

static void a_mutex_excludes(void)
{
    pthread_t threads[THREADS];
    shared = 0;
    start(threads, THREADS, count_up, NULL);
    join(threads, THREADS);
    CHECK(shared == THREADS * ROUNDS);
}

// Thread i waits until it is its turn.
static void *take_turns(void *argument)
{
    int *next = argument;
    pthread_mutex_lock(&mutex);
    int mine = shared++;
    for (int i = 0; i < 50; i++) {
        while (*next % THREADS != mine)
            pthread_cond_wait(&condition, &mutex);
        ++*next;
        pthread_cond_broadcast(&condition);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void a_condition_wakes(void)
{
    pthread_t threads[THREADS];
    int next = 0;
    shared = 0;
    start(threads, THREADS, take_turns, &next);
    join(threads, THREADS);
    CHECK(next == THREADS * 50);
}

static _Thread_local int own = 5;
static _Thread_local char large[3000] = "set";

static void *use_own(void *argument)
{
    int *failed = argument;
    for (int i = 0; i < 1000; i++)
        own++;
    if (own != 1005 || strcmp(large, "set") != 0 || large[2999] != 0 || errno != 0)
        *failed = 1;
    errno = 7;
    return NULL;
}

static void each_thread_has_its_variables(void)
{
    pthread_t threads[THREADS];
    int failed = 0;
    start(threads, THREADS, use_own, &failed);
    join(threads, THREADS);
    CHECK(failed == 0 && own == 5);
}

static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
    __atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST);
}

static void *set_key(void *argument)
{
    pthread_setspecific(key, argument);
    return pthread_getspecific(key);
}

static void keys_are_destroyed_with_their_threads(void)
{
    pthread_t threads[THREADS];
    CHECK(pthread_key_create(&key, destroy) == 0);
    start(threads, THREADS, set_key, (void *)3);
    join(threads, THREADS);
    CHECK(destroyed == 3 * THREADS && pthread_key_delete(key) == 0);
}

static pthread_barrier_t barrier;
static int serial;

static void *meet(void *argument)
{
    for (int i = 0; i < 20; i++)
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void a_barrier_lets_all_go_together(void)
{
    pthread_t threads[THREADS];
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    start(threads, THREADS, meet, NULL);
    join(threads, THREADS);
    CHECK(serial == 20 && pthread_barrier_destroy(&barrier) == 0);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int pair[2];

static void *read_or_write(void *argument)
{
    int *failed = argument;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 4 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            if (pair[0] != pair[1])
                *failed = 1;
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void readers_never_see_half_a_write(void)
{
    pthread_t threads[THREADS];
    int failed = 0;
    start(threads, THREADS, read_or_write, &failed);
    join(threads, THREADS);
    CHECK(failed == 0 && pair[0] == THREADS * ROUNDS / 4);
}

static void *post(void *argument)
{
    sem_post(argument);
    return NULL;
}

static void detached_threads_give_their_memory_back(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sem_t semaphore;
    CHECK(sem_init(&semaphore, 0, 0) == 0 && pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    for (int i = 0; i < 300; i++) {
        int error;
        // One that has posted may still be about to end.
        while ((error = pthread_create(&thread, &attributes, post, &semaphore)) == EAGAIN)
            sched_yield();
        CHECK(error == 0 && sem_wait(&semaphore) == 0);
    }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void count_once(void)
{
    shared++;
}

static void *do_once(void *argument)
{
    pthread_once(&once, count_once);
    return argument;
}

static void once_is_once(void)
{
    pthread_t threads[THREADS];
    shared = 0;
    start(threads, THREADS, do_once, NULL);
    join(threads, THREADS);
    CHECK(shared == 1);
}

static int cleaned;

static void clean(void *argument)
{
    cleaned = *(int *)argument;
}

static void *wait_for_ever(void *argument)
{
    int value = 42;
    pthread_cleanup_push(clean, &value);
    sem_wait(argument);
    pthread_cleanup_pop(0);
    return NULL;
}

static void a_waiting_thread_is_cancelled(void)
{
    pthread_t thread;
    sem_t semaphore;
    void *result;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    for (int i = 0; i < 50; i++) {
        cleaned = 0;
        CHECK(pthread_create(&thread, NULL, wait_for_ever, &semaphore) == 0);
        if (i % 2 == 0)
            sched_yield();
        CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
        CHECK(result == PTHREAD_CANCELED && (cleaned == 42 || cleaned == 0));
    }
}

static void *sleep_for_ever(void *argument)
{
    while (1)
        sleep(1000000);
    return argument;
}

static void unlock(void *argument)
{
    pthread_mutex_unlock(argument);
}

static void *wait_for_condition(void *argument)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    while (1)
        pthread_cond_wait(&condition, &mutex);
    pthread_cleanup_pop(1);
    return argument;
}

static void sleeps_and_conditions_are_cancelled(void)
{
    pthread_t threads[2];
    void *result;
    CHECK(pthread_create(&threads[0], NULL, sleep_for_ever, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, wait_for_condition, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_cancel(threads[i]) == 0 && pthread_join(threads[i], &result) == 0);
        CHECK(result == PTHREAD_CANCELED);
    }
    CHECK(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
}

static void *refuse_cancellation(void *argument)
{
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    while (sem_wait(argument) != 0)
        ;
    return argument;
}

static void a_thread_can_refuse_to_be_cancelled(void)
{
    pthread_t thread;
    sem_t semaphore;
    void *result;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, refuse_cancellation, &semaphore) == 0);
    // It waits, or has not begun: then cancellation may come first.
    CHECK(pthread_cancel(thread) == 0 && sem_post(&semaphore) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == &semaphore || result == PTHREAD_CANCELED);
}

static void time_outs_come(void)
{
    struct timespec until;
    pthread_condattr_t attributes;
    pthread_cond_t timed;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&timed, &attributes) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    pthread_mutex_lock(&mutex);
    int error = 0;
    while (error == 0)
        error = pthread_cond_timedwait(&timed, &mutex, &until);
    pthread_mutex_unlock(&mutex);
    CHECK(error == ETIMEDOUT);
}

static void the_clock_goes_on_while_sleeping(void)
{
    struct timespec before, after, length = {.tv_nsec = 2000000};
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && nanosleep(&length, NULL) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >=
          2000000);
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, NULL) == 0);
    CHECK_ERRNO(nanosleep(&(struct timespec){.tv_nsec = 1000000000}, NULL), EINVAL);
    CHECK_ERRNO(clock_gettime(99, &after), EINVAL);
}

static int c11_run(void *argument)
{
    mtx_t *lock = argument;
    mtx_lock(lock);
    mtx_unlock(lock);
    return 17;
}

static void c11_threads_work(void)
{
    thrd_t thread;
    mtx_t lock;
    int result = 0;
    CHECK(mtx_init(&lock, mtx_plain) == thrd_success && mtx_lock(&lock) == thrd_success);
    CHECK(thrd_create(&thread, c11_run, &lock) == thrd_success);
    CHECK(mtx_unlock(&lock) == thrd_success && thrd_join(thread, &result) == thrd_success);
    CHECK(result == 17);
}

static void *allocate(void *argument)
{
    for (int i = 1; i < ROUNDS; i++) {
        char *block = malloc((size_t)i * 13);
        memset(block, i, (size_t)i * 13);
        free(realloc(block, (size_t)i));
    }
    return argument;
}

static void threads_share_the_heap(void)
{
    pthread_t threads[THREADS];
    start(threads, THREADS, allocate, NULL);
    join(threads, THREADS);
    CHECK(1);
}

static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = caught * 100 + signal;
}

static void a_program_signals_itself(void)
{
    sigset_t set, pending;
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0 && caught == SIGUSR1);
    caught = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR1) == 0 && caught == 0);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && caught == SIGUSR1);
    CHECK(signal(SIGUSR1, SIG_IGN) == on_signal && raise(SIGUSR1) == 0 && caught == SIGUSR1);
    CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
}

int main(void)
{
    RUN(a_thread_returns_its_result);
    RUN(a_mutex_excludes);
    RUN(a_condition_wakes);
    RUN(each_thread_has_its_variables);
    RUN(keys_are_destroyed_with_their_threads);
    RUN(a_barrier_lets_all_go_together);
    RUN(readers_never_see_half_a_write);
    RUN(detached_threads_give_their_memory_back);
    RUN(once_is_once);
    RUN(a_waiting_thread_is_cancelled);
    RUN(sleeps_and_conditions_are_cancelled);
    RUN(a_thread_can_refuse_to_be_cancelled);
    RUN(time_outs_come);
    RUN(the_clock_goes_on_while_sleeping);
    RUN(c11_threads_work);
    RUN(threads_share_the_heap);
    RUN(a_program_signals_itself);
    return check_status();
}
