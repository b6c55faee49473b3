// SPDX-License-Identifier: MIT
// Commands on the running system: `graph`, who holds what, and `revoke`.
//
// `graph` sees other processes through the grant "inspector" (SystemInspector) and without it
// nothing.  Objects get small numbers in the order in which they are met; capabilities with the
// same number are on the same object.
//
//     graph        a table
//     graph dot    for `dot` of Graphviz
//     graph svg    a picture: a box for each process, an arc from each capability of a service
//                  to the process that serves it
//
// Tested by tests/cli/system_commands_test.py, booted.
#include "system.h"

#include <gen/capos/revoker.h>
#include <gen/capos/system_inspector.h>
#include <gen/interfaces.h>
#include <lib/descriptor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t PROCESSES_MAX = 64;
constexpr uint32_t HOLDS_MAX = 1024;

struct process {
    uint64_t id;
    char name[64];
    uint32_t first_hold, hold_count;
};

struct hold {
    char name[32];
    uint64_t interface_id;
    uint32_t object;   // index in `objects`, plus 1
    uint64_t server;   // the number of its Endpoint, 0: the kernel's
    uint32_t provider; // the process that serves it, PROCESSES_MAX: none, or the kernel
    bool revocable;
};

// What was seen; on the heap while the command runs.
struct picture {
    const struct descriptor *descriptor;
    struct process processes[PROCESSES_MAX];
    uint32_t process_count;
    struct hold holds[HOLDS_MAX];
    uint32_t hold_count;
    uint64_t objects[HOLDS_MAX];
    uint32_t object_count;
    bool cut; // there was more
};

// ---- Looking -----------------------------------------------------------------------

static uint32_t object_index(struct picture *picture, uint64_t object)
{
    for (uint32_t i = 0; i < picture->object_count; i++)
        if (picture->objects[i] == object)
            return i + 1;
    picture->objects[picture->object_count++] = object; // no more than holds
    return picture->object_count;
}

static enum status look_at_process(struct picture *picture, system_inspector_cap inspector,
                                   struct process *process)
{
    enum status status = STATUS_OK;
    process->first_hold = picture->hold_count;
    for (uint32_t slot = 0;;) {
        struct hold hold = {.provider = PROCESSES_MAX};
        uint64_t object;
        status = system_inspector_capability(inspector, process->id, slot, &slot, hold.name,
                                             sizeof hold.name, nullptr, &hold.interface_id,
                                             &object, &hold.server, &hold.revocable);
        if (status != STATUS_OK || slot == 0)
            break;
        if (picture->hold_count == HOLDS_MAX) {
            picture->cut = true;
            break;
        }
        hold.object = object_index(picture, object);
        picture->holds[picture->hold_count++] = hold;
    }
    process->hold_count = picture->hold_count - process->first_hold;
    // It ended between the two calls: then it holds nothing.
    return status == STATUS_INVALID_ARGUMENT ? STATUS_OK : status;
}

static enum status look(struct picture *picture, system_inspector_cap inspector)
{
    uint64_t after = 0;
    for (;;) {
        struct process process = {};
        enum status status = system_inspector_process(
            inspector, after, &process.id, process.name, sizeof process.name, nullptr, nullptr,
            nullptr, nullptr, nullptr);
        if (status != STATUS_OK || process.id == 0)
            return status;
        if (picture->process_count == PROCESSES_MAX) {
            picture->cut = true;
            return STATUS_OK;
        }
        after = process.id;
        status = look_at_process(picture, inspector, &process);
        if (status != STATUS_OK)
            return status;
        picture->processes[picture->process_count++] = process;
    }
}

// The process that receives the calls of an Endpoint: the last one that holds it, because init
// holds those of services that it may restart.
static uint32_t provider_of(const struct picture *picture, uint64_t server)
{
    uint32_t found = PROCESSES_MAX;
    for (uint32_t i = 0; i < picture->process_count; i++) {
        const struct process *process = &picture->processes[i];
        for (uint32_t j = 0; j < process->hold_count; j++) {
            const struct hold *hold = &picture->holds[process->first_hold + j];
            if (hold->interface_id == INTERFACE_ENDPOINT &&
                picture->objects[hold->object - 1] == server)
                found = i;
        }
    }
    return found;
}

static void find_providers(struct picture *picture)
{
    for (uint32_t i = 0; i < picture->hold_count; i++)
        if (picture->holds[i].server != 0)
            picture->holds[i].provider = provider_of(picture, picture->holds[i].server);
}

static const char *interface_of(const struct picture *picture, const struct hold *hold)
{
    return descriptor_interface_name(picture->descriptor, hold->interface_id);
}

static const char *name_of(const struct hold *hold)
{
    return hold->name[0] != 0 ? hold->name : "-";
}

static const char *server_of(const struct picture *picture, const struct hold *hold)
{
    if (hold->server == 0)
        return "kernel";
    return hold->provider == PROCESSES_MAX ? "nobody" : picture->processes[hold->provider].name;
}

