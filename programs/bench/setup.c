// SPDX-License-Identifier: MIT
// See setup.h.
#include "setup.h"

#include <capos/capset.h>
#include <capos/panic.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/interfaces.h>
#include <string.h>

struct setup setup;

void require(enum status status, const char *what)
{
    if (status != STATUS_OK)
        capos_panic("bench: %s: %s (%s)", what, status_name(status),
                    capos_last_exception()->reason);
}

void setup_find(void)
{
    require(timer_cap_find("timer", &setup.timer), "timer");
    require(boot_package_cap_find("boot", &setup.boot), "boot");
    require(memory_budget_cap_find("budget", &setup.budget), "budget");
    require(forker_cap_find("forker", &setup.forker), "forker");
    require(capos_spawner_find(&setup.spawner), "spawner");
}

void image_open(struct capos_image *image, const char *name)
{
    memory_object_cap file;
    uint64_t size_bytes;
    require(boot_package_open(setup.boot, name, strlen(name), &file, &size_bytes), name);
    require(capos_image_open(image, &setup.spawner, file, size_bytes), name);
}

process_handle_cap image_start(const struct capos_image *image, const char *const *arguments,
                               uint32_t argument_count, const struct capos_spawn_grant *grants,
                               uint32_t grant_count, uint64_t stack_bytes)
{
    struct capos_process process;
    require(capos_spawn(&setup.spawner, image,
                        &(struct capos_spawn_request){
                            .name = arguments[0],
                            .budget = setup.budget,
                            .arguments = arguments,
                            .argument_count = argument_count,
                            .grants = grants,
                            .grant_count = grant_count,
                            .stack_bytes = stack_bytes,
                        },
                        &process),
            arguments[0]);
    return process.handle;
}

echo_cap server_start(const struct capos_image *image, const char *const *arguments,
                      uint32_t argument_count, uint64_t stack_bytes,
                      process_handle_cap *out_process)
{
    endpoint_cap endpoint;
    echo_cap server;
    require(memory_budget_create_endpoint(setup.budget, 16, &endpoint), "createEndpoint");
    require(endpoint_mint(endpoint, INTERFACE_ECHO, 1, &server.id), "mint");
    struct capos_spawn_grant grants[] = {
        {.name = "endpoint", .capability = capos_transfer_move(endpoint.id)},
        {.name = "memory", .capability = capos_transfer_copy(setup.spawner.memory.id)},
    };
    process_handle_cap process =
        image_start(image, arguments, argument_count, grants, 2, stack_bytes);
    if (out_process != nullptr)
        *out_process = process;
    else
        process_handle_cap_release(&process);
    return server;
}

void process_await(process_handle_cap process)
{
    enum end_kind kind;
    int64_t code;
    require(
        process_handle_wait(process, &kind, &code, nullptr, nullptr, nullptr, nullptr, nullptr),
        "wait");
    if (kind != END_KIND_EXITED || code != 0)
        capos_panic("bench: a child ended by %u, %lld", kind, (long long)code);
    process_handle_cap_release(&process);
}
