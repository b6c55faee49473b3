// SPDX-License-Identifier: MIT
// The frame of the program that measures Linux.
#pragma once

#include <stdint.h>

// Where C begins; doesn't return.
[[noreturn]] void init_main(void);
[[noreturn]] void machine_end(void);

void print(const char *text);
void print_number(uint64_t number);
