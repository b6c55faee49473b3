// SPDX-License-Identifier: MIT
// Services from the manifest; see system.h.
#include "system.h"

#include "boot_file.h"
#include "service.h"

#include <capos/capset.h>
#include <capos/panic.h>
#include <capos/print.h>

#include <gen/capos/block_device.h>
#include <gen/capos/directory.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/ramfs.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t ENDPOINT_QUEUE_MAX = 64;
constexpr uint64_t PAGE = 4096;
// What the kernel's objects for a directory in memory take, at most: a part of its size.
constexpr uint64_t MEMORY_DIRECTORY_OBJECTS_SHARE = 32;

static struct system_manifest manifest;
static struct service_state services[SYSTEM_MANIFEST_SERVICES_COUNT_MAX];
static struct capos_spawner *all_spawner;
// Started for what the request asks for: a service for each directory, two for each disk.
static struct service_state
    instances[RUN_REQUEST_DIRECTORIES_COUNT_MAX + 2 * RUN_REQUEST_DISKS_COUNT_MAX];
static uint32_t instance_count;
static const struct service_state *disks[RUN_REQUEST_DISKS_COUNT_MAX];
static uint32_t disk_count;

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
    check_grants(&manifest.disk.grants, "disk");
    check_grants(&manifest.disk_driver.grants, "diskDriver");
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

// ---- What a request asks for -------------------------------------------------------

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

// Starts a service that the manifest has for requests, and mints its export of an interface.
// Takes `device`, what the service gets as "device"; 0: nothing.
static enum status instance_start(const struct service *declared, const char *argument,
                                  capos_cap_id device, uint64_t interface_id,
                                  capos_cap_id *out_object)
{
    memory_budget_cap budget;
    struct export export;
    struct service_state *service = &instances[instance_count++];
    *service = (struct service_state){
        .declared = *declared, .last_argument = argument, .device = device};
    enum status status = declared->name.size_bytes == 0
                             ? STATUS_NOT_FOUND
                             : memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = export_of(service, interface_id, &export);
    if (status == STATUS_OK)
        status = memory_budget_create_endpoint(budget, ENDPOINT_QUEUE_MAX, &service->endpoint);
    if (status != STATUS_OK)
        return status;
    service_need(service);
    return endpoint_mint(service->endpoint, export.interface_id, export.word, out_object);
}

enum status system_directory(const struct host_directory *directory,
                             struct capos_transfer *out_capability)
{
    capos_cap_id object;
    enum status status = instance_start(
        &manifest.host_directory, directory->mount_tag.text, 0,
        directory->read_only ? INTERFACE_READ_ONLY_DIRECTORY : INTERFACE_DIRECTORY, &object);
    if (status == STATUS_OK)
        *out_capability = capos_transfer_move(object);
    return status;
}

enum status system_disk(const struct host_disk *disk, struct capos_transfer *out_capability)
{
    static char numbers[RUN_REQUEST_DISKS_COUNT_MAX][16]; // arguments are kept for restarts
    static uint32_t count;
    char *number = numbers[count++];
    capos_cap_id device, object;
    snprintf(number, sizeof numbers[0], "%u", disk->device);
    enum status status =
        instance_start(&manifest.disk_driver, number, 0, INTERFACE_BLOCK_DEVICE, &device);
    disks[disk_count++] = &instances[instance_count];
    if (status == STATUS_OK)
        status = instance_start(&manifest.disk, nullptr, device, INTERFACE_DIRECTORY, &object);
    if (status == STATUS_OK)
        *out_capability = capos_transfer_move(object);
    return status;
}

enum status system_disk_export(uint32_t disk, const char *name,
                               struct capos_transfer *out_capability)
{
    const struct service_state *service = disks[disk];
    const struct wire_list *exports = &service->declared.exports;
    for (uint32_t i = 0; i < exports->count; i++) {
        struct export export;
        capos_cap_id object;
        if (export_at(exports, i, &export) != STATUS_OK || !wire_text_equals(export.name, name))
            continue;
        enum status status =
            endpoint_mint(service->endpoint, export.interface_id, export.word, &object);
        if (status == STATUS_OK)
            *out_capability = capos_transfer_move(object);
        return status;
    }
    return STATUS_NOT_FOUND;
}

enum status system_memory_directory(const struct memory_directory *directory,
                                    struct capos_transfer *out_capability)
{
    memory_budget_cap all, budget;
    ramfs_cap ramfs;
    directory_cap made;
    uint64_t bytes = directory->size_bytes;
    if (bytes > UINT64_MAX / 2)
        return STATUS_OVERLOADED;
    enum status status = system_mint_own(INTERFACE_RAMFS, &ramfs.id);
    if (status != STATUS_OK)
        return status;
    status = memory_budget_cap_find("budget", &all);
    if (status == STATUS_OK)
        status = memory_budget_split(
            all, (bytes + bytes / MEMORY_DIRECTORY_OBJECTS_SHARE + PAGE - 1) & ~(PAGE - 1),
            &budget);
    if (status == STATUS_OK) {
        status = ramfs_create(ramfs, budget, bytes, &made);
        memory_budget_cap_release(&budget);
    }
    ramfs_cap_release(&ramfs);
    if (status == STATUS_OK)
        *out_capability = capos_transfer_move(made.id);
    return status;
}

bool system_drives_disks(const struct grant *grant)
{
    return grant->source.which == GRANT_SOURCE_SERVICE &&
           manifest.disk_driver.name.size_bytes != 0 &&
           wire_text_equals(grant->source.service.service, manifest.disk_driver.name.text);
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

// What can't be restarted took its endpoint with it.
static void files_make_durable(const struct service_state *service)
{
    struct export export;
    if (!service->started || service->endpoint.id == 0 ||
        export_of(service, INTERFACE_DIRECTORY, &export) != STATUS_OK)
        return;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    directory_cap directory;
    enum status status =
        endpoint_mint(service->endpoint, export.interface_id, export.word, &directory.id);
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
    for (uint32_t i = 0; i < manifest.services.count; i++)
        files_make_durable(&services[i]);
    // What is the host's to keep is durable when the host says so.
    for (uint32_t i = 0; i < instance_count; i++)
        if (instances[i].device != 0)
            files_make_durable(&instances[i]);
}

void system_seal(void)
{
    for (uint32_t i = 0; i < manifest.services.count; i++)
        service_seal(&services[i]);
    for (uint32_t i = 0; i < instance_count; i++)
        service_seal(&instances[i]);
}
