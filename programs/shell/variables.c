// SPDX-License-Identifier: MIT
// Variables.  The rule of ownership is in the header.
#include "variables.h"

#include <stdlib.h>
#include <string.h>

const struct shell_variable *variables_find(const struct shell *shell, const char *name,
                                            size_t name_bytes)
{
    for (uint32_t i = 0; i < shell->variable_count; i++) {
        const struct shell_variable *variable = &shell->variables[i];
        if (strlen(variable->name) == name_bytes &&
            memcmp(variable->name, name, name_bytes) == 0)
            return variable;
    }
    return nullptr;
}

// As above, to be changed.
static struct shell_variable *find(struct shell *shell, const char *name, size_t name_bytes)
{
    const struct shell_variable *found = variables_find(shell, name, name_bytes);
    return found == nullptr ? nullptr : &shell->variables[found - shell->variables];
}

// ---- Copies ------------------------------------------------------------------------

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

// ---- Ownership ---------------------------------------------------------------------

static bool has_items(const struct value *value)
{
    return value->kind == VALUE_LIST || value->kind == VALUE_STRUCT;
}

static uint32_t count_capabilities(const struct value *value)
{
    uint32_t count = value->kind == VALUE_CAPABILITY;
    for (uint32_t i = 0; has_items(value) && i < value->count; i++)
        count += count_capabilities(&value->items[i].value);
    return count;
}

static bool holds(const struct value *value, uint64_t capability)
{
    if (value->kind == VALUE_CAPABILITY)
        return value->number == capability;
    for (uint32_t i = 0; has_items(value) && i < value->count; i++)
        if (holds(&value->items[i].value, capability))
            return true;
    return false;
}

// Takes over what the statement's calls returned.  There is room for it.
static void keep_capabilities(struct shell *shell, const struct value *value)
{
    if (value->kind == VALUE_CAPABILITY &&
        shell->world->keep(shell->world->context, value->number))
        shell->kept[shell->kept_count++] = value->number;
    for (uint32_t i = 0; has_items(value) && i < value->count; i++)
        keep_capabilities(shell, &value->items[i].value);
}

static bool is_held(const struct shell *shell, uint64_t capability)
{
    for (uint32_t i = 0; i < shell->variable_count; i++)
        if (holds(&shell->variables[i].value, capability))
            return true;
    return false;
}

// Releases what only the variable that is gone had.
static void drop_capabilities(struct shell *shell, const struct value *gone)
{
    for (uint32_t i = shell->kept_count; i-- > 0;) {
        uint64_t capability = shell->kept[i];
        if (!holds(gone, capability) || is_held(shell, capability))
            continue;
        shell->kept[i] = shell->kept[--shell->kept_count];
        shell->world->release(shell->world->context, capability);
    }
}

static void drop(struct shell *shell, const struct shell_variable *gone)
{
    drop_capabilities(shell, &gone->value);
    free(gone->block);
}

// ---- Binding -----------------------------------------------------------------------

bool variables_bind(struct shell *shell, const char *name, uint32_t name_bytes,
                    const struct value *value, const char *unit)
{
    struct shell_variable *variable = find(shell, name, name_bytes);
    struct shell_variable fresh = {.value = *value, .unit = unit}, replaced = {};
    size_t items = 0, bytes = 0;
    if (name_bytes > SHELL_NAME_BYTES_MAX)
        return shell_wrong(shell, "the name is too long: at most %u bytes",
                           SHELL_NAME_BYTES_MAX);
    if (variable == nullptr && shell->variable_count == SHELL_VARIABLES_MAX)
        return shell_wrong(shell, "there are %u variables, the most there can be; release one",
                           SHELL_VARIABLES_MAX);
    if (count_capabilities(value) > SHELL_KEPT_MAX - shell->kept_count)
        return shell_wrong(shell, "variables hold at most %u capabilities", SHELL_KEPT_MAX);
    measure(value, &items, &bytes);
    if (items + bytes != 0) {
        fresh.block = malloc(items * sizeof(struct value_item) + bytes);
        if (fresh.block == nullptr)
            return shell_wrong(shell, "there is no memory for the value");
        struct copy copy = {fresh.block, (char *)((struct value_item *)fresh.block + items)};
        copy_value(&copy, &fresh.value);
    }
    keep_capabilities(shell, &fresh.value);
    memcpy(fresh.name, name, name_bytes);
    if (variable == nullptr)
        variable = &shell->variables[shell->variable_count++];
    else
        replaced = *variable;
    *variable = fresh;
    drop(shell, &replaced);
    return true;
}

bool variables_release(struct shell *shell, const char *name, uint32_t name_bytes)
{
    struct shell_variable *variable = find(shell, name, name_bytes);
    if (variable == nullptr &&
        shell_lookup(shell, name, name_bytes, &(struct value){}, &(const char *){}))
        return shell_wrong(shell, "%.*s was given to the shell; only variables are released",
                           (int)name_bytes, name);
    if (variable == nullptr)
        return shell_unknown_name(shell, name, name_bytes);
    struct shell_variable gone = *variable;
    *variable = shell->variables[--shell->variable_count];
    drop(shell, &gone);
    return true;
}

void variables_release_all(struct shell *shell)
{
    while (shell->variable_count != 0) {
        struct shell_variable gone = shell->variables[--shell->variable_count];
        drop(shell, &gone);
    }
}