// ---- Text --------------------------------------------------------------------------

static void write_table(const struct picture *picture)
{
    printf("%-20s %-16s %-20s %6s  %s\n", "PROCESS", "CAPABILITY", "INTERFACE", "OBJECT",
           "SERVED BY");
    for (uint32_t i = 0; i < picture->process_count; i++) {
        const struct process *process = &picture->processes[i];
        char title[80];
        snprintf(title, sizeof title, "%s (%llu)", process->name,
                 (unsigned long long)process->id);
        if (process->hold_count == 0)
            printf("%-20s nothing\n", title);
        for (uint32_t j = 0; j < process->hold_count; j++) {
            const struct hold *hold = &picture->holds[process->first_hold + j];
            printf("%-20s %-16s %-20s %6u  %s%s\n", j == 0 ? title : "", name_of(hold),
                   interface_of(picture, hold), hold->object, server_of(picture, hold),
                   hold->revocable ? ", can be revoked" : "");
        }
    }
}

// ---- Dot ---------------------------------------------------------------------------

// Whether an object of the kernel deserves an edge: the address space that each process calls
// its own is the same object everywhere.
static bool is_shared_object(const struct picture *picture, const struct hold *hold)
{
    if (hold->server != 0 || hold->interface_id == INTERFACE_VIRTUAL_MEMORY ||
        hold->interface_id == INTERFACE_ENDPOINT)
        return false;
    for (uint32_t i = 0; i < picture->hold_count; i++)
        if (&picture->holds[i] != hold && picture->holds[i].object == hold->object)
            return true;
    return false;
}

static void write_dot(const struct picture *picture)
{
    printf("digraph capos {\n  rankdir=LR; node [shape=box, fontname=sans]; "
           "edge [fontname=sans, fontsize=10];\n");
    for (uint32_t i = 0; i < picture->process_count; i++)
        printf("  p%u [label=\"%s (%llu)\"];\n", i, picture->processes[i].name,
               (unsigned long long)picture->processes[i].id);
    for (uint32_t i = 0; i < picture->process_count; i++) {
        const struct process *process = &picture->processes[i];
        for (uint32_t j = 0; j < process->hold_count; j++) {
            const struct hold *hold = &picture->holds[process->first_hold + j];
            if (hold->provider != PROCESSES_MAX) {
                printf("  p%u -> p%u [label=\"%s: %s\"];\n", i, hold->provider, name_of(hold),
                       interface_of(picture, hold));
            } else if (is_shared_object(picture, hold)) {
                printf("  o%u [label=\"%s\", shape=ellipse];\n", hold->object,
                       interface_of(picture, hold));
                printf("  p%u -> o%u [label=\"%s\"];\n", i, hold->object, name_of(hold));
            }
        }
    }
    printf("}\n");
}

// ---- SVG ---------------------------------------------------------------------------
// The boxes stand below each other, a row per capability; arcs run at their right, the wider
// the farther they go.

constexpr int ROW = 18, HEAD = 26, GAP = 16, MARGIN = 20, BOX = 420, ARC_STEP = 14;

static int box_height(const struct process *process)
{
    return HEAD + (int)process->hold_count * ROW + 8;
}

static int box_top(const struct picture *picture, uint32_t index)
{
    int top = MARGIN;
    for (uint32_t i = 0; i < index; i++)
        top += box_height(&picture->processes[i]) + GAP;
    return top;
}

static void write_arc(const struct picture *picture, const struct hold *hold, int from_y)
{
    static const char *const colors[] = {"#3b6fb6", "#b0563b", "#3f8a5b",
                                         "#8a4f9e", "#a57d1f", "#2f8d96"};
    int to_y = box_top(picture, hold->provider) + HEAD / 2 + 2;
    int right = MARGIN + BOX, far = to_y > from_y ? to_y - from_y : from_y - to_y;
    int bulge = right + 40 + far / 3 + (int)(hold->object % 5) * ARC_STEP;
    printf("<path d=\"M%d %dC%d %d %d %d %d %d\" fill=\"none\" stroke=\"%s\" "
           "marker-end=\"url(#end)\"/>\n",
           right, from_y, bulge, from_y, bulge, to_y, right + 8, to_y,
           colors[hold->provider % (sizeof colors / sizeof *colors)]);
}

static void write_row(const struct picture *picture, const struct hold *hold, int y)
{
    printf("<text x=\"%d\" y=\"%d\">%s</text><text x=\"%d\" y=\"%d\">%s%s</text>"
           "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" class=\"n\">%u</text>\n",
           MARGIN + 12, y + 13, name_of(hold), MARGIN + 150, y + 13,
           interface_of(picture, hold), hold->revocable ? " (can be revoked)" : "",
           MARGIN + BOX - 12, y + 13, hold->object);
    if (hold->provider != PROCESSES_MAX)
        write_arc(picture, hold, y + ROW / 2);
}

