// SPDX-License-Identifier: MIT
// Fuzzes completion: whatever stands before the cursor, what is offered fits the line and its
// own bound, and begins with the word that it completes, unless there are quotes.
#include "complete.c"
#include "eval.c"
#include "help.c"
#include "language.c"
#include "place.c"
#include "syntax.c"
#include "variables.c"

#include <gen/descriptor.h>
#include <gen/interfaces.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool held_at(void *context, uint32_t index, const char **out_name,
                    struct value *out_capability)
{
    static const char *const names[] = {"timer", "memory", "session", "d"};
    static const uint64_t interfaces[] = {INTERFACE_TIMER, INTERFACE_VIRTUAL_MEMORY,
                                          INTERFACE_TERMINAL_SESSION, INTERFACE_DIRECTORY};
    (void)context;
    if (index >= 4)
        return false;
    *out_name = names[index];
    *out_capability =
        (struct value){.kind = VALUE_CAPABILITY, .interface_id = interfaces[index]};
    return true;
}

static bool program_at(void *, uint32_t index, char out_name[SHELL_PROGRAM_BYTES])
{
    strcpy(out_name, "args");
    return index == 0;
}

static bool job_at(void *, uint32_t index, uint32_t *out_number, char *)
{
    *out_number = 1;
    return index == 0;
}

// Names of all kinds, and enough of them to exceed every bound.
static bool entries(void *, const struct value *, const char *,
                    bool (*take)(void *, const char *, bool), void *taker,
                    struct value_problem *)
{
    char name[256] = "a";
    for (uint32_t i = 1; i < 255; i++) {
        name[i] = (char)(i == '/' ? 'x' : i);
        if (!take(taker, name, i % 3 == 0) || !take(taker, name + i, i % 2 == 0))
            return true;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct shell_world world = {
        .held_at = held_at, .program_at = program_at, .job_at = job_at, .entries = entries};
    static struct descriptor descriptor;
    static struct shell fuzzed;
    static struct completion completion;
    if (fuzzed.world == nullptr) {
        if (descriptor_open(descriptor_blob, sizeof descriptor_blob, &descriptor) != STATUS_OK)
            abort();
        shell_init(&fuzzed, &descriptor, &world);
    }
    char *line = malloc(size + 1);
    if (line == nullptr)
        return 0;
    memcpy(line, data, size);
    line[size] = 0;
    complete_line(&fuzzed, line, size, (uint32_t)size, &completion);
    size_t word_bytes = size - completion.start;
    if (completion.start > size || completion.bytes > COMPLETION_BYTES_MAX ||
        strlen(completion.text) != completion.bytes ||
        (completion.count != 0 && completion.text[0] != '"' &&
         memchr(line, '"', size) == nullptr &&
         memcmp(completion.text, line + completion.start, word_bytes) != 0))
        abort();
    free(line);
    return 0;
}
