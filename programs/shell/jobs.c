// SPDX-License-Identifier: MIT
// Owns the jobs: what the shell started, from there to its end.
//
// A job is a program or a pipeline.  It has a number from 1 on, the lowest that is free, until
// somebody was told how it ended: who waited for it, or the person at the prompt.
//
// At a terminal each program gets a StdIO of the TerminalSession, which has the keyboard while
// the program is in the foreground; elsewhere it gets the shell's own.  For the session itself
// it gets another one.
#include "jobs.h"

#include <capos/loop.h>

#include <gen/capos/process.h>
#include <gen/capos/terminal.h>
#include <stdio.h>
#include <string.h>

#include "launching.h"
#include "pipe.h"
#include "problem.h"
#include "session.h"
#include "start.h"
#include "tracing.h"

// That run at once: the shell's ring has room for a wait for each, besides the pipes.
constexpr uint32_t PROGRAMS_MAX = 12;
constexpr uint32_t JOBS_MAX = PROGRAMS_MAX;

struct job_program {
    char name[SHELL_PROGRAM_BYTES];
    process_handle_cap handle; // id 0: it wasn't started
    struct capos_call wait;    // for its end
    bool ended;
    struct process_handle_wait_results end;
    stdio_cap outer; // its StdIO, but for pipes
    uint32_t terminal_program;
    bool has_session;        // of its own: it minds the keys itself
    struct tracing *tracing; // nullptr: it isn't traced
};

struct job {
    bool used;
    bool awaited; // by a command, which tells how it ended
    bool killed;  // by the shell
    bool is_mute; // a person ran it and it can't write
    uint32_t running;
    uint32_t program_count;
    struct job_program programs[SYNTAX_PROGRAMS_MAX];
    struct pipe_end *ends[SYNTAX_PROGRAMS_MAX]; // of a pipeline
    bool has_pipes;
};

static struct job jobs[JOBS_MAX];
static uint32_t programs_running;

static uint32_t number_of(const struct job *job)
{
    return (uint32_t)(job - jobs) + 1;
}

// ---- How a job ended ---------------------------------------------------------------

static void print_end(const struct job_program *program)
{
    const struct process_handle_wait_results *end = &program->end;
    if (end->kind == END_KIND_FAULTED)
        printf("%s faulted: %s at 0x%llx, instruction 0x%llx, thread %llu", program->name,
               fault_kind_name(end->fault), (unsigned long long)end->fault_address,
               (unsigned long long)end->instruction_pointer,
               (unsigned long long)end->thread_id);
    else if (end->kind == END_KIND_KILLED)
        printf("%s was killed", program->name);
    else
        printf("%s exited with %lld", program->name, (long long)end->exit_code);
}

static bool ended_well(const struct job *job)
{
    for (uint32_t i = 0; i < job->program_count; i++)
        if (job->programs[i].end.kind != END_KIND_EXITED || job->programs[i].end.exit_code != 0)
            return false;
    return true;
}

static void print_ends(const struct job *job)
{
    for (uint32_t i = 0; i < job->program_count; i++) {
        if (i > 0)
            printf(", ");
        print_end(&job->programs[i]);
    }
    printf("\n");
}

static void job_free(struct job *job)
{
    if (job->has_pipes)
        pipe_destroy(job->ends, job->program_count);
    for (uint32_t i = 0; i < job->program_count; i++) {
        process_handle_cap_release(&job->programs[i].handle);
        tracing_end(job->programs[i].tracing);
        if (session_is_open())
            stdio_cap_release(&job->programs[i].outer);
    }
    job->used = false;
}

void jobs_tell(void)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &jobs[i];
        if (!job->used || job->running != 0 || job->awaited)
            continue;
        printf("[%u] ", number_of(job));
        print_ends(job);
        job_free(job);
    }
    fflush(stdout);
}

// What never started or has ended is none the worse for it.
static void kill_all(struct job *job)
{
    job->killed = true;
    for (uint32_t i = 0; i < job->program_count; i++)
        if (job->programs[i].handle.id != 0 && !job->programs[i].ended)
            (void)process_handle_kill(job->programs[i].handle); // it may have ended just now
}

