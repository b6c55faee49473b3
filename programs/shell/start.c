// SPDX-License-Identifier: MIT
// Starting one program: its file, its budget, its grants, its arguments.
#include "start.h"

#include <capos/spawn.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/directory.h>
#include <gen/capos/memory_budget.h>
#include <lib/nearest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problem.h"

constexpr uint32_t OWN_GRANTS_MAX = CAPOS_SPAWN_OWN_GRANTS_MAX + 1; // and budget
constexpr uint32_t GRANTS_MAX = 32 + OWN_GRANTS_MAX;
constexpr uint32_t ARGUMENTS_MAX = 64;
constexpr uint64_t PAGE = 4096;
// What the shell keeps of its budget, and the most and the least that a program gets unless
// the line says how much.
constexpr uint64_t OWN_BYTES = 512 * 1024;
constexpr uint64_t PROGRAM_BYTES_MAX = 16 * 1024 * 1024;
constexpr uint64_t PROGRAM_BYTES_MIN = 512 * 1024;

// Everything that one start needs and gives back.
struct start {
    struct capos_spawner spawner;
    struct capos_image image;
    memory_object_cap file;
    memory_budget_cap budget;
    boot_package_cap boot;
    struct start_stand_ins stand_ins;
    const struct capos_spawn_trace *trace;
    const char *name;
    char names[GRANTS_MAX][SHELL_NAME_BYTES_MAX + 1];
    struct capos_spawn_grant grants[GRANTS_MAX];
    uint32_t grant_count;
    const char *arguments[ARGUMENTS_MAX];
    uint32_t argument_count;
    read_only_directory_cap narrowed[GRANTS_MAX]; // made for this start
    uint32_t narrowed_count;
    char environment[PATH_BYTES_MAX + 8];
    char texts[SYNTAX_LINE_BYTES_MAX + 2 * ARGUMENTS_MAX];
    uint32_t text_bytes;
};

static bool find_authority(struct start *start, struct value_problem *problem)
{
    if (capos_spawner_find(&start->spawner) != STATUS_OK)
        return problem_set(problem,
                           "starting programs needs a ProcessSpawner: --grant spawner");
    if (boot_package_cap_find("boot", &start->boot) != STATUS_OK)
        return problem_set(problem, "finding programs needs a BootPackage: --grant boot");
    return true;
}

static bool no_program(const char *name, struct value_problem *problem)
{
    struct nearest nearest = nearest_to(name, strlen(name));
    char offered[SHELL_PROGRAM_BYTES], best[SHELL_PROGRAM_BYTES];
    for (uint32_t i = 0; start_program_at(nullptr, i, offered); i++) {
        uint32_t before = nearest.best_distance;
        nearest_offer(&nearest, offered);
        if (nearest.best_distance < before)
            memcpy(best, offered, sizeof best);
    }
    if (nearest.best != nullptr)
        return problem_set(problem, "no program %s is in the boot package; did you mean %s?",
                           name, best);
    return problem_set(
        problem, "no program %s is in the boot package; Tab behind `run` lists them", name);
}

static bool open_program(struct start *start, struct value_problem *problem)
{
    uint64_t size_bytes;
    enum status status = boot_package_open(start->boot, start->name, strlen(start->name),
                                           &start->file, &size_bytes);
    if (status != STATUS_OK)
        return no_program(start->name, problem);
    status = capos_image_open(&start->image, &start->spawner, start->file, size_bytes);
    if (status == STATUS_BAD_MESSAGE)
        problem_set(problem, "%s: %s", start->name, elf_error_text(start->image.elf_error));
    else if (status != STATUS_OK)
        problem_set(problem, "%s can't be mapped: %s", start->name, problem_reason(status));
    if (status != STATUS_OK)
        memory_object_cap_release(&start->file);
    return status == STATUS_OK;
}

