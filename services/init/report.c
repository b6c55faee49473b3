// SPDX-License-Identifier: MIT
// Reports about the requested program; see report.h.
#include "report.h"

#include "system.h"

#include <capos/print.h>

#include <gen/capos/host_control.h>
#include <lib/fmt.h>
#include <stdarg.h>
#include <string.h>

static host_control_cap host; // id 0: nobody but the console

void report_init(void)
{
    if (system_mint_own(INTERFACE_HOST_CONTROL, &host.id) != STATUS_OK)
        host.id = 0;
}

void report_finish(const struct host_control_finish_params *end)
{
    system_seal();
    if (host.id != 0 && host_control_finish(host, end->kind, end->exit_code, end->fault,
                                            end->fault_address, end->instruction_pointer,
                                            end->load_bias, end->thread_id) == STATUS_OK)
        return;
    if (end->kind == END_KIND_EXITED)
        capos_console_print("init: the program exited with %lld\n", (long long)end->exit_code);
    else
        capos_console_print("init: the program was ended: %s, fault %s at 0x%llx, instruction "
                            "0x%llx of its file, thread %llu\n",
                            end_kind_name(end->kind), fault_kind_name(end->fault),
                            (unsigned long long)end->fault_address,
                            (unsigned long long)(end->instruction_pointer - end->load_bias),
                            (unsigned long long)end->thread_id);
}

void report_refuse(enum host_control_refusal refusal, const char *format, ...)
{
    char reason[HOST_CONTROL_REFUSE_PARAMS_REASON_BYTES_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    (void)fmt_vformat(reason, sizeof reason, format, arguments);
    va_end(arguments);
    system_seal();
    if (host.id == 0 || host_control_refuse(host, refusal, reason, strlen(reason)) != STATUS_OK)
        capos_console_print("init: the program was not started: %s\n", reason);
}

enum status report_trace(const uint8_t *data, uint32_t size_bytes)
{
    return host.id == 0 ? STATUS_DISCONNECTED : host_control_trace(host, data, size_bytes);
}
