// SPDX-License-Identifier: MIT
// Running the requested program: its request, its grants, its start, its end.
//
// It gets: its own memory and thread, a budget with what the services left, the manifest's
// programGrants, and what it asked for of the manifest's grantable.
#include "program.h"

#include "boot_file.h"
#include "report.h"
#include "system.h"
#include "trace.h"

#include <abi/capset.h>
#include <capos/loop.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/stdio.h>
#include <gen/wire/manifest.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t GRANTS_MAX =
    CAPOS_SPAWN_OWN_GRANTS_MAX + 1 + SYSTEM_MANIFEST_PROGRAM_GRANTS_COUNT_MAX +
    RUN_REQUEST_GRANTS_COUNT_MAX + RUN_REQUEST_DIRECTORIES_COUNT_MAX +
    RUN_REQUEST_DISKS_COUNT_MAX + RUN_REQUEST_MEMORY_DIRECTORIES_COUNT_MAX;
static_assert(GRANTS_MAX <= CAPOS_CAPSET_COUNT_MAX);
// What init keeps of its budget: for kernel objects of what it does later.
constexpr uint64_t OWN_BYTES = 512 * 1024;
constexpr uint64_t PROGRAM_BYTES_MIN = 512 * 1024;
constexpr uint64_t PAGE = 4096;
constexpr uint32_t CPU_WEIGHT_DEFAULT = 100; // of a program without a request

struct program {
    const char *file;
    const char *name;
    uint32_t argument_count;
    uint32_t environment_count;
    uint32_t grant_count;
    const char *arguments[RUN_REQUEST_ARGUMENTS_COUNT_MAX];
    const char *environment[RUN_REQUEST_ENVIRONMENT_COUNT_MAX];
    struct capos_spawn_grant grants[GRANTS_MAX];
};

static const char *status_reason(enum status status)
{
    return status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason
                                             : status_name(status);
}

// ---- The request -------------------------------------------------------------------

// Texts of a message are followed by a NUL, and the message stays mapped.
static uint32_t texts_of(const struct wire_list *list, const char **out_texts)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct wire_text text;
        if (wire_list_text(list, i, &text) == STATUS_OK)
            out_texts[count++] = text.text;
    }
    return count;
}

static bool request_read(struct program *program, struct run_request *out_request)
{
    const void *message;
    uint64_t size_bytes;
    enum status status = boot_file_map("request", &message, &size_bytes);
    if (status == STATUS_OK && size_bytes <= UINT32_MAX)
        status = run_request_decode(message, (uint32_t)size_bytes, out_request);
    if (status != STATUS_OK) {
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM,
                      "the file \"request\" isn't a RunRequest within its bounds");
        return false;
    }
    program->file = out_request->program.text;
    program->name = out_request->symbol_name.size_bytes != 0 ? out_request->symbol_name.text
                                                             : program->file;
    program->argument_count = texts_of(&out_request->arguments, program->arguments);
    program->environment_count = texts_of(&out_request->environment, program->environment);
    return true;
}

// Without a request: a program named on the command line, or "welcome".
static void request_default(struct program *program)
{
    static const char key[] = "program=";
    static char command_line[2048];
    boot_package_cap boot;
    char *word, *rest;
    program->file = "welcome";
    if (boot_package_cap_find("boot", &boot) == STATUS_OK &&
        boot_package_info(boot, nullptr, command_line, sizeof command_line, nullptr) ==
            STATUS_OK)
        for (word = strtok_r(command_line, " ", &rest); word != nullptr;
             word = strtok_r(nullptr, " ", &rest))
            if (strncmp(word, key, sizeof key - 1) == 0)
                program->file = word + sizeof key - 1;
    program->name = program->file;
    program->arguments[program->argument_count++] = program->file;
}

// Whether the boot package has a request; a broken one still counts.
static bool request_exists(void)
{
    struct boot_file file;
    if (boot_file_open("request", &file) != STATUS_OK)
        return false;
    memory_object_cap_release(&file.object);
    return true;
}

// ---- Grants ------------------------------------------------------------------------

static bool grant_is_there(const struct program *program, const char *name)
{
    for (uint32_t i = 0; i < program->grant_count; i++)
        if (strcmp(program->grants[i].name, name) == 0)
            return true;
    return false;
}

