// SPDX-License-Identifier: MIT
// Tests of the C library: programs that print `ok NAME` or `FAIL NAME file:line: text` for each
// test, a function whose name is a sentence.  They are ordinary C, so the same ones run on the
// machine that builds: tests/cli/cc_test.py runs both.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_failed;
static int check_failed_ever;

#define RUN(test)                     \
    do {                              \
        check_failed = 0;             \
        test();                       \
        if (!check_failed)            \
            printf("ok %s\n", #test); \
        fflush(stdout);               \
    } while (0)

// In a test: the first thing that isn't so ends it.
#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            printf("FAIL %s %s:%d: %s (errno: %s)\n", __func__, __FILE__, __LINE__, \
                   #condition, strerror(errno));                                    \
            check_failed = check_failed_ever = 1;                                   \
            return;                                                                 \
        }                                                                           \
    } while (0)

// A call that fails, with this errno.
#define CHECK_ERRNO(call, expected)                       \
    do {                                                  \
        errno = 0;                                        \
        CHECK((long)(call) == -1 && errno == (expected)); \
    } while (0)

static inline int check_status(void)
{
    return check_failed_ever;
}
