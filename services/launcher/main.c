// SPDX-License-Identifier: MIT
// launcher: starts programs of the boot package for holders of a RestrictedLauncher.
//
// The first launcher, the export with the word 1, may do what the arguments say:
//
//     programs=NAME,NAME    which programs
//     grants=NAME,NAME      which of the service's own capabilities it may hand on
//     budget=BYTES          the most memory of one program, out of the service's budget
//
// Each narrowed launcher is an object of its own, with its own lists.
//
// Invariants:
//  1. The lists and the bound of a launcher are a part of those of the one it was made
//     from, and never change.
//  2. A program holds its memory, its thread, its budget, and what its launch named.
//  3. A launcher is freed when its last hold is gone.  A word that isn't known (of a
//     launcher from before a restart) is `disconnected`.
//
//     names.c  the lists
//
// What it doesn't do: wait for programs or end them; that is the ProcessHandle's.
// Grants: memory, budget, endpoint, spawner, boot, and what it hands on.
// Tested by names_test.c and tests/cli/launcher_service_test.py.
#include "names.h"

#include <capos/capset.h>
#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>
#include <capos/spawn.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/launcher.h>
#include <gen/capos/memory_budget.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t FIRST_WORD = 1;
constexpr uint32_t LAUNCHERS_MAX = 64;
constexpr uint32_t PROGRAMS_BYTES_MAX = RESTRICTED_LAUNCHER_NARROW_PARAMS_PROGRAMS_BYTES_MAX;
constexpr uint32_t GRANTS_BYTES_MAX = RESTRICTED_LAUNCHER_NARROW_PARAMS_GRANTS_BYTES_MAX;
constexpr uint32_t ARGUMENTS_MAX = 32;
constexpr uint32_t GRANTS_MAX = 16;
constexpr uint32_t GRANT_NAME_BYTES_MAX = 31;
constexpr uint32_t PROGRAM_NAME_BYTES_MAX = 63;
constexpr uint64_t PAGE = 4096;
constexpr uint32_t RECEIVE_BYTES = 2048;
static_assert(RESTRICTED_LAUNCHER_LAUNCH_PARAMS_BYTES_MAX <= RECEIVE_BYTES);
static_assert(RESTRICTED_LAUNCHER_NARROW_PARAMS_BYTES_MAX <= RECEIVE_BYTES);

struct launcher {
    uint64_t word; // 0: this place is free
    uint64_t budget_bytes_max;
    uint32_t programs_bytes, grants_bytes;
    char programs[PROGRAMS_BYTES_MAX + 1];
    char grants[GRANTS_BYTES_MAX + 1];
};

static struct launcher launchers[LAUNCHERS_MAX];
static uint64_t last_word = FIRST_WORD;
static struct capos_spawner spawner;
static endpoint_cap endpoint;
static memory_budget_cap own_budget;
static boot_package_cap boot;

// ---- Launchers ---------------------------------------------------------------------

static struct wire_text programs_of(const struct launcher *launcher)
{
    return (struct wire_text){.text = launcher->programs,
                              .size_bytes = launcher->programs_bytes};
}

static struct wire_text grants_of(const struct launcher *launcher)
{
    return (struct wire_text){.text = launcher->grants, .size_bytes = launcher->grants_bytes};
}

static struct launcher *launcher_find(uint64_t word)
{
    for (uint32_t i = 0; i < LAUNCHERS_MAX; i++)
        if (launchers[i].word == word)
            return &launchers[i];
    return nullptr;
}

static void launcher_init(struct launcher *launcher, uint64_t word, struct wire_text programs,
                          struct wire_text grants, uint64_t budget_bytes_max)
{
    launcher->word = word;
    launcher->budget_bytes_max = budget_bytes_max;
    launcher->programs_bytes = programs.size_bytes;
    launcher->grants_bytes = grants.size_bytes;
    memcpy(launcher->programs, programs.text, programs.size_bytes);
    launcher->programs[programs.size_bytes] = '\0';
    memcpy(launcher->grants, grants.text, grants.size_bytes);
    launcher->grants[grants.size_bytes] = '\0';
}

static void on_released(void *, uint64_t word)
{
    struct launcher *launcher = launcher_find(word);
    if (launcher != nullptr && word != FIRST_WORD)
        launcher->word = 0;
}

// ---- Refusals ----------------------------------------------------------------------