static bool grant_add(struct program *program, const struct grant *grant)
{
    struct capos_spawn_grant *added = &program->grants[program->grant_count];
    if (grant_is_there(program, grant->name.text))
        return true;
    enum status status = system_resolve(grant, &added->capability);
    if (status != STATUS_OK) {
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "the grant \"%s\" can't be made: %s",
                      grant->name.text, status_reason(status));
        return false;
    }
    added->name = grant->name.text;
    program->grant_count++;
    return true;
}

// Says which grants there are, as far as the reason has room.
static void refuse_unknown_grant(const char *name)
{
    char known[256] = "";
    size_t used = 0;
    const struct wire_list *grantable = system_grantable();
    for (uint32_t i = 0; i < grantable->count; i++) {
        struct grant grant;
        if (grant_at(grantable, i, &grant) != STATUS_OK ||
            used + grant.name.size_bytes + 3 > sizeof known)
            continue;
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                 used == 0 ? "" : ", ", grant.name.text);
    }
    report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "there is no grant \"%s\"; there are: %s", name,
                  known);
}

// A device is reached by one driver.
static bool grant_is_free(const struct grant *grant, const struct run_request *asked)
{
    if (asked->disks.count == 0 || !system_drives_disks(grant))
        return true;
    report_refuse(HOST_CONTROL_REFUSAL_SYSTEM,
                  "the grant \"%s\" can't be made: the block devices are those of the disks",
                  grant->name.text);
    return false;
}

// What a disk has besides its files: "store" is the first disk's, "notes.store" that of the
// disk "notes".  False: there is no such thing, or it was refused.
static bool disk_grant_add(struct program *program, const struct run_request *asked,
                           struct wire_text name, bool *out_refused)
{
    const char *dot = strchr(name.text, '.');
    size_t disk_bytes = dot != nullptr ? (size_t)(dot - name.text) : 0;
    struct capos_spawn_grant *added = &program->grants[program->grant_count];
    *out_refused = false;
    for (uint32_t i = 0; i < asked->disks.count; i++) {
        struct host_disk disk;
        if (host_disk_at(&asked->disks, i, &disk) != STATUS_OK ||
            (dot != nullptr && (disk.name.size_bytes != disk_bytes ||
                                memcmp(disk.name.text, name.text, disk_bytes) != 0)))
            continue;
        enum status status =
            system_disk_export(i, dot != nullptr ? dot + 1 : name.text, &added->capability);
        *out_refused = status != STATUS_OK && status != STATUS_NOT_FOUND;
        if (*out_refused)
            report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "the grant \"%s\" can't be made: %s",
                          name.text, status_reason(status));
        if (status != STATUS_OK)
            return false;
        added->name = name.text;
        program->grant_count++;
        return true;
    }
    return false;
}

static bool grant_add_asked(struct program *program, const struct run_request *asked,
                            struct wire_text name)
{
    const struct wire_list *grantable = system_grantable();
    for (uint32_t i = 0; i < grantable->count; i++) {
        struct grant grant;
        if (grant_at(grantable, i, &grant) == STATUS_OK &&
            wire_text_equals(name, grant.name.text))
            return grant_is_free(&grant, asked) && grant_add(program, &grant);
    }
    bool refused;
    if (grant_is_there(program, name.text) || disk_grant_add(program, asked, name, &refused))
        return true;
    if (!refused)
        refuse_unknown_grant(name.text);
    return false;
}

// Where the next directory that the request asks for goes; nullptr after a refusal.
static struct capos_spawn_grant *directory_place(struct program *program, struct wire_text name)
{
    struct capos_spawn_grant *added = &program->grants[program->grant_count];
    if (name.size_bytes == 0 || grant_is_there(program, name.text)) {
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "the name \"%s\" of a directory is taken",
                      name.text);
        return nullptr;
    }
    added->name = name.text;
    return added;
}

