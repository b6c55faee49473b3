// SPDX-License-Identifier: MIT
// Reads lines and has them run; says what is wrong with them.
#include "lines.h"

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/stdio.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <string.h>

#include "jobs.h"
#include "place.h"
#include "session.h"

constexpr uint64_t PAGE = 4096;
constexpr int STATUS_FAILED_LINE = 1;

constexpr uint32_t PROMPT_BYTES = PLACE_SHOWN_BYTES + 16;

// "capos> ", or "capos:data/notes> ".
static void prompt_write(const struct shell *shell, char out_prompt[PROMPT_BYTES])
{
    char place[PLACE_SHOWN_BYTES];
    place_show(shell, place);
    snprintf(out_prompt, PROMPT_BYTES, "capos%s%s> ", *place != 0 ? ":" : "", place);
}

// ---- Scripts -----------------------------------------------------------------------

// Runs a line of a script; `file` is nullptr if it is none of a file.
static void run_script_line(struct shell *shell, const char *line, size_t bytes,
                            const char *file, uint32_t number)
{
    if (shell_run(shell, line, bytes))
        return;
    fflush(stdout);
    if (file != nullptr)
        fprintf(stderr, "%s:%u: %s\n", file, number, shell->problem.text);
    else
        fprintf(stderr, "shell: line %u: %s\n", number, shell->problem.text);
    shell->ended = true;
    shell->status = STATUS_FAILED_LINE;
}

// Cuts the first line off a text.  Its bytes are without the newline and a CR before it.
static size_t take_line(const char **text, size_t *bytes)
{
    const char *end = memchr(*text, '\n', *bytes);
    size_t line_bytes = end != nullptr ? (size_t)(end - *text) : *bytes;
    size_t taken = line_bytes + (end != nullptr);
    if (line_bytes != 0 && (*text)[line_bytes - 1] == '\r')
        line_bytes--;
    *text += taken;
    *bytes -= taken;
    return line_bytes;
}

void lines_of_arguments(struct shell *shell, int count, char **lines)
{
    for (int i = 0; i < count && !shell->ended; i++)
        run_script_line(shell, lines[i], strlen(lines[i]), nullptr, (uint32_t)i + 1);
}

static const char *map_file(const char *name, uint64_t *out_bytes)
{
    boot_package_cap boot;
    virtual_memory_cap memory;
    memory_object_cap object;
    uint64_t address;
    if (boot_package_cap_find("boot", &boot) != STATUS_OK ||
        virtual_memory_cap_find("memory", &memory) != STATUS_OK) {
        fprintf(stderr, "shell: a script of the boot package needs --grant boot\n");
        return nullptr;
    }
    bool found = boot_package_open(boot, name, strlen(name), &object, out_bytes) == STATUS_OK;
    if (found && *out_bytes == 0)
        return "";
    if (!found || virtual_memory_map(memory, object, 0, (*out_bytes + PAGE - 1) & ~(PAGE - 1),
                                     0, PROTECTION_READ, &address) != STATUS_OK) {
        fprintf(stderr, "shell: no script %s is in the boot package\n", name);
        return nullptr;
    }
    return (const char *)address;
}

void lines_of_file(struct shell *shell, const char *name)
{
    uint64_t bytes = 0;
    const char *slash = strrchr(name, '/'), *text = map_file(name, &bytes);
    if (text == nullptr) {
        shell->status = STATUS_FAILED_LINE;
        return;
    }
    for (uint32_t number = 1; bytes != 0 && !shell->ended; number++) {
        const char *line = text;
        size_t line_bytes = take_line(&text, &bytes);
        run_script_line(shell, line, line_bytes, slash != nullptr ? slash + 1 : name, number);
    }
}

// ---- People ------------------------------------------------------------------------

// Runs what a person typed or pasted, up to the first line that fails.  What was wrong goes the
// way of the prompt: by two streams they could be seen in either order.
static void run_typed(struct shell *shell, const char *text, size_t bytes)
{
    while (bytes != 0 && !shell->ended) {
        const char *line = text;
        size_t line_bytes = take_line(&text, &bytes);
        bool ok = shell_run(shell, line, line_bytes);
        if (ok && !(bytes != 0 && session_interrupted()))
            continue;
        printf("%s\n", ok ? "interrupted" : shell->problem.text);
        if (bytes != 0)
            printf("the lines below it were not run\n");
        return;
    }
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

void lines_of_input(struct shell *shell)
{
    static char line[SYNTAX_LINE_BYTES_MAX + 3];
    char prompt[PROMPT_BYTES];
    bool is_person = a_person_types();
    for (uint32_t number = 1; !shell->ended; number++) {
        if (is_person) {
            prompt_write(shell, prompt);
            printf("%s", prompt);
        }
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == nullptr)
            break;
        size_t bytes = strcspn(line, "\r\n");
        if (is_person)
            run_typed(shell, line, bytes);
        else
            run_script_line(shell, line, bytes, nullptr, number);
    }
}

static void greet(const struct shell *shell)
{
    struct value value;
    const char *name;
    printf("This is capOS.  What you type calls methods of the capabilities that this\n"
           "shell holds; it can do nothing else:\n\n   ");
    for (uint32_t i = 0; shell->world->held_at(shell->world->context, i, &name, &value); i++)
        printf(" %s", name);
    printf("\n\nTry `ls`, `timer.now`, `help`.  Tab completes.\n\n");
}

void lines_of_person(struct shell *shell)
{
    static char line[SYNTAX_LINE_BYTES_MAX + 1];
    char prompt[PROMPT_BYTES];
    enum line_end end = LINE_END_ENTERED;
    greet(shell);
    while (!shell->ended && end != LINE_END_INPUT_ENDED) {
        jobs_tell();
        prompt_write(shell, prompt);
        end = session_read_line(prompt, line, sizeof line);
        if (end == LINE_END_ENTERED)
            run_typed(shell, line, strlen(line));
    }
}
