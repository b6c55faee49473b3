// SPDX-License-Identifier: MIT
// Random bytes for the kernel itself and for EntropySource.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Seeds the generator from the machine.
void entropy_init(void);

// Fills a buffer with random bytes fit for keys.
void entropy_fill(void *to, size_t size_bytes);

// A random number from a stock: for what must be unpredictable and is drawn often.
[[nodiscard]] uint64_t entropy_word(void);