static void program_ended(struct capos_call *call, void *context)
{
    struct job *job = context;
    struct job_program *program = job->programs;
    while (&program->wait != call)
        program++;
    struct process_handle_wait_results *end = &program->end;
    if (process_handle_wait_finish(call, &end->kind, &end->exit_code, &end->fault,
                                   &end->fault_address, &end->instruction_pointer,
                                   &end->stack_pointer, &end->thread_id) != STATUS_OK)
        end->kind = END_KIND_KILLED; // the wait itself failed: its handle is ours, so never
    if (program->tracing != nullptr)
        tracing_finish(program->tracing, end);
    program->tracing = nullptr;
    program->ended = true;
    job->running--;
    programs_running--;
    // Ctrl-C reaches one program and is meant for the whole pipeline.
    if (end->kind == END_KIND_KILLED && !job->killed)
        kill_all(job);
    if (job->running == 0 && session_is_reading())
        jobs_tell();
}

// Waits for the end of a job.  Ctrl-C that no program gets ends the job, or just the waiting.
static bool await(struct job *job, bool ends_it, struct value_problem *problem)
{
    job->awaited = true;
    while (job->running != 0) {
        bool interrupted = session_interrupted();
        if (interrupted && !ends_it) {
            job->awaited = false;
            return problem_set(problem, "interrupted; job %u goes on", number_of(job));
        }
        if (interrupted)
            kill_all(job);
        capos_loop_step(true);
    }
    if (!ended_well(job))
        print_ends(job);
    if (job->is_mute && !job->killed)
        printf("%s was granted no stdio: run %s with { stdio }\n", job->programs[0].name,
               job->programs[0].name);
    job_free(job);
    return true;
}

// ---- Starting ----------------------------------------------------------------------

static bool name_program(struct job_program *to, const struct shell_program *program,
                         struct value_problem *problem)
{
    *to = (struct job_program){};
    if (program->name_bytes >= sizeof to->name)
        return problem_set(problem, "the name of a program has at most %zu bytes",
                           sizeof to->name - 1);
    memcpy(to->name, program->name, program->name_bytes);
    return true;
}

static bool open_outer(struct job_program *program, struct value_problem *problem)
{
    if (!session_is_open()) {
        if (stdio_cap_find("stdio", &program->outer) != STATUS_OK)
            program->outer.id = 0; // then no grant is it
        return true;
    }
    enum status status = terminal_session_open_program(
        session_terminal(), &program->terminal_program, &program->outer);
    return status == STATUS_OK || problem_set(problem, "the terminal has no StdIO for %s: %s",
                                              program->name, problem_reason(status));
}

static bool open_pipes(struct job *job, const struct shell_pipeline *pipeline,
                       struct value_problem *problem)
{
    stdio_cap outers[SYNTAX_PROGRAMS_MAX];
    if (pipeline->program_count == 1)
        return true;
    for (uint32_t i = 0; i < pipeline->program_count; i++) {
        outers[i] = job->programs[i].outer;
        if (!start_has_stdio(&pipeline->programs[i]))
            return problem_set(problem,
                               "%s is in a pipeline and isn't granted the shell's stdio",
                               job->programs[i].name);
    }
    enum status status = pipe_create(outers, pipeline->program_count, job->ends);
    job->has_pipes = status == STATUS_OK;
    return job->has_pipes ||
           problem_set(problem,
                       "at most %u programs are in pipelines at once, if memory allows",
                       PIPE_ENDS_MAX);
}

static bool launch(struct job_program *program, const struct job *job,
                   const struct shell_program *line, const struct syntax *syntax,
                   struct value_problem *problem)
{
    if (tracing_is_wanted(program->name))
        return problem_set(problem, "only who builds a program traces it: that needs a "
                                    "ProcessSpawner: --grant spawner");
    if (job->has_pipes)
        return problem_set(problem, "a launcher gives no pipes: they need a ProcessSpawner: "
                                    "--grant spawner");
    return launching_start(line, syntax, program->name, &program->handle, problem);
}

