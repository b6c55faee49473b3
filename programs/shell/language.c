// SPDX-License-Identifier: MIT
// The statements of the language itself; the commands on the machine are main.c's.
#include "language.h"

#include <lib/fmt.h>
#include <string.h>

#include "help.h"
#include "place.h"
#include "variables.h"

// ---- Expressions --------------------------------------------------------------------

static bool has_capability(const struct value *value)
{
    bool found = value->kind == VALUE_CAPABILITY;
    if (value->kind == VALUE_LIST || value->kind == VALUE_STRUCT)
        for (uint32_t i = 0; i < value->count; i++)
            found = found || has_capability(&value->items[i].value);
    return found;
}

bool language_run_expression(struct shell *shell)
{
    const struct value_sink sink = {shell->world->write, shell->world->context};
    struct value value;
    const char *unit;
    bool called;
    if (!shell_eval(shell, shell->syntax.statement.expression, &value, &unit, &called))
        return false;
    if (value.kind == VALUE_NAME) // a word that is nothing
        return shell_unknown_name(shell, value.text, value.count);
    if (called) {
        value_print_fields(&sink, shell->descriptor, &value, "");
        if (has_capability(&value))
            shell_put(shell, "released again; `let NAME = ...` keeps it\n");
        return true;
    }
    value_print(&sink, shell->descriptor, &value, unit);
    shell_put(shell, "\n");
    return true;
}

// ---- Commands ----------------------------------------------------------------------

static bool run_let(struct shell *shell)
{
    const struct statement *statement = &shell->syntax.statement;
    struct value value;
    const char *unit;
    bool called;
    if (!shell_eval(shell, statement->expression, &value, &unit, &called))
        return false;
    if (value.kind == VALUE_NAME)
        return shell_unknown_name(shell, value.text, value.count);
    if (called && value.count == 0)
        return shell_wrong(shell, "the method returns nothing to keep");
    if (called && value.count == 1 &&
        !shell_enter_field(shell, &value, &unit, value.items[0].name,
                           value.items[0].name_bytes))
        return false;
    return variables_bind(shell, statement->name, statement->name_bytes, &value, unit);
}

static bool is_called(const struct value_item *item, const char *name)
{
    return item->name_bytes == strlen(name) && memcmp(item->name, name, item->name_bytes) == 0;
}

static bool is_whole_number(const struct value *value)
{
    return value->kind == VALUE_INTEGER && !value->negative;
}

// Evaluates the grants of a program.  A number as `budget` is the size of a new one, and one as
// `weight` its weight.
static bool read_grants(struct shell *shell, uint16_t node, struct shell_program *program)
{
    struct value_item *grants = nullptr;
    uint32_t count = 0;
    if (node != 0 &&
        !shell_eval_children(shell, shell->syntax.nodes[node].first, &grants, &count))
        return false;
    program->grants = grants;
    for (uint32_t i = 0; i < count; i++) {
        const struct value *value = &grants[i].value;
        bool is_budget = is_called(&grants[i], "budget"),
             is_weight = is_called(&grants[i], "weight");
        if (value->kind == VALUE_NAME)
            return shell_unknown_name(shell, value->text, value->count);
        if (is_budget && is_whole_number(value))
            program->budget_bytes = value->number;
        else if (is_weight && is_whole_number(value) && value->number >= 1 &&
                 value->number <= SHELL_WEIGHT_MAX)
            program->weight = (uint32_t)value->number;
        else if (is_weight && value->kind != VALUE_CAPABILITY)
            return shell_wrong(shell, "weight: a share of busy CPUs, 1 to %u; 100 is usual",
                               SHELL_WEIGHT_MAX);
        else if (value->kind == VALUE_CAPABILITY)
            grants[program->grant_count++] = grants[i];
        else
            return shell_wrong(shell,
                               is_budget ? "%.*s: a MemoryBudget, or a size, as in: 16 MiB"
                                         : "%.*s: only capabilities can be granted",
                               (int)grants[i].name_bytes, grants[i].name);
    }
    return true;
}

static bool start(struct shell *shell, bool waits, bool is_plain)
{
    const struct statement *statement = &shell->syntax.statement;
    struct shell_pipeline pipeline = {
        .program_count = statement->program_count, .syntax = &shell->syntax, .waits = waits};
    for (uint32_t i = 0; i < statement->program_count; i++) {
        const struct syntax_program *program = &statement->programs[i];
        pipeline.programs[i] = (struct shell_program){.name = program->name,
                                                      .name_bytes = program->name_bytes,
                                                      .arguments = program->arguments};
        bool ok = is_plain && program->grants == 0
                      ? place_grant(shell, &pipeline.programs[i])
                      : read_grants(shell, program->grants, &pipeline.programs[i]);
        if (!ok)
            return false;
    }
    return shell->world->start(shell->world->context, &pipeline, &shell->problem);
}

