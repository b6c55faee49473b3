// SPDX-License-Identifier: MIT
#include "pages.h"

#include <stdlib.h>
#include <string.h>

constexpr uint32_t CHUNK_PAGES_MIN = 16;
constexpr uint32_t CHUNKS_FIRST = 16;
constexpr size_t PIECE_BYTES_MIN = 32;

// A free piece.  The page of a piece begins with a struct piece_page.
struct piece {
    struct piece *next, *previous;
};

struct piece_page {
    uint32_t page;
    uint32_t used_count;
};
static_assert(sizeof(struct piece) <= PIECE_BYTES_MIN);
static_assert(sizeof(struct piece_page) <= PIECE_BYTES_MIN);

void pages_init(struct pages *pages, const struct pages_source *source, uint32_t page_count_max)
{
    *pages = (struct pages){.source = *source, .page_count_max = page_count_max};
}

static void chunk_give_back(struct pages *pages, struct chunk *chunk)
{
    pages->page_count -= chunk->page_count;
    pages->source.put(pages->source.context, chunk->memory, chunk->page_count, chunk->object);
    *chunk = (struct chunk){};
}

void pages_fini(struct pages *pages)
{
    for (uint32_t i = 1; i < pages->chunk_count; i++)
        if (pages->chunks[i].memory != nullptr)
            chunk_give_back(pages, &pages->chunks[i]);
    free(pages->chunks);
}

// ---- Chunks ------------------------------------------------------------------------

// The number of a free place; 0 without memory.
static uint32_t chunk_place(struct pages *pages)
{
    for (uint32_t i = 1; i < pages->chunk_count; i++)
        if (pages->chunks[i].memory == nullptr)
            return i;
    uint32_t count = pages->chunk_count == 0 ? CHUNKS_FIRST : 2 * pages->chunk_count;
    struct chunk *grown = realloc(pages->chunks, count * sizeof *grown);
    if (grown == nullptr)
        return 0;
    memset(grown + pages->chunk_count, 0, (count - pages->chunk_count) * sizeof *grown);
    uint32_t place = pages->chunk_count == 0 ? 1 : pages->chunk_count;
    pages->chunks = grown;
    pages->chunk_count = count;
    return place;
}

static uint32_t chunk_create(struct pages *pages, uint32_t page_count)
{
    uint32_t place = chunk_place(pages);
    if (place == 0 || page_count > pages->page_count_max - pages->page_count)
        return 0;
    uint64_t object;
    uint8_t *memory = pages->source.get(pages->source.context, page_count, &object);
    if (memory == nullptr)
        return 0;
    pages->chunks[place] =
        (struct chunk){.memory = memory, .object = object, .page_count = page_count};
    pages->page_count += page_count;
    return place;
}

// As many pages as make sense; fewer when the limit or the source is near its end.
static uint32_t chunk_create_common(struct pages *pages)
{
    uint32_t left = pages->page_count_max - pages->page_count;
    uint32_t count = CHUNK_PAGES_MIN;
    while (count < PAGES_CHUNK_MAX && count < pages->page_count / 2)
        count *= 2;
    if (count > left)
        count = left;
    for (; count > 0; count /= 2) {
        uint32_t place = chunk_create(pages, count);
        if (place == 0)
            continue;
        struct chunk *chunk = &pages->chunks[place];
        for (uint32_t i = 0; i < count; i++)
            chunk->free[i / 64] |= UINT64_C(1) << i % 64;
        return place;
    }
    return 0;
}

static bool chunk_has_free(const struct chunk *chunk)
{
    return chunk->memory != nullptr && !chunk->own && chunk->used_count < chunk->page_count;
}

// ---- Pages -------------------------------------------------------------------------

uint32_t pages_get(struct pages *pages)
{
    uint32_t at = pages->first_free;
    while (at < pages->chunk_count && !chunk_has_free(&pages->chunks[at]))
        at++;
    if (at >= pages->chunk_count)
        at = chunk_create_common(pages);
    if (at == 0)
        return 0;
    pages->first_free = at;
    struct chunk *chunk = &pages->chunks[at];
    uint32_t word = 0;
    while (chunk->free[word] == 0)
        word++;
    uint32_t place = 64 * word + (uint32_t)__builtin_ctzll(chunk->free[word]);
    chunk->free[word] &= chunk->free[word] - 1;
    chunk->used_count++;
    pages->used_count++;
    return at * PAGES_CHUNK_MAX + place;
}

