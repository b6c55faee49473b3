// SPDX-License-Identifier: MIT
// The one copy routine between user memory and the kernel, or two user memories.  See
// space.h.
//
// A user address is only ever looked up: first in the page tables, which answers for
// every page that has been touched, then, on a miss, as a page fault of the kernel's own
// making.  The copy goes through the kernel's pointer to the frame.  Device registers are
// refused: their frames are no memory, and the kernel has no pointer to them.
//
// Nothing guards against user code that changes the bytes meanwhile: whoever copies in
// looks at its copy only.  Tested in space_test.c.
#include <kernel/mm/space.h>

#include <kernel/debug/panic.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/page.h>

static bool access_allows(enum page_access access, bool write)
{
    return write ? access == PAGE_READ_WRITE : access != PAGE_NONE;
}

static bool range_is_user(uint64_t address, uint64_t size_bytes)
{
    return address < USER_ADDRESS_END && size_bytes <= USER_ADDRESS_END - address;
}

static bool is_device(struct space *space, uint64_t address)
{
    if (space->uncached_count == 0)
        return false;
    const struct region *region = region_find(space, address);
    return region != nullptr && region->kind == REGION_OBJECT &&
           memory_object_cache(region->object) == PAGE_UNCACHED;
}

// The kernel's pointer to a byte of user memory, good to the end of its page; nullptr
// without the access.
static uint8_t *user_pointer(struct space *space, uint64_t address, bool write)
{
    enum page_access access;
    paddr_t frame = arch_space_lookup(&space->arch, address & ~(PAGE_BYTES - 1), &access);
    if (frame == 0 || !access_allows(access, write)) {
        unsigned fault_kind;
        if (space_fault(space, address, write, false, &fault_kind) != STATUS_OK)
            return nullptr;
        frame = arch_space_lookup(&space->arch, address & ~(PAGE_BYTES - 1), &access);
        ASSERT(frame != 0 && access_allows(access, write));
    }
    if (is_device(space, address))
        return nullptr;
    return (uint8_t *)arch_frame_pointer(frame) + address % PAGE_BYTES;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t left_in_page(uint64_t address)
{
    return PAGE_BYTES - address % PAGE_BYTES;
}

enum status space_load(struct space *space, uint64_t address, unsigned width_bytes,
                       uint64_t *out_value)
{
    if ((address & (width_bytes - 1)) != 0 || !range_is_user(address, width_bytes))
        return STATUS_BAD_ADDRESS;
    enum page_access access;
    paddr_t frame = arch_space_lookup(&space->arch, address & ~(PAGE_BYTES - 1), &access);
    const uint8_t *word;
    if (frame != 0 && access != PAGE_NONE && space->uncached_count == 0) { // most often
        const uint8_t *bytes = arch_frame_pointer(frame);
        space->arch.known_page = (address & ~(PAGE_BYTES - 1)) + 1;
        space->arch.known_bytes = bytes;
        word = bytes + address % PAGE_BYTES;
    } else if ((word = user_pointer(space, address, false)) == nullptr) {
        return STATUS_BAD_ADDRESS;
    }
    *out_value = width_bytes == 8 ? __atomic_load_n((const uint64_t *)word, __ATOMIC_SEQ_CST)
                                  : __atomic_load_n((const uint32_t *)word, __ATOMIC_SEQ_CST);
    return STATUS_OK;
}

enum status space_copy_in(struct space *space, void *to, uint64_t from, uint64_t size_bytes)
{
    if (!range_is_user(from, size_bytes))
        return STATUS_BAD_ADDRESS;
    uint8_t *bytes = to;
    while (size_bytes > 0) {
        uint64_t part = smaller(size_bytes, left_in_page(from));
        const uint8_t *source = user_pointer(space, from, false);
        if (source == nullptr)
            return STATUS_BAD_ADDRESS;
        __builtin_memmove(bytes, source, part); // `to` may be a ring, which is user memory too
        bytes += part;
        from += part;
        size_bytes -= part;
    }
    return STATUS_OK;
}

enum status space_copy_out(struct space *space, uint64_t to, const void *from,
                           uint64_t size_bytes)
{
    if (!range_is_user(to, size_bytes))
        return STATUS_BAD_ADDRESS;
    const uint8_t *bytes = from;
    while (size_bytes > 0) {
        uint64_t part = smaller(size_bytes, left_in_page(to));
        uint8_t *target = user_pointer(space, to, true);
        if (target == nullptr)
            return STATUS_BAD_ADDRESS;
        __builtin_memmove(target, bytes, part); // as above
        bytes += part;
        to += part;
        size_bytes -= part;
    }
    return STATUS_OK;
}

enum status space_copy_across(struct space *to_space, uint64_t to, struct space *from_space,
                              uint64_t from, uint64_t size_bytes)
{
    if (!range_is_user(to, size_bytes) || !range_is_user(from, size_bytes))
        return STATUS_BAD_ADDRESS;
    while (size_bytes > 0) {
        uint64_t part = smaller(size_bytes, smaller(left_in_page(to), left_in_page(from)));
        const uint8_t *source = user_pointer(from_space, from, false);
        uint8_t *target = user_pointer(to_space, to, true);
        if (source == nullptr || target == nullptr)
            return STATUS_BAD_ADDRESS;
        __builtin_memmove(target, source, part); // both may be the same memory
        to += part;
        from += part;
        size_bytes -= part;
    }
    return STATUS_OK;
}

// The frame of a page that was committed a moment ago, so nobody shares it.
static paddr_t fresh_frame(struct space *space, uint64_t page)
{
    enum page_access access;
    paddr_t frame = arch_space_lookup(&space->arch, page, &access);
    if (frame != 0)
        return frame;
    const struct region *region = region_find(space, page);
    ASSERT(region != nullptr && region->kind == REGION_ANONYMOUS && !region->lazy);
    enum status status = page_bring_in(space, region, page);
    ASSERT(status == STATUS_OK);
    return arch_space_lookup(&space->arch, page, &access);
}

void space_fill(struct space *space, uint64_t to, const struct memory_object *object,
                uint64_t offset_bytes, uint64_t size_bytes)
{
    uint64_t in_page = to % PAGE_BYTES;
    ASSERT(offset_bytes % PAGE_BYTES == in_page);
    while (size_bytes > 0) {
        uint64_t part = smaller(size_bytes, PAGE_BYTES - in_page);
        paddr_t source = memory_object_frame_present(object, offset_bytes - in_page);
        paddr_t frame = fresh_frame(space, to - in_page);
        if (source != 0) // else it is zero, as the memory is
            __builtin_memcpy((uint8_t *)arch_frame_pointer(frame) + in_page,
                             (const uint8_t *)arch_frame_pointer(source) + in_page, part);
        to += part;
        offset_bytes += part;
        size_bytes -= part;
        in_page = 0;
    }
}
