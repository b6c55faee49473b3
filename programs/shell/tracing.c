// SPDX-License-Identifier: MIT
// Traces.  The kernel writes records into a ring that the program's builder was given (see
// abi/trace.h); in the event loop they become lines by the run-time schema (lib/tracer.h).  A
// program that calls more in between than the ring holds loses records, and the trace says how
// many.
//
// A program that runs already can't be traced: only who builds a process may read its calls,
// and the shell would have to slow every program down to be ready for it.
#include "tracing.h"

#include <abi/trace.h>
#include <capos/loop.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/virtual_memory.h>
#include <lib/fmt.h>
#include <lib/tracer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t DATA_BYTES = 64 * 1024;
constexpr uint64_t BUFFER_BYTES = CAPOS_TRACE_HEADER_BYTES + DATA_BYTES;
constexpr uint64_t SIGNAL_BITS = 1;
constexpr uint32_t CAPTURE_BYTES = 256;
constexpr uint32_t CALLS_MAX = 32;

struct tracing {
    uint32_t job;
    virtual_memory_cap memory;
    memory_object_cap buffer;
    notification_cap notification;
    uint64_t address;
    uint64_t read_bytes;
    struct tracer tracer;
    struct tracer_call calls[CALLS_MAX];
    struct capos_call signal;
    bool is_watched; // `signal` is under way
};

static const struct descriptor *schema;
static char wanted[64]; // the program's name; empty: none

void tracing_init(const struct descriptor *the_schema)
{
    schema = the_schema;
}

bool tracing_is_wanted(const char *program)
{
    return wanted[0] != 0 && strcmp(wanted, program) == 0;
}

static void write_line(void *context, const char *text, size_t size_bytes)
{
    const struct tracing *tracing = context;
    printf("[%u] ", tracing->job);
    fwrite(text, 1, size_bytes, stdout);
}

// ---- The ring ----------------------------------------------------------------------

static struct capos_trace_header *header_of(const struct tracing *tracing)
{
    return (struct capos_trace_header *)tracing->address;
}

static const char *ring_create(struct tracing *tracing)
{
    memory_budget_cap budget;
    if (memory_budget_cap_find("budget", &budget) != STATUS_OK ||
        virtual_memory_cap_find("memory", &tracing->memory) != STATUS_OK)
        return "a trace needs `budget` and `memory`";
    if (memory_budget_create_notification(budget, &tracing->notification) != STATUS_OK ||
        memory_budget_create_memory_object(budget, BUFFER_BYTES, &tracing->buffer) !=
            STATUS_OK ||
        virtual_memory_map(tracing->memory, tracing->buffer, 0, BUFFER_BYTES, 0,
                           PROTECTION_READ_WRITE, &tracing->address) != STATUS_OK)
        return "the shell's budget has too little left for a trace";
    return nullptr;
}

struct tracing *tracing_begin(uint32_t job, struct capos_spawn_trace *out_spawn_trace,
                              struct value_problem *problem)
{
    struct tracing *tracing = calloc(1, sizeof *tracing);
    const char *wrong = tracing != nullptr ? ring_create(tracing) : "there is no memory";
    if (wrong != nullptr) {
        fmt_format(problem->text, sizeof problem->text, "%s", wrong);
        tracing_end(tracing);
        return nullptr;
    }
    tracing->job = job;
    tracer_init(&tracing->tracer, schema, tracing->calls, CALLS_MAX,
                (struct value_sink){.write = write_line, .context = tracing}, false);
    *out_spawn_trace = (struct capos_spawn_trace){
        .buffer = tracing->buffer,
        .notification = tracing->notification,
        .bits = SIGNAL_BITS,
        .capture_bytes = CAPTURE_BYTES,
    };
    return tracing;
}

