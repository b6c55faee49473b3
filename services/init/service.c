// SPDX-License-Identifier: MIT
// The process of a service; see service.h.
#include "service.h"

#include "boot_file.h"
#include "system.h"

#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/print.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/device_memory.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <string.h>

// And budget, endpoint, device.
constexpr uint32_t OWN_GRANTS = CAPOS_SPAWN_OWN_GRANTS_MAX + 3;
constexpr uint64_t PAGE = 4096;
constexpr uint64_t NS_PER_MS = 1'000'000;

// What a start was about when it failed; written before each step.
static const char *step;

static const char *status_reason(enum status status)
{
    return status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason : "";
}

static bool may_restart(const struct service_state *service)
{
    return service->declared.restart != RESTART_POLICY_NEVER;
}

static uint64_t now_ns(void)
{
    timer_cap timer;
    uint64_t time_ns = 0;
    if (timer_cap_find("timer", &timer) == STATUS_OK && timer_now(timer, &time_ns) != STATUS_OK)
        time_ns = 0;
    return time_ns;
}

// ---- What it gets ------------------------------------------------------------------

// What every service may know of the machine: the boot command line, as an environment
// string.  It is information for drivers that look for their device, and no authority.
static const char *const *service_environment(void)
{
    static char text[2048 + 16] = "COMMAND_LINE=";
    static const char *const strings[] = {text};
    size_t prefix = strlen("COMMAND_LINE=");
    boot_package_cap boot;
    if (boot_package_cap_find("boot", &boot) != STATUS_OK ||
        boot_package_info(boot, nullptr, text + prefix, sizeof text - prefix, nullptr) !=
            STATUS_OK)
        text[prefix] = '\0';
    return strings;
}

// The arguments of a service: argv[0] is its name.
static uint32_t service_arguments(const struct service_state *service,
                                  const char **out_arguments)
{
    const struct wire_list *list = &service->declared.arguments;
    uint32_t count = 0;
    out_arguments[count++] = service->declared.name.text;
    for (uint32_t i = 0; i < list->count; i++) {
        struct wire_text argument;
        if (wire_list_text(list, i, &argument) == STATUS_OK)
            out_arguments[count++] = argument.text;
    }
    if (service->last_argument != nullptr)
        out_arguments[count++] = service->last_argument;
    return count;
}

// A DmaPool of the service's own, which keeps its memory when it ends.
static enum status dma_resolve(struct service_state *service,
                               struct capos_transfer *out_capability)
{
    dma_pool_cap all;
    enum status status = STATUS_OK;
    if (service->dma.id == 0)
        status = dma_pool_cap_find("dma", &all);
    if (status == STATUS_OK && service->dma.id == 0)
        status = dma_pool_keeper(all, &service->dma);
    *out_capability = capos_transfer_copy(service->dma.id);
    return status;
}

// One grant of the manifest.  What is moved to a service that may be restarted is kept
// instead, and copied to each of its processes.
static enum status grant_resolve(struct service_state *service, uint32_t index,
                                 const struct grant *grant,
                                 struct capos_transfer *out_capability)
{
    capos_cap_id *kept = &service->granted[index];
    if (grant->source.which == GRANT_SOURCE_KERNEL &&
        wire_text_equals(grant->source.kernel, "dma"))
        return dma_resolve(service, out_capability);
    if (*kept == 0) {
        enum status status = system_resolve(grant, out_capability);
        if (status != STATUS_OK || !may_restart(service) ||
            out_capability->how != CAPOS_TRANSFER_MOVE)
            return status;
        *kept = out_capability->cap;
    }
    *out_capability = capos_transfer_copy(*kept);
    return STATUS_OK;
}

