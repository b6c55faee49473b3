// SPDX-License-Identifier: MIT
// What `help` says.  Interfaces, methods and fields are explained in the schema's own words.
#include "help.h"

#include <lib/elf.h>
#include <lib/fmt.h>
#include <lib/nearest.h>
#include <string.h>

static void put_indented(const struct shell *shell, const char *text, const char *indent)
{
    while (*text != 0) {
        size_t bytes = strcspn(text, "\n");
        shell_put(shell, indent);
        shell->world->write(shell->world->context, text, bytes);
        shell_put(shell, "\n");
        text += bytes + (text[bytes] == '\n');
    }
}

static void put_line(const struct shell *shell, const char *text)
{
    shell->world->write(shell->world->context, text, strcspn(text, "\n"));
    shell_put(shell, "\n");
}

// ---- The schema --------------------------------------------------------------------

static const char *const kind_names[DESCRIPTOR_KIND_COUNT] = {
    "Void",   "Bool",   "Int8",   "Int16",      "Int32",   "Int64", "UInt8",
    "UInt16", "UInt32", "UInt64", "Float32",    "Float64", "Text",  "Data",
    "List",   "Enum",   "Struct", "Capability", "Group",
};

// The type of a field or of its elements.
static const char *type_name(const struct shell *shell, const struct descriptor_field *field,
                             enum descriptor_kind kind)
{
    struct descriptor_enum enumeration;
    struct descriptor_struct of;
    if (kind == DESCRIPTOR_ENUM &&
        descriptor_enum_at(shell->descriptor, field->type, &enumeration))
        return enumeration.name;
    if (kind == DESCRIPTOR_STRUCT && descriptor_struct_at(shell->descriptor, field->type, &of))
        return of.name;
    if (kind == DESCRIPTOR_CAPABILITY && field->interface_id != 0)
        return descriptor_interface_name(shell->descriptor, field->interface_id);
    return kind_names[kind];
}

static void put_type(const struct shell *shell, const struct descriptor_field *field)
{
    char text[160];
    const char *name = type_name(shell, field, field->kind);
    if (field->kind == DESCRIPTOR_LIST)
        fmt_format(text, sizeof text, "List(%s)", type_name(shell, field, field->element));
    else
        fmt_format(text, sizeof text, "%s%s%s", name, field->unit[0] != 0 ? " in " : "",
                   field->unit);
    shell_put(shell, text);
    bool is_bytes = field->kind == DESCRIPTOR_TEXT || field->kind == DESCRIPTOR_DATA;
    if (is_bytes && field->bytes_max != UINT32_MAX) {
        fmt_format(text, sizeof text, " of at most %u bytes", field->bytes_max);
        shell_put(shell, text);
    }
}

static void put_enumerants(const struct shell *shell, uint32_t type)
{
    struct descriptor_enum of;
    struct descriptor_enumerant enumerant;
    if (!descriptor_enum_at(shell->descriptor, type, &of))
        return;
    for (uint32_t i = 0; descriptor_enumerant_at(shell->descriptor, &of, i, &enumerant); i++) {
        shell_put(shell, "        ");
        shell_put(shell, enumerant.name);
        shell_put(shell, ": ");
        put_line(shell, enumerant.doc);
    }
}

static void put_fields(const struct shell *shell, const char *title, uint32_t index)
{
    struct descriptor_struct of;
    struct descriptor_field field;
    if (!descriptor_struct_at(shell->descriptor, index, &of) || of.field_count == 0)
        return;
    shell_put(shell, title);
    for (uint32_t i = 0; descriptor_field_at(shell->descriptor, &of, i, &field); i++) {
        shell_put(shell, "    ");
        shell_put(shell, field.name);
        shell_put(shell, ": ");
        put_type(shell, &field);
        shell_put(shell, "\n");
        put_indented(shell, field.doc, "        ");
        if (field.kind == DESCRIPTOR_ENUM)
            put_enumerants(shell, field.type);
    }
}

static void put_signature(const struct shell *shell, const struct descriptor_method *method)
{
    struct descriptor_struct of;
    struct descriptor_field field;
    shell_put(shell, method->name);
    if (!descriptor_struct_at(shell->descriptor, method->params, &of))
        return;
    for (uint32_t i = 0; descriptor_field_at(shell->descriptor, &of, i, &field); i++) {
        shell_put(shell, " ");
        shell_put(shell, field.name);
    }
}

static void show_interface(const struct shell *shell,
                           const struct descriptor_interface *interface)
{
    struct descriptor_method method;
    shell_put(shell, interface->name);
    shell_put(shell, "\n");
    put_indented(shell, interface->doc, "  ");
    shell_put(shell, "methods\n");
    for (uint32_t i = 0; descriptor_method_at(shell->descriptor, interface, i, &method); i++) {
        shell_put(shell, "  ");
        put_signature(shell, &method);
        shell_put(shell, "\n      ");
        put_line(shell, method.doc);
    }
}