// Splits what the line says; else a quarter of what is free, within bounds.
static bool split_budget(struct start *start, uint64_t wanted_bytes, uint32_t weight,
                         struct value_problem *problem)
{
    memory_budget_cap own;
    uint64_t limit_bytes, used_bytes;
    if (memory_budget_cap_find("budget", &own) != STATUS_OK)
        return problem_set(problem, "starting programs needs a MemoryBudget named budget");
    enum status status = memory_budget_info(own, &limit_bytes, &used_bytes, nullptr, nullptr);
    if (status != STATUS_OK)
        return problem_set(problem, "the budget can't be read: %s", problem_reason(status));
    uint64_t free_bytes = limit_bytes - used_bytes;
    uint64_t given_bytes = free_bytes > OWN_BYTES ? free_bytes - OWN_BYTES : 0;
    uint64_t bytes = wanted_bytes;
    if (bytes == 0)
        bytes = given_bytes / 4 < PROGRAM_BYTES_MAX ? given_bytes / 4 : PROGRAM_BYTES_MAX;
    if (wanted_bytes == 0 && bytes < PROGRAM_BYTES_MIN)
        bytes = PROGRAM_BYTES_MIN;
    if (bytes > given_bytes)
        return problem_set(problem,
                           "%s needs %llu KiB, and the shell's budget has %llu KiB to give",
                           start->name, (unsigned long long)(bytes + 1023) / 1024,
                           (unsigned long long)given_bytes / 1024);
    bytes = (bytes + PAGE - 1) & ~(PAGE - 1);
    status = memory_budget_split(own, bytes, &start->budget);
    if (status != STATUS_OK)
        return problem_set(problem, "no budget can be split: %s", problem_reason(status));
    if (weight != 0)
        status = memory_budget_set_cpu_weight(own, start->budget, weight);
    if (status != STATUS_OK) {
        for (uint32_t i = 0; i < start->narrowed_count; i++)
            read_only_directory_cap_release(&start->narrowed[i]);
        memory_budget_cap_release(&start->budget);
        return problem_set(problem, "its weight can't be set: %s", problem_reason(status));
    }
    return true;
}

static void add_grant(struct start *start, const char *name, uint32_t name_bytes,
                      capos_cap_id cap)
{
    char *copy = start->names[start->grant_count];
    memcpy(copy, name, name_bytes);
    copy[name_bytes] = 0;
    start->grants[start->grant_count++] =
        (struct capos_spawn_grant){copy, capos_transfer_copy(cap)};
}

static bool is_granted(const struct shell_program *program, const char *name)
{
    for (uint32_t i = 0; i < program->grant_count; i++)
        if (program->grants[i].name_bytes == strlen(name) &&
            memcmp(program->grants[i].name, name, strlen(name)) == 0)
            return true;
    return false;
}

static capos_cap_id own_stdio(void)
{
    stdio_cap stdio;
    return stdio_cap_find("stdio", &stdio) == STATUS_OK ? stdio.id : 0;
}

static capos_cap_id own_terminal(void)
{
    terminal_session_cap terminal;
    return terminal_session_cap_find("terminal", &terminal) == STATUS_OK ? terminal.id : 0;
}

static capos_cap_id stand_in_for(const struct start *start, capos_cap_id cap)
{
    if (cap == own_stdio() && start->stand_ins.stdio.id != 0)
        return start->stand_ins.stdio.id;
    if (cap == own_terminal() && start->stand_ins.terminal.id != 0)
        return start->stand_ins.terminal.id;
    return cap;
}

// A ReadOnlyDirectory of a Directory.
static bool narrow(struct start *start, const struct value_item *grant, capos_cap_id *out_cap,
                   struct value_problem *problem)
{
    read_only_directory_cap *made = &start->narrowed[start->narrowed_count];
    enum status status = directory_read_only((directory_cap){grant->value.number}, made);
    if (status != STATUS_OK)
        return problem_set(problem, "%.*s: %s", (int)grant->name_bytes, grant->name,
                           problem_reason(status));
    start->narrowed_count++;
    *out_cap = made->id;
    return true;
}

static bool collect_grants(struct start *start, const struct shell_program *program,
                           struct value_problem *problem)
{
    if (program->grant_count > GRANTS_MAX - OWN_GRANTS_MAX)
        return problem_set(problem, "too many grants: at most %u", GRANTS_MAX - OWN_GRANTS_MAX);
    struct capos_spawn_grant own[CAPOS_SPAWN_OWN_GRANTS_MAX];
    uint32_t own_count = capos_spawn_own_grants(&start->spawner, own);
    for (uint32_t i = 0; i < own_count; i++)
        if (!is_granted(program, own[i].name))
            add_grant(start, own[i].name, (uint32_t)strlen(own[i].name), own[i].capability.cap);
    if (!is_granted(program, "budget"))
        add_grant(start, "budget", 6, start->budget.id);
    for (uint32_t i = 0; i < program->grant_count; i++) {
        const struct value_item *grant = &program->grants[i];
        if (grant->name_bytes > SHELL_NAME_BYTES_MAX)
            return problem_set(problem, "%.*s: the name of a grant has at most %u bytes",
                               (int)grant->name_bytes, grant->name, SHELL_NAME_BYTES_MAX);
        capos_cap_id cap = stand_in_for(start, grant->value.number);
        if ((program->narrowed >> i & 1) != 0 && !narrow(start, grant, &cap, problem))
            return false;
        add_grant(start, grant->name, grant->name_bytes, cap);
    }
    return true;
}

