// SPDX-License-Identifier: MIT
// Thread-local variables: the program's image of them, copied for each thread.
// Source: U. Drepper, "ELF Handling for Thread-Local Storage" (variant II).
// Tested in tests/system/runtime_test.c and tests/iface/thread_test.c.
#include "tls.h"

#include "thread.h"

#include <abi/startup.h>
#include <string.h>

uint64_t tls_bytes_below(const struct capos_startup *startup)
{
    if (startup->tls_bytes == 0)
        return 0;
    uint64_t end = startup->tls_file + startup->tls_bytes;
    return startup->tls_bytes + (-end & (startup->tls_alignment - 1));
}

void tls_fill(struct thread *thread, const struct capos_startup *startup)
{
    uint8_t *image = (uint8_t *)thread - tls_bytes_below(startup);
    memcpy(image, (const void *)startup->tls_file, startup->tls_file_bytes);
    memset(image + startup->tls_file_bytes, 0, startup->tls_bytes - startup->tls_file_bytes);
}
