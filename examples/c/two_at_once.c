// SPDX-License-Identifier: MIT
// Two calls in flight at once, which complete in their own order:
//
//     ./capos run --grant timer examples/c/two_at_once.c
#include <capos/loop.h>

#include <gen/capos/timer.h>
#include <stdio.h>

constexpr uint64_t MS = 1000000;

struct alarm {
    struct capos_call call;
    const char *name;
};

static void rang(struct capos_call *call, void *context)
{
    const struct alarm *alarm = context;
    if (timer_sleep_finish(call) == STATUS_OK)
        printf("%s rang\n", alarm->name);
}

int main(void)
{
    static struct alarm slow = {.name = "the slow one"}, fast = {.name = "the fast one"};
    timer_cap timer;
    if (timer_cap_find("timer", &timer) != STATUS_OK ||
        timer_sleep_begin(&slow.call, timer, 60 * MS) != STATUS_OK ||
        timer_sleep_begin(&fast.call, timer, 20 * MS) != STATUS_OK) {
        fprintf(stderr, "two_at_once: needs --grant timer\n");
        return 1;
    }
    capos_call_on_done(&slow.call, rang, &slow);
    capos_call_on_done(&fast.call, rang, &fast);
    capos_loop_run(); // until nothing is under way any more
    return 0;
}
