// SPDX-License-Identifier: MIT
// Random bytes, over the grant "entropy".
#include "random.h"

#include "errno.h"

#include <posix/calls.h>
#include <gen/capos/entropy_source.h>

constexpr size_t FILL_BYTES_MAX = ENTROPY_SOURCE_FILL_RESULTS_DATA_BYTES_MAX;
constexpr long FLAGS = 7; // GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE: all the same

static entropy_source_cap entropy(void)
{
    entropy_source_cap cap = {};
    return entropy_source_cap_find("entropy", &cap) == STATUS_OK ? cap : (entropy_source_cap){};
}

bool random_present(void)
{
    return entropy().id != 0;
}

long random_fill(void *buffer, size_t byte_count)
{
    entropy_source_cap source = entropy();
    uint8_t *to = buffer;
    size_t done = 0;
    if (source.id == 0)
        return -EPERM;
    while (done < byte_count) {
        size_t rest = byte_count - done, filled = 0;
        uint32_t count = (uint32_t)(rest < FILL_BYTES_MAX ? rest : FILL_BYTES_MAX);
        enum status status = entropy_source_fill(source, count, to + done, count, &filled);
        if (status != STATUS_OK)
            return done > 0 ? (long)done : error_of_status(status);
        done += filled;
    }
    return (long)done;
}

long call_getrandom(long buffer, long byte_count, long flags)
{
    if ((flags & ~FLAGS) != 0)
        return -EINVAL;
    return random_fill((void *)buffer, (size_t)byte_count);
}
