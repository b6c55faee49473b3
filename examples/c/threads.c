// SPDX-License-Identifier: MIT
// Adds up numbers in four threads, each with a part of them:
//
//     ./capos run --grant threads examples/c/threads.c
#include <capos/thread.h>

#include <inttypes.h>
#include <stdio.h>

constexpr unsigned WORKERS = 4;
constexpr uint64_t NUMBERS = 1000000;

struct part {
    uint64_t first, end; // [first, end)
    uint64_t sum;        // the worker's until it is joined
};

static int add_up(void *argument)
{
    struct part *part = argument;
    for (uint64_t i = part->first; i < part->end; i++)
        part->sum += i;
    return 0;
}

int main(void)
{
    static struct part parts[WORKERS];
    struct capos_thread *threads[WORKERS];
    uint64_t sum = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        parts[i] =
            (struct part){.first = NUMBERS / WORKERS * i, .end = NUMBERS / WORKERS * (i + 1)};
        enum status status = capos_thread_create(&threads[i], add_up, &parts[i], nullptr);
        if (status != STATUS_OK) {
            fprintf(stderr, "threads: no thread: %s; try --grant threads\n",
                    status_name(status));
            return 1;
        }
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        if (capos_thread_join(threads[i], nullptr) != STATUS_OK)
            return 1;
        sum += parts[i].sum;
    }
    printf("%u threads: the sum is %" PRIu64 "\n", WORKERS, sum);
    return 0;
}
