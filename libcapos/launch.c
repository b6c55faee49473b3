// SPDX-License-Identifier: MIT
// Starting programs through a RestrictedLauncher, whose lists are Texts with a name per line.
// Tested by tests/cli/launcher_service_test.py, booted.
#include <capos/launch.h>

#include <gen/capos/launcher.h>
#include <string.h>

// Texts as lines, each with its newline, so that an empty one counts too.  False: one of them
// has a newline, or they are too long together.
static bool lines_of(const char *const *texts, uint32_t count, char *lines, size_t bytes_max,
                     size_t *out_bytes)
{
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = strlen(texts[i]);
        if (strchr(texts[i], '\n') != nullptr || bytes + 1 > bytes_max - used)
            return false;
        memcpy(lines + used, texts[i], bytes);
        used += bytes;
        lines[used++] = '\n';
    }
    *out_bytes = used;
    return true;
}

enum status capos_launch(restricted_launcher_cap launcher,
                         const struct capos_launch_request *request,
                         process_handle_cap *out_process, const char **out_problem)
{
    char arguments[RESTRICTED_LAUNCHER_LAUNCH_PARAMS_ARGUMENTS_BYTES_MAX];
    char grants[RESTRICTED_LAUNCHER_LAUNCH_PARAMS_GRANTS_BYTES_MAX];
    size_t arguments_bytes, grants_bytes;
    uint64_t budget_bytes = request->budget_bytes;
    const char *problem = nullptr;
    enum status status = STATUS_OK;
    if (!lines_of(request->arguments, request->argument_count, arguments, sizeof arguments,
                  &arguments_bytes))
        problem =
            "arguments: without newlines, together at most 1023 bytes with a newline each";
    else if (!lines_of(request->grants, request->grant_count, grants, sizeof grants,
                       &grants_bytes))
        problem = "grants: without newlines, together at most 511 bytes with a newline each";
    static_assert(sizeof arguments == 1023 && sizeof grants == 511);
    if (out_problem != nullptr)
        *out_problem = problem;
    if (problem != nullptr)
        return STATUS_INVALID_ARGUMENT;
    if (budget_bytes == 0) {
        char programs[RESTRICTED_LAUNCHER_INFO_RESULTS_PROGRAMS_BYTES_MAX + 1];
        char known[RESTRICTED_LAUNCHER_INFO_RESULTS_GRANTS_BYTES_MAX + 1];
        status = restricted_launcher_info(launcher, programs, sizeof programs, nullptr, known,
                                          sizeof known, nullptr, &budget_bytes);
    }
    if (status != STATUS_OK)
        return status;
    return restricted_launcher_launch(launcher, request->program, strlen(request->program),
                                      arguments, arguments_bytes, grants, grants_bytes,
                                      budget_bytes, out_process);
}
