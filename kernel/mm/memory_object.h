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
#include <lib/list.h>

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

// What a part of an object holds now, as an object of its own, readable and writable:
// pages are shared until one side writes.  The budget pays for all of its pages at once, so
// no write to either can fail.  nullptr with a reason and STATUS_FAILED for what a snapshot
// can't be made of (device registers, DMA memory, what the kernel writes to), nullptr and
// STATUS_OVERLOADED without memory.  Linear in the pages that are there.
[[nodiscard]] struct memory_object *memory_object_create_snapshot(struct budget *budget,
                                                                  struct memory_object *object,
                                                                  enum status *out_status,
                                                                  const char **out_reason);

// Whether its frames can be shared until they are written to.
[[nodiscard]] bool memory_object_can_part(const struct memory_object *object);
// Somebody has taken references on frames of a range: who writes to the object there from now
// on gets a copy.
void memory_object_part(struct memory_object *object, uint64_t offset_bytes,
                        uint64_t length_bytes);

[[nodiscard]] uint64_t memory_object_size_bytes(const struct memory_object *object);
[[nodiscard]] bool memory_object_writable(const struct memory_object *object);
[[nodiscard]] bool memory_object_executable(const struct memory_object *object);
[[nodiscard]] enum page_cache memory_object_cache(const struct memory_object *object);

// The object that holds the memory, which is the object itself or, for a view, another; the
// offset is changed to the offset in that.
[[nodiscard]] const struct memory_object *
memory_object_whole(const struct memory_object *object, uint64_t *offset_bytes);

// The frame that backs an offset, made now if it never was touched: it was charged, so
// it is there.  For reading: it may be shared with a snapshot.  offset_bytes is page-aligned
// and within the object.
[[nodiscard]] paddr_t memory_object_frame(struct memory_object *object, uint64_t offset_bytes);
// The same for writing: a shared frame is replaced by a copy, in all mappings.
[[nodiscard]] paddr_t memory_object_frame_own(struct memory_object *object,
                                              uint64_t offset_bytes);
// Whether frames of the object may be shared, so that frame_is_shared must be asked.
[[nodiscard]] bool memory_object_has_shared(const struct memory_object *object);
// The first of 512 frames that follow each other, aligned, and back LARGE_PAGE_BYTES from an
// offset on; 0 if they don't, or are not all there, or the object doesn't reach so far.
[[nodiscard]] paddr_t memory_object_frame_large(const struct memory_object *object,
                                                uint64_t offset_bytes);
// The same, but 0 if it never was touched.
[[nodiscard]] paddr_t memory_object_frame_present(const struct memory_object *object,
                                                  uint64_t offset_bytes);
// Where such frames begin that follow each other: those of *out_count pages from an offset on, at
// most page_count, at least 1.  0: so many pages never were touched.
[[nodiscard]] paddr_t memory_object_run_present(const struct memory_object *object,
                                                uint64_t offset_bytes, uint64_t page_count,
                                                uint64_t *out_count);

// While the kernel itself writes to an object, or a device does, through frames that
// memory_object_frame_own gave, nobody can make a snapshot of it.
void memory_object_pin(struct memory_object *object);
void memory_object_unpin(struct memory_object *object);

// Who maps the object, or for a view the whole that it shows: struct region.object_link.
[[nodiscard]] struct list *memory_object_mappings(struct memory_object *object);
// Where an offset of the object is in the whole.
[[nodiscard]] uint64_t memory_object_whole_offset(const struct memory_object *object,
                                                  uint64_t offset_bytes);

// What address spaces do for an object (mm/page.c), in all of its mappings.  Offsets are
// those of the whole.
//
// Takes the right to write from the pages of a range until the next write faults.
void mm_mappings_narrow(struct list *mappings, uint64_t offset_bytes, uint64_t length_bytes);
// Maps another frame where the page of an offset is mapped; the old one can't be reached
// any more when it returns.
void mm_mappings_replace(struct list *mappings, uint64_t offset_bytes, paddr_t frame);

// The object's `struct object`, for holds and references, and back: of an object whose
// type was checked.
[[nodiscard]] struct object *memory_object_as_object(struct memory_object *object);
[[nodiscard]] struct memory_object *memory_object_of(struct object *object);