static void refuse(struct capos_server_call *call, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void refuse(struct capos_server_call *call, enum status status, const char *format, ...)
{
    char reason[201];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    capos_server_fail(call, status, reason);
}

static bool names_check(struct capos_server_call *call, const char *what, struct wire_text list,
                        struct wire_text allowed)
{
    struct wire_text bad;
    if (names_are_among(list, allowed, &bad))
        return true;
    refuse(call, STATUS_INVALID_ARGUMENT, "%s: \"%.*s\" is empty, twice, or not allowed", what,
           (int)bad.size_bytes, bad.text);
    return false;
}

// ---- Launching ---------------------------------------------------------------------

struct launch {
    char program[PROGRAM_NAME_BYTES_MAX + 1];
    char lines[RESTRICTED_LAUNCHER_LAUNCH_PARAMS_ARGUMENTS_BYTES_MAX + 1];
    char names[GRANTS_MAX][GRANT_NAME_BYTES_MAX + 1];
    const char *arguments[ARGUMENTS_MAX];
    struct capos_spawn_grant grants[CAPOS_SPAWN_OWN_GRANTS_MAX + 1 + GRANTS_MAX];
    uint32_t argument_count, grant_count;
};

static bool arguments_split(struct launch *launch, struct wire_text arguments)
{
    struct wire_text line;
    char *next = launch->lines;
    launch->arguments[launch->argument_count++] = launch->program;
    while (names_next(&arguments, &line)) {
        if (launch->argument_count == ARGUMENTS_MAX)
            return false;
        memcpy(next, line.text, line.size_bytes);
        next[line.size_bytes] = '\0';
        launch->arguments[launch->argument_count++] = next;
        next += line.size_bytes + 1;
    }
    return true;
}

static bool capability_find(const char *name, capos_cap_id *out_cap)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++)
        if (strcmp(capos_capset_at(i)->name, name) == 0) {
            *out_cap = capos_capset_at(i)->cap;
            return true;
        }
    return false;
}

// The names were checked against the launcher's list, those of which the service holds.
static bool grants_collect(struct launch *launch, struct wire_text names)
{
    struct wire_text name;
    while (names_next(&names, &name)) {
        uint32_t at = launch->grant_count;
        capos_cap_id cap;
        if (at == GRANTS_MAX || name.size_bytes > GRANT_NAME_BYTES_MAX)
            return false;
        memcpy(launch->names[at], name.text, name.size_bytes);
        launch->names[at][name.size_bytes] = '\0';
        if (!capability_find(launch->names[at], &cap))
            return false;
        launch->grants[at] =
            (struct capos_spawn_grant){launch->names[at], capos_transfer_copy(cap)};
        launch->grant_count++;
    }
    return true;
}

static enum status image_spawn(struct launch *launch, const struct capos_image *image,
                               uint64_t budget_bytes, struct capos_process *out_process)
{
    memory_budget_cap budget;
    enum status status = memory_budget_split(own_budget, budget_bytes, &budget);
    if (status != STATUS_OK)
        return STATUS_OVERLOADED;
    launch->grant_count +=
        capos_spawn_own_grants(&spawner, launch->grants + launch->grant_count);
    launch->grants[launch->grant_count++] =
        (struct capos_spawn_grant){"budget", capos_transfer_copy(budget.id)};
    struct capos_spawn_request request = {
        .name = launch->program,
        .budget = budget,
        .grants = launch->grants,
        .arguments = launch->arguments,
        .grant_count = launch->grant_count,
        .argument_count = launch->argument_count,
    };
    status = capos_spawn(&spawner, image, &request, out_process);
    memory_budget_cap_release(&budget);
    return status;
}

static enum status program_spawn(struct launch *launch, uint64_t budget_bytes,
                                 struct capos_process *out_process)
{
    memory_object_cap file;
    uint64_t size_bytes;
    struct capos_image image;
    enum status status =
        boot_package_open(boot, launch->program, strlen(launch->program), &file, &size_bytes);
    if (status != STATUS_OK)
        return STATUS_FAILED;
    status = capos_image_open(&image, &spawner, file, size_bytes);
    if (status == STATUS_OK) {
        status = image_spawn(launch, &image, budget_bytes, out_process);
        capos_image_close(&image, &spawner);
    }
    memory_object_cap_release(&file);
    return status;
}

static bool launch_check(struct capos_server_call *call, const struct launcher *launcher,
                         const struct restricted_launcher_launch_params *params)
{
    if (!names_contain(programs_of(launcher), params->program))
        refuse(call, STATUS_INVALID_ARGUMENT, "program: \"%.*s\" is not allowed",
               (int)params->program.size_bytes, params->program.text);
    else if (params->budget_bytes == 0 || params->budget_bytes % PAGE != 0 ||
             params->budget_bytes > launcher->budget_bytes_max)
        refuse(call, STATUS_INVALID_ARGUMENT,
               "budgetBytes: a multiple of 4096 from 4096 to %llu",
               (unsigned long long)launcher->budget_bytes_max);
    else
        return names_check(call, "grants", params->grants, grants_of(launcher));
    return false;
}

