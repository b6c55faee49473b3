// SPDX-License-Identifier: MIT
// Physical memory: a buddy allocator over all RAM (frame.c).
//
// Every frame has a struct frame with a reference count; the last put frees it.
// Charging is the caller's business (mm/budget.h): a caller charges first, and what is
// charged is always there, because the root budget is exactly the free memory.
// Contiguous runs (order > 0) can still fail by fragmentation.
#pragma once

#include <stdint.h>

#include <kernel/arch.h>

constexpr unsigned FRAME_ORDER_MAX = 10; // runs of up to 4 MiB

struct boot_info;

// What each CPU keeps at hand (struct cpu): free frames that it used last, so that they are
// warm in its cache, and some that it cleared when it had nothing else to do.  Private to
// frame.c.
constexpr unsigned FRAME_RECENT_MAX = 32;
constexpr unsigned FRAME_ZEROED_MAX = 32;
constexpr unsigned FRAME_RUN_ORDER = 2; // of the runs that are kept
constexpr unsigned FRAME_RUNS_MAX = 4;

struct frame_cache {
    uint32_t recent_count;
    uint32_t zeroed_count;
    uint32_t run_count;
    paddr_t recent[FRAME_RECENT_MAX];
    paddr_t zeroed[FRAME_ZEROED_MAX];
    paddr_t runs[FRAME_RUNS_MAX];
};

// Takes the RAM of boot_info.  The struct frame array is placed in it.  Called again (by
// tests), it forgets everything and starts over.
void frame_init(const struct boot_info *info);

// Frames that are free now, and all that the allocator manages.
[[nodiscard]] uint64_t frame_free_count(void);
[[nodiscard]] uint64_t frame_total_count(void);

// A run of 2^order frames, aligned to its size, contents undefined, one reference each
// (each frame is put on its own); 0 when none is left.  frame_get_zeroed clears it.
[[nodiscard]] paddr_t frame_get(unsigned order);
[[nodiscard]] paddr_t frame_get_zeroed(unsigned order);
// The same for one frame, which is most often at hand.
[[nodiscard]] paddr_t frame_get_one(void);
[[nodiscard]] paddr_t frame_get_one_zeroed(void);

// Clears a few free frames for later.  For a CPU that has nothing else to do.
void frame_idle(void);

// Reference counting of single frames.  Frames outside managed RAM (the boot package,
// devices) are ignored by both.
void frame_ref(paddr_t frame);
void frame_put(paddr_t frame);

// The same for each of 2^order frames from `first`, a multiple of their size, on.
void frame_ref_run(paddr_t first, unsigned order);
void frame_put_run(paddr_t first, unsigned order);

// Whether somebody else has a reference on a frame too, so that who has one must not write.
// Frames outside managed RAM belong to everybody.
[[nodiscard]] bool frame_is_shared(paddr_t frame);

// Whether a physical range touches RAM, used or not.
[[nodiscard]] bool frame_range_is_ram(paddr_t base, uint64_t size_bytes);

// ---- What is known of a frame -------------------------------------------------------

enum frame_state : uint8_t {
    FRAME_USED, // the rest of a free run, too
    FRAME_FREE, // the first frame of a free run
    FRAME_SLAB, // a page of slab.c
};

// Frames are named by number, address / PAGE_BYTES; 0 is none, as the first 64 KiB are
// never managed.
struct frame {
    uint32_t next; // links of a list of frames: of free runs, slab pages or page tables
    uint32_t previous;
    union {
        uint32_t reference_count; // FRAME_USED
        struct {                  // FRAME_SLAB, private to slab.c
            uint8_t live_count;   // objects handed out
            uint8_t fresh_count;  // objects that were never handed out: the last ones
            uint8_t free_first;   // link to the first free object; 0: none
            uint8_t class_index;
        } slab;
    };
    enum frame_state state;
    uint8_t order;  // FRAME_FREE: of the run
    uint16_t owner; // FRAME_SLAB: a hash of the budget, to find wrong puts
};
static_assert(sizeof(struct frame) == 16);

[[nodiscard]] static inline uint32_t frame_number(paddr_t frame)
{
    return (uint32_t)(frame / PAGE_BYTES);
}

[[nodiscard]] static inline paddr_t frame_of_number(uint32_t number)
{
    return (paddr_t)number * PAGE_BYTES;
}

// A range of managed RAM.
struct frame_range {
    uint32_t first; // number of the first frame
    uint32_t count;
    struct frame *frames; // `count` of them
    const char *pointer;  // to the first frame; the rest follow it
};

// The largest range: most machines have nearly all their RAM in it.
extern struct frame_range frame_range_main;
// The same for the others.
[[nodiscard]] struct frame *frame_lookup_other(paddr_t frame);
[[nodiscard]] paddr_t frame_address_other(const void *pointer);

// Of a frame in managed RAM; nullptr for any other.
[[nodiscard]] static inline struct frame *frame_lookup(paddr_t frame)
{
    uint64_t index = frame / PAGE_BYTES - frame_range_main.first; // wraps when below
    return index < frame_range_main.count ? &frame_range_main.frames[index]
                                          : frame_lookup_other(frame);
}

// The same of the frame that a pointer into managed RAM points to.
[[nodiscard]] static inline struct frame *frame_lookup_pointer(const void *pointer)
{
    uint64_t offset = (uintptr_t)pointer - (uintptr_t)frame_range_main.pointer; // wraps too
    return offset < frame_range_main.count * PAGE_BYTES
               ? &frame_range_main.frames[offset / PAGE_BYTES]
               : frame_lookup_other(frame_address_other(pointer));
}

// The physical address behind a pointer into managed RAM that arch_frame_pointer made.
[[nodiscard]] static inline paddr_t frame_address(const void *pointer)
{
    uint64_t offset = (uintptr_t)pointer - (uintptr_t)frame_range_main.pointer; // wraps too
    return offset < frame_range_main.count * PAGE_BYTES
               ? frame_of_number(frame_range_main.first) + offset
               : frame_address_other(pointer);
}