static void write_svg(const struct picture *picture)
{
    int height = box_top(picture, picture->process_count) + MARGIN;
    // A curve reaches three quarters of the way to its two inner points.
    int width = MARGIN + BOX + (40 + height / 3 + 5 * ARC_STEP) * 3 / 4 + MARGIN;
    printf(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n"
        "<style>text{font:13px sans-serif;fill:#1d2433}.t{font-weight:600}"
        ".n{fill:#5d6880}rect{fill:#f5f7fb;stroke:#8a94a8}</style>\n"
        "<defs><marker id=\"end\" markerWidth=\"8\" markerHeight=\"8\" refX=\"6\" refY=\"4\" "
        "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#5d6880\"/></marker></defs>\n"
        "<rect width=\"100%%\" height=\"100%%\" style=\"fill:#fff;stroke:none\"/>\n",
        width, height);
    for (uint32_t i = 0; i < picture->process_count; i++) {
        const struct process *process = &picture->processes[i];
        int top = box_top(picture, i);
        printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n"
               "<text x=\"%d\" y=\"%d\" class=\"t\">%s</text>"
               "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" class=\"n\">process %llu</text>\n",
               MARGIN, top, BOX, box_height(process), MARGIN + 12, top + 18, process->name,
               MARGIN + BOX - 12, top + 18, (unsigned long long)process->id);
        for (uint32_t j = 0; j < process->hold_count; j++)
            write_row(picture, &picture->holds[process->first_hold + j],
                      top + HEAD + (int)j * ROW);
    }
    printf("</svg>\n");
}

// ---- The commands ------------------------------------------------------------------

static const struct {
    const char *name;
    void (*write)(const struct picture *picture);
} formats[] = {{"text", write_table}, {"dot", write_dot}, {"svg", write_svg}};

static bool draw(struct shell *shell, struct picture *picture, size_t format)
{
    system_inspector_cap inspector;
    if (system_inspector_cap_find("inspector", &inspector) != STATUS_OK)
        return shell_wrong(shell,
                           "seeing other processes needs a SystemInspector: --grant inspector");
    picture->descriptor = shell->descriptor;
    enum status status = look(picture, inspector);
    if (status != STATUS_OK)
        return shell_wrong(shell, "the system can't be looked at: %s", status_name(status));
    find_providers(picture);
    formats[format].write(picture);
    if (picture->cut)
        fprintf(stderr, "shell: only the first %u processes and %u capabilities are shown\n",
                PROCESSES_MAX, HOLDS_MAX);
    return true;
}

static bool run_graph(struct shell *shell)
{
    uint16_t word = shell->syntax.statement.arguments;
    const struct node *node = &shell->syntax.nodes[word];
    size_t format = 0;
    while (word != 0 && format < sizeof formats / sizeof *formats &&
           (strlen(formats[format].name) != node->text_bytes ||
            memcmp(formats[format].name, node->text, node->text_bytes) != 0))
        format++;
    if (format == sizeof formats / sizeof *formats || (word != 0 && node->next != 0))
        return shell_wrong(shell, "graph takes text, dot or svg");
    struct picture *picture = calloc(1, sizeof *picture);
    if (picture == nullptr)
        return shell_wrong(shell, "there is no memory for the picture");
    bool drawn = draw(shell, picture, format);
    free(picture);
    return drawn;
}

// The Revoker that a value is or has.
static bool revoker_of(const struct value *value, revoker_cap *out_revoker)
{
    const struct value_item *item =
        value->kind == VALUE_STRUCT ? value_item_of(value, "revoker", 7) : nullptr;
    const struct value *found = item != nullptr ? &item->value : value;
    out_revoker->id = found->number;
    return found->kind == VALUE_CAPABILITY && found->interface_id == INTERFACE_REVOKER;
}

static bool run_revoke(struct shell *shell)
{
    struct value value;
    const char *unit;
    bool called;
    revoker_cap revoker;
    if (!shell_eval(shell, shell->syntax.statement.expression, &value, &unit, &called))
        return false;
    if (value.kind == VALUE_NAME)
        return shell_unknown_name(shell, value.text, value.count);
    if (!revoker_of(&value, &revoker))
        return shell_wrong(shell, "that was not made to be revoked: lend what "
                                  "`let NAME = budget.createRevocable CAPABILITY` makes");
    enum status status = revoker_revoke(revoker);
    return status == STATUS_OK ||
           shell_wrong(shell, "it can't be revoked: %s", status_name(status));
}

const struct command system_commands[] = {
    {"graph", OPERANDS_WORDS, run_graph,
     "graph [text | dot | svg]\n"
     "  Shows who holds what in the running system.  Capabilities with the same object number\n"
     "  are on the same object.\n"
     "  Needs: inspector.\n"},
    {"revoke", OPERANDS_EXPRESSION, run_revoke,
     "revoke NAME\n"
     "  Takes back what was lent, from all that hold it, while they run.\n"
     "  Example: let t = budget.createRevocable timer\n"
     "           spawn sleep with { stdio, timer: t.capability }\n"
     "           revoke t\n"},
};
const uint32_t system_command_count = sizeof system_commands / sizeof *system_commands;
