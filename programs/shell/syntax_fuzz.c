// SPDX-License-Identifier: MIT
// Fuzzes the shell's parser: every line is refused with a reason or becomes nodes that form a
// tree within the array.
#include "syntax.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_chain(const struct syntax *syntax, uint16_t node, uint32_t *budget)
{
    for (; node != 0; node = syntax->nodes[node].next) {
        if (node >= syntax->node_count || (*budget)-- == 0)
            abort();
        check_chain(syntax, syntax->nodes[node].first, budget);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct syntax syntax;
    static const struct command all[] = {
        {.name = "a", .operands = OPERANDS_LET},   {.name = "b", .operands = OPERANDS_PROGRAM},
        {.name = "c", .operands = OPERANDS_TOPIC}, {.name = "d", .operands = OPERANDS_JOB},
        {.name = "e", .operands = OPERANDS_NAME},  {.name = "f", .operands = OPERANDS_STATUS},
        {.name = "g", .operands = OPERANDS_WORDS}, {.name = "h", .operands = OPERANDS_PLACE},
    };
    static const struct command *const commands[] = {&all[0], &all[1], &all[2], &all[3],
                                                     &all[4], &all[5], &all[6], &all[7]};
    char *line = malloc(size + 1);
    if (line == nullptr)
        return 0;
    memcpy(line, data, size);
    uint32_t budget = 3 * SYNTAX_NODES_MAX;
    if (syntax_parse(&syntax, commands, 8, size % 2 ? &all[1] : nullptr, line, size)) {
        check_chain(&syntax, syntax.statement.expression, &budget);
        for (uint32_t i = 0; i < syntax.statement.program_count; i++) {
            check_chain(&syntax, syntax.statement.programs[i].grants, &budget);
            check_chain(&syntax, syntax.statement.programs[i].arguments, &budget);
        }
        check_chain(&syntax, syntax.statement.arguments, &budget);
    } else if (syntax.problem[0] == 0) {
        abort();
    }
    free(line);
    return 0;
}
