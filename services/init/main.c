// SPDX-License-Identifier: MIT
// init: the first process.
//
// The kernel gives it every root capability.  It reads two files of the boot package, the
// manifest and the request of one `capos run`, starts what they name with exactly the
// grants written there, and tells the host how the requested program ended.  What the two
// files say is hostile until it has been decoded and checked.
//
//     system.c   the manifest: what it says, and what its grants lead to
//     service.c  the process of one service, from start to restart
//     restart.c  when a service is started again
//     program.c  the requested program
//     trace.c    the record of its calls, to the host
//     report.c   its end, to the host or to the console
//
// What it doesn't do: serve anything.  Nobody holds a capability on init.
// Tested by every booted test; tests/system has those of its own behaviour.
#include "program.h"
#include "report.h"
#include "system.h"

#include <capos/loop.h>
#include <capos/panic.h>

int main(void)
{
    static struct capos_spawner spawner;
    enum status status = capos_spawner_find(&spawner);
    if (status != STATUS_OK)
        capos_panic("init: the kernel gave no spawner or no memory: %s", status_name(status));
    system_start(&spawner);
    report_init();
    program_run(&spawner);
    // The host ends the machine.  Without a host it stays as it is, with its services.
    capos_loop_run();
    return 0;
}
