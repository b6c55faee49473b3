// SPDX-License-Identifier: MIT
// Starting programs and keeping track of them.
//
// A job has a number from 1 on, the lowest that is free; it is given back when somebody has
// seen how the job ended.  A program is charged to a budget of its own, which returns to the
// shell's with the program's end.
#include "jobs.h"

#include <capos/spawn.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <lib/fmt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t JOBS_MAX = 32;
constexpr uint32_t GRANTS_MAX = 34; // with memory and budget
constexpr uint32_t ARGUMENTS_MAX = 64;
constexpr uint64_t PAGE = 4096;
// What the shell keeps of its budget, and the most and the least that a program gets.
constexpr uint64_t OWN_BYTES = 256 * 1024;
constexpr uint64_t PROGRAM_BYTES_MAX = 16 * 1024 * 1024;
constexpr uint64_t PROGRAM_BYTES_MIN = 512 * 1024;

struct job {
    process_handle_cap handle; // id 0: free
    char name[64];
};

static struct job jobs[JOBS_MAX];

__attribute__((format(printf, 2, 3))) static bool wrong(struct value_problem *problem,
                                                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fmt_vformat(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return false;
}

static const char *reason_of(enum status status)
{
    return status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason
                                             : status_name(status);
}

// ---- How a job ended ---------------------------------------------------------------

static void print_end(const char *name, const struct process_handle_wait_results *end)
{
    if (end->kind == END_KIND_EXITED && end->exit_code != 0)
        printf("%s exited with %lld\n", name, (long long)end->exit_code);
    else if (end->kind == END_KIND_FAULTED)
        printf("%s faulted: %s at 0x%llx, instruction 0x%llx\n", name,
               fault_kind_name(end->fault), (unsigned long long)end->fault_address,
               (unsigned long long)end->instruction_pointer);
    else if (end->kind == END_KIND_KILLED)
        printf("%s was killed\n", name);
}

static bool await(struct job *job, struct value_problem *problem)
{
    struct process_handle_wait_results end;
    enum status status =
        process_handle_wait(job->handle, &end.kind, &end.exit_code, &end.fault,
                            &end.fault_address, &end.instruction_pointer, &end.stack_pointer);
    if (status != STATUS_OK)
        return wrong(problem, "%s can't be waited for: %s", job->name, reason_of(status));
    print_end(job->name, &end);
    process_handle_cap_release(&job->handle);
    job->handle.id = 0;
    return true;
}

// ---- Starting ----------------------------------------------------------------------

// Everything that one start needs and gives back.
struct start {
    struct capos_spawner spawner;
    struct capos_image image;
    memory_object_cap file;
    memory_budget_cap budget;
    char names[GRANTS_MAX][SHELL_NAME_BYTES_MAX + 1];
    struct capos_spawn_grant grants[GRANTS_MAX];
    uint32_t grant_count;
    const char *arguments[ARGUMENTS_MAX];
    uint32_t argument_count;
    char texts[SYNTAX_LINE_BYTES_MAX + 2 * ARGUMENTS_MAX];
    uint32_t text_bytes;
};

static bool find_authority(struct start *start, boot_package_cap *out_boot,
                           struct value_problem *problem)
{
    if (capos_spawner_find(&start->spawner) != STATUS_OK)
        return wrong(problem, "starting programs needs a ProcessSpawner: --grant spawner");
    if (boot_package_cap_find("boot", out_boot) != STATUS_OK)
        return wrong(problem, "finding programs needs a BootPackage: --grant boot");
    return true;
}

static bool open_program(struct start *start, boot_package_cap boot, const struct job *job,
                         struct value_problem *problem)
{
    uint64_t size_bytes;
    enum status status =
        boot_package_open(boot, job->name, strlen(job->name), &start->file, &size_bytes);
    if (status != STATUS_OK)
        return wrong(problem, "no program %s is in the boot package", job->name);
    status = capos_image_open(&start->image, &start->spawner, start->file, size_bytes);
    if (status == STATUS_BAD_MESSAGE)
        wrong(problem, "%s: %s", job->name, elf_error_text(start->image.elf_error));
    else if (status != STATUS_OK)
        wrong(problem, "%s can't be mapped: %s", job->name, reason_of(status));
    if (status != STATUS_OK)
        memory_object_cap_release(&start->file);
    return status == STATUS_OK;
}

// Half of what is free, within bounds.
static bool split_budget(struct start *start, struct value_problem *problem)
{
    memory_budget_cap own;
    uint64_t limit_bytes, used_bytes;
    if (memory_budget_cap_find("budget", &own) != STATUS_OK)
        return wrong(problem, "starting programs needs a MemoryBudget named budget");
    enum status status = memory_budget_info(own, &limit_bytes, &used_bytes, nullptr, nullptr);
    if (status != STATUS_OK)
        return wrong(problem, "the budget can't be read: %s", reason_of(status));
    uint64_t free_bytes = limit_bytes - used_bytes;
    if (free_bytes < OWN_BYTES + PROGRAM_BYTES_MIN)
        return wrong(problem, "the shell's budget has too little left: %llu KiB",
                     (unsigned long long)free_bytes / 1024);
    uint64_t bytes = (free_bytes - OWN_BYTES) / 2;
    if (bytes < PROGRAM_BYTES_MIN)
        bytes = PROGRAM_BYTES_MIN;
    if (bytes > PROGRAM_BYTES_MAX)
        bytes = PROGRAM_BYTES_MAX;
    status = memory_budget_split(own, bytes & ~(PAGE - 1), &start->budget);
    if (status != STATUS_OK)
        return wrong(problem, "no budget can be split: %s", reason_of(status));
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

static bool collect_grants(struct start *start, const struct shell_program *program,
                           struct value_problem *problem)
{
    if (program->grant_count > GRANTS_MAX - 2)
        return wrong(problem, "too many grants: at most %u", GRANTS_MAX - 2);
    if (!is_granted(program, "memory"))
        add_grant(start, "memory", 6, start->spawner.memory.id);
    if (!is_granted(program, "budget"))
        add_grant(start, "budget", 6, start->budget.id);
    for (uint32_t i = 0; i < program->grant_count; i++) {
        const struct value_item *grant = &program->grants[i];
        if (grant->name_bytes > SHELL_NAME_BYTES_MAX)
            return wrong(problem, "%.*s: the name of a grant has at most %u bytes",
                         (int)grant->name_bytes, grant->name, SHELL_NAME_BYTES_MAX);
        add_grant(start, grant->name, grant->name_bytes, grant->value.number);
    }
    return true;
}

static bool collect_arguments(struct start *start, const struct shell_program *program,
                              const struct job *job, struct value_problem *problem)
{
    const struct node *nodes = program->syntax->nodes;
    start->arguments[start->argument_count++] = job->name;
    for (uint16_t at = program->arguments; at != 0; at = nodes[at].next) {
        if (start->argument_count == ARGUMENTS_MAX)
            return wrong(problem, "too many arguments: at most %u", ARGUMENTS_MAX - 1);
        if (memchr(nodes[at].text, 0, nodes[at].text_bytes) != nullptr)
            return wrong(problem, "an argument can't contain a zero byte");
        char *text = start->texts + start->text_bytes;
        memcpy(text, nodes[at].text, nodes[at].text_bytes);
        text[nodes[at].text_bytes] = 0;
        start->text_bytes += nodes[at].text_bytes + 1;
        start->arguments[start->argument_count++] = text;
    }
    return true;
}

static bool spawn(struct start *start, const struct shell_program *program, struct job *job,
                  struct value_problem *problem)
{
    struct capos_process process;
    if (!collect_grants(start, program, problem) ||
        !collect_arguments(start, program, job, problem))
        return false;
    struct capos_spawn_request request = {
        .name = job->name,
        .budget = start->budget,
        .grants = start->grants,
        .arguments = start->arguments,
        .grant_count = start->grant_count,
        .argument_count = start->argument_count,
    };
    fflush(stdout); // what the shell said comes before what the program says
    enum status status = capos_spawn(&start->spawner, &start->image, &request, &process);
    if (status != STATUS_OK)
        return wrong(problem, "%s can't be started: %s", job->name, reason_of(status));
    job->handle = process.handle;
    return true;
}

static bool start_job(struct start *start, const struct shell_program *program, struct job *job,
                      struct value_problem *problem)
{
    boot_package_cap boot;
    if (!find_authority(start, &boot, problem) || !open_program(start, boot, job, problem))
        return false;
    bool ok = split_budget(start, problem);
    if (ok) {
        ok = spawn(start, program, job, problem);
        memory_budget_cap_release(&start->budget);
    }
    capos_image_close(&start->image, &start->spawner);
    memory_object_cap_release(&start->file);
    return ok;
}

bool jobs_start(void *context, const struct shell_program *program,
                struct value_problem *problem)
{
    (void)context;
    uint32_t free_job = 0;
    while (free_job < JOBS_MAX && jobs[free_job].handle.id != 0)
        free_job++;
    if (free_job == JOBS_MAX)
        return wrong(problem, "%u jobs are running, the most there can be", JOBS_MAX);
    struct job *job = &jobs[free_job];
    if (program->name_bytes >= sizeof job->name)
        return wrong(problem, "the name of a program has at most %zu bytes",
                     sizeof job->name - 1);
    memcpy(job->name, program->name, program->name_bytes);
    job->name[program->name_bytes] = 0;
    struct start *start = calloc(1, sizeof *start);
    if (start == nullptr)
        return wrong(problem, "there is no memory to start a program");
    bool ok = start_job(start, program, job, problem);
    free(start);
    if (!ok)
        return false;
    if (program->waits)
        return await(job, problem);
    printf("[%u] %s\n", free_job + 1, job->name);
    return true;
}

// ---- Commands ----------------------------------------------------------------------

static bool list_jobs(bool long_form, struct value_problem *problem)
{
    if (long_form)
        printf("%4s %8s %6s %14s %-8s %s\n", "JOB", "PROCESS", "CAPS", "CPU", "STATE", "NAME");
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct process_handle_info_results info;
        char cpu[VALUE_NUMBER_BYTES], name[64];
        if (jobs[i].handle.id == 0)
            continue;
        enum status status =
            process_handle_info(jobs[i].handle, &info.process_id, name, sizeof name, nullptr,
                                &info.kind, &info.capability_count, &info.cpu_time_ns);
        if (status != STATUS_OK)
            return wrong(problem, "job %u can't be read: %s", i + 1, reason_of(status));
        value_format_number(cpu, info.cpu_time_ns, false, "ns");
        cpu[strcspn(cpu, "(")] = 0;
        if (long_form)
            printf("%4u %8llu %6llu %14s %-8s %s\n", i + 1, (unsigned long long)info.process_id,
                   (unsigned long long)info.capability_count, cpu, end_kind_name(info.kind),
                   name);
        else
            printf("[%u] %s %s\n", i + 1, jobs[i].name, end_kind_name(info.kind));
    }
    return true;
}

static bool run_ps(struct shell *shell)
{
    return list_jobs(true, &shell->problem);
}

static bool run_jobs(struct shell *shell)
{
    return list_jobs(false, &shell->problem);
}

// The job that the statement names; nullptr: there is none.
static struct job *job_of(struct shell *shell)
{
    uint64_t number = shell->syntax.statement.number;
    if (number != 0 && number <= JOBS_MAX && jobs[number - 1].handle.id != 0)
        return &jobs[number - 1];
    shell_wrong(shell, "there is no job %llu; `jobs` lists them", (unsigned long long)number);
    return nullptr;
}

static bool run_wait(struct shell *shell)
{
    struct job *job = job_of(shell);
    return job != nullptr && await(job, &shell->problem);
}

static bool run_kill(struct shell *shell)
{
    struct job *job = job_of(shell);
    if (job == nullptr)
        return false;
    enum status status = process_handle_kill(job->handle);
    return status == STATUS_OK ||
           shell_wrong(shell, "%s can't be killed: %s", job->name, reason_of(status));
}

const struct command jobs_commands[] = {
    {"ps", OPERANDS_NONE, run_ps,
     "ps\n  Shows the processes that the shell started: process id, capabilities, CPU time.\n"},
    {"jobs", OPERANDS_NONE, run_jobs, "jobs\n  Shows what spawn started, by number.\n"},
    {"kill", OPERANDS_JOB, run_kill, "kill N\n  Ends job N now.\n"},
    {"wait", OPERANDS_JOB, run_wait, "wait N\n  Waits until job N has ended, and shows how.\n"},
};
const uint32_t jobs_command_count = sizeof jobs_commands / sizeof *jobs_commands;
