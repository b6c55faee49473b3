// SPDX-License-Identifier: MIT
// Reads the machine's clock, which a program can't do unless it was granted a Timer:
//
//     ./capos run examples/c/clock.c                  says that it may not
//     ./capos run --grant timer examples/c/clock.c    tells the time since boot
#include <gen/capos/timer.h>
#include <stdio.h>

int main(void)
{
    timer_cap timer;
    uint64_t time_ns;
    if (timer_cap_find("timer", &timer) != STATUS_OK) {
        fprintf(stderr, "clock: I hold no Timer; try --grant timer\n");
        return 1;
    }
    if (timer_now(timer, &time_ns) != STATUS_OK)
        return 1;
    printf("%llu.%03llu s since boot\n", (unsigned long long)(time_ns / 1000000000),
           (unsigned long long)(time_ns / 1000000 % 1000));
    return 0;
}