// Counts a directory that was made in its place, or refuses the request.
static bool directory_added(struct program *program, const struct capos_spawn_grant *added,
                            enum status status)
{
    if (status != STATUS_OK) {
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "the directory \"%s\" can't be granted: %s",
                      added->name,
                      status == STATUS_NOT_FOUND ? "the system has no service for it"
                      : status == STATUS_OVERLOADED
                          ? "the machine has too little memory (--mem)"
                          : status_reason(status));
        return false;
    }
    program->grant_count++;
    return true;
}

static bool directories_add(struct program *program, const struct wire_list *asked)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        struct host_directory directory;
        if (host_directory_at(asked, i, &directory) != STATUS_OK)
            return false;
        struct capos_spawn_grant *added = directory_place(program, directory.name);
        if (added == nullptr ||
            !directory_added(program, added, system_directory(&directory, &added->capability)))
            return false;
    }
    return true;
}

static bool disks_add(struct program *program, const struct wire_list *asked)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        struct host_disk disk;
        if (host_disk_at(asked, i, &disk) != STATUS_OK)
            return false;
        struct capos_spawn_grant *added = directory_place(program, disk.name);
        if (added == nullptr ||
            !directory_added(program, added, system_disk(&disk, &added->capability)))
            return false;
    }
    return true;
}

static bool memory_directories_add(struct program *program, const struct wire_list *asked)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        struct memory_directory directory;
        if (memory_directory_at(asked, i, &directory) != STATUS_OK)
            return false;
        struct capos_spawn_grant *added = directory_place(program, directory.name);
        if (added == nullptr ||
            !directory_added(program, added,
                             system_memory_directory(&directory, &added->capability)))
            return false;
    }
    return true;
}

// Narrows its StdIO to so many bytes of output.
static bool output_limit(struct program *program, uint64_t bytes_max)
{
    enum status status = STATUS_NOT_FOUND;
    for (uint32_t i = 0; i < program->grant_count; i++) {
        struct capos_transfer *granted = &program->grants[i].capability;
        stdio_cap limited;
        if (strcmp(program->grants[i].name, "stdio") != 0)
            continue;
        status = stdio_limit((stdio_cap){granted->cap}, bytes_max, &limited);
        if (status == STATUS_OK)
            *granted = capos_transfer_move(limited.id);
    }
    if (status == STATUS_OK)
        return true;
    report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "the program's output can't be limited: %s",
                  status == STATUS_NOT_FOUND ? "it is granted no \"stdio\""
                                             : status_reason(status));
    return false;
}

// All but the budget, which is of what is left when the services run that these need:
// *out_budget is its place.
static bool grants_collect(struct program *program, const struct capos_spawner *spawner,
                           const struct run_request *asked,
                           struct capos_spawn_grant **out_budget)
{
    const struct wire_list *given = system_program_grants();
    program->grant_count = capos_spawn_own_grants(spawner, program->grants);
    *out_budget = &program->grants[program->grant_count++];
    (*out_budget)->name = "budget";
    for (uint32_t i = 0; i < given->count; i++) {
        struct grant grant;
        if (grant_at(given, i, &grant) != STATUS_OK || !grant_add(program, &grant))
            return false;
    }
    if (!disks_add(program, &asked->disks))
        return false;
    for (uint32_t i = 0; i < asked->grants.count; i++) {
        struct wire_text name;
        if (wire_list_text(&asked->grants, i, &name) != STATUS_OK ||
            !grant_add_asked(program, asked, name))
            return false;
    }
    if (asked->output_bytes_max != 0 && !output_limit(program, asked->output_bytes_max))
        return false;
    return directories_add(program, &asked->directories) &&
           memory_directories_add(program, &asked->memory_directories);
}

// The budget of what is free, less what init keeps, with a share of the CPUs.
static enum status budget_split(uint32_t cpu_weight, memory_budget_cap *out_budget)
{
    memory_budget_cap all;
    uint64_t limit_bytes, used_bytes;
    enum status status = memory_budget_cap_find("budget", &all);
    if (status == STATUS_OK)
        status = memory_budget_info(all, &limit_bytes, &used_bytes, nullptr, nullptr);
    if (status != STATUS_OK)
        return status;
    uint64_t free_bytes = limit_bytes - used_bytes;
    if (free_bytes < OWN_BYTES + PROGRAM_BYTES_MIN)
        return STATUS_OVERLOADED;
    status = memory_budget_split(all, (free_bytes - OWN_BYTES) & ~(PAGE - 1), out_budget);
    if (status != STATUS_OK)
        return status;
    status = memory_budget_set_cpu_weight(all, *out_budget, cpu_weight);
    if (status != STATUS_OK)
        memory_budget_cap_release(out_budget);
    return status;
}