static void list_capability(const struct shell *shell, const char *name,
                            const struct value *value)
{
    char line[128];
    fmt_format(line, sizeof line, "%-16s %s\n", name,
               descriptor_interface_name(shell->descriptor, value->interface_id));
    shell_put(shell, line);
}

static bool run_caps(struct shell *shell)
{
    const struct shell_world *world = shell->world;
    struct value value;
    const char *name;
    for (uint32_t i = 0; world->held_at(world->context, i, &name, &value); i++)
        list_capability(shell, name, &value);
    for (uint32_t i = 0; i < shell->variable_count; i++)
        if (shell->variables[i].value.kind == VALUE_CAPABILITY)
            list_capability(shell, shell->variables[i].name, &shell->variables[i].value);
    return true;
}

static bool run_run(struct shell *shell)
{
    return start(shell, true, false);
}

static bool run_plain(struct shell *shell)
{
    return start(shell, true, true);
}

static bool run_spawn(struct shell *shell)
{
    return start(shell, false, false);
}

static bool run_help(struct shell *shell)
{
    const struct statement *statement = &shell->syntax.statement;
    return help_show(shell, statement->name, statement->name_bytes);
}

static bool run_release(struct shell *shell)
{
    const struct statement *statement = &shell->syntax.statement;
    return variables_release(shell, statement->name, statement->name_bytes);
}

static bool run_exit(struct shell *shell)
{
    uint64_t status = shell->syntax.statement.number;
    if (status > 255)
        return shell_wrong(shell, "exit: %llu is out of range: 0 to 255",
                           (unsigned long long)status);
    shell->ended = true;
    shell->status = (int)status;
    return true;
}

const struct command language_plain = {.operands = OPERANDS_PROGRAM, .run = run_plain};

const struct command language_commands[] = {
    {"let", OPERANDS_LET, run_let,
     "let NAME = EXPRESSION\n"
     "  Binds a value or a capability.  Results of one field are that field; of several,\n"
     "  NAME.FIELD.  A capability that came from a call is released when no variable has it\n"
     "  any more.\n"},
    {"run", OPERANDS_PROGRAM, run_run,
     "run PROGRAM [with { GRANT, ... }] ARGUMENT ... [| PROGRAM ...]\n"
     "  Starts a program of the boot package, waits for its end, and says how it ended\n"
     "  unless that was with status 0.  It holds what stands in the braces, its own memory\n"
     "  and threads as `memory`, `thread` and `park`, and a budget of its own, split from\n"
     "  the shell's, as `budget`.\n"
     "  A GRANT is NAME, NAME: CAPABILITY, budget: SIZE, or weight: N, its share of busy CPUs,\n"
     "  100 unless said.  At a terminal `stdio` is one of the program's own: Ctrl-C ends the\n"
     "  program, Ctrl-D on an empty line its input.\n"
     "  What a program before a | writes is what the one behind it reads; both need stdio.\n"
     "  Needs: spawner, boot, budget.\n"
     "    run args with { stdio } one two\n"
     "    run flood with { stdio, budget: 2 MiB } 5000 | count with { stdio }\n"},
    {"spawn", OPERANDS_PROGRAM, run_spawn,
     "spawn PROGRAM ...\n"
     "  As run, but doesn't wait: it runs in the background, and its reads wait until `fg`.\n"},
    {"cd", OPERANDS_PLACE, place_change,
     "cd [DIRECTORY]\n"
     "  Moves to a directory, from which the names in plain lines lead on; without one, to where\n"
     "  all directories are that the shell holds.  Calls and `run` know nothing of it.\n"},
    {"caps", OPERANDS_NONE, run_caps,
     "caps\n  Lists the capabilities that the shell holds; it can use no others.\n"},
    {"release", OPERANDS_NAME, run_release,
     "release NAME\n"
     "  Forgets a variable, and releases the capabilities that no other one has.\n"},
    {"exit", OPERANDS_STATUS, run_exit,
     "exit [N]\n  Ends the shell with status N, 0 to 255.\n"},
    {"help", OPERANDS_TOPIC, run_help,
     "help [TOPIC]\n  TOPIC is a command, a capability, an interface, or one of their methods:\n"
     "  help timer, help Timer, help timer.sleep\n"},
};
const uint32_t language_command_count = sizeof language_commands / sizeof *language_commands;
