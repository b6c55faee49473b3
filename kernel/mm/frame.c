// SPDX-License-Identifier: MIT
// Physical memory.  See frame.h.
//
// Each range of RAM begins with its own array of struct frame; the frames behind it are
// managed.  Free memory is kept as runs of 2^order frames, each aligned to its size, in
// one list per order: a run is split on demand and joined with its buddy (the run that
// differs in one address bit) when both are free.
//
// Before that comes what each CPU keeps at hand (struct frame_cache): single frames and short
// runs that were put last and frames that were cleared while it idled.  So a page that comes and
// goes costs a few instructions, and is warm in that CPU's cache.  All of it is free memory like
// any other: when no run is left, all CPUs' caches are emptied into the runs.
//
// Invariants:
//  1. A frame is USED with reference_count > 0, or SLAB, or in one cache with
//     reference_count 0, or in exactly one free run.
//  2. Two free runs that are buddies never both exist.
//  3. free_count is the number of frames in free runs and in caches.
//  4. What is in `zeroed` of a cache is zero: nobody has its address.
//
// What it doesn't do: charging (budget.c), clearing what is freed (frame_get_zeroed
// clears before use).  Tested in frame_test.c.
#include <kernel/mm/frame.h>

#include <kernel/debug/panic.h>
#include <kernel/sched/cpu.h>
#include <kernel/upcall.h>

constexpr unsigned REFILL_ORDER = 4;    // an empty cache gets that many frames at a time
constexpr unsigned IDLE_FRAMES_MAX = 4; // cleared at a time: it puts off what comes then
static_assert((1u << REFILL_ORDER) <= FRAME_RECENT_MAX);

struct frame_range frame_range_main;
static struct frame_range ranges[BOOT_RANGE_MAX];
static unsigned range_count;
static uint32_t free_first[FRAME_ORDER_MAX + 1]; // the first run of each order
static uint64_t free_count;
static uint64_t total_count;

// RAM that devices must not be granted: what the firmware reports and what we manage.
static struct boot_range ram[2 * BOOT_RANGE_MAX + 2];
static unsigned ram_count;

static const struct frame_range *range_of(uint32_t number)
{
    for (unsigned i = 0; i < range_count; i++)
        if (number - ranges[i].first < ranges[i].count) // wraps when below
            return &ranges[i];
    return nullptr;
}

struct frame *frame_lookup_other(paddr_t frame)
{
    if (frame / PAGE_BYTES > UINT32_MAX)
        return nullptr;
    const struct frame_range *range = range_of(frame_number(frame));
    return range == nullptr ? nullptr : &range->frames[frame_number(frame) - range->first];
}

static struct frame *frame_of(uint32_t number)
{
    return frame_lookup(frame_of_number(number));
}

paddr_t frame_address_other(const void *pointer)
{
    for (unsigned i = 0; i < range_count; i++) {
        uint64_t offset = (uintptr_t)pointer - (uintptr_t)ranges[i].pointer; // wraps too
        if (offset < ranges[i].count * PAGE_BYTES)
            return frame_of_number(ranges[i].first) + offset;
    }
    PANIC("no frame at pointer %p", pointer);
}

// ---- Free runs ----------------------------------------------------------------------

static void run_link(uint32_t number, struct frame *frame, unsigned order)
{
    uint32_t next = free_first[order];
    frame->state = FRAME_FREE;
    frame->order = (uint8_t)order;
    frame->next = next;
    frame->previous = 0;
    if (next != 0)
        frame_of(next)->previous = number;
    free_first[order] = number;
}

static void run_unlink(struct frame *frame)
{
    ASSERT(frame->state == FRAME_FREE);
    if (frame->next != 0)
        frame_of(frame->next)->previous = frame->previous;
    if (frame->previous != 0)
        frame_of(frame->previous)->next = frame->next;
    else
        free_first[frame->order] = frame->next;
    frame->state = FRAME_USED;
    frame->reference_count = 0;
}

// Takes a run back, joined with its buddies as far as they are free.
static void run_free(uint32_t number, unsigned order)
{
    const struct frame_range *range = range_of(number);
    for (; order < FRAME_ORDER_MAX; order++) {
        uint32_t buddy = number ^ (uint32_t)1 << order;
        if (buddy - range->first >= range->count)
            break;
        struct frame *frame = &range->frames[buddy - range->first];
        if (frame->state != FRAME_FREE || frame->order != order)
            break;
        run_unlink(frame);
        number &= ~((uint32_t)1 << order);
    }
    run_link(number, &range->frames[number - range->first], order);
}

// A run of that order, split off a larger one if need be; 0 when none is left.
static uint32_t run_take(unsigned order)
{
    unsigned from = order;
    while (from <= FRAME_ORDER_MAX && free_first[from] == 0)
        from++;
    if (from > FRAME_ORDER_MAX)
        return 0;
    uint32_t number = free_first[from];
    run_unlink(frame_of(number));
    while (from > order) {
        from--;
        uint32_t upper = number + ((uint32_t)1 << from);
        run_link(upper, frame_of(upper), from);
    }
    return number;
}

