// SPDX-License-Identifier: MIT
// Kernel structures of up to a page.  See slab.h.
//
// Objects lie in pages, all objects of a page in one size class and of one budget.  The
// page is charged to that budget whole when it is taken and uncharged when its last
// object is put.
//
// Why a page that is charged is there, although objects are smaller than pages: every
// frame in use is covered by a charge of whole pages, a slab page by that of its budget,
// and all charges together don't exceed the frames that were free at boot (budget.h,
// invariant 2).  Sharing pages between budgets would save memory but break this: freed
// objects of one budget would keep a page in use for which only another's few objects
// pay.  And no budget learns anything of another from where its objects lie.
//
// Invariants:
//  1. A page with room is in its budget's list of its class; a full page is in none.
//  2. live_count > 0: a page without objects is given back at once.
//  3. Of a page's objects, live_count are handed out, fresh_count (the last ones) never
//     were, and the others are linked from free_first by their first byte.  A link is the
//     object's place in units of 32 bytes, of which all sizes are multiples, + 1; 0: the end.
//
// A slab page's bookkeeping is in its struct frame, so pages are filled to the last
// object.  Tested in slab_test.c.
#include <kernel/mm/slab.h>

#include <kernel/debug/panic.h>
#include <kernel/mm/frame.h>

struct slab_class {
    uint16_t object_bytes;
    uint8_t count; // objects in a page
};

// Multiples of 64 from 128 on, for the alignment that slab.h promises; else of 32.
static const struct slab_class classes[SLAB_CLASS_COUNT] = {
    {32, 128}, {64, 64}, {96, 42}, {128, 32}, {192, 21}, {256, 16}, {320, 12}, {384, 10},
    {512, 8},  {640, 6}, {768, 5}, {1024, 4}, {1344, 3}, {2048, 2}, {4096, 1},
};

static_assert(SLAB_CLASS(32) == 0 && SLAB_CLASS(4096) == SLAB_CLASS_COUNT - 1);

static uint16_t owner_hash(const struct budget *budget)
{
    return (uint16_t)((uintptr_t)budget >> 5);
}

constexpr unsigned UNIT_BYTES = 32;

static uint8_t *object_linked(uint32_t page, uint8_t link)
{
    return (uint8_t *)arch_frame_pointer(frame_of_number(page)) + (link - 1u) * UNIT_BYTES;
}

static bool is_full(const struct frame *frame)
{
    return frame->slab.free_first == 0 && frame->slab.fresh_count == 0;
}

static void partial_link(struct budget *budget, uint32_t page, struct frame *frame)
{
    uint32_t *first = &budget->slab_partial[frame->slab.class_index];
    frame->previous = 0;
    frame->next = *first;
    if (frame->next != 0)
        frame_lookup(frame_of_number(frame->next))->previous = page;
    *first = page;
}

static void partial_unlink(struct budget *budget, struct frame *frame)
{
    if (frame->next != 0)
        frame_lookup(frame_of_number(frame->next))->previous = frame->previous;
    if (frame->previous != 0)
        frame_lookup(frame_of_number(frame->previous))->next = frame->next;
    else
        budget->slab_partial[frame->slab.class_index] = frame->next;
}

// A charged page of fresh objects, in its list; 0 when the budget is exhausted.
static uint32_t page_get(struct budget *budget, unsigned class_index)
{
    if (budget_charge(budget, CHARGE_KERNEL, PAGE_BYTES) != STATUS_OK)
        return 0;
    paddr_t address = frame_get_one();
    ASSERT(address != 0); // it was charged
    struct frame *frame = frame_lookup(address);
    frame->state = FRAME_SLAB;
    frame->slab.live_count = 0;
    frame->slab.fresh_count = classes[class_index].count;
    frame->slab.free_first = 0;
    frame->slab.class_index = (uint8_t)class_index;
    frame->owner = owner_hash(budget);
    partial_link(budget, frame_number(address), frame);
    return frame_number(address);
}

