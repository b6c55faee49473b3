// SPDX-License-Identifier: MIT
// Owns the mapping of ends to exit statuses.  A fault has the status that a shell gives to
// the signal which Linux sends for it, because people know those numbers.
// Tested by report_test.c.
#include "report.h"

#include <gen/wire/process.h>
#include <signal.h>
#include <stdio.h>

#include "say.h"

struct fault_entry {
    int signal;
    bool has_address;
    const char *text;
};

static const struct fault_entry faults[] = {
    [FAULT_KIND_NONE] = {SIGKILL, false, "an unknown fault"},
    [FAULT_KIND_UNMAPPED] = {SIGSEGV, true, "access to unmapped address"},
    [FAULT_KIND_PROTECTION] = {SIGSEGV, true, "forbidden access to address"},
    [FAULT_KIND_GUARD_PAGE] = {SIGSEGV, true, "stack overflow at address"},
    [FAULT_KIND_DIVIDE] = {SIGFPE, false, "division by zero or quotient out of range"},
    [FAULT_KIND_ILLEGAL_INSTRUCTION] = {SIGILL, false, "illegal instruction"},
    [FAULT_KIND_GENERAL_PROTECTION] = {SIGSEGV, false,
                                       "non-canonical address or privileged operation"},
    [FAULT_KIND_ALIGNMENT] = {SIGBUS, true, "unaligned access to address"},
    [FAULT_KIND_FLOATING_POINT] = {SIGFPE, false, "floating-point exception"},
    [FAULT_KIND_BREAKPOINT] = {SIGTRAP, false, "breakpoint without a debugger"},
    [FAULT_KIND_OUT_OF_MEMORY] = {SIGKILL, true, "out of memory at address"},
    [FAULT_KIND_BAD_RING] = {SIGSEGV, false, "its ring is not accessible any more"},
};

// The table's entry; the guest may send any number.
static const struct fault_entry *fault_of(const struct capos_link_finish *finish)
{
    bool known = finish->fault_kind < sizeof faults / sizeof *faults;
    return &faults[known ? finish->fault_kind : FAULT_KIND_NONE];
}

int report_status(const struct capos_link_finish *finish)
{
    switch (finish->end_kind) {
    case END_KIND_EXITED:
        return (int)(finish->exit_code & 0xff);
    case END_KIND_FAULTED:
        return EXIT_SIGNAL_BASE + fault_of(finish)->signal;
    case END_KIND_KILLED:
        return EXIT_SIGNAL_BASE + SIGKILL;
    default:
        return EXIT_CAPOS_FAILED;
    }
}

static void place_text(const struct capos_link_finish *finish, const struct report_place *place,
                       char *out_text, size_t text_bytes)
{
    unsigned long long address = finish->instruction_pointer - finish->load_bias;
    if (place->function == nullptr)
        snprintf(out_text, text_bytes, "instruction 0x%llx", address);
    else
        snprintf(out_text, text_bytes, "%s+0x%llx%s%s%s", place->function,
                 (unsigned long long)place->offset, place->line != nullptr ? " (" : "",
                 place->line != nullptr ? place->line : "", place->line != nullptr ? ")" : "");
}

bool report_text(const struct capos_link_finish *finish, const struct report_place *place,
                 char *out_text, size_t text_bytes)
{
    out_text[0] = 0;
    if (finish->end_kind == END_KIND_EXITED)
        return false;
    if (finish->end_kind == END_KIND_KILLED) {
        snprintf(out_text, text_bytes, "killed");
        return true;
    }
    const struct fault_entry *fault = fault_of(finish);
    char where[512], address[32] = "";
    place_text(finish, place, where, sizeof where);
    if (fault->has_address)
        snprintf(address, sizeof address, " 0x%llx", (unsigned long long)finish->fault_address);
    int used = snprintf(out_text, text_bytes, "%s%s in %s", fault->text, address, where);
    // Most programs have one thread, which needs no number.
    if (finish->thread_id > 1 && used >= 0 && (size_t)used < text_bytes)
        snprintf(out_text + used, text_bytes - (size_t)used, ", thread %llu",
                 (unsigned long long)finish->thread_id);
    return true;
}
