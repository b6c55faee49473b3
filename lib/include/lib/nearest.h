// SPDX-License-Identifier: MIT
// Suggestions for names that were mistyped.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A search: candidates are offered one after the other, `best` is the nearest so far.
struct nearest {
    const char *name;
    size_t name_bytes;
    const char *best; // nullptr: none that is near enough
    uint32_t best_distance;
};

[[nodiscard]] static inline struct nearest nearest_to(const char *name, size_t name_bytes)
{
    return (struct nearest){name, name_bytes, nullptr, UINT32_MAX};
}

// Keeps the candidate, which must live as long as the search, if it takes fewer
// single-character edits (insert, remove, replace, swap of neighbours) than the best so far.
// One that is so far off that it would puzzle is never kept: more than a third of the longer
// name, at least two edits.
void nearest_offer(struct nearest *search, const char *candidate);

// The nearest of an array of candidates, or nullptr.
[[nodiscard]] const char *nearest_name(const char *name, const char *const *candidates,
                                       size_t candidate_count);
