// SPDX-License-Identifier: MIT
// From a member to the structure that contains it: what makes intrusive containers
// possible.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The `type` whose member `member` is at `pointer`, which isn't null.  `type` may be const.
#define container_of(pointer, type, member) \
    ((type *)((uintptr_t)(pointer) - offsetof(type, member)))

// The same, and nullptr for nullptr.
#define container_of_or_null(pointer, type, member) \
    ((type *)container_or_null((pointer), offsetof(type, member)))

static inline void *container_or_null(void *member, size_t offset)
{
    return member == nullptr ? nullptr : (char *)member - offset;
}
