// SPDX-License-Identifier: MIT
// Services from the manifest; see system.h.
#include "system.h"

#include "boot_file.h"
#include "service.h"

#include <capos/capset.h>
#include <capos/panic.h>
#include <capos/print.h>

#include <gen/capos/directory.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <string.h>

constexpr uint32_t ENDPOINT_QUEUE_MAX = 64;

static struct system_manifest manifest;
static struct service_state services[SYSTEM_MANIFEST_SERVICES_COUNT_MAX];
static struct capos_spawner *all_spawner;
static struct service_state directories[RUN_REQUEST_DIRECTORIES_COUNT_MAX];
static uint32_t directory_count;

// ---- The manifest ------------------------------------------------------------------

static struct service_state *service_find(struct wire_text name)
{
    for (uint32_t i = 0; i < manifest.services.count; i++)
        if (wire_text_equals(name, services[i].declared.name.text))
            return &services[i];
    return nullptr;
}

// STATUS_NOT_FOUND without such an export.
static enum status export_find(const struct service_state *service, struct wire_text name,
                               struct export *out_export)
{
    const struct wire_list *exports = &service->declared.exports;
    for (uint32_t i = 0; i < exports->count; i++)
        if (export_at(exports, i, out_export) == STATUS_OK &&
            wire_text_equals(name, out_export->name.text))
            return STATUS_OK;
    return STATUS_NOT_FOUND;
}

capos_cap_id system_kernel_find(struct wire_text name)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        if (wire_text_equals(name, entry->name))
            return entry->cap;
    }
    return 0;
}

static void check_grant(const struct grant *grant, const char *place)
{
    struct export export;
    if (grant->source.which == GRANT_SOURCE_KERNEL) {
        if (system_kernel_find(grant->source.kernel) == 0)
            capos_panic("init: manifest: %s: grant %s: the kernel gives no \"%s\"", place,
                        grant->name.text, grant->source.kernel.text);
        return;
    }
    const char *service_name = grant->source.service.service.text;
    const struct service_state *service = service_find(grant->source.service.service);
    if (service == nullptr)
        capos_panic("init: manifest: %s: grant %s: there is no service \"%s\"", place,
                    grant->name.text, service_name);
    if (export_find(service, grant->source.service.export, &export) != STATUS_OK)
        capos_panic("init: manifest: %s: grant %s: service %s has no export \"%s\"", place,
                    grant->name.text, service_name, grant->source.service.export.text);
}

static void check_grants(const struct wire_list *grants, const char *place)
{
    for (uint32_t i = 0; i < grants->count; i++) {
        struct grant grant;
        if (grant_at(grants, i, &grant) != STATUS_OK)
            capos_panic("init: manifest: %s: grant %u is malformed", place, i);
        check_grant(&grant, place);
    }
}

static void manifest_read(void)
{
    const void *message;
    uint64_t size_bytes;
    enum status status = boot_file_map("manifest", &message, &size_bytes);
    if (status != STATUS_OK)
        capos_panic("init: the boot package has no readable file \"manifest\": %s",
                    status_name(status));
    status = size_bytes > UINT32_MAX
                 ? STATUS_BAD_MESSAGE
                 : system_manifest_decode(message, (uint32_t)size_bytes, &manifest);
    if (status != STATUS_OK)
        capos_panic("init: the file \"manifest\" isn't a SystemManifest within its bounds");
    for (uint32_t i = 0; i < manifest.services.count; i++) {
        struct service *service = &services[i].declared;
        if (service_at(&manifest.services, i, service) != STATUS_OK)
            capos_panic("init: manifest: service %u is malformed", i);
        if (service_find(service->name) != &services[i])
            capos_panic("init: manifest: two services are called \"%s\"", service->name.text);
    }
}

static void manifest_check(void)
{
    for (uint32_t i = 0; i < manifest.services.count; i++)
        check_grants(&services[i].declared.grants, services[i].declared.name.text);
    check_grants(&manifest.host_directory.grants, "hostDirectory");
    check_grants(&manifest.program_grants, "programGrants");
    check_grants(&manifest.grantable, "grantable");
}

// ---- Starting ----------------------------------------------------------------------

// Starts a service, and before it those that it is granted something of.  It goes as deep as
// there are services, since none is begun twice.
static void service_need(struct service_state *service)
{
    if (service->started)
        return;
    service->started = true;
    const struct wire_list *grants = &service->declared.grants;
    for (uint32_t i = 0; i < grants->count; i++) {
        struct grant grant;
        if (grant_at(grants, i, &grant) == STATUS_OK &&
            grant.source.which == GRANT_SOURCE_SERVICE)
            service_need(service_find(grant.source.service.service));
    }
    service_start(service, all_spawner);
}

// ---- Grants ------------------------------------------------------------------------