// ---- Caches -------------------------------------------------------------------------

static struct frame_cache *cache_here(void)
{
    return &arch_cpu()->frames;
}

// Takes a run of up to `order`, the longest there is; 0 when none is left.
static uint32_t run_take_up_to(unsigned *order)
{
    uint32_t number;
    while ((number = run_take(*order)) == 0 && *order > 0)
        --*order;
    return number;
}

// Gives all that the caches hold back to the runs.
[[gnu::noinline]] static void caches_drain(void)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct frame_cache *cache = &arch_cpu_at(i)->frames;
        while (cache->recent_count > 0)
            run_free(frame_number(cache->recent[--cache->recent_count]), 0);
        while (cache->zeroed_count > 0)
            run_free(frame_number(cache->zeroed[--cache->zeroed_count]), 0);
        while (cache->run_count > 0)
            run_free(frame_number(cache->runs[--cache->run_count]), FRAME_RUN_ORDER);
    }
}

// Puts a run's frames into `recent`, which is empty; false when none is left.
[[gnu::noinline]] static bool recent_refill(struct frame_cache *cache)
{
    unsigned order = REFILL_ORDER;
    uint32_t number = run_take_up_to(&order);
    if (number == 0 && free_count > 0) {
        caches_drain();
        order = REFILL_ORDER;
        number = run_take_up_to(&order);
    }
    if (number == 0)
        return false;
    for (uint32_t i = 1u << order; i-- > 0;) // the lowest goes out first
        cache->recent[cache->recent_count++] = frame_of_number(number + i);
    return true;
}

void frame_idle(void)
{
    struct frame_cache *cache = cache_here();
    for (unsigned i = 0; i < IDLE_FRAMES_MAX && cache->zeroed_count < FRAME_ZEROED_MAX; i++) {
        if (cache->recent_count == 0 && !recent_refill(cache))
            return;
        paddr_t frame = cache->recent[--cache->recent_count];
        arch_words_clear(arch_frame_pointer(frame), PAGE_BYTES);
        cache->zeroed[cache->zeroed_count++] = frame;
    }
}

// ---- The interface ------------------------------------------------------------------

// Hands a free frame out.
static paddr_t give(paddr_t frame)
{
    struct frame *state = frame_lookup(frame);
    ASSERT(state->state == FRAME_USED && state->reference_count == 0);
    state->reference_count = 1;
    free_count--;
    return frame;
}

// What isn't at hand is got at the end of these functions, so that what is needs no stack frame.
[[gnu::noinline]] static paddr_t refill_and_get(struct frame_cache *cache)
{
    return recent_refill(cache) ? frame_get_one() : 0;
}

[[gnu::noinline]] static paddr_t refill_and_get_zeroed(struct frame_cache *cache)
{
    return recent_refill(cache) ? frame_get_one_zeroed() : 0;
}

paddr_t frame_get_one(void)
{
    struct frame_cache *cache = cache_here();
    if (cache->recent_count == 0)
        return refill_and_get(cache);
    return give(cache->recent[--cache->recent_count]);
}

paddr_t frame_get_one_zeroed(void)
{
    struct frame_cache *cache = cache_here();
    if (cache->zeroed_count > 0)
        return give(cache->zeroed[--cache->zeroed_count]);
    if (cache->recent_count == 0)
        return refill_and_get_zeroed(cache);
    paddr_t frame = give(cache->recent[--cache->recent_count]);
    arch_words_clear(arch_frame_pointer(frame), PAGE_BYTES);
    return frame;
}

paddr_t frame_get(unsigned order)
{
    ASSERT(order <= FRAME_ORDER_MAX);
    if (order == 0)
        return frame_get_one();
    struct frame_cache *cache = cache_here();
    uint32_t number;
    if (order == FRAME_RUN_ORDER && cache->run_count > 0) {
        number = frame_number(cache->runs[--cache->run_count]);
    } else if ((number = run_take(order)) == 0) {
        caches_drain();
        number = run_take(order);
    }
    if (number == 0)
        return 0;
    uint32_t count = (uint32_t)1 << order;
    struct frame *frames = frame_of(number);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(frames[i].state == FRAME_USED && frames[i].reference_count == 0);
        frames[i].reference_count = 1;
    }
    free_count -= count;
    return frame_of_number(number);
}

paddr_t frame_get_zeroed(unsigned order)
{
    if (order == 0)
        return frame_get_one_zeroed();
    paddr_t run = frame_get(order);
    if (run != 0)
        arch_words_clear(arch_frame_pointer(run), PAGE_BYTES << order);
    return run;
}

void frame_ref(paddr_t frame)
{
    struct frame *state = frame_lookup(frame);
    if (state == nullptr)
        return;
    ASSERT(state->state == FRAME_USED && state->reference_count > 0);
    ASSERT(state->reference_count < UINT32_MAX);
    state->reference_count++;
}

[[gnu::noinline]] static void put_run(paddr_t frame)
{
    run_free(frame_number(frame), 0);
}