static void show(struct tracing *tracing)
{
    struct capos_trace_header *header = header_of(tracing);
    const uint8_t *data = (const uint8_t *)tracing->address + CAPOS_TRACE_HEADER_BYTES;
    uint64_t write_bytes;
    while ((write_bytes = __atomic_load_n(&header->write_bytes, __ATOMIC_ACQUIRE)) !=
           tracing->read_bytes) {
        uint64_t at = tracing->read_bytes % DATA_BYTES;
        uint64_t bytes = write_bytes - tracing->read_bytes;
        if (bytes > DATA_BYTES - at)
            bytes = DATA_BYTES - at;
        tracer_receive(&tracing->tracer, data + at, bytes);
        tracing->read_bytes += bytes;
        __atomic_store_n(&header->read_bytes, tracing->read_bytes, __ATOMIC_SEQ_CST);
    }
}

void tracing_end(struct tracing *tracing)
{
    if (tracing == nullptr)
        return;
    if (tracing->address != 0 &&
        virtual_memory_unmap(tracing->memory, tracing->address, BUFFER_BYTES) != STATUS_OK)
        fprintf(stderr, "shell: the ring of a trace can't be unmapped\n");
    capos_release(tracing->buffer.id);
    capos_release(tracing->notification.id);
    free(tracing);
}

// ---- Following ---------------------------------------------------------------------

static void watch(struct tracing *tracing);

static void on_signal(struct capos_call *call, void *context)
{
    struct tracing *tracing = context;
    tracing->is_watched = false;
    if (notification_wait_finish(call, nullptr) != STATUS_OK)
        return; // the rest is shown at the end
    show(tracing);
    fflush(stdout);
    watch(tracing);
}

static void watch(struct tracing *tracing)
{
    if (notification_wait_begin(&tracing->signal, tracing->notification, SIGNAL_BITS) !=
        STATUS_OK)
        return; // likewise
    tracing->is_watched = true;
    capos_call_on_done(&tracing->signal, on_signal, tracing);
}

void tracing_follow(struct tracing *tracing)
{
    watch(tracing);
}

void tracing_finish(struct tracing *tracing, const struct process_handle_wait_results *end)
{
    if (tracing->is_watched) {
        capos_call_cancel(&tracing->signal);
        (void)notification_wait_finish(&tracing->signal, nullptr); // or it came just now
    }
    show(tracing);
    const struct capos_trace_header *header = header_of(tracing);
    if (header->dropped_count > tracing->tracer.lost_count)
        printf("[%u] +++ %llu records were dropped: the program was faster\n", tracing->job,
               (unsigned long long)(header->dropped_count - tracing->tracer.lost_count));
    tracer_end(&tracing->tracer, end->kind, end->exit_code);
    tracing_end(tracing);
}

// ---- The command -------------------------------------------------------------------

static bool word_is(const struct node *node, const char *word)
{
    return node->text_bytes == strlen(word) && memcmp(node->text, word, node->text_bytes) == 0;
}

static bool run_trace(struct shell *shell)
{
    const struct node *nodes = shell->syntax.nodes;
    uint16_t first = shell->syntax.statement.arguments;
    uint16_t second = first != 0 ? nodes[first].next : 0;
    uint16_t third = second != 0 ? nodes[second].next : 0;
    if (first == 0) {
        if (wanted[0] == 0)
            shell_put(shell, "nothing is traced\n");
        else
            printf("programs named %s are traced\n", wanted);
        return true;
    }
    if (word_is(&nodes[first], "off") && second == 0) {
        wanted[0] = 0;
        return true;
    }
    if (!word_is(&nodes[first], "on") || second == 0 || third != 0)
        return shell_wrong(shell, "trace takes `on PROGRAM` or `off`");
    if (nodes[second].text_bytes >= sizeof wanted)
        return shell_wrong(shell, "the name of a program has at most %zu bytes",
                           sizeof wanted - 1);
    memcpy(wanted, nodes[second].text, nodes[second].text_bytes);
    wanted[nodes[second].text_bytes] = 0;
    return true;
}

const struct command tracing_command = {
    "trace", OPERANDS_WORDS, run_trace,
    "trace on PROGRAM, trace off\n"
    "  Programs of that name that `run` or `spawn` start from now on show each call that they\n"
    "  make or serve, with the number of their job.  A program that runs already can't be\n"
    "  traced.\n"};
