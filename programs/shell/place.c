// SPDX-License-Identifier: MIT
// Places and plain lines; see place.h.  Tested by eval_test.c.
#include "place.h"

#include <gen/interfaces.h>
#include <lib/elf.h>
#include <lib/nearest.h>
#include <string.h>

#include "variables.h"

constexpr uint32_t GRANTS_MAX = 32; // stdio and directories; bits of shell_program.narrowed

static bool is_directory(const struct value *value)
{
    return value->kind == VALUE_CAPABILITY &&
           (value->interface_id == INTERFACE_DIRECTORY ||
            value->interface_id == INTERFACE_READ_ONLY_DIRECTORY);
}

bool place_at(const struct shell *shell, uint32_t index, struct place *out_place)
{
    struct place place = {.path = ""};
    for (uint32_t i = 0; i < shell->variable_count; i++) {
        place.name = shell->variables[i].name;
        place.directory = shell->variables[i].value;
        if (is_directory(&place.directory) && index-- == 0) {
            *out_place = place;
            return true;
        }
    }
    const struct shell_world *world = shell->world;
    for (uint32_t i = 0; world->held_at(world->context, i, &place.name, &place.directory);
         i++) {
        bool is_hidden = variables_find(shell, place.name, strlen(place.name)) != nullptr;
        if (!is_hidden && is_directory(&place.directory) && index-- == 0) {
            *out_place = place;
            return true;
        }
    }
    return false;
}

bool place_find(const struct shell *shell, const char *text, struct place *out_place)
{
    size_t bytes = strcspn(text, "/");
    struct place place;
    for (uint32_t i = 0; place_at(shell, i, &place); i++) {
        if (strlen(place.name) != bytes || memcmp(place.name, text, bytes) != 0)
            continue;
        place.path = text[bytes] == '/' ? text + bytes + 1 : "";
        *out_place = place;
        return true;
    }
    return false;
}

static enum path_walk walk(char place[PATH_BYTES_MAX + 1], const struct node *word)
{
    return path_walk(place, (struct wire_data){(const uint8_t *)word->text, word->text_bytes});
}

// ---- Grants ------------------------------------------------------------------------

struct grants {
    struct value_item items[GRANTS_MAX];
    uint32_t count;
    uint32_t narrowed; // bits
};

static bool add(struct grants *grants, const struct place *place, bool is_changed)
{
    uint32_t i = 0;
    while (i < grants->count && grants->items[i].name != place->name)
        i++;
    if (i == GRANTS_MAX)
        return false;
    if (i == grants->count) {
        grants->items[grants->count++] =
            (struct value_item){.name = place->name,
                                .name_bytes = (uint32_t)strlen(place->name),
                                .value = place->directory};
        if (place->directory.interface_id == INTERFACE_DIRECTORY)
            grants->narrowed |= 1u << i;
    }
    if (is_changed)
        grants->narrowed &= ~(1u << i);
    return true;
}

// What an operand leads to; nothing if that isn't there, which the program then says.
static bool add_place(const struct shell *shell, struct grants *grants, const char *text,
                      bool is_changed)
{
    struct place place;
    bool ok = true;
    if (*text != 0)
        return !place_find(shell, text, &place) || add(grants, &place, is_changed);
    for (uint32_t i = 0; ok && place_at(shell, i, &place); i++)
        ok = add(grants, &place, false); // where all are, nothing can be changed
    return ok;
}

static bool is_option(const struct node *word)
{
    return word->text_bytes > 1 && word->text[0] == '-';
}

static bool add_operands(const struct shell *shell, struct grants *grants, uint16_t first,
                         uint32_t operands)
{
    const struct node *nodes = shell->syntax.nodes;
    bool ok = true;
    uint16_t last = 0;
    for (uint16_t at = first; at != 0; at = nodes[at].next)
        if (!is_option(&nodes[at]))
            last = at;
    for (uint16_t at = first; ok && at != 0; at = nodes[at].next) {
        char place[PATH_BYTES_MAX + 1];
        strcpy(place, shell->place);
        bool is_changed = (operands & ELF_OPERANDS_WRITE) != 0 ||
                          ((operands & ELF_OPERANDS_WRITE_LAST) != 0 && at == last);
        if (!is_option(&nodes[at]) && walk(place, &nodes[at]) == PATH_WALKED)
            ok = add_place(shell, grants, place, is_changed);
    }
    if (ok && last == 0 && (operands & ELF_OPERANDS_PLACE) != 0)
        ok = add_place(shell, grants, shell->place, false);
    return ok;
}