static enum status service_grants(struct service_state *service,
                                  struct capos_spawn_grant *out_grants, uint32_t *out_count)
{
    const struct wire_list *list = &service->declared.grants;
    uint32_t count = capos_spawn_own_grants(service->spawner, out_grants);
    out_grants[count++] =
        (struct capos_spawn_grant){"budget", capos_transfer_copy(service->budget.id)};
    out_grants[count++] =
        (struct capos_spawn_grant){"endpoint", capos_transfer_copy(service->endpoint.id)};
    if (service->device != 0)
        out_grants[count++] =
            (struct capos_spawn_grant){"device", capos_transfer_copy(service->device)};
    step = "a grant";
    for (uint32_t i = 0; i < list->count; i++) {
        struct grant grant;
        enum status status = grant_at(list, i, &grant);
        if (status == STATUS_OK)
            status = grant_resolve(service, i, &grant, &out_grants[count].capability);
        if (status != STATUS_OK)
            return status;
        out_grants[count++].name = grant.name.text;
    }
    *out_count = count;
    return STATUS_OK;
}

// ---- Starting ----------------------------------------------------------------------

constexpr uint8_t PRIORITY_NORMAL = 16; // what a first thread has anyway

// The schedule that the manifest asks for; its authority is init's grant "urgent".
static enum status service_schedule(const struct service_state *service,
                                    struct capos_spawn_schedule *out_schedule)
{
    step = "its latency class";
    out_schedule->priority = PRIORITY_NORMAL;
    out_schedule->latency_class = service->declared.latency_class;
    return thread_spawner_cap_find("urgent", &out_schedule->bounds);
}

static enum status process_spawn(struct service_state *service, const struct capos_image *image)
{
    struct capos_spawn_schedule schedule;
    static const char *arguments[2 + SERVICE_ARGUMENTS_COUNT_MAX];
    static struct capos_spawn_grant grants[OWN_GRANTS + SERVICE_GRANTS_COUNT_MAX];
    struct capos_spawn_request request = {
        .name = service->declared.name.text,
        .budget = service->budget,
        .grants = grants,
        .arguments = arguments,
        .argument_count = service_arguments(service, arguments),
        .environment = service_environment(),
        .environment_count = 1,
    };
    enum status status = service_grants(service, grants, &request.grant_count);
    if (status == STATUS_OK && service->declared.latency_class != LATENCY_CLASS_NORMAL) {
        status = service_schedule(service, &schedule);
        request.schedule = &schedule;
    }
    if (status != STATUS_OK)
        return status;
    step = "spawn";
    return capos_spawn(service->spawner, image, &request, &service->process);
}

static enum status budget_take(struct service_state *service)
{
    uint64_t budget_bytes = service->declared.budget_bytes;
    memory_budget_cap all;
    if (service->budget.id != 0)
        return STATUS_OK;
    step = "its budget, for which the machine has too little memory (--mem)";
    if (budget_bytes > UINT64_MAX - PAGE)
        return STATUS_OVERLOADED;
    enum status status = memory_budget_cap_find("budget", &all);
    if (status == STATUS_OK)
        status =
            memory_budget_split(all, (budget_bytes + PAGE - 1) & ~(PAGE - 1), &service->budget);
    if (status != STATUS_OK)
        return status;
    step = "its cpuWeight";
    return memory_budget_set_cpu_weight(all, service->budget, service->declared.cpu_weight);
}

static enum status image_start(struct service_state *service, const struct capos_image *image)
{
    enum status status = budget_take(service);
    if (status == STATUS_OK)
        status = process_spawn(service, image);
    if (!may_restart(service))
        memory_budget_cap_release(&service->budget);
    return status;
}

static enum status file_start(struct service_state *service, const struct boot_file *file)
{
    struct capos_image image;
    step = "mapping its file";
    enum status status =
        capos_image_open(&image, service->spawner, file->object, file->size_bytes);
    if (status == STATUS_BAD_MESSAGE)
        step = elf_error_text(image.elf_error);
    if (status != STATUS_OK)
        return status;
    status = image_start(service, &image);
    capos_image_close(&image, service->spawner);
    return status;
}

static void service_ended(struct capos_call *wait, void *context);

// On failure `step` says what it was about.
static enum status process_start(struct service_state *service)
{
    struct boot_file file;
    step = service->declared.binary.text;
    enum status status = boot_file_open(service->declared.binary.text, &file);
    if (status != STATUS_OK)
        return status;
    status = file_start(service, &file);
    memory_object_cap_release(&file.object);
    if (status != STATUS_OK)
        return status;
    if (may_restart(service))
        service->started_ns = now_ns();
    if (process_handle_wait_begin(&service->wait, service->process.handle) == STATUS_OK)
        capos_call_on_done(&service->wait, service_ended, service);
    return STATUS_OK;
}

