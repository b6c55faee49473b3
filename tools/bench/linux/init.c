// SPDX-License-Identifier: MIT
// The first and only program of a Linux machine that is measured beside capOS: the rows of
// programs/bench/rows.c, and calls between processes by the ways that Linux has.
//
// Built and run by tools/bench/linux.py.
#include <linux/sysinfo.h>

#include "../../../programs/bench/measure.h"
#include "../../../programs/bench/rows.h"
#include "channel.h"
#include "start.h"
#include "syscalls.h"

void init_main(void)
{
    print("ready\n"); // the host takes the time
    struct sysinfo info;
    good(call3(__NR_sysinfo, (long)&info, 0, 0), "sysinfo");
    print("free_bytes ");
    print_number((uint64_t)info.freeram * info.mem_unit);
    print("\n");
    channel_measure();
    rows_measure();
    measure_print();
    print("done\n");
    machine_end();
}