bool place_grant(struct shell *shell, struct shell_program *program)
{
    struct value_arena *arena = &shell->arena;
    struct grants grants = {};
    struct value stdio;
    const char *unit;
    if (shell_lookup(shell, "stdio", 5, &stdio, &unit) && stdio.kind == VALUE_CAPABILITY)
        grants.items[grants.count++] =
            (struct value_item){.name = "stdio", .name_bytes = 5, .value = stdio};
    uint32_t operands =
        shell->world->operands(shell->world->context, program->name, program->name_bytes);
    if (operands != 0 && !add_operands(shell, &grants, program->arguments, operands))
        return shell_wrong(shell, "a program can be granted at most %u directories",
                           GRANTS_MAX - 1);
    if (grants.count > arena->count_max - arena->count)
        return shell_wrong(shell, "the line has too many values");
    struct value_item *items = arena->items + arena->count;
    arena->count += grants.count;
    memcpy(items, grants.items, grants.count * sizeof *items);
    program->grants = items;
    program->grant_count = grants.count;
    program->narrowed = grants.narrowed;
    program->place = shell->place;
    return true;
}

// ---- Where the shell stands --------------------------------------------------------

static bool unknown_directory(struct shell *shell, const char *text)
{
    size_t bytes = strcspn(text, "/");
    struct nearest nearest = nearest_to(text, bytes);
    struct place place;
    for (uint32_t i = 0; place_at(shell, i, &place); i++)
        nearest_offer(&nearest, place.name);
    if (nearest.best != nullptr)
        return shell_wrong(shell, "cd: the shell holds no directory %.*s; did you mean %s?",
                           (int)bytes, text, nearest.best);
    return shell_wrong(shell, "cd: the shell holds no directory %.*s; `ls /` lists them",
                       (int)bytes, text);
}

bool place_change(struct shell *shell)
{
    const struct node *word = &shell->syntax.nodes[shell->syntax.statement.arguments];
    char text[PATH_BYTES_MAX + 1];
    struct place place;
    if (shell->syntax.statement.arguments == 0) {
        shell->place[0] = 0;
        return true;
    }
    strcpy(text, shell->place);
    switch (memchr(word->text, 0, word->text_bytes) != nullptr ? PATH_WALKED_LONG
                                                               : walk(text, word)) {
    case PATH_WALKED_OUT:
        return shell_wrong(shell, "cd: nothing is above the directories that the shell holds");
    case PATH_WALKED_LONG:
        return shell_wrong(shell, "cd: that is no path, or a place of more than %u bytes",
                           PATH_BYTES_MAX);
    case PATH_WALKED:
        break;
    }
    if (*text != 0 && !place_find(shell, text, &place))
        return unknown_directory(shell, text);
    if (*text != 0 && !shell->world->entries(shell->world->context, &place.directory,
                                             place.path, nullptr, nullptr, &shell->problem))
        return false;
    strcpy(shell->place, text);
    return true;
}

void place_show(const struct shell *shell, char out_text[PLACE_SHOWN_BYTES])
{
    size_t bytes = strlen(shell->place), used = 0;
    const char *at = shell->place;
    if (bytes >= PLACE_SHOWN_BYTES) {
        static const char cut[] = "...";
        at += bytes - (PLACE_SHOWN_BYTES - sizeof cut);
        memcpy(out_text, cut, used = sizeof cut - 1);
    }
    // A name may have any bytes, also those that would change the terminal.
    for (; *at != 0; at++)
        out_text[used++] = *at >= ' ' && *at <= '~' ? *at : '?';
    out_text[used] = 0;
}
