// SPDX-License-Identifier: MIT
// Physical memory.  See frame.h.
//
// Each range of RAM begins with its own array of struct frame; the frames behind it are
// managed.  Free memory is kept as runs of 2^order frames, each aligned to its size, in
// one list per order: a run is split on demand and joined with its buddy (the run that
// differs in one address bit) when both are free.  Joining is put off for a few single
// frames, which are given out again first: they are warm in the cache, and a page that
// comes and goes costs a few instructions.
//
// Invariants:
//  1. A frame is USED with reference_count > 0, or SLAB, or in the recent array, or in
//     exactly one free run.
//  2. Two free runs that are buddies never both exist.
//  3. free_count is the number of frames in free runs and in the recent array.
//
// What it doesn't do: charging (budget.c), clearing what is freed (frame_get_zeroed
// clears before use).  Tested in frame_test.c.
#include <kernel/mm/frame.h>

#include <kernel/debug/panic.h>
#include <kernel/upcall.h>

constexpr unsigned RECENT_MAX = 32;

struct range {
    uint32_t first; // number of the first managed frame
    uint32_t count;
    struct frame *frames; // `count` of them
    const char *pointer;  // to the first managed frame; the rest follow it
};

static struct range ranges[BOOT_RANGE_MAX];
static unsigned range_count;
static uint32_t free_first[FRAME_ORDER_MAX + 1]; // the first run of each order
static paddr_t recent[RECENT_MAX];
static unsigned recent_count;
static uint64_t free_count;
static uint64_t total_count;

// RAM that devices must not be granted: what the firmware reports and what we manage.
static struct boot_range ram[2 * BOOT_RANGE_MAX + 2];
static unsigned ram_count;

static const struct range *range_of(uint32_t number)
{
    for (unsigned i = 0; i < range_count; i++)
        if (number - ranges[i].first < ranges[i].count) // wraps when below
            return &ranges[i];
    return nullptr;
}

static struct frame *frame_of(uint32_t number)
{
    const struct range *range = range_of(number);
    return range == nullptr ? nullptr : &range->frames[number - range->first];
}

struct frame *frame_lookup(paddr_t frame)
{
    return frame / PAGE_BYTES > UINT32_MAX ? nullptr : frame_of(frame_number(frame));
}

paddr_t frame_address(const void *pointer)
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
    const struct range *range = range_of(number);
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

// Joins the recent frames with their buddies.
static void recent_drain(void)
{
    while (recent_count > 0)
        run_free(frame_number(recent[--recent_count]), 0);
}

// ---- The interface ------------------------------------------------------------------

paddr_t frame_get(unsigned order)
{
    ASSERT(order <= FRAME_ORDER_MAX);
    paddr_t run;
    if (order == 0 && recent_count > 0) {
        run = recent[--recent_count];
    } else {
        uint32_t number = run_take(order);
        if (number == 0 && recent_count > 0) {
            recent_drain();
            number = run_take(order);
        }
        run = frame_of_number(number);
    }
    if (run == 0)
        return 0;
    uint32_t count = (uint32_t)1 << order;
    struct frame *frames = frame_of(frame_number(run));
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(frames[i].state == FRAME_USED && frames[i].reference_count == 0);
        frames[i].reference_count = 1;
    }
    free_count -= count;
    return run;
}

paddr_t frame_get_zeroed(unsigned order)
{
    paddr_t run = frame_get(order);
    if (run != 0)
        __builtin_memset(arch_frame_pointer(run), 0, PAGE_BYTES << order);
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
    if (recent_count < RECENT_MAX)
        recent[recent_count++] = frame;
    else
        run_free(frame_number(frame), 0);
}

void frame_ref_run(paddr_t first, unsigned order)
{
    for (uint64_t i = 0; i < (uint64_t)1 << order; i++)
        frame_ref(first + i * PAGE_BYTES);
}

void frame_put_run(paddr_t first, unsigned order)
{
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
    struct range *range = &ranges[range_count++];
    paddr_t base = added->base + array_pages * PAGE_BYTES;
    *range = (struct range){.first = frame_number(base),
                            .count = (uint32_t)(pages - array_pages),
                            .frames = arch_frame_pointer(added->base),
                            .pointer = arch_frame_pointer(base)};
    __builtin_memset(range->frames, 0, range->count * sizeof(struct frame));
    free_count += range->count;
    total_count += range->count;
    free_all(range->first, range->first + range->count);
}

void frame_init(const struct boot_info *info)
{
    range_count = 0;
    ram_count = 0;
    recent_count = 0;
    free_count = 0;
    total_count = 0;
    __builtin_memset(free_first, 0, sizeof free_first);
    for (unsigned i = 0; i < info->ram_count; i++)
        range_add(&info->ram[i]);
    ram_add(info->ram, info->ram_count);
    ram_add(info->reserved, info->reserved_count);
    ram_add(&info->package, 1);
    // Frame 0 is never a device's, and 0 names no frame.
    ram_add(&(struct boot_range){.base = 0, .size_bytes = PAGE_BYTES}, 1);
}