static bool collect_arguments(struct start *start, const struct shell_program *program,
                              const struct syntax *syntax, struct value_problem *problem)
{
    const struct node *nodes = syntax->nodes;
    start->arguments[start->argument_count++] = start->name;
    for (uint16_t at = program->arguments; at != 0; at = nodes[at].next) {
        if (start->argument_count == ARGUMENTS_MAX)
            return problem_set(problem, "too many arguments: at most %u", ARGUMENTS_MAX - 1);
        if (memchr(nodes[at].text, 0, nodes[at].text_bytes) != nullptr)
            return problem_set(problem, "an argument can't contain a zero byte");
        char *text = start->texts + start->text_bytes;
        memcpy(text, nodes[at].text, nodes[at].text_bytes);
        text[nodes[at].text_bytes] = 0;
        start->text_bytes += nodes[at].text_bytes + 1;
        start->arguments[start->argument_count++] = text;
    }
    return true;
}

static bool spawn(struct start *start, process_handle_cap *out_handle,
                  struct value_problem *problem)
{
    struct capos_process process;
    const char *environment = start->environment;
    struct capos_spawn_request request = {
        .name = start->name,
        .budget = start->budget,
        .grants = start->grants,
        .arguments = start->arguments,
        .environment = &environment,
        .environment_count = *environment != 0,
        .grant_count = start->grant_count,
        .argument_count = start->argument_count,
        .trace = start->trace,
    };
    fflush(stdout); // what the shell said comes before what the program says
    enum status status = capos_spawn(&start->spawner, &start->image, &request, &process);
    if (status != STATUS_OK)
        return problem_set(problem, "%s can't be started: %s", start->name,
                           problem_reason(status));
    *out_handle = process.handle;
    return true;
}

static bool run(struct start *start, const struct shell_program *program,
                const struct syntax *syntax, process_handle_cap *out_handle,
                struct value_problem *problem)
{
    if (!find_authority(start, problem) || !open_program(start, problem))
        return false;
    bool ok = split_budget(start, program->budget_bytes, program->weight, problem);
    if (ok) {
        ok = collect_grants(start, program, problem) &&
             collect_arguments(start, program, syntax, problem) &&
             spawn(start, out_handle, problem);
        for (uint32_t i = 0; i < start->narrowed_count; i++)
            read_only_directory_cap_release(&start->narrowed[i]);
        memory_budget_cap_release(&start->budget);
    }
    capos_image_close(&start->image, &start->spawner);
    memory_object_cap_release(&start->file);
    return ok;
}

bool start_program(const char *name, const struct shell_program *program,
                   const struct syntax *syntax, const struct start_stand_ins *stand_ins,
                   const struct capos_spawn_trace *trace, process_handle_cap *out_handle,
                   struct value_problem *problem)
{
    struct start *start = calloc(1, sizeof *start);
    if (start == nullptr)
        return problem_set(problem, "there is no memory to start a program");
    start->name = name;
    start->stand_ins = *stand_ins;
    start->trace = trace;
    if (program->place != nullptr)
        snprintf(start->environment, sizeof start->environment, "PWD=/%s", program->place);
    bool ok = run(start, program, syntax, out_handle, problem);
    free(start);
    return ok;
}

// ---- What can be started -----------------------------------------------------------

static bool is_granted_cap(const struct shell_program *program, capos_cap_id cap)
{
    for (uint32_t i = 0; cap != 0 && i < program->grant_count; i++)
        if (program->grants[i].value.number == cap)
            return true;
    return false;
}

bool start_has_stdio(const struct shell_program *program)
{
    return is_granted_cap(program, own_stdio());
}

bool start_has_terminal(const struct shell_program *program)
{
    return is_granted_cap(program, own_terminal());
}

// The files of a boot package that are no programs, besides scripts.
static bool is_program(const char *name)
{
    return strcmp(name, "manifest") != 0 && strcmp(name, "request") != 0 &&
           strchr(name, '/') == nullptr;
}

bool start_program_at(void *context, uint32_t index, char out_name[SHELL_PROGRAM_BYTES])
{
    (void)context;
    boot_package_cap boot;
    if (boot_package_cap_find("boot", &boot) != STATUS_OK)
        return false;
    for (uint32_t i = 0; boot_package_entry(boot, i, out_name, SHELL_PROGRAM_BYTES, nullptr,
                                            nullptr) == STATUS_OK;
         i++)
        if (is_program(out_name) && index-- == 0)
            return true;
    return false;
}