// Starts a program with what the shell makes for it alone.
static bool spawn(struct job *job, uint32_t index, const struct shell_pipeline *pipeline,
                  struct value_problem *problem)
{
    struct job_program *program = &job->programs[index];
    struct start_stand_ins stand_ins = {.stdio = program->outer};
    struct capos_spawn_trace trace;
    program->has_session = session_is_open() && start_has_terminal(&pipeline->programs[index]);
    if (program->has_session &&
        terminal_session_open_session(session_terminal(), &stand_ins.terminal) != STATUS_OK)
        return problem_set(problem, "%s gets no session: %s", program->name,
                           capos_last_exception()->reason);
    if (job->has_pipes)
        stand_ins.stdio = pipe_end_take(job->ends[index]);
    bool is_traced = tracing_is_wanted(program->name);
    if (is_traced)
        program->tracing = tracing_begin(number_of(job), &trace, problem);
    bool ok =
        (!is_traced || program->tracing != nullptr) &&
        start_program(program->name, &pipeline->programs[index], pipeline->syntax, &stand_ins,
                      is_traced ? &trace : nullptr, &program->handle, problem);
    // They are the program's alone.
    if (job->has_pipes)
        stdio_cap_release(&stand_ins.stdio);
    terminal_session_cap_release(&stand_ins.terminal);
    if (ok && is_traced)
        tracing_follow(program->tracing);
    if (!ok) {
        tracing_end(program->tracing);
        program->tracing = nullptr;
    }
    return ok;
}

static bool start_one(struct job *job, uint32_t index, const struct shell_pipeline *pipeline,
                      struct value_problem *problem)
{
    struct job_program *program = &job->programs[index];
    bool ok = launching_is_the_only_way()
                  ? launch(program, job, &pipeline->programs[index], pipeline->syntax, problem)
                  : spawn(job, index, pipeline, problem);
    if (!ok)
        return false;
    if (process_handle_wait_begin(&program->wait, program->handle) != STATUS_OK)
        return problem_set(problem, "there is no memory to wait for %s", program->name);
    job->running++;
    programs_running++;
    capos_call_on_done(&program->wait, program_ended, job);
    return true;
}

static bool start_all(struct job *job, const struct shell_pipeline *pipeline,
                      struct value_problem *problem)
{
    for (uint32_t i = 0; i < pipeline->program_count; i++) {
        if (!name_program(&job->programs[i], &pipeline->programs[i], problem))
            return false;
        job->program_count++;
        if (!open_outer(&job->programs[i], problem))
            return false;
    }
    if (!open_pipes(job, pipeline, problem))
        return false;
    for (uint32_t i = 0; i < pipeline->program_count; i++)
        if (!start_one(job, i, pipeline, problem))
            return false;
    return true;
}

// Gives the keyboard to a job: Ctrl-C and lines go to its first program that runs.  To one
// that reads from a session it would be in the way.
static void take_foreground(struct job *job)
{
    for (uint32_t i = job->program_count; session_is_open() && i-- > 0;)
        if (!job->programs[i].ended && !job->programs[i].has_session)
            // Without the foreground it can't read, and its waiting can be interrupted.
            (void)terminal_session_foreground(
                session_terminal(), job->programs[i].terminal_program, job->programs[i].handle);
}

bool jobs_start(void *context, const struct shell_pipeline *pipeline,
                struct value_problem *problem)
{
    (void)context;
    struct job *job = jobs;
    while (job < jobs + JOBS_MAX && job->used)
        job++;
    if (job == jobs + JOBS_MAX)
        return problem_set(problem, "there are %u jobs, the most there can be; wait for one",
                           JOBS_MAX);
    if (pipeline->program_count > PROGRAMS_MAX - programs_running)
        return problem_set(problem, "%u programs run, and at most %u can at once",
                           programs_running, PROGRAMS_MAX);
    *job = (struct job){.used = true, .awaited = true};
    if (!start_all(job, pipeline, problem)) {
        kill_all(job);
        while (job->running != 0)
            capos_loop_step(true);
        job_free(job);
        return false;
    }
    if (pipeline->waits) {
        job->is_mute = session_is_open() && pipeline->programs[0].grant_count == 0;
        take_foreground(job);
        return await(job, true, problem);
    }
    job->awaited = false;
    printf("[%u]", number_of(job));
    for (uint32_t i = 0; i < job->program_count; i++)
        printf("%s %s", i > 0 ? " |" : "", job->programs[i].name);
    printf("\n");
    return true;
}