enum status system_resolve(const struct grant *grant, struct capos_transfer *out_capability)
{
    struct export export;
    if (grant->source.which == GRANT_SOURCE_KERNEL) {
        *out_capability = capos_transfer_copy(system_kernel_find(grant->source.kernel));
        return STATUS_OK;
    }
    struct service_state *service = service_find(grant->source.service.service);
    capos_cap_id object;
    service_need(service);
    enum status status = export_find(service, grant->source.service.export, &export);
    if (status == STATUS_OK)
        status = endpoint_mint(service->endpoint, export.interface_id, export.word, &object);
    if (status == STATUS_OK)
        *out_capability = capos_transfer_move(object);
    return status;
}

enum status system_mint_own(uint64_t interface_id, capos_cap_id *out_cap)
{
    for (uint32_t i = 0; i < manifest.services.count; i++) {
        const struct wire_list *exports = &services[i].declared.exports;
        struct export export;
        for (uint32_t at = 0; at < exports->count; at++)
            if (export_at(exports, at, &export) == STATUS_OK &&
                export.interface_id == interface_id) {
                service_need(&services[i]);
                return endpoint_mint(services[i].endpoint, interface_id, export.word, out_cap);
            }
    }
    return STATUS_NOT_FOUND;
}

// ---- Directories of the host -------------------------------------------------------

// The export of an interface.  STATUS_NOT_FOUND without one.
static enum status export_of(const struct service_state *service, uint64_t interface_id,
                             struct export *out_export)
{
    const struct wire_list *exports = &service->declared.exports;
    for (uint32_t i = 0; i < exports->count; i++)
        if (export_at(exports, i, out_export) == STATUS_OK &&
            out_export->interface_id == interface_id)
            return STATUS_OK;
    return STATUS_NOT_FOUND;
}

enum status system_directory(const struct host_directory *directory,
                             struct capos_transfer *out_capability)
{
    memory_budget_cap budget;
    struct export export;
    capos_cap_id object;
    if (manifest.host_directory.name.size_bytes == 0)
        return STATUS_NOT_FOUND;
    struct service_state *service = &directories[directory_count++];
    *service = (struct service_state){.declared = manifest.host_directory,
                                      .last_argument = directory->mount_tag.text};
    enum status status = export_of(
        service, directory->read_only ? INTERFACE_READ_ONLY_DIRECTORY : INTERFACE_DIRECTORY,
        &export);
    if (status == STATUS_OK)
        status = memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = memory_budget_create_endpoint(budget, ENDPOINT_QUEUE_MAX, &service->endpoint);
    if (status != STATUS_OK)
        return status;
    service_need(service);
    status = endpoint_mint(service->endpoint, export.interface_id, export.word, &object);
    if (status == STATUS_OK)
        *out_capability = capos_transfer_move(object);
    return status;
}

const struct wire_list *system_program_grants(void)
{
    return &manifest.program_grants;
}

const struct wire_list *system_grantable(void)
{
    return &manifest.grantable;
}

// ---- The whole ---------------------------------------------------------------------

void system_start(struct capos_spawner *spawner)
{
    memory_budget_cap budget;
    manifest_read();
    manifest_check();
    if (memory_budget_cap_find("budget", &budget) != STATUS_OK)
        capos_panic("init: the kernel gave no budget");
    // All endpoints first: a grant may lead to a service that starts later.
    for (uint32_t i = 0; i < manifest.services.count; i++) {
        enum status status =
            memory_budget_create_endpoint(budget, ENDPOINT_QUEUE_MAX, &services[i].endpoint);
        if (status != STATUS_OK)
            capos_panic("init: service %s: its endpoint: %s", services[i].declared.name.text,
                        status_name(status));
    }
    all_spawner = spawner;
    for (uint32_t i = 0; i < manifest.services.count; i++)
        if (!services[i].declared.on_demand)
            service_need(&services[i]);
}

static void directory_make_durable(const struct service_state *service,
                                   const struct export *export)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    directory_cap directory;
    enum status status =
        endpoint_mint(service->endpoint, export->interface_id, export->word, &directory.id);
    if (status == STATUS_OK) {
        status = directory_sync(directory, &outcome);
        directory_cap_release(&directory);
    }
    if (status != STATUS_OK || outcome != FILE_OUTCOME_OK)
        capos_console_print(
            "init: service %s: its files aren't durable: %s\n", service->declared.name.text,
            status != STATUS_OK ? status_name(status) : file_outcome_name(outcome));
}

void system_sync(void)
{
    for (uint32_t i = 0; i < manifest.services.count; i++) {
        const struct service_state *service = &services[i];
        const struct wire_list *exports = &service->declared.exports;
        struct export export;
        // What can't be restarted took its endpoint with it.
        for (uint32_t at = 0;
             service->started && service->endpoint.id != 0 && at < exports->count; at++)
            if (export_at(exports, at, &export) == STATUS_OK &&
                export.interface_id == INTERFACE_DIRECTORY)
                directory_make_durable(service, &export);
    }
}

void system_seal(void)
{
    for (uint32_t i = 0; i < manifest.services.count; i++)
        service_seal(&services[i]);
    for (uint32_t i = 0; i < directory_count; i++)
        service_seal(&directories[i]);
}
