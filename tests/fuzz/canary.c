// SPDX-License-Identifier: MIT
// A fuzz target with a planted bug: `make fuzz` must find it, or the fuzzing itself is
// broken (no coverage, no sanitizer, no time).
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[4] = {'c', 'a', 'p', 'O'};
    uint8_t copy[8];
    if (size > 64 || size < sizeof secret)
        return 0;
    for (size_t i = 0; i < sizeof secret; i++)
        if (data[i] != secret[i])
            return 0;
    memcpy(copy, data, size); // overflows when the input is longer than the copy
    return copy[0] == 0 ? 1 : 0;
}