// ---- Commands ----------------------------------------------------------------------

bool jobs_at(void *context, uint32_t index, uint32_t *out_number,
             char out_name[SHELL_PROGRAM_BYTES])
{
    (void)context;
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        if (!jobs[i].used || index-- != 0)
            continue;
        *out_number = i + 1;
        memcpy(out_name, jobs[i].programs[0].name, SHELL_PROGRAM_BYTES);
        return true;
    }
    return false;
}

static bool run_jobs(struct shell *)
{
    capos_loop_step(false); // what has ended by now
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        const struct job *job = &jobs[i];
        if (!job->used)
            continue;
        printf("[%u]", i + 1);
        for (uint32_t j = 0; j < job->program_count; j++)
            printf("%s %s %s", j > 0 ? " |" : "", job->programs[j].name,
                   end_kind_name(job->programs[j].end.kind));
        printf("\n");
    }
    return true;
}

static bool show_process(struct shell *shell, uint32_t number,
                         const struct job_program *program)
{
    struct process_handle_info_results info;
    char cpu[VALUE_NUMBER_BYTES], name[64];
    enum status status =
        process_handle_info(program->handle, &info.process_id, name, sizeof name, nullptr,
                            &info.kind, &info.capability_count, &info.cpu_time_ns);
    if (status != STATUS_OK)
        return shell_wrong(shell, "%s can't be read: %s", program->name,
                           problem_reason(status));
    value_format_number(cpu, info.cpu_time_ns, false, "ns");
    cpu[strcspn(cpu, "(")] = 0;
    printf("%4u %8llu %6llu %14s %-8s %s\n", number, (unsigned long long)info.process_id,
           (unsigned long long)info.capability_count, cpu, end_kind_name(info.kind), name);
    return true;
}

static bool run_ps(struct shell *shell)
{
    printf("%4s %8s %6s %14s %-8s %s\n", "JOB", "PROCESS", "CAPS", "CPU", "STATE", "NAME");
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        for (uint32_t j = 0; jobs[i].used && j < jobs[i].program_count; j++)
            if (!show_process(shell, i + 1, &jobs[i].programs[j]))
                return false;
    return true;
}

// The job that the statement names; nullptr: there is none.
static struct job *job_of(struct shell *shell)
{
    uint64_t number = shell->syntax.statement.number;
    if (number != 0 && number <= JOBS_MAX && jobs[number - 1].used)
        return &jobs[number - 1];
    shell_wrong(shell, "there is no job %llu; `jobs` lists them", (unsigned long long)number);
    return nullptr;
}

static bool run_wait(struct shell *shell)
{
    struct job *job = job_of(shell);
    return job != nullptr && await(job, false, &shell->problem);
}

static bool run_fg(struct shell *shell)
{
    struct job *job = job_of(shell);
    if (job == nullptr)
        return false;
    take_foreground(job);
    return await(job, true, &shell->problem);
}

static bool run_kill(struct shell *shell)
{
    struct job *job = job_of(shell);
    if (job == nullptr)
        return false;
    kill_all(job);
    return true;
}

const struct command jobs_commands[] = {
    {"ps", OPERANDS_NONE, run_ps,
     "ps\n  Shows the processes that the shell started: process id, capabilities, CPU time.\n"},
    {"jobs", OPERANDS_NONE, run_jobs, "jobs\n  Shows what spawn started, by number.\n"},
    {"kill", OPERANDS_JOB, run_kill, "kill N\n  Ends job N now, all programs of it.\n"},
    {"wait", OPERANDS_JOB, run_wait,
     "wait N\n  Waits until job N has ended, and shows how.  Ctrl-C ends the waiting.\n"},
    {"fg", OPERANDS_JOB, run_fg,
     "fg N\n"
     "  Brings job N to the foreground: it gets what is typed, Ctrl-C ends it, and the shell\n"
     "  waits for its end.\n"},
};
const uint32_t jobs_command_count = sizeof jobs_commands / sizeof *jobs_commands;
