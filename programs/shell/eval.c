// SPDX-License-Identifier: MIT
// The evaluator.  The rules are in the header.
#include "eval.h"

#include <lib/fmt.h>
#include <lib/nearest.h>
#include <stdlib.h>
#include <string.h>

#include "language.h"
#include "variables.h"

// ---- Saying what is wrong ----------------------------------------------------------

void shell_put(const struct shell *shell, const char *text)
{
    shell->world->write(shell->world->context, text, strlen(text));
}

bool shell_wrong(struct shell *shell, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fmt_vformat(shell->problem.text, sizeof shell->problem.text, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_program(const struct shell *shell, const char *name, size_t name_bytes)
{
    char program[SHELL_PROGRAM_BYTES];
    for (uint32_t i = 0; shell->world->program_at(shell->world->context, i, program); i++)
        if (strlen(program) == name_bytes && memcmp(program, name, name_bytes) == 0)
            return true;
    return false;
}

bool shell_unknown_name(struct shell *shell, const char *name, size_t name_bytes)
{
    struct nearest nearest = nearest_to(name, name_bytes);
    if (is_program(shell, name, name_bytes))
        return shell_wrong(shell, "%.*s is a program, which is run: run %.*s with { stdio }",
                           (int)name_bytes, name, (int)name_bytes, name);
    struct value value;
    const char *held;
    for (uint32_t i = 0; i < shell->variable_count; i++)
        nearest_offer(&nearest, shell->variables[i].name);
    for (uint32_t i = 0; shell->world->held_at(shell->world->context, i, &held, &value); i++)
        nearest_offer(&nearest, held);
    // Of one or two letters every short command would be near.
    for (uint32_t i = 0; name_bytes > 2 && i < shell->command_count; i++)
        nearest_offer(&nearest, shell->commands[i]->name);
    char program[SHELL_PROGRAM_BYTES], best[SHELL_PROGRAM_BYTES];
    for (uint32_t i = 0;
         name_bytes > 2 && shell->world->program_at(shell->world->context, i, program); i++) {
        uint32_t before = nearest.best_distance;
        nearest_offer(&nearest, program);
        if (nearest.best_distance < before)
            nearest.best = memcpy(best, program, sizeof best);
    }
    if (nearest.best != nullptr)
        return shell_wrong(shell, "there is no %.*s; did you mean %s?", (int)name_bytes, name,
                           nearest.best);
    return shell_wrong(shell, "there is no %.*s; `caps` lists the names, `help` the commands",
                       (int)name_bytes, name);
}

bool shell_find_method(struct shell *shell, const struct descriptor_interface *interface,
                       const char *name, size_t name_bytes,
                       struct descriptor_method *out_method)
{
    const struct descriptor *descriptor = shell->descriptor;
    struct nearest nearest = nearest_to(name, name_bytes);
    struct descriptor_method method;
    char names[128] = "";
    size_t used = 0;
    if (descriptor_method_by_name(descriptor, interface, name, name_bytes, out_method))
        return true;
    for (uint32_t i = 0; descriptor_method_at(descriptor, interface, i, &method); i++) {
        nearest_offer(&nearest, method.name);
        if (used < sizeof names)
            used += fmt_format(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ",
                               method.name);
    }
    if (nearest.best != nullptr)
        return shell_wrong(shell, "%s has no method %.*s; did you mean %s?", interface->name,
                           (int)name_bytes, name, nearest.best);
    return shell_wrong(shell, "%s has no method %.*s; it has: %s", interface->name,
                       (int)name_bytes, name, names);
}

// ---- Names ---------------------------------------------------------------------------

bool shell_lookup(const struct shell *shell, const char *name, size_t name_bytes,
                  struct value *out_value, const char **out_unit)
{
    const char *held;
    struct value value;
    *out_unit = "";
    const struct shell_variable *variable = variables_find(shell, name, name_bytes);
    if (variable != nullptr) {
        *out_value = variable->value;
        *out_unit = variable->unit;
        return true;
    }
    for (uint32_t i = 0; shell->world->held_at(shell->world->context, i, &held, &value); i++) {
        if (strlen(held) == name_bytes && memcmp(held, name, name_bytes) == 0) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

// ---- Expressions -------------------------------------------------------------------

bool shell_eval_children(struct shell *shell, uint16_t first, struct value_item **out_items,
                         uint32_t *out_count)
{
    struct value_arena *arena = &shell->arena;
    uint32_t count = 0, i = 0;
    for (uint16_t at = first; at != 0; at = shell->syntax.nodes[at].next)
        count++;
    if (count > arena->count_max - arena->count)
        return shell_wrong(shell, "the line has too many values");
    struct value_item *items = arena->items + arena->count;
    arena->count += count;
    for (uint16_t at = first; at != 0; at = shell->syntax.nodes[at].next, i++) {
        const struct node *node = &shell->syntax.nodes[at];
        bool called;
        items[i] = (struct value_item){.name = node->name, .name_bytes = node->name_bytes};
        if (!shell_eval(shell, at, &items[i].value, &items[i].unit, &called))
            return false;
    }
    *out_items = items;
    *out_count = count;
    return true;
}

static bool call_method(struct shell *shell, const struct node *node,
                        const struct value *capability, const char *name, size_t name_bytes,
                        struct value *out_results)
{
    const struct shell_world *world = shell->world;
    struct descriptor_interface interface;
    struct descriptor_method method;
    struct value_item *arguments;
    uint32_t argument_count;
    if (!descriptor_interface_by_id(shell->descriptor, capability->interface_id, &interface))
        return shell_wrong(shell, "the schema doesn't know the interface 0x%llx",
                           (unsigned long long)capability->interface_id);
    return shell_find_method(shell, &interface, name, name_bytes, &method) &&
           shell_eval_children(shell, node->first, &arguments, &argument_count) &&
           world->call(world->context, capability, &interface, &method, arguments,
                       argument_count, &shell->arena, out_results, &shell->problem);
}

bool shell_enter_field(struct shell *shell, struct value *value, const char **unit,
                       const char *name, size_t name_bytes)
{
    if (value->kind != VALUE_STRUCT)
        return shell_wrong(shell, "%.*s: only structs have fields and capabilities methods",
                           (int)name_bytes, name);
    const struct value_item *item = value_item_of(value, name, name_bytes);
    if (item == nullptr)
        return shell_wrong(shell, "there is no field %.*s", (int)name_bytes, name);
    *unit = item->unit != nullptr ? item->unit : "";
    *value = item->value;
    return true;
}

// One part of a path: up to the next point.
static size_t part_bytes(const char *path, const char *end)
{
    const char *point = memchr(path, '.', (size_t)(end - path));
    return (size_t)((point != nullptr ? point : end) - path);
}

// Says why a name that was given arguments takes none.
static bool no_method(struct shell *shell, const struct node *node, const struct value *value)
{
    struct descriptor_interface interface;
    struct descriptor_method method;
    const struct node *argument = &shell->syntax.nodes[node->first];
    bool is_known =
        value->kind == VALUE_CAPABILITY &&
        descriptor_interface_by_id(shell->descriptor, value->interface_id, &interface) &&
        descriptor_method_at(shell->descriptor, &interface, 0, &method);
    if (!is_known)
        return shell_wrong(shell, "%.*s is a value, so it takes no arguments",
                           (int)node->text_bytes, node->text);
    if (argument->kind == NODE_PATH) // the method that was meant, else the first one
        (void)descriptor_method_by_name(shell->descriptor, &interface, argument->text,
                                        argument->text_bytes, &method);
    return shell_wrong(shell, "%.*s is a %s, whose methods follow a point: %.*s.%s",
                       (int)node->text_bytes, node->text, interface.name, (int)node->text_bytes,
                       node->text, method.name);
}

static bool eval_path(struct shell *shell, const struct node *node, struct value *out_value,
                      const char **out_unit, bool *out_called)
{
    const char *at = node->text, *end = node->text + node->text_bytes;
    size_t bytes = part_bytes(at, end);
    *out_called = false;
    if (!shell_lookup(shell, at, bytes, out_value, out_unit)) {
        // A word alone may be the name of an enum's value; the method that gets it knows.
        if (bytes != node->text_bytes || node->first != 0)
            return shell_unknown_name(shell, at, bytes);
        *out_value =
            (struct value){.kind = VALUE_NAME, .count = node->text_bytes, .text = node->text};
        return true;
    }
    for (at += bytes; at < end; at += bytes) {
        at++; // the point
        bytes = part_bytes(at, end);
        if (out_value->kind == VALUE_CAPABILITY && at + bytes == end) {
            struct value capability = *out_value;
            *out_called = true;
            return call_method(shell, node, &capability, at, bytes, out_value);
        }
        if (!shell_enter_field(shell, out_value, out_unit, at, bytes))
            return false;
    }
    return node->first == 0 || no_method(shell, node, out_value);
}

bool shell_eval(struct shell *shell, uint16_t index, struct value *out_value,
                const char **out_unit, bool *out_called)
{
    const struct node *node = &shell->syntax.nodes[index];
    struct value_item *items;
    *out_called = false;
    *out_unit = "";
    *out_value = (struct value){.negative = node->negative, .number = node->number};
    switch (node->kind) {
    case NODE_NULL:
        return true;
    case NODE_BOOL:
        out_value->kind = VALUE_BOOL;
        return true;
    case NODE_INTEGER:
        out_value->kind = VALUE_INTEGER;
        return true;
    case NODE_TEXT:
        *out_value =
            (struct value){.kind = VALUE_TEXT, .count = node->text_bytes, .text = node->text};
        return true;
    case NODE_LIST:
    case NODE_STRUCT:
        out_value->kind = node->kind == NODE_LIST ? VALUE_LIST : VALUE_STRUCT;
        if (!shell_eval_children(shell, node->first, &items, &out_value->count))
            return false;
        out_value->items = items;
        return true;
    case NODE_PATH:
        break;
    }
    if (!eval_path(shell, node, out_value, out_unit, out_called))
        return false;
    // As a value, results of one field are that field.
    if (*out_called && out_value->count == 1 && index != shell->syntax.statement.expression)
        return shell_enter_field(shell, out_value, out_unit, out_value->items[0].name,
                                 out_value->items[0].name_bytes);
    return true;
}

// ---- Statements --------------------------------------------------------------------

// What the shell holds goes before programs: a method may always be called.
const struct command *shell_plain_command(const struct shell *shell, const char *line,
                                          size_t line_bytes)
{
    const char *end = line + line_bytes, *at = line;
    struct value value;
    const char *unit;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    const char *name = at;
    while (at < end && *at != ' ' && *at != '\t' && *at != '|')
        at++;
    size_t bytes = (size_t)(at - name);
    bool is_plain = bytes != 0 && !shell_lookup(shell, name, bytes, &value, &unit) &&
                    is_program(shell, name, bytes);
    return is_plain ? &language_plain : nullptr;
}

void shell_init(struct shell *shell, const struct descriptor *descriptor,
                const struct shell_world *world)
{
    *shell = (struct shell){.descriptor = descriptor, .world = world};
    for (uint32_t i = 0; i < language_command_count; i++)
        shell_add_command(shell, &language_commands[i]);
}

void shell_add_command(struct shell *shell, const struct command *command)
{
    if (shell->command_count == SHELL_COMMANDS_MAX)
        abort();
    shell->commands[shell->command_count++] = command;
}

bool shell_run(struct shell *shell, const char *line, size_t line_bytes)
{
    shell->arena = (struct value_arena){shell->items, SHELL_ITEMS_MAX, 0};
    shell->problem.text[0] = 0;
    if (!syntax_parse(&shell->syntax, shell->commands, shell->command_count,
                      shell_plain_command(shell, line, line_bytes), line, line_bytes))
        return shell_wrong(shell, "%s", shell->syntax.problem);
    const struct statement *statement = &shell->syntax.statement;
    bool ok = true;
    if (statement->command != nullptr)
        ok = statement->command->run(shell);
    else if (statement->expression != 0)
        ok = language_run_expression(shell);
    shell->world->settle(shell->world->context);
    return ok;
}

void shell_fini(struct shell *shell)
{
    variables_release_all(shell);
}