void service_start(struct service_state *service, struct capos_spawner *spawner)
{
    service->spawner = spawner;
    enum status status = process_start(service);
    if (status != STATUS_OK)
        capos_panic("init: service %s: %s: %s %s", service->declared.name.text, step,
                    status_name(status), status_reason(status));
}

void service_seal(struct service_state *service)
{
    if (!may_restart(service))
        endpoint_cap_release(&service->endpoint);
}

// ---- Ending and restarting -----------------------------------------------------------

static void service_restart(struct capos_call *pause, void *context);

// Clients learn that nobody will answer.
static void service_give_up(struct service_state *service)
{
    endpoint_cap_release(&service->endpoint);
    memory_budget_cap_release(&service->budget);
    capos_release(service->device);
    service->device = 0;
    for (uint32_t i = 0; i < SERVICE_GRANTS_COUNT_MAX; i++) {
        capos_release(service->granted[i]);
        service->granted[i] = 0;
    }
}

static bool pause_begin(struct service_state *service, uint64_t delay_ns)
{
    timer_cap timer;
    if (timer_cap_find("timer", &timer) != STATUS_OK ||
        timer_sleep_begin(&service->pause, timer, delay_ns) != STATUS_OK)
        return false;
    capos_call_on_done(&service->pause, service_restart, service);
    return true;
}

// Says on the console what comes next, and begins it.
static void service_decide(struct service_state *service, enum end_kind kind, int64_t code)
{
    const char *name = service->declared.name.text;
    uint64_t delay_ns = 0;
    enum restart_verdict verdict = restart_decide(&service->row, &service->declared, kind, code,
                                                  now_ns() - service->started_ns, &delay_ns);
    if (verdict == RESTART_LATER && pause_begin(service, delay_ns)) {
        capos_console_print("init: service %s: restart %u of %u in %llu ms\n", name,
                            service->row.restarts, service->declared.restarts_max,
                            (unsigned long long)(delay_ns / NS_PER_MS));
        return;
    }
    if (verdict != RESTART_NOT_WANTED)
        capos_console_print("init: service %s is given up after %u restarts\n", name,
                            service->row.restarts);
    service_give_up(service);
}

static void service_restart(struct capos_call *pause, void *context)
{
    struct service_state *service = context;
    enum status status = timer_sleep_finish(pause);
    if (status == STATUS_OK)
        status = process_start(service);
    if (status == STATUS_OK)
        return;
    capos_console_print("init: service %s: %s: %s %s\n", service->declared.name.text, step,
                        status_name(status), status_reason(status));
    service->started_ns = now_ns();
    service_decide(service, END_KIND_FAULTED, 0);
}

// What the process had received, its successor can't answer.
static void calls_end(const struct service_state *service)
{
    if (endpoint_disconnect(service->endpoint) != STATUS_OK)
        capos_panic("init: service %s: its calls can't be ended", service->declared.name.text);
}

static void service_ended(struct capos_call *wait, void *context)
{
    struct service_state *service = context;
    enum end_kind kind;
    int64_t code;
    enum fault_kind fault;
    uint64_t address, instruction, thread_id;
    if (process_handle_wait_finish(wait, &kind, &code, &fault, &address, &instruction, nullptr,
                                   &thread_id) != STATUS_OK)
        return;
    process_handle_cap_release(&service->process.handle);
    capos_console_print("init: service %s ended: %s, code %lld, fault %s at 0x%llx, "
                        "instruction 0x%llx of its file, thread %llu\n",
                        service->declared.name.text, end_kind_name(kind), (long long)code,
                        fault_kind_name(fault), (unsigned long long)address,
                        (unsigned long long)(instruction - service->process.load_bias),
                        (unsigned long long)thread_id);
    if (may_restart(service)) {
        calls_end(service);
        service_decide(service, kind, code);
    }
}
