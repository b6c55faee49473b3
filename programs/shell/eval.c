// SPDX-License-Identifier: MIT
// The evaluator.  The rules are in the header.
#include "eval.h"

#include <lib/fmt.h>
#include <lib/nearest.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"

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

bool shell_unknown_name(struct shell *shell, const char *name, size_t name_bytes)
{
    struct nearest nearest = nearest_to(name, name_bytes);
    struct value value;
    const char *held;
    for (uint32_t i = 0; i < shell->variable_count; i++)
        nearest_offer(&nearest, shell->variables[i].name);
    for (uint32_t i = 0; shell->world->held_at(shell->world->context, i, &held, &value); i++)
        nearest_offer(&nearest, held);
    if (nearest.best != nullptr)
        return shell_wrong(shell, "there is no %.*s; did you mean %s?", (int)name_bytes, name,
                           nearest.best);
    return shell_wrong(shell, "there is no %.*s; `caps` lists what there is, `help` commands",
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

// ---- Variables ---------------------------------------------------------------------

static struct shell_variable *find_variable(struct shell *shell, const char *name,
                                            size_t name_bytes)
{
    for (uint32_t i = 0; i < shell->variable_count; i++) {
        struct shell_variable *variable = &shell->variables[i];
        if (strlen(variable->name) == name_bytes &&
            memcmp(variable->name, name, name_bytes) == 0)
            return variable;
    }
    return nullptr;
}

bool shell_lookup(const struct shell *shell, const char *name, size_t name_bytes,
                  struct value *out_value, const char **out_unit)
{
    const char *held;
    struct value value;
    *out_unit = "";
    for (uint32_t i = 0; i < shell->variable_count; i++) {
        const struct shell_variable *variable = &shell->variables[i];
        if (strlen(variable->name) == name_bytes &&
            memcmp(variable->name, name, name_bytes) == 0) {
            *out_value = variable->value;
            *out_unit = variable->unit;
            return true;
        }
    }
    for (uint32_t i = 0; shell->world->held_at(shell->world->context, i, &held, &value); i++) {
        if (strlen(held) == name_bytes && memcmp(held, name, name_bytes) == 0) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

// What a copy of a value takes, beside the value itself.  Values are as deep as a line or a
// message of the descriptor may nest.
static void measure(const struct value *value, size_t *items, size_t *bytes)
{
    switch (value->kind) {
    case VALUE_TEXT:
    case VALUE_DATA:
    case VALUE_NAME:
        *bytes += value->count;
        break;
    case VALUE_LIST:
    case VALUE_STRUCT:
        *items += value->count;
        for (uint32_t i = 0; i < value->count; i++) {
            *bytes += value->items[i].name_bytes;
            measure(&value->items[i].value, items, bytes);
        }
        break;
    default:
        break;
    }
}

struct copy {
    struct value_item *items;
    char *bytes;
};

static const char *copy_bytes(struct copy *copy, const char *bytes, uint32_t count)
{
    char *to = copy->bytes;
    if (count != 0)
        memcpy(to, bytes, count);
    copy->bytes += count;
    return to;
}

static void copy_value(struct copy *copy, struct value *value)
{
    const struct value_item *from = value->items;
    switch (value->kind) {
    case VALUE_TEXT:
    case VALUE_DATA:
    case VALUE_NAME:
        value->text = copy_bytes(copy, value->text, value->count);
        break;
    case VALUE_LIST:
    case VALUE_STRUCT:
        value->items = copy->items;
        copy->items += value->count;
        for (uint32_t i = 0; i < value->count; i++) {
            value->items[i] = from[i];
            if (from[i].name != nullptr)
                value->items[i].name = copy_bytes(copy, from[i].name, from[i].name_bytes);
            copy_value(copy, &value->items[i].value);
        }
        break;
    default:
        break;
    }
}

// Whether a variable owned the capability; it doesn't any more.
static bool disown(struct shell_variable *variable, uint64_t capability)
{
    for (uint32_t i = 0; variable != nullptr && i < variable->owned_count; i++) {
        if (variable->owned[i] == capability) {
            variable->owned[i] = variable->owned[--variable->owned_count];
            return true;
        }
    }
    return false;
}

// The variable takes over what the statement's calls returned, and what the variable that it
// replaces (or nullptr) owned.
static void keep_capabilities(const struct shell *shell, struct shell_variable *variable,
                              struct shell_variable *replaced, const struct value *value)
{
    const struct shell_world *world = shell->world;
    if (value->kind == VALUE_CAPABILITY) {
        if (variable->owned_count < CAPOS_TRANSFER_COUNT_MAX &&
            (disown(replaced, value->number) || world->keep(world->context, value->number)))
            variable->owned[variable->owned_count++] = value->number;
    } else if (value->kind == VALUE_LIST || value->kind == VALUE_STRUCT) {
        for (uint32_t i = 0; i < value->count; i++)
            keep_capabilities(shell, variable, replaced, &value->items[i].value);
    }
}

static void empty_variable(const struct shell *shell, struct shell_variable *variable)
{
    for (uint32_t i = 0; i < variable->owned_count; i++)
        shell->world->release(shell->world->context, variable->owned[i]);
    free(variable->block);
    variable->block = nullptr;
    variable->owned_count = 0;
}

static bool bind(struct shell *shell, const char *name, uint32_t name_bytes,
                 const struct value *value, const char *unit)
{
    struct shell_variable *variable = find_variable(shell, name, name_bytes);
    struct shell_variable fresh = {.value = *value, .unit = unit};
    size_t items = 0, bytes = 0;
    if (name_bytes > SHELL_NAME_BYTES_MAX)
        return shell_wrong(shell, "the name is too long: at most %u bytes",
                           SHELL_NAME_BYTES_MAX);
    if (variable == nullptr && shell->variable_count == SHELL_VARIABLES_MAX)
        return shell_wrong(shell, "there are %u variables, the most there can be; release one",
                           SHELL_VARIABLES_MAX);
    measure(value, &items, &bytes);
    if (items + bytes != 0) {
        fresh.block = malloc(items * sizeof(struct value_item) + bytes);
        if (fresh.block == nullptr)
            return shell_wrong(shell, "there is no memory for the value");
        struct copy copy = {fresh.block, (char *)((struct value_item *)fresh.block + items)};
        copy_value(&copy, &fresh.value);
    }
    keep_capabilities(shell, &fresh, variable, &fresh.value);
    memcpy(fresh.name, name, name_bytes);
    if (variable == nullptr)
        variable = &shell->variables[shell->variable_count++];
    else
        empty_variable(shell, variable);
    *variable = fresh;
    return true;
}

static bool release(struct shell *shell, const char *name, uint32_t name_bytes)
{
    struct shell_variable *variable = find_variable(shell, name, name_bytes);
    if (variable == nullptr &&
        shell_lookup(shell, name, name_bytes, &(struct value){}, &(const char *){}))
        return shell_wrong(shell, "%.*s was given to the shell; only variables are released",
                           (int)name_bytes, name);
    if (variable == nullptr)
        return shell_unknown_name(shell, name, name_bytes);
    empty_variable(shell, variable);
    *variable = shell->variables[--shell->variable_count];
    return true;
}

// ---- Expressions -------------------------------------------------------------------

static bool eval(struct shell *shell, uint16_t index, struct value *out_value,
                 const char **out_unit, bool *out_called);

// The children of a node as items: arguments, elements or fields.
static bool eval_children(struct shell *shell, uint16_t first, struct value_item **out_items,
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
        if (!eval(shell, at, &items[i].value, &items[i].unit, &called))
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
           eval_children(shell, node->first, &arguments, &argument_count) &&
           world->call(world->context, capability, &interface, &method, arguments,
                       argument_count, &shell->arena, out_results, &shell->problem);
}

// The field of a struct that a path names, or what is wrong.
static bool enter_field(struct shell *shell, struct value *value, const char **unit,
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
        if (!enter_field(shell, out_value, out_unit, at, bytes))
            return false;
    }
    if (node->first != 0)
        return shell_wrong(shell, "%.*s is no method, so it takes no arguments",
                           (int)node->text_bytes, node->text);
    return true;
}

static bool eval(struct shell *shell, uint16_t index, struct value *out_value,
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
        if (!eval_children(shell, node->first, &items, &out_value->count))
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
        return enter_field(shell, out_value, out_unit, out_value->items[0].name,
                           out_value->items[0].name_bytes);
    return true;
}

// ---- Statements --------------------------------------------------------------------

static bool has_capability(const struct value *value)
{
    bool found = value->kind == VALUE_CAPABILITY;
    if (value->kind == VALUE_LIST || value->kind == VALUE_STRUCT)
        for (uint32_t i = 0; i < value->count; i++)
            found = found || has_capability(&value->items[i].value);
    return found;
}

static bool run_expression(struct shell *shell)
{
    const struct value_sink sink = {shell->world->write, shell->world->context};
    struct value value;
    const char *unit;
    bool called;
    if (!eval(shell, shell->syntax.statement.expression, &value, &unit, &called))
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

static bool run_let(struct shell *shell)
{
    const struct statement *statement = &shell->syntax.statement;
    struct value value;
    const char *unit;
    bool called;
    if (!eval(shell, statement->expression, &value, &unit, &called))
        return false;
    if (value.kind == VALUE_NAME)
        return shell_unknown_name(shell, value.text, value.count);
    if (called && value.count == 0)
        return shell_wrong(shell, "the method returns nothing to keep");
    if (called && value.count == 1 &&
        !enter_field(shell, &value, &unit, value.items[0].name, value.items[0].name_bytes))
        return false;
    return bind(shell, statement->name, statement->name_bytes, &value, unit);
}

static bool run_program(struct shell *shell)
{
    const struct statement *statement = &shell->syntax.statement;
    struct shell_program program = {
        .name = statement->name,
        .name_bytes = statement->name_bytes,
        .syntax = &shell->syntax,
        .arguments = statement->arguments,
        .waits = statement->kind == STATEMENT_RUN,
    };
    struct value_item *grants = nullptr;
    if (statement->grants != 0 &&
        !eval_children(shell, shell->syntax.nodes[statement->grants].first, &grants,
                       &program.grant_count))
        return false;
    for (uint32_t i = 0; i < program.grant_count; i++) {
        const struct value *value = &grants[i].value;
        if (value->kind == VALUE_NAME)
            return shell_unknown_name(shell, value->text, value->count);
        if (value->kind != VALUE_CAPABILITY)
            return shell_wrong(shell, "%.*s: only capabilities can be granted",
                               (int)grants[i].name_bytes, grants[i].name);
    }
    program.grants = grants;
    return shell->world->start(shell->world->context, &program, &shell->problem);
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

static bool run_statement(struct shell *shell)
{
    const struct statement *statement = &shell->syntax.statement;
    switch (statement->kind) {
    case STATEMENT_EMPTY:
        return true;
    case STATEMENT_EXPRESSION:
        return run_expression(shell);
    case STATEMENT_LET:
        return run_let(shell);
    case STATEMENT_RUN:
    case STATEMENT_SPAWN:
        return run_program(shell);
    case STATEMENT_HELP:
        return help_show(shell, statement->name, statement->name_bytes);
    case STATEMENT_CAPS:
        return run_caps(shell);
    case STATEMENT_RELEASE:
        return release(shell, statement->name, statement->name_bytes);
    case STATEMENT_EXIT:
        if (statement->number > 255)
            return shell_wrong(shell, "exit: %llu is out of range: 0 to 255",
                               (unsigned long long)statement->number);
        shell->ended = true;
        shell->status = (int)statement->number;
        return true;
    default:
        return shell->world->job(shell->world->context, statement->kind, statement->number,
                                 &shell->problem);
    }
}

void shell_init(struct shell *shell, const struct descriptor *descriptor,
                const struct shell_world *world)
{
    shell->descriptor = descriptor;
    shell->world = world;
    shell->variable_count = 0;
    shell->ended = false;
    shell->status = 0;
}

bool shell_run(struct shell *shell, const char *line, size_t line_bytes)
{
    shell->arena = (struct value_arena){shell->items, SHELL_ITEMS_MAX, 0};
    shell->problem.text[0] = 0;
    if (!syntax_parse(&shell->syntax, line, line_bytes))
        return shell_wrong(shell, "%s", shell->syntax.problem);
    bool ok = run_statement(shell);
    shell->world->settle(shell->world->context);
    return ok;
}

void shell_fini(struct shell *shell)
{
    for (uint32_t i = 0; i < shell->variable_count; i++)
        empty_variable(shell, &shell->variables[i]);
    shell->variable_count = 0;
}
