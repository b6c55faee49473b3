// SPDX-License-Identifier: MIT
// Memory objects: runs of pages that can be mapped and shared
// (object/memory_object.c).
//
// Four kinds of backing, one type: zero-filled RAM on demand, contiguous RAM for DMA,
// a part of the boot package, device registers; and views, narrower objects that refer
// to another.
#pragma once

#include <kernel/mm/budget.h>
#include <kernel/mm/frame.h>

struct memory_object; // defined beside its code: kernel/object/memory_object.c

constexpr uint64_t MEMORY_OBJECT_BYTES_MAX = PAGE_BYTES << 30; // 4 TiB
constexpr uint64_t MEMORY_OBJECT_CONTIGUOUS_BYTES_MAX = PAGE_BYTES << FRAME_ORDER_MAX;

// In all of these, size_bytes is a multiple of PAGE_BYTES and not zero, and the object
// refers to the budget that it is charged to.  One reference, no hold.

// A zero-filled object, readable, writable and executable, charged to the budget in full.
// nullptr when it doesn't fit.
[[nodiscard]] struct memory_object *memory_object_create(struct budget *budget,
                                                         uint64_t size_bytes);
// Contiguous zeroed RAM, aligned to its size rounded up to a power of two, readable and
// writable, of at most MEMORY_OBJECT_CONTIGUOUS_BYTES_MAX; nullptr when the budget or no
// run fits.
[[nodiscard]] struct memory_object *
memory_object_create_contiguous(struct budget *budget, uint64_t size_bytes, paddr_t *out_base);
// A fixed physical range that nobody owns: boot package or device registers.  The budget
// pays for the structure.
[[nodiscard]] struct memory_object *
memory_object_create_physical(struct budget *budget, paddr_t base, uint64_t size_bytes,
                              bool writable, bool executable, enum page_cache cache);
// A part of another object with no more rights than it has; refers to it.  The budget
// pays for the structure.
[[nodiscard]] struct memory_object *memory_object_create_view(struct budget *budget,
                                                              struct memory_object *whole,
                                                              uint64_t offset_bytes,
                                                              uint64_t size_bytes,
                                                              bool writable, bool executable);

[[nodiscard]] uint64_t memory_object_size_bytes(const struct memory_object *object);
[[nodiscard]] bool memory_object_writable(const struct memory_object *object);
[[nodiscard]] bool memory_object_executable(const struct memory_object *object);
[[nodiscard]] enum page_cache memory_object_cache(const struct memory_object *object);

// The frame that backs an offset, made now if it never was touched: it was charged, so
// it is there.  offset_bytes is page-aligned and within the object.
[[nodiscard]] paddr_t memory_object_frame(struct memory_object *object, uint64_t offset_bytes);
// The same, but 0 if it never was touched.
[[nodiscard]] paddr_t memory_object_frame_present(const struct memory_object *object,
                                                  uint64_t offset_bytes);

// The object's `struct object`, for holds and references, and back: of an object whose
// type was checked.
[[nodiscard]] struct object *memory_object_as_object(struct memory_object *object);
[[nodiscard]] struct memory_object *memory_object_of(struct object *object);
