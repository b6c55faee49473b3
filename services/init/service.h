// SPDX-License-Identifier: MIT
// One service: its process, what it was granted, its end, its restarts.
//
// Invariants:
//  1. A restarted service is the same holder as before: it gets the very capabilities that
//     it was granted first.  The services that it uses may be sealed by then, and those that
//     count their holders see one.
//  2. The memory of a service that may be restarted stays its own while it is down.
//  3. init holds the endpoint as long as the service may be started again.  Calls that wait
//     in it outlive the process; once the service is given up they end with `disconnected`.
//  4. Memory that its devices reach is kept until a successor says that it has reset them, or
//     for good: a device doesn't know that its driver has ended.
//  5. At boot a service that can't be started is a panic: a system without its services is
//     none.  At a restart it is one more end of the row.
#pragma once

#include "restart.h"

#include <capos/spawn.h>
#include <gen/wire/manifest.h>

struct service_state {
    struct service declared;
    const char *last_argument; // behind the declared ones; nullptr: none
    capos_cap_id device;       // owned: what it is granted as "device"; 0: nothing
    endpoint_cap endpoint;     // id 0 once it is sealed or given up
    bool started;              // or about to be

    // Private to service.c.
    struct capos_spawner *spawner;
    struct capos_process process;
    memory_budget_cap budget; // kept for restarts; id 0: none
    dma_pool_cap dma;         // what it gets as the kernel's "dma"; id 0: none
    struct capos_call wait;   // for the end of the process
    struct capos_call pause;  // before a restart
    struct restart_row row;
    uint64_t started_ns;
    capos_cap_id granted[SERVICE_GRANTS_COUNT_MAX]; // kept for restarts; 0: none
};

// Starts a service at boot, once everything that it is granted has its endpoint.  Doesn't
// return if that fails; the console is told why.  The service must stay where it is.
void service_start(struct service_state *service, struct capos_spawner *spawner);

// Gives up the endpoint, unless the service may be restarted.
void service_seal(struct service_state *service);
