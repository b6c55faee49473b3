// SPDX-License-Identifier: MIT
// The host unit tests' one header.  A test is a function without arguments whose name
// is a sentence; a test program's main runs them in order and returns test_report().
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *test_name;
static unsigned test_passed, test_failed;
static bool test_this_failed;

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            printf("FAIL %s %s:%d: %s\n", test_name, __FILE__, __LINE__, #condition); \
            test_this_failed = true;                                                  \
        }                                                                             \
    } while (0)

#define CHECK_EQ(actual, expected)                                                             \
    do {                                                                                       \
        uint64_t actual_ = (uint64_t)(actual), expected_ = (uint64_t)(expected);               \
        if (actual_ != expected_) {                                                            \
            printf("FAIL %s %s:%d: %s is %llu (0x%llx), not %s = %llu\n", test_name, __FILE__, \
                   __LINE__, #actual, (unsigned long long)actual_,                             \
                   (unsigned long long)actual_, #expected, (unsigned long long)expected_);     \
            test_this_failed = true;                                                           \
        }                                                                                      \
    } while (0)

// Runs one test function and reports it by its name.
#define RUN(function)                                    \
    do {                                                 \
        test_name = #function;                           \
        test_this_failed = false;                        \
        function();                                      \
        if (test_this_failed)                            \
            test_failed++;                               \
        else                                             \
            test_passed++, printf("ok %s\n", test_name); \
        fflush(stdout);                                  \
    } while (0)

// The exit status of a test program.
static inline int test_report(void)
{
    return test_failed == 0 && test_passed > 0 ? 0 : 1;
}
