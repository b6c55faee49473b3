// SPDX-License-Identifier: MIT
// What sqlite3.c asks of a header, without a C library that has it: there is no calendar, and
// nothing of ours asks SQLite for a date.
#pragma once

#include <stddef.h>

typedef long time_t;
struct tm {
    int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year;
};

static inline struct tm *gmtime(const time_t *)
{
    return nullptr;
}

static inline size_t strftime(char *, size_t, const char *, const struct tm *)
{
    return 0;
}
