// SPDX-License-Identifier: MIT
// Owns the choice of "did you mean": the optimal string alignment distance, computed
// with three rows of a table.  Names longer than the table are never suggested.
// Tested by nearest_test.c.
#include <lib/nearest.h>

#include <lib/string.h>

constexpr size_t NAME_BYTES_MAX = 63;

static uint32_t minimum(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t edit_distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    uint32_t rows[3][NAME_BYTES_MAX + 1];
    for (uint32_t j = 0; j <= b_bytes; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a_bytes; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];
        const uint32_t *above_that = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b_bytes; j++) {
            uint32_t replace = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = minimum(replace, minimum(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped)
                row[j] = minimum(row[j], above_that[j - 2] + 1);
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

void nearest_offer(struct nearest *search, const char *candidate)
{
    size_t name_bytes = search->name_bytes;
    size_t candidate_bytes = strlen(candidate);
    if (name_bytes > NAME_BYTES_MAX || candidate_bytes > NAME_BYTES_MAX)
        return;
    size_t longer = name_bytes > candidate_bytes ? name_bytes : candidate_bytes;
    size_t limit = longer / 3 > 2 ? longer / 3 : 2;
    uint32_t distance = edit_distance(search->name, name_bytes, candidate, candidate_bytes);
    // A suggestion that shares nothing with a short name is noise.
    if (distance > limit || distance >= longer || distance >= search->best_distance)
        return;
    search->best = candidate;
    search->best_distance = distance;
}

const char *nearest_name(const char *name, const char *const *candidates,
                         size_t candidate_count)
{
    struct nearest search = nearest_to(name, strlen(name));
    for (size_t i = 0; i < candidate_count; i++)
        nearest_offer(&search, candidates[i]);
    return search.best;
}
