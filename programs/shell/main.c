// SPDX-License-Identifier: MIT
// The typed shell: a person at a StdIO calls methods of the capabilities that it was granted.
//
//     syntax.c     a line becomes a statement              pure
//     eval.c       names, calls                            pure
//     variables.c  what `let` binds                        pure
//     language.c   the statements of the language          pure
//     place.c      where the shell stands, plain lines     pure
//     help.c       the schema's documentation              pure
//     complete.c   what a line may go on with              pure
//     session.c    the person at the terminal
//     lines.c      where lines come from
//     start.c      starting a program
//     pipe.c       pipes between programs
//     jobs.c       what was started, and the commands on it
//     files.c      programs' files, entries of directories
//     launching.c  starting programs with a launcher and no spawner
//     tracing.c    what they call, as lines
//     system.c     who holds what, and taking back
//     main.c       the world of the evaluator, the list of commands
//
//     shell              reads lines: of a person from the TerminalSession, else of its StdIO
//     shell FILE         runs a file of the boot package (needs `boot`)
//     shell -c LINE ...  runs the lines
//
// `caps` lists all that the shell can use: it looks nothing up but what it was granted.
// Tested by tests/cli/shell_test.py and shell_person_test.py, booted.
#include <capos/capset.h>
#include <capos/dynamic.h>
#include <capos/loop.h>

#include <gen/descriptor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "files.h"
#include "jobs.h"
#include "lines.h"
#include "problem.h"
#include "session.h"
#include "start.h"
#include "system.h"
#include "tracing.h"

// ---- The world ---------------------------------------------------------------------

// A call of the statement that is being run.
struct open_call {
    struct open_call *next;
    struct capos_dynamic_call call;
};

static struct {
    struct descriptor descriptor;
    struct open_call *calls;
} world;

static bool held_at(void *context, uint32_t index, const char **out_name,
                    struct value *out_capability)
{
    (void)context;
    const struct capos_capset_entry *entry = capos_capset_at(index);
    if (entry == nullptr)
        return false;
    *out_name = entry->name;
    *out_capability = (struct value){
        .kind = VALUE_CAPABILITY, .number = entry->cap, .interface_id = entry->interface_id};
    return true;
}

static void call_done(struct capos_call *, void *context)
{
    *(bool *)context = true;
}

// Waits while others are served: pipes, and the ends of jobs.  Ctrl-C gives the call up.
static enum status wait_for(struct open_call *open, struct value_arena *arena,
                            bool *out_interrupted)
{
    bool done = false;
    capos_call_on_done(&open->call.call, call_done, &done);
    *out_interrupted = false;
    while (!done) {
        if (session_interrupted()) {
            *out_interrupted = true;
            capos_call_cancel(&open->call.call);
        }
        capos_loop_step(true);
    }
    return capos_dynamic_finish(&open->call, &world.descriptor, arena);
}

static bool call_method(void *context, const struct value *capability,
                        const struct descriptor_interface *interface,
                        const struct descriptor_method *method,
                        const struct value_item *arguments, uint32_t argument_count,
                        struct value_arena *arena, struct value *out_results,
                        struct value_problem *problem)
{
    (void)context;
    bool interrupted = false;
    struct open_call *open = malloc(sizeof *open);
    if (open == nullptr)
        return problem_set(problem, "there is no memory for the call");
    open->next = world.calls;
    world.calls = open;
    fflush(stdout); // before what the method may write
    enum status status = capos_dynamic_begin(&open->call, &world.descriptor, capability->number,
                                             interface->id, method, arguments, argument_count);
    if (status == STATUS_OK)
        status = wait_for(open, arena, &interrupted);
    *out_results = open->call.results;
    if (status == STATUS_CANCELLED && interrupted)
        return problem_set(problem, "%s.%s: interrupted", interface->name, method->name);
    const char *reason = open->call.problem.text;
    return status == STATUS_OK ||
           problem_set(problem, "%s.%s: %s%s%s", interface->name, method->name,
                       status_name(status), *reason != 0 ? ": " : "", reason);
}

static bool keep(void *context, uint64_t capability)
{
    (void)context;
    for (struct open_call *open = world.calls; open != nullptr; open = open->next)
        if (capos_dynamic_keep(&open->call, capability))
            return true;
    return false;
}

static void release(void *context, uint64_t capability)
{
    (void)context;
    capos_release(capability);
}

static void settle(void *context)
{
    (void)context;
    while (world.calls != nullptr) {
        struct open_call *open = world.calls;
        world.calls = open->next;
        capos_dynamic_end(&open->call);
        free(open);
    }
}

static void write_out(void *context, const char *text, size_t size_bytes)
{
    (void)context;
    fwrite(text, 1, size_bytes, stdout);
}

static const struct shell_world shell_world = {
    .held_at = held_at,
    .call = call_method,
    .keep = keep,
    .release = release,
    .settle = settle,
    .start = jobs_start,
    .program_at = start_program_at,
    .job_at = jobs_at,
    .operands = files_operands,
    .entries = files_entries,
    .write = write_out,
};
static struct shell shell;

int main(int argc, char **argv)
{
    if (descriptor_open(descriptor_blob, sizeof descriptor_blob, &world.descriptor) !=
        STATUS_OK) {
        fprintf(stderr, "shell: its schema is damaged\n");
        return 1;
    }
    shell_init(&shell, &world.descriptor, &shell_world);
    for (uint32_t i = 0; i < jobs_command_count; i++)
        shell_add_command(&shell, &jobs_commands[i]);
    for (uint32_t i = 0; i < system_command_count; i++)
        shell_add_command(&shell, &system_commands[i]);
    shell_add_command(&shell, &tracing_command);
    tracing_init(&world.descriptor);
    if (argc > 2 && strcmp(argv[1], "-c") == 0)
        lines_of_arguments(&shell, argc - 2, argv + 2);
    else if (argc > 1)
        lines_of_file(&shell, argv[1]);
    else if (session_open(&shell))
        lines_of_person(&shell);
    else
        lines_of_input(&shell);
    shell_fini(&shell);
    return shell.status;
}