// Whether another chunk without used pages is kept already.
static bool another_is_empty(const struct pages *pages, const struct chunk *chunk)
{
    for (uint32_t i = 1; i < pages->chunk_count; i++) {
        const struct chunk *other = &pages->chunks[i];
        if (other != chunk && other->memory != nullptr && other->used_count == 0)
            return true;
    }
    return false;
}

void pages_put(struct pages *pages, uint32_t page)
{
    uint32_t at = page / PAGES_CHUNK_MAX, place = page % PAGES_CHUNK_MAX;
    struct chunk *chunk = &pages->chunks[at];
    chunk->used_count--;
    pages->used_count--;
    if (!chunk->own) {
        chunk->free[place / 64] |= UINT64_C(1) << place % 64;
        if (at < pages->first_free)
            pages->first_free = at;
    }
    if (chunk->used_count == 0 && (chunk->own || another_is_empty(pages, chunk)))
        chunk_give_back(pages, chunk);
}

void *pages_at(const struct pages *pages, uint32_t page)
{
    return pages->chunks[page / PAGES_CHUNK_MAX].memory +
           (size_t)(page % PAGES_CHUNK_MAX) * PAGES_BYTES;
}

uint32_t pages_get_chunk(struct pages *pages, uint32_t page_count)
{
    uint32_t at = chunk_create(pages, page_count);
    if (at == 0)
        return 0;
    pages->chunks[at].own = true;
    pages->chunks[at].used_count = page_count;
    pages->used_count += page_count;
    return at * PAGES_CHUNK_MAX;
}

const struct chunk *pages_own_chunk(const struct pages *pages, uint32_t page)
{
    const struct chunk *chunk = &pages->chunks[page / PAGES_CHUNK_MAX];
    return chunk->own ? chunk : nullptr;
}

// ---- Pieces ------------------------------------------------------------------------

static uint32_t size_class(size_t size_bytes)
{
    uint32_t class = 0;
    while ((PIECE_BYTES_MIN << class) < size_bytes)
        class ++;
    return class;
}

static struct piece_page *page_of(void *piece)
{
    return (struct piece_page *)((uintptr_t)piece & ~(uintptr_t)(PAGES_BYTES - 1));
}

static void piece_link(struct pages *pages, uint32_t class, struct piece *piece)
{
    *piece = (struct piece){.next = pages->pieces[class]};
    if (piece->next != nullptr)
        piece->next->previous = piece;
    pages->pieces[class] = piece;
}

static void piece_unlink(struct pages *pages, uint32_t class, struct piece *piece)
{
    if (piece->next != nullptr)
        piece->next->previous = piece->previous;
    if (piece->previous != nullptr)
        piece->previous->next = piece->next;
    else
        pages->pieces[class] = piece->next;
}

// Cuts a page into free pieces; the first one's room holds the head.
static bool pieces_create(struct pages *pages, uint32_t class)
{
    uint32_t page = pages_get(pages);
    if (page == 0)
        return false;
    uint8_t *memory = pages_at(pages, page);
    *(struct piece_page *)memory = (struct piece_page){.page = page};
    size_t step = PIECE_BYTES_MIN << class;
    for (size_t at = PAGES_BYTES - step; at >= step; at -= step)
        piece_link(pages, class, (struct piece *)(memory + at));
    return true;
}

void *pages_piece_get(struct pages *pages, size_t size_bytes)
{
    uint32_t class = size_class(size_bytes);
    if (pages->pieces[class] == nullptr && !pieces_create(pages, class))
        return nullptr;
    struct piece *piece = pages->pieces[class];
    piece_unlink(pages, class, piece);
    page_of(piece)->used_count++;
    memset(piece, 0, PIECE_BYTES_MIN << class);
    return piece;
}

void pages_piece_put(struct pages *pages, void *piece, size_t size_bytes)
{
    uint32_t class = size_class(size_bytes);
    struct piece_page *page = page_of(piece);
    piece_link(pages, class, piece);
    if (--page->used_count > 0)
        return;
    size_t step = PIECE_BYTES_MIN << class;
    for (size_t at = step; at + step <= PAGES_BYTES; at += step)
        piece_unlink(pages, class, (struct piece *)((uint8_t *)page + at));
    pages_put(pages, page->page);
}
