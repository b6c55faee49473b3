// SPDX-License-Identifier: MIT
// What a volume lies on: a device or a file, in pages of 4096 bytes.
//
// What is written may be lost until a flush that began later has succeeded; before that any
// part of it may be there, in units of 512 bytes.
#pragma once

#include <stdint.h>

constexpr uint32_t MEDIUM_PAGE = 4096;

struct medium {
    uint64_t page_count;
    // `count` pages from or to consecutive memory.  False: the medium failed.
    bool (*read)(struct medium *medium, uint64_t page, uint32_t count, void *to);
    bool (*write)(struct medium *medium, uint64_t page, uint32_t count, const void *from);
    bool (*flush)(struct medium *medium);
};
