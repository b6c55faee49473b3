// SPDX-License-Identifier: MIT
// A cache of pieces in places of two sizes, sets of four; see cache.h.
//
// A piece's row says which set it goes to, so that the pieces of one file lie in sets side by
// side.  In a full set the place goes that was used longest ago.
#include "cache.h"

#include <stdlib.h>

constexpr uint32_t WAYS = 4;
constexpr uint32_t CLASSES = 2;
static constexpr uint32_t class_bytes[CLASSES] = {4096, 65536}; // the largest pieces
constexpr uint32_t SMALL_SHARE = 4;  // a fourth of the memory is for small ones
constexpr uint64_t LOOKUPS_MAX = 16; // rather than looking at every place
constexpr uint64_t ROW_NONE = UINT64_MAX;

struct place {
    uint64_t row;
    uint64_t used; // when
    uint32_t bytes;
};

struct class
{
    uint32_t set_count;
    struct place *places; // WAYS of each set
    uint8_t *bytes;
};

struct cache {
    uint64_t clock;
    struct class classes[CLASSES];
};

static bool class_create(struct class *class, uint32_t bytes, uint32_t memory_bytes)
{
    class->set_count = memory_bytes / bytes / WAYS;
    uint32_t count = class->set_count * WAYS;
    if (count == 0)
        return true;
    class->places = calloc(count, sizeof *class->places);
    class->bytes = malloc((size_t)count * bytes);
    if (class->places == nullptr || class->bytes == nullptr)
        return false;
    for (uint32_t i = 0; i < count; i++)
        class->places[i].row = ROW_NONE;
    return true;
}

struct cache *cache_create(uint32_t bytes)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (cache == nullptr)
        return nullptr;
    if (class_create(&cache->classes[0], class_bytes[0], bytes / SMALL_SHARE) &&
        class_create(&cache->classes[1], class_bytes[1], bytes - bytes / SMALL_SHARE))
        return cache;
    cache_destroy(cache);
    return nullptr;
}

void cache_destroy(struct cache *cache)
{
    if (cache == nullptr)
        return;
    for (uint32_t i = 0; i < CLASSES; i++) {
        free(cache->classes[i].places);
        free(cache->classes[i].bytes);
    }
    free(cache);
}

static struct place *set_of(const struct class *class, uint64_t row)
{
    // The upper half of a row is the file's number.
    return &class->places[(row + (row >> 24)) % class->set_count * WAYS];
}

// The place of a piece and its class; nullptr: it isn't here.
static struct place *find(struct cache *cache, uint64_t row, uint32_t *out_class)
{
    for (uint32_t i = 0; cache != nullptr && i < CLASSES; i++) {
        if (cache->classes[i].set_count == 0)
            continue;
        struct place *set = set_of(&cache->classes[i], row);
        for (uint32_t way = 0; way < WAYS; way++)
            if (set[way].row == row) {
                *out_class = i;
                return &set[way];
            }
    }
    return nullptr;
}

static uint8_t *bytes_of(const struct cache *cache, uint32_t class, const struct place *place)
{
    const struct class *of = &cache->classes[class];
    return of->bytes + (size_t)(place - of->places) * class_bytes[class];
}

uint8_t *cache_find(struct cache *cache, uint64_t row, uint32_t *out_bytes)
{
    uint32_t class;
    struct place *place = find(cache, row, &class);
    if (place == nullptr)
        return nullptr;
    place->used = ++cache->clock;
    *out_bytes = place->bytes;
    return bytes_of(cache, class, place);
}

uint8_t *cache_add(struct cache *cache, uint64_t row, uint32_t bytes)
{
    uint32_t class = bytes <= class_bytes[0] ? 0 : 1;
    if (cache == nullptr || cache->classes[class].set_count == 0 || bytes > class_bytes[class])
        return nullptr;
    struct place *set = set_of(&cache->classes[class], row), *place = set;
    for (uint32_t way = 1; way < WAYS; way++)
        if (set[way].used < place->used)
            place = &set[way];
    *place = (struct place){.row = row, .used = ++cache->clock, .bytes = bytes};
    return bytes_of(cache, class, place);
}

void cache_drop(struct cache *cache, uint64_t row)
{
    uint32_t class;
    struct place *place = find(cache, row, &class);
    if (place != nullptr)
        *place = (struct place){.row = ROW_NONE};
}

void cache_drop_range(struct cache *cache, uint64_t first, uint64_t end)
{
    if (end <= first || end - first <= LOOKUPS_MAX) {
        for (uint64_t row = first; row < end; row++)
            cache_drop(cache, row);
        return;
    }
    for (uint32_t i = 0; cache != nullptr && i < CLASSES; i++)
        for (uint32_t at = 0; at < cache->classes[i].set_count * WAYS; at++) {
            struct place *place = &cache->classes[i].places[at];
            if (place->row >= first && place->row < end)
                *place = (struct place){.row = ROW_NONE};
        }
}
