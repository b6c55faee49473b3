// SPDX-License-Identifier: MIT
// As in C23 7.8: the formats of the integers of <stdint.h>.
#pragma once

#include <stdint.h>

#define PRId8 \
    "hh"      \
    "d"
#define PRId16 \
    "h"        \
    "d"
#define PRId32 "d"
#define PRId64 \
    "l"        \
    "d"
#define PRIdMAX \
    "j"         \
    "d"
#define PRIdPTR \
    "l"         \
    "d"
#define PRIi8 \
    "hh"      \
    "i"
#define PRIi16 \
    "h"        \
    "i"
#define PRIi32 "i"
#define PRIi64 \
    "l"        \
    "i"
#define PRIiMAX \
    "j"         \
    "i"
#define PRIiPTR \
    "l"         \
    "i"
#define PRIo8 \
    "hh"      \
    "o"
#define PRIo16 \
    "h"        \
    "o"
#define PRIo32 "o"
#define PRIo64 \
    "l"        \
    "o"
#define PRIoMAX \
    "j"         \
    "o"
#define PRIoPTR \
    "l"         \
    "o"
#define PRIu8 \
    "hh"      \
    "u"
#define PRIu16 \
    "h"        \
    "u"
#define PRIu32 "u"
#define PRIu64 \
    "l"        \
    "u"
#define PRIuMAX \
    "j"         \
    "u"
#define PRIuPTR \
    "l"         \
    "u"
#define PRIx8 \
    "hh"      \
    "x"
#define PRIx16 \
    "h"        \
    "x"
#define PRIx32 "x"
#define PRIx64 \
    "l"        \
    "x"
#define PRIxMAX \
    "j"         \
    "x"
#define PRIxPTR \
    "l"         \
    "x"
#define PRIX8 \
    "hh"      \
    "X"
#define PRIX16 \
    "h"        \
    "X"
#define PRIX32 "X"
#define PRIX64 \
    "l"        \
    "X"
#define PRIXMAX \
    "j"         \
    "X"
#define PRIXPTR \
    "l"         \
    "X"
