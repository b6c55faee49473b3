// SPDX-License-Identifier: MIT
// The evaluator: what a statement means.  It looks names up, calls methods, keeps variables,
// explains what is wrong.
//
// Pure: whatever reaches the machine is behind struct shell_world, so that the whole language
// is tested on a host.
//
// Invariants:
//  1. A capability that a call returned is kept by the variables that have it in them (see
//     variables.h), or released when the statement ends.
//  2. The first thing that is wrong ends the statement, with a text in `problem`.
//  3. Commands: those of language.c, and those that main.c adds.
//  4. Values of a statement live in its arena and in its calls, those of a variable in one
//     block of its own.
//
// Tested by eval_test.c.
#pragma once

#include <lib/path.h>
#include <lib/value.h>

#include "syntax.h"

constexpr uint32_t SHELL_VARIABLES_MAX = 64;
constexpr uint32_t SHELL_NAME_BYTES_MAX = 31;
constexpr uint32_t SHELL_PROGRAM_BYTES = 64; // of a program's name, with its NUL
constexpr uint32_t SHELL_ITEMS_MAX = 1024;
constexpr uint32_t SHELL_COMMANDS_MAX = 32;
// Capabilities that calls returned and variables have.
constexpr uint32_t SHELL_KEPT_MAX = 128;

// A program to be started.
constexpr uint32_t SHELL_WEIGHT_MAX = 10'000; // of MemoryBudget.setCpuWeight

struct shell_program {
    const char *name; // not NUL-terminated
    uint32_t name_bytes;
    uint16_t arguments;              // the first TEXT node of the statement, 0: none
    const struct value_item *grants; // capabilities, all of them named
    uint32_t grant_count;
    uint64_t budget_bytes; // 0: the shell chooses
    uint32_t weight;       // of that budget; 0: as any other
    uint32_t narrowed;     // bit i: grants[i] is granted as a ReadOnlyDirectory
    const char *place;     // where the shell stands; nullptr: that isn't the program's business
};

// Programs to be started, the output of each being the input of the next.
struct shell_pipeline {
    struct shell_program programs[SYNTAX_PROGRAMS_MAX];
    uint32_t program_count;
    const struct syntax *syntax;
    bool waits; // for their end
};

// The machine.  Functions that return false have put the reason into `problem`.
struct shell_world {
    void *context;
    // What the shell was started with: the name and the capability at an index; false behind
    // the last one.
    bool (*held_at)(void *context, uint32_t index, const char **out_name,
                    struct value *out_capability);
    // Calls a method.  The results and their capabilities last until settle.
    bool (*call)(void *context, const struct value *capability,
                 const struct descriptor_interface *interface,
                 const struct descriptor_method *method, const struct value_item *arguments,
                 uint32_t argument_count, struct value_arena *arena, struct value *out_results,
                 struct value_problem *problem);
    // Whether a capability came from a call of this statement; if so it stays after settle.
    bool (*keep)(void *context, uint64_t capability);
    void (*release)(void *context, uint64_t capability);
    // The statement has ended.
    void (*settle)(void *context);
    bool (*start)(void *context, const struct shell_pipeline *pipeline,
                  struct value_problem *problem);
    // The programs that can be started, and the jobs; false behind the last one.
    bool (*program_at)(void *context, uint32_t index, char out_name[SHELL_PROGRAM_BYTES]);
    bool (*job_at)(void *context, uint32_t index, uint32_t *out_number,
                   char out_name[SHELL_PROGRAM_BYTES]);
    // What the program's file says of its operands: bits of enum elf_operands.
    uint32_t (*operands)(void *context, const char *name, uint32_t name_bytes);
    // Lists a directory below a held one, up to an entry that `take` answers with false; with a
    // null `take`, whether there is one.
    bool (*entries)(void *context, const struct value *directory, const char *path,
                    bool (*take)(void *taker, const char *name, bool is_directory), void *taker,
                    struct value_problem *problem);
    void (*write)(void *context, const char *text, size_t size_bytes);
};

struct shell_variable {
    char name[SHELL_NAME_BYTES_MAX + 1];
    struct value value;
    const char *unit;
    void *block; // what the value lies in; nullptr: nothing
};

struct shell {
    const struct descriptor *descriptor;
    const struct shell_world *world;
    struct shell_variable variables[SHELL_VARIABLES_MAX];
    uint32_t variable_count;
    uint64_t kept[SHELL_KEPT_MAX]; // to be released when no variable has them
    uint32_t kept_count;
    const struct command *commands[SHELL_COMMANDS_MAX];
    uint32_t command_count;
    struct value_item items[SHELL_ITEMS_MAX];
    struct value_arena arena;
    struct syntax syntax;
    struct value_problem problem;
    char place[PATH_BYTES_MAX + 1]; // where plain lines lead on from (place.h)
    bool ended;                     // by exit
    int status;                     // given to exit
};

void shell_init(struct shell *shell, const struct descriptor *descriptor,
                const struct shell_world *world);
// Adds a command, whose struct must live as long as the shell.
void shell_add_command(struct shell *shell, const struct command *command);
// Runs one line.  False: `problem` says why not.
[[nodiscard]] bool shell_run(struct shell *shell, const char *line, size_t line_bytes);
// Releases all variables.
void shell_fini(struct shell *shell);

// ---- For the commands --------------------------------------------------------------

// Evaluates a node.  `out_called`: the value is the results of a call.
[[nodiscard]] bool shell_eval(struct shell *shell, uint16_t index, struct value *out_value,
                              const char **out_unit, bool *out_called);
// The children of a node as items: arguments, elements or fields.
[[nodiscard]] bool shell_eval_children(struct shell *shell, uint16_t first,
                                       struct value_item **out_items, uint32_t *out_count);
// Replaces a STRUCT by its field.  False: it is no struct, or there is no such field.
[[nodiscard]] bool shell_enter_field(struct shell *shell, struct value *value,
                                     const char **unit, const char *name, size_t name_bytes);

// Writes a NUL-terminated text.
void shell_put(const struct shell *shell, const char *text);
// Finds a variable or held capability.
[[nodiscard]] bool shell_lookup(const struct shell *shell, const char *name, size_t name_bytes,
                                struct value *out_value, const char **out_unit);
// Sets the problem.  Returns false.
bool shell_wrong(struct shell *shell, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Says that there is no such name, and which is near.
bool shell_unknown_name(struct shell *shell, const char *name, size_t name_bytes);
// The command that a line stands for whose first word is the name of a program and nothing else:
// nullptr if it isn't.
[[nodiscard]] const struct command *shell_plain_command(const struct shell *shell,
                                                        const char *line, size_t line_bytes);
// Finds a method, or says which there are.
[[nodiscard]] bool shell_find_method(struct shell *shell,
                                     const struct descriptor_interface *interface,
                                     const char *name, size_t name_bytes,
                                     struct descriptor_method *out_method);