static void show_method(const struct shell *shell, const struct descriptor_interface *interface,
                        const struct descriptor_method *method)
{
    shell_put(shell, interface->name);
    shell_put(shell, ".");
    put_signature(shell, method);
    shell_put(shell, "\n");
    put_indented(shell, method->doc, "  ");
    put_fields(shell, "  arguments\n", method->params);
    put_fields(shell, "  results\n", method->results);
}

// ---- Topics ------------------------------------------------------------------------

static void show_overview(const struct shell *shell)
{
    shell_put(
        shell,
        "NAME.METHOD ARGUMENT ...   calls a method of a capability; `help NAME` lists them\n"
        "    timer.sleep 10 ms           arguments by position,\n"
        "    timer.sleep durationNs: 5   or by name\n"
        "    let start = timer.now       results can be kept\n"
        "PROGRAM ARGUMENT ...       runs a program with the terminal and the directories that its\n"
        "    ls data                     arguments lie in, to look at unless it changes them\n"
        "commands, each with `help COMMAND`\n");
    for (uint32_t i = 0; i < shell->command_count; i++) {
        shell_put(shell, "    ");
        put_line(shell, shell->commands[i]->help);
    }
}

static bool show_command(const struct shell *shell, const char *name, size_t name_bytes)
{
    for (uint32_t i = 0; i < shell->command_count; i++) {
        const struct command *command = shell->commands[i];
        if (strlen(command->name) == name_bytes &&
            memcmp(command->name, name, name_bytes) == 0) {
            shell_put(shell, command->help);
            return true;
        }
    }
    return false;
}

// What a plain line grants a program.
static bool show_program(const struct shell *shell, const char *name, size_t name_bytes)
{
    if (shell_plain_command(shell, name, name_bytes) == nullptr)
        return false;
    uint32_t operands =
        shell->world->operands(shell->world->context, name, (uint32_t)name_bytes);
    shell->world->write(shell->world->context, name, name_bytes);
    shell_put(shell, " is a program.  A line that begins with it grants it stdio");
    if (operands == 0)
        shell_put(shell, " and nothing else.\n");
    else if ((operands & ELF_OPERANDS_WRITE) != 0)
        shell_put(shell, " and the directories\n  that its operands lie in, to change.");
    else if ((operands & ELF_OPERANDS_WRITE_LAST) != 0)
        shell_put(shell,
                  " and the directories\n  that its operands lie in, to look at, that of "
                  "the last one to change.");
    else
        shell_put(shell, " and the directories\n  that its operands lie in, to look at.");
    shell_put(shell, operands == 0 ? "" : "  Its option --help says more.\n");
    return true;
}

static bool unknown_topic(struct shell *shell, const char *name, size_t name_bytes)
{
    struct nearest nearest = nearest_to(name, name_bytes);
    struct descriptor_interface interface;
    for (uint32_t i = 0; i < shell->command_count; i++)
        nearest_offer(&nearest, shell->commands[i]->name);
    for (uint32_t i = 0; descriptor_interface_at(shell->descriptor, i, &interface); i++)
        nearest_offer(&nearest, interface.name);
    if (nearest.best == nullptr)
        return shell_unknown_name(shell, name, name_bytes);
    return shell_wrong(shell, "there is no topic %.*s; did you mean %s?", (int)name_bytes, name,
                       nearest.best);
}

bool help_show(struct shell *shell, const char *topic, size_t topic_bytes)
{
    struct descriptor_interface interface;
    struct descriptor_method method;
    struct value value;
    const char *unit;
    if (topic_bytes == 0) {
        show_overview(shell);
        return true;
    }
    const char *point = memchr(topic, '.', topic_bytes);
    size_t bytes = point != nullptr ? (size_t)(point - topic) : topic_bytes;
    bool held = shell_lookup(shell, topic, bytes, &value, &unit) &&
                value.kind == VALUE_CAPABILITY &&
                descriptor_interface_by_id(shell->descriptor, value.interface_id, &interface);
    if (!held && point == nullptr &&
        (show_command(shell, topic, bytes) || show_program(shell, topic, bytes)))
        return true;
    if (!held && !descriptor_interface_by_name(shell->descriptor, topic, bytes, &interface))
        return unknown_topic(shell, topic, bytes);
    if (point == nullptr) {
        show_interface(shell, &interface);
        return true;
    }
    if (!shell_find_method(shell, &interface, point + 1, topic_bytes - bytes - 1, &method))
        return false;
    show_method(shell, &interface, &method);
    return true;
}
