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

// The physical address behind a pointer into managed RAM that arch_frame_pointer made.
[[nodiscard]] paddr_t frame_address(const void *pointer);

// ---- What is known of a frame -------------------------------------------------------

enum frame_state : uint8_t {
    FRAME_USED, // the rest of a free run, too
    FRAME_FREE, // the first frame of a free run
    FRAME_SLAB, // a page of slab.c
};

// Frames are named by number, address / PAGE_BYTES; 0 is none, as the first 64 KiB are
// never managed.
struct frame {
    uint32_t next; // links of a list of frames: of free runs, or of slab pages
    uint32_t previous;
    union {
        uint32_t reference_count; // FRAME_USED
        struct {                  // FRAME_SLAB, private to slab.c
            uint8_t live_count;   // objects handed out
            uint8_t fresh_count;  // objects that were never handed out: the last ones
            uint8_t free_first;   // index + 1 of the first free object, 0 for none
            uint8_t class_index;
        } slab;
    };
    enum frame_state state;
    uint8_t order;  // FRAME_FREE: of the run
    uint16_t owner; // FRAME_SLAB: a hash of the budget, to find wrong puts
};
static_assert(sizeof(struct frame) == 16);

// Of a frame in managed RAM; nullptr for any other.
[[nodiscard]] struct frame *frame_lookup(paddr_t frame);

[[nodiscard]] static inline uint32_t frame_number(paddr_t frame)
{
    return (uint32_t)(frame / PAGE_BYTES);
}

[[nodiscard]] static inline paddr_t frame_of_number(uint32_t number)
{
    return (paddr_t)number * PAGE_BYTES;
}
