// SPDX-License-Identifier: MIT
// Random bytes, over the grant "entropy".
#include "errno.h"

#include <posix/calls.h>
#include <gen/capos/entropy_source.h>

constexpr size_t FILL_BYTES_MAX = ENTROPY_SOURCE_FILL_RESULTS_DATA_BYTES_MAX;
constexpr long FLAGS = 7; // GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE: all the same

long call_getrandom(long buffer, long byte_count, long flags)
{
    entropy_source_cap entropy;
    uint8_t *to = (uint8_t *)buffer;
    size_t done = 0, wanted = (size_t)byte_count;
    if ((flags & ~FLAGS) != 0)
        return -EINVAL;
    if (entropy_source_cap_find("entropy", &entropy) != STATUS_OK)
        return -EPERM;
    while (done < wanted) {
        size_t rest = wanted - done, filled = 0;
        uint32_t count = (uint32_t)(rest < FILL_BYTES_MAX ? rest : FILL_BYTES_MAX);
        enum status status = entropy_source_fill(entropy, count, to + done, count, &filled);
        if (status != STATUS_OK)
            return done > 0 ? (long)done : error_of_status(status);
        done += filled;
    }
    return (long)done;
}