[[gnu::noinline]] static void page_put(struct budget *budget, void *object, struct frame *frame)
{
    partial_unlink(budget, frame);
    frame->state = FRAME_USED;
    frame->reference_count = 1;
    frame_put(frame_address(object) & ~(PAGE_BYTES - 1));
    budget_uncharge(budget, CHARGE_KERNEL, PAGE_BYTES);
}

// What is rare is done at the end of these functions, so that what is ordinary needs no stack
// frame.

[[gnu::noinline]] static void *get_from_new_page(struct slab_cache *cache,
                                                 struct budget *budget)
{
    return page_get(budget, cache->class_index) == 0 ? nullptr : slab_get(cache, budget);
}

// Hands an object out that was the last one of its page.
[[gnu::noinline]] static void *give_last(struct slab_cache *cache, struct budget *budget,
                                         struct frame *frame, void *object)
{
    partial_unlink(budget, frame);
    arch_words_clear(object, cache->object_bytes);
    return object;
}

void *slab_get(struct slab_cache *cache, struct budget *budget)
{
    unsigned class_index = cache->class_index;
    uint32_t page = budget->slab_partial[class_index];
    if (page == 0)
        return get_from_new_page(cache, budget);
    struct frame *frame = frame_lookup(frame_of_number(page));
    ASSERT(frame->state == FRAME_SLAB && frame->slab.class_index == class_index);
    ASSERT(frame->owner == owner_hash(budget));
    ASSERT(cache->object_bytes <= classes[class_index].object_bytes);

    uint8_t *object;
    if (frame->slab.free_first != 0) {
        object = object_linked(page, frame->slab.free_first);
        frame->slab.free_first = *object;
    } else {
        unsigned index = classes[class_index].count - frame->slab.fresh_count;
        object = (uint8_t *)arch_frame_pointer(frame_of_number(page)) +
                 index * classes[class_index].object_bytes;
        frame->slab.fresh_count--;
    }
    frame->slab.live_count++;
    cache->live_count++;
    if (is_full(frame))
        return give_last(cache, budget, frame, object);
    arch_words_clear(object, cache->object_bytes);
    return object;
}

static inline void put_in(struct budget *budget, struct frame *frame, void *object)
{
    unsigned unit = (unsigned)((uintptr_t)object % PAGE_BYTES) / UNIT_BYTES;
    *(uint8_t *)object = frame->slab.free_first;
    frame->slab.free_first = (uint8_t)(unit + 1);
    if (--frame->slab.live_count == 0)
        page_put(budget, object, frame);
}

[[gnu::noinline]] static void put_in_full(struct budget *budget, struct frame *frame,
                                          void *object)
{
    partial_link(budget, frame_number(frame_address(object)), frame);
    put_in(budget, frame, object);
}

void slab_put(struct slab_cache *cache, struct budget *budget, void *object)
{
    struct frame *frame = frame_lookup_pointer(object);
    unsigned class_index = cache->class_index;
    ASSERT(frame->state == FRAME_SLAB && frame->slab.class_index == class_index);
    ASSERT(frame->owner == owner_hash(budget));
    ASSERT(frame->slab.live_count > 0 && cache->live_count > 0);
    ASSERT((unsigned)((uintptr_t)object % PAGE_BYTES) % classes[class_index].object_bytes == 0);
    cache->live_count--;
    if (is_full(frame))
        put_in_full(budget, frame, object);
    else
        put_in(budget, frame, object);
}

void *kernel_pages_get(struct budget *budget, unsigned order)
{
    if (budget_charge(budget, CHARGE_KERNEL, PAGE_BYTES << order) != STATUS_OK)
        return nullptr;
    paddr_t run = frame_get_zeroed(order);
    if (run == 0) {
        ASSERT(order > 0); // a single page was charged
        budget_uncharge(budget, CHARGE_KERNEL, PAGE_BYTES << order);
        return nullptr;
    }
    return arch_frame_pointer(run);
}

void kernel_pages_put(struct budget *budget, void *pages, unsigned order)
{
    frame_put_run(frame_address(pages), order);
    budget_uncharge(budget, CHARGE_KERNEL, PAGE_BYTES << order);
}
