// SPDX-License-Identifier: MIT
// Waits for as many milliseconds as its argument says, and tells how long it was.  Needs
// the grant "timer".
#include <gen/capos/timer.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    timer_cap timer;
    uint64_t before_ns, after_ns;
    uint64_t wanted_ns = (argc > 1 ? strtoull(argv[1], nullptr, 10) : 100) * 1000000;
    if (timer_cap_find("timer", &timer) != STATUS_OK) {
        fprintf(stderr, "sleep: needs a Timer: capos run --grant timer sleep\n");
        return 1;
    }
    if (timer_now(timer, &before_ns) != STATUS_OK ||
        timer_sleep(timer, wanted_ns) != STATUS_OK || timer_now(timer, &after_ns) != STATUS_OK)
        return 1;
    printf("slept %llu ms\n", (unsigned long long)((after_ns - before_ns) / 1000000));
    return after_ns - before_ns >= wanted_ns ? 0 : 1;
}
