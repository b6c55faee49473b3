// SPDX-License-Identifier: MIT
// `run` and `spawn` through the shell's `launcher`.  The program gets what the launcher's
// service holds under the names in the braces, so only names can stand there.
#include "launching.h"

#include <capos/capset.h>
#include <capos/launch.h>

#include <lib/fmt.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t TEXTS_MAX = 32;

// Texts with their NULs.
struct texts {
    const char *texts[TEXTS_MAX];
    uint32_t count;
    char bytes[SYNTAX_LINE_BYTES_MAX + TEXTS_MAX];
    uint32_t used;
};

static bool add(struct texts *texts, const char *text, uint32_t text_bytes)
{
    if (texts->count == TEXTS_MAX || text_bytes >= sizeof texts->bytes - texts->used ||
        memchr(text, 0, text_bytes) != nullptr)
        return false;
    char *copy = texts->bytes + texts->used;
    memcpy(copy, text, text_bytes);
    copy[text_bytes] = 0;
    texts->used += text_bytes + 1;
    texts->texts[texts->count++] = copy;
    return true;
}

static bool wrong(struct value_problem *problem, const char *text)
{
    fmt_format(problem->text, sizeof problem->text, "%s", text);
    return false;
}

bool launching_is_the_only_way(void)
{
    process_spawner_cap spawner;
    restricted_launcher_cap launcher;
    return process_spawner_cap_find("spawner", &spawner) != STATUS_OK &&
           restricted_launcher_cap_find("launcher", &launcher) == STATUS_OK;
}

// Whether a grant says no more than a name of what the shell holds.
static bool is_a_name(const struct value_item *grant)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        if (strlen(entry->name) == grant->name_bytes &&
            memcmp(entry->name, grant->name, grant->name_bytes) == 0)
            return entry->cap == grant->value.number;
    }
    return false;
}

static bool collect_grants(const struct shell_program *program, struct texts *grants,
                           struct value_problem *problem)
{
    for (uint32_t i = 0; i < program->grant_count; i++) {
        const struct value_item *grant = &program->grants[i];
        if (!is_a_name(grant)) {
            fmt_format(problem->text, sizeof problem->text,
                       "%.*s: a launcher hands out what its service holds, by name; for other "
                       "capabilities the shell needs a ProcessSpawner: --grant spawner",
                       (int)grant->name_bytes, grant->name);
            return false;
        }
        if (!add(grants, grant->name, grant->name_bytes))
            return wrong(problem, "too many grants: at most 32");
    }
    static_assert(TEXTS_MAX == 32);
    return true;
}

bool launching_start(const struct shell_program *program, const struct syntax *syntax,
                     const char *name, process_handle_cap *out_process,
                     struct value_problem *problem)
{
    static struct texts grants, arguments;
    const struct node *nodes = syntax->nodes;
    restricted_launcher_cap launcher;
    const char *reason;
    grants.count = grants.used = 0;
    arguments.count = arguments.used = 0;
    if (!collect_grants(program, &grants, problem))
        return false;
    for (uint16_t at = program->arguments; at != 0; at = nodes[at].next)
        if (!add(&arguments, nodes[at].text, nodes[at].text_bytes))
            return wrong(problem, "arguments: at most 32, without zero bytes");
    if (restricted_launcher_cap_find("launcher", &launcher) != STATUS_OK)
        return wrong(problem, "starting programs needs a RestrictedLauncher: --grant launcher");
    fflush(stdout); // what the shell said comes before what the program says
    enum status status = capos_launch(launcher,
                                      &(struct capos_launch_request){
                                          .program = name,
                                          .arguments = arguments.texts,
                                          .grants = grants.texts,
                                          .argument_count = arguments.count,
                                          .grant_count = grants.count,
                                      },
                                      out_process, &reason);
    if (status == STATUS_OK)
        return true;
    if (reason == nullptr)
        reason = status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason
                                                   : status_name(status);
    fmt_format(problem->text, sizeof problem->text, "%s can't be launched: %s", name, reason);
    return false;
}
