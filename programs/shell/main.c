// SPDX-License-Identifier: MIT
// The typed shell: a person at a StdIO calls methods of the capabilities that it was granted.
//
//     syntax.c     a line becomes a statement              pure
//     eval.c       names, calls                            pure
//     variables.c  what `let` binds                        pure
//     language.c   the statements of the language          pure
//     help.c       the schema's documentation              pure
//     jobs.c       programs, and the commands on them
//     main.c       lines in, the world of the evaluator, the list of commands
//
//     shell              reads lines from its StdIO; with a prompt if a person types them
//     shell FILE         runs a file of the boot package (needs `boot`)
//     shell -c LINE ...  runs the lines
//
// A script ends at the first line that fails, with status 1 and the line's number.
// `caps` lists all that the shell can use: it looks nothing up but what it was granted.
// Tested by tests/cli/shell_test.py, booted.
#include <capos/capset.h>
#include <capos/dynamic.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/stdio.h>
#include <gen/capos/virtual_memory.h>
#include <gen/descriptor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "jobs.h"

// ---- The world ---------------------------------------------------------------------

// A call of the statement that is being run.
struct open_call {
    struct open_call *next;
    struct capos_dynamic_call call;
};

struct world {
    struct descriptor descriptor;
    struct open_call *calls;
};

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

static bool call_method(void *context, const struct value *capability,
                        const struct descriptor_interface *interface,
                        const struct descriptor_method *method,
                        const struct value_item *arguments, uint32_t argument_count,
                        struct value_arena *arena, struct value *out_results,
                        struct value_problem *problem)
{
    struct world *world = context;
    struct open_call *open = malloc(sizeof *open);
    if (open == nullptr) {
        snprintf(problem->text, sizeof problem->text, "there is no memory for the call");
        return false;
    }
    open->next = world->calls;
    world->calls = open;
    fflush(stdout); // before what the method may write
    enum status status =
        capos_dynamic_call(&open->call, &world->descriptor, capability->number, interface->id,
                           method, arguments, argument_count, arena);
    *out_results = open->call.results;
    if (status != STATUS_OK)
        snprintf(problem->text, sizeof problem->text, "%s.%s: %s%s%s", interface->name,
                 method->name, status_name(status), open->call.problem.text[0] != 0 ? ": " : "",
                 open->call.problem.text);
    return status == STATUS_OK;
}

static bool keep(void *context, uint64_t capability)
{
    struct world *world = context;
    for (struct open_call *open = world->calls; open != nullptr; open = open->next)
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
    struct world *world = context;
    while (world->calls != nullptr) {
        struct open_call *open = world->calls;
        world->calls = open->next;
        capos_dynamic_end(&open->call);
        free(open);
    }
}

static void write_out(void *context, const char *text, size_t size_bytes)
{
    (void)context;
    fwrite(text, 1, size_bytes, stdout);
}

static struct world world;
static const struct shell_world shell_world = {
    .context = &world,
    .held_at = held_at,
    .call = call_method,
    .keep = keep,
    .release = release,
    .settle = settle,
    .start = jobs_start,
    .write = write_out,
};
static struct shell shell;

// ---- Lines -------------------------------------------------------------------------

// Runs a line of a script.  `line_number` 0: a person typed it, and may type another.
static bool run_line(const char *line, size_t bytes, uint32_t line_number)
{
    if (shell_run(&shell, line, bytes))
        return true;
    fflush(stdout);
    if (line_number == 0) {
        fprintf(stderr, "%s\n", shell.problem.text);
        return true;
    }
    fprintf(stderr, "shell: line %u: %s\n", line_number, shell.problem.text);
    shell.ended = true;
    shell.status = 1;
    return false;
}

static void run_text(const char *text, size_t bytes)
{
    for (uint32_t number = 1; bytes != 0 && !shell.ended; number++) {
        const char *end = memchr(text, '\n', bytes);
        size_t line_bytes = end != nullptr ? (size_t)(end - text) : bytes;
        size_t with_end = line_bytes + (end != nullptr);
        bool returns = line_bytes != 0 && text[line_bytes - 1] == '\r';
        (void)run_line(text, line_bytes - returns, number);
        text += with_end;
        bytes -= with_end;
    }
}

static void run_input(bool interactive)
{
    static char line[SYNTAX_LINE_BYTES_MAX + 3];
    for (uint32_t number = 1; !shell.ended; number++) {
        if (interactive)
            printf("capos> ");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == nullptr)
            break;
        size_t bytes = strcspn(line, "\r\n");
        (void)run_line(line, bytes, interactive ? 0 : number);
    }
}

static void run_arguments(int count, char **lines)
{
    for (int i = 0; i < count && !shell.ended; i++)
        (void)run_line(lines[i], strlen(lines[i]), (uint32_t)i + 1);
}

static int run_file(const char *name)
{
    boot_package_cap boot;
    virtual_memory_cap memory;
    memory_object_cap object;
    uint64_t size_bytes, address;
    if (boot_package_cap_find("boot", &boot) != STATUS_OK ||
        virtual_memory_cap_find("memory", &memory) != STATUS_OK) {
        fprintf(stderr, "shell: a script of the boot package needs --grant boot\n");
        return 1;
    }
    if (boot_package_open(boot, name, strlen(name), &object, &size_bytes) != STATUS_OK ||
        virtual_memory_map(memory, object, 0, (size_bytes + 4095) & ~UINT64_C(4095), 0,
                           PROTECTION_READ, &address) != STATUS_OK) {
        fprintf(stderr, "shell: no script %s is in the boot package\n", name);
        return 1;
    }
    run_text((const char *)address, size_bytes);
    return shell.status;
}

static bool a_person_types(void)
{
    stdio_cap stdio;
    bool input_is_terminal = false;
    return stdio_cap_find("stdio", &stdio) == STATUS_OK &&
           stdio_info(stdio, &input_is_terminal, nullptr, nullptr, nullptr, nullptr) ==
               STATUS_OK &&
           input_is_terminal;
}

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
    if (argc > 2 && strcmp(argv[1], "-c") == 0)
        run_arguments(argc - 2, argv + 2);
    else if (argc > 1)
        shell.status = run_file(argv[1]);
    else
        run_input(a_person_types());
    shell_fini(&shell);
    return shell.status;
}