static void on_launch(void *context, struct capos_server_call *call,
                      const struct restricted_launcher_launch_params *params)
{
    static struct launch launch;
    struct capos_process process;
    if (!launch_check(call, context, params))
        return;
    memset(&launch, 0, sizeof launch);
    memcpy(launch.program, params->program.text, params->program.size_bytes);
    if (!arguments_split(&launch, params->arguments)) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "arguments: at most 31");
        return;
    }
    if (!grants_collect(&launch, params->grants)) {
        capos_server_fail(call, STATUS_FAILED, "grants: the launcher lacks one that it allows");
        return;
    }
    enum status status = program_spawn(&launch, params->budget_bytes, &process);
    if (status != STATUS_OK) {
        refuse(call, status == STATUS_OVERLOADED ? STATUS_OVERLOADED : STATUS_FAILED,
               "%s can't be started: %s", launch.program, status_name(status));
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(process.handle.id);
    restricted_launcher_launch_reply(
        call, &(struct restricted_launcher_launch_results){.process = 0}, &transfer, 1);
}

// ---- Narrowing ---------------------------------------------------------------------

static void on_narrow(void *context, struct capos_server_call *call,
                      const struct restricted_launcher_narrow_params *params)
{
    const struct launcher *wide = context;
    if (!names_check(call, "programs", params->programs, programs_of(wide)) ||
        !names_check(call, "grants", params->grants, grants_of(wide)))
        return;
    if (params->budget_bytes_max > wide->budget_bytes_max) {
        refuse(call, STATUS_INVALID_ARGUMENT, "budgetBytesMax: at most %llu",
               (unsigned long long)wide->budget_bytes_max);
        return;
    }
    struct launcher *narrow = launcher_find(0);
    capos_cap_id object;
    if (narrow == nullptr || endpoint_mint(endpoint, INTERFACE_RESTRICTED_LAUNCHER,
                                           last_word + 1, &object) != STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED, "the service has no room for a launcher");
        return;
    }
    launcher_init(narrow, ++last_word, params->programs, params->grants,
                  params->budget_bytes_max);
    struct capos_transfer transfer = capos_transfer_move(object);
    restricted_launcher_narrow_reply(
        call, &(struct restricted_launcher_narrow_results){.launcher = 0}, &transfer, 1);
}

static void on_info(void *context, struct capos_server_call *call)
{
    const struct launcher *launcher = context;
    restricted_launcher_info_reply(call, &(struct restricted_launcher_info_results){
                                             .programs = programs_of(launcher),
                                             .grants = grants_of(launcher),
                                             .budget_bytes_max = launcher->budget_bytes_max,
                                         });
}

static void on_call(void *, struct capos_server_call *call)
{
    static const struct restricted_launcher_server_ops ops = {
        .launch = on_launch, .narrow = on_narrow, .info = on_info};
    struct launcher *launcher = call->word != 0 ? launcher_find(call->word) : nullptr;
    if (launcher == nullptr)
        capos_server_fail(call, STATUS_DISCONNECTED, "this launcher is gone");
    else
        restricted_launcher_serve(&ops, launcher, call);
}

// ---- Start -------------------------------------------------------------------------

// The value of `key` in an argument, with its commas as newlines; nullptr: another key.
static char *option_of(char *argument, const char *key)
{
    size_t key_bytes = strlen(key);
    if (strncmp(argument, key, key_bytes) != 0)
        return nullptr;
    for (char *at = argument + key_bytes; *at != '\0'; at++)
        if (*at == ',')
            *at = '\n';
    return argument + key_bytes;
}

static void first_launcher(int argc, char **argv)
{
    struct wire_text programs = wire_text_of(""), grants = wire_text_of("");
    uint64_t budget_bytes = 0;
    for (int i = 1; i < argc; i++) {
        char *value;
        if ((value = option_of(argv[i], "programs=")) != nullptr)
            programs = wire_text_of(value);
        else if ((value = option_of(argv[i], "grants=")) != nullptr)
            grants = wire_text_of(value);
        else if ((value = option_of(argv[i], "budget=")) != nullptr)
            budget_bytes = strtoull(value, nullptr, 10);
        else
            capos_panic("launcher: what is the argument \"%s\"?", argv[i]);
    }
    if (programs.size_bytes > PROGRAMS_BYTES_MAX || grants.size_bytes > GRANTS_BYTES_MAX)
        capos_panic("launcher: an argument is too long");
    launcher_init(&launchers[0], FIRST_WORD, programs, grants, budget_bytes);
}

int main(int argc, char **argv)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    if (capos_spawner_find(&spawner) != STATUS_OK ||
        endpoint_cap_find("endpoint", &endpoint) != STATUS_OK ||
        memory_budget_cap_find("budget", &own_budget) != STATUS_OK ||
        boot_package_cap_find("boot", &boot) != STATUS_OK)
        capos_panic("launcher: needs memory, budget, endpoint, spawner and boot");
    first_launcher(argc, argv);
    if (capos_server_start(
            &server, endpoint.id, &handlers, nullptr,
            &(struct capos_server_options){.message_bytes_max = RECEIVE_BYTES}) != STATUS_OK)
        capos_panic("launcher: can't serve");
    capos_loop_run();
    return 0;
}