// ---- Start and end -----------------------------------------------------------------

struct ending {
    struct capos_call wait;
    struct host_control_finish_params end;
};

static void program_ended(struct capos_call *wait, void *context)
{
    struct ending *ending = context;
    trace_finish();
    system_sync();
    struct host_control_finish_params *end = &ending->end;
    if (process_handle_wait_finish(wait, &end->kind, &end->exit_code, &end->fault,
                                   &end->fault_address, &end->instruction_pointer, nullptr,
                                   &end->thread_id) == STATUS_OK)
        report_finish(end);
    else
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "init can't wait for the program");
    capos_loop_stop();
}

static void program_await(const struct capos_process *process)
{
    static struct ending ending;
    ending.end.load_bias = process->load_bias;
    if (process_handle_wait_begin(&ending.wait, process->handle) != STATUS_OK) {
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "init can't wait for the program");
        return;
    }
    capos_call_on_done(&ending.wait, program_ended, &ending);
    system_seal();
    capos_loop_run();
}

static bool program_start(struct program *program, struct capos_spawner *spawner,
                          const struct capos_image *image, const struct run_request *asked,
                          struct capos_process *out_process)
{
    memory_budget_cap budget;
    struct capos_spawn_trace trace;
    struct capos_spawn_grant *budget_grant;
    enum status status = STATUS_OK;
    if (!grants_collect(program, spawner, asked, &budget_grant))
        return false;
    if (asked->trace)
        status = trace_begin(spawner, asked->trace_capture_bytes, &trace);
    if (status == STATUS_OK)
        status = budget_split(asked->cpu_weight, &budget);
    if (status != STATUS_OK) {
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, status == STATUS_INVALID_ARGUMENT
                                                       ? "cpuWeight: 1 to 10000"
                                                       : "the machine has too little memory");
        return false;
    }
    budget_grant->capability = capos_transfer_copy(budget.id);
    struct capos_spawn_request request = {
        .name = program->name,
        .budget = budget,
        .grants = program->grants,
        .arguments = program->arguments,
        .environment = program->environment,
        .grant_count = program->grant_count,
        .argument_count = program->argument_count,
        .environment_count = program->environment_count,
        .trace = asked->trace ? &trace : nullptr,
    };
    status = capos_spawn(spawner, image, &request, out_process);
    memory_budget_cap_release(&budget);
    if (status != STATUS_OK)
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "%s can't be started: %s", program->name,
                      status_reason(status));
    return status == STATUS_OK;
}

static bool program_open(const struct program *program, struct capos_spawner *spawner,
                         struct capos_image *out_image)
{
    struct boot_file file;
    enum status status = boot_file_open(program->file, &file);
    if (status != STATUS_OK) {
        report_refuse(HOST_CONTROL_REFUSAL_NOT_FOUND, "no program \"%s\" is in the image",
                      program->file);
        return false;
    }
    // The image lends the file's pages, so init keeps the object.
    status = capos_image_open(out_image, spawner, file.object, file.size_bytes);
    if (status == STATUS_BAD_MESSAGE)
        report_refuse(HOST_CONTROL_REFUSAL_NOT_EXECUTABLE, "%s: %s", program->name,
                      elf_error_text(out_image->elf_error));
    else if (status != STATUS_OK)
        report_refuse(HOST_CONTROL_REFUSAL_SYSTEM, "%s can't be mapped: %s", program->name,
                      status_reason(status));
    return status == STATUS_OK;
}

void program_run(struct capos_spawner *spawner)
{
    static struct program program;
    struct run_request request = {.cpu_weight = CPU_WEIGHT_DEFAULT};
    struct capos_image image;
    struct capos_process process;
    if (!request_exists())
        request_default(&program);
    else if (!request_read(&program, &request))
        return;
    if (program_open(&program, spawner, &image) &&
        program_start(&program, spawner, &image, &request, &process))
        program_await(&process);
}