void frame_put(paddr_t frame)
{
    ASSERT(frame % PAGE_BYTES == 0);
    struct frame *state = frame_lookup(frame);
    if (state == nullptr)
        return;
    ASSERT(state->state == FRAME_USED && state->reference_count > 0);
    if (--state->reference_count > 0)
        return;
    free_count++;
    struct frame_cache *cache = cache_here();
    if (cache->recent_count < FRAME_RECENT_MAX)
        cache->recent[cache->recent_count++] = frame;
    else
        put_run(frame);
}

void frame_ref_run(paddr_t first, unsigned order)
{
    for (uint64_t i = 0; i < (uint64_t)1 << order; i++)
        frame_ref(first + i * PAGE_BYTES);
}

void frame_put_run(paddr_t first, unsigned order)
{
    if (order == 0) {
        frame_put(first);
        return;
    }
    uint32_t count = (uint32_t)1 << order;
    ASSERT(first % (PAGE_BYTES << order) == 0);
    struct frame *frames = frame_lookup(first);
    if (frames == nullptr)
        return;
    bool whole = frame_lookup(first + (count - 1) * PAGE_BYTES) == &frames[count - 1];
    for (uint32_t i = 0; whole && i < count; i++)
        whole = frames[i].state == FRAME_USED && frames[i].reference_count == 1;
    if (!whole) {
        for (uint32_t i = 0; i < count; i++)
            frame_put(first + i * PAGE_BYTES);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        frames[i].reference_count = 0;
    free_count += count;
    struct frame_cache *cache = cache_here();
    if (order == FRAME_RUN_ORDER && cache->run_count < FRAME_RUNS_MAX)
        cache->runs[cache->run_count++] = first;
    else
        run_free(frame_number(first), order);
}

bool frame_is_shared(paddr_t frame)
{
    const struct frame *state = frame_lookup(frame);
    if (state == nullptr)
        return true;
    ASSERT(state->state == FRAME_USED && state->reference_count > 0);
    return state->reference_count > 1;
}

uint64_t frame_free_count(void)
{
    return free_count;
}

uint64_t frame_total_count(void)
{
    return total_count;
}

bool frame_range_is_ram(paddr_t base, uint64_t size_bytes)
{
    for (unsigned i = 0; i < ram_count; i++) {
        // Neither begins behind the other's end; differences don't overflow.
        if (base >= ram[i].base ? base - ram[i].base < ram[i].size_bytes
                                : ram[i].base - base < size_bytes)
            return true;
    }
    return false;
}

// ---- Boot ---------------------------------------------------------------------------

static void ram_add(const struct boot_range *added, unsigned count)
{
    ASSERT(count <= BOOT_RANGE_MAX);
    for (unsigned i = 0; i < count; i++)
        ram[ram_count++] = added[i];
}

// Frees [number, end) in the largest aligned runs.
static void free_all(uint32_t number, uint32_t end)
{
    while (number < end) {
        unsigned order = number == 0 ? FRAME_ORDER_MAX : (unsigned)__builtin_ctz(number);
        if (order > FRAME_ORDER_MAX)
            order = FRAME_ORDER_MAX;
        while (end - number < (uint32_t)1 << order)
            order--;
        run_free(number, order);
        number += (uint32_t)1 << order;
    }
}

static void range_add(const struct boot_range *added)
{
    ASSERT(added->base % PAGE_BYTES == 0 && added->size_bytes % PAGE_BYTES == 0);
    ASSERT((added->base + added->size_bytes) / PAGE_BYTES <= UINT32_MAX);
    uint64_t pages = added->size_bytes / PAGE_BYTES;
    uint64_t array_pages = (pages * sizeof(struct frame) + PAGE_BYTES - 1) / PAGE_BYTES;
    if (added->base == 0 || pages <= array_pages)
        return;
    struct frame_range *range = &ranges[range_count++];
    paddr_t base = added->base + array_pages * PAGE_BYTES;
    *range = (struct frame_range){.first = frame_number(base),
                                  .count = (uint32_t)(pages - array_pages),
                                  .frames = arch_frame_pointer(added->base),
                                  .pointer = arch_frame_pointer(base)};
    __builtin_memset(range->frames, 0, range->count * sizeof(struct frame));
    if (range->count > frame_range_main.count)
        frame_range_main = *range;
    free_count += range->count;
    total_count += range->count;
    free_all(range->first, range->first + range->count);
}

void frame_init(const struct boot_info *info)
{
    range_count = 0;
    ram_count = 0;
    frame_range_main = (struct frame_range){};
    free_count = 0;
    total_count = 0;
    __builtin_memset(free_first, 0, sizeof free_first);
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        arch_cpu_at(i)->frames = (struct frame_cache){};
    for (unsigned i = 0; i < info->ram_count; i++)
        range_add(&info->ram[i]);
    ram_add(info->ram, info->ram_count);
    ram_add(info->reserved, info->reserved_count);
    ram_add(&info->package, 1);
    // Frame 0 is never a device's, and 0 names no frame.
    ram_add(&(struct boot_range){.base = 0, .size_bytes = PAGE_BYTES}, 1);
}
