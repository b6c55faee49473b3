// SPDX-License-Identifier: MIT
// MemoryObject: a run of pages (interface: schema/memory_object.capnp; for the kernel:
// mm/memory_object.h).
//
// A sparse object finds its frames through a radix tree of pages with 1024 frame numbers
// each; up to DIRECT_COUNT pages need no tree.  Frames and tree pages are made when they
// are first touched, but all of them are charged at creation, so a touch can't fail.
//
// Invariants:
//  1. What charged_bytes() says is charged from creation to the end.
//  2. A frame, once present, stays until the object ends or a snapshot and a write part
//     it: whoever maps it needs a reference on the object and none on the frame, and is in
//     `mappings`, where it is told of the new one.
//  3. Nobody writes to a frame that has more than one reference: it is part of a snapshot,
//     or of what one was made of.  Both pay for it in full, so the copy that the first write
//     makes is charged already.
//  4. A view refers to an object that isn't one, and has no more rights.
//
// Mapping is mm/space.c's business.  Tested in memory_object_test.c.
#include <kernel/mm/memory_object.h>

#include <gen/kernel/memory_object.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/slab.h>
#include <kernel/sched/process.h>

enum backing : uint8_t {
    BACKING_SPARSE,
    BACKING_CONTIGUOUS, // owned frames from `base` on
    BACKING_PHYSICAL,   // frames from `base` on, nobody's
    BACKING_VIEW,       // another object's pages
};

constexpr unsigned DIRECT_COUNT = 8;
constexpr unsigned TABLE_BITS = 10;
constexpr uint64_t TABLE_COUNT = 1u << TABLE_BITS; // entries of 4 bytes in a tree page
static_assert(TABLE_COUNT * sizeof(uint32_t) == PAGE_BYTES);

struct memory_object {
    struct object object;
    struct budget *budget; // referenced
    uint64_t size_bytes;
    enum backing backing;
    bool writable;
    bool executable;
    enum page_cache cache;
    bool has_shared;      // a snapshot was made of it, or it is one
    uint32_t pin_count;   // memory_object_pin
    struct list mappings; // of it and its views; of a view: not used
    union {
        struct {             // BACKING_SPARSE: frame numbers, 0 where untouched
            unsigned levels; // of the tree; 0: the frames are in `direct`
            uint32_t root;
            uint32_t direct[DIRECT_COUNT];
        };
        paddr_t base;
        struct {                         // BACKING_VIEW
            struct memory_object *whole; // referenced
            uint64_t offset_bytes;
        };
    };
};

static struct slab_cache memory_objects = SLAB_CACHE(struct memory_object);

static void memory_object_destroy(struct object *self);

static const struct object_type memory_object_type = {
    .dispatch = &memory_object_dispatch,
    .destroy = memory_object_destroy,
};

struct object *memory_object_as_object(struct memory_object *object)
{
    return &object->object;
}

struct memory_object *memory_object_of(struct object *object)
{
    ASSERT(object->type == &memory_object_type);
    return (struct memory_object *)object;
}
static_assert(offsetof(struct memory_object, object) == 0);

uint64_t memory_object_size_bytes(const struct memory_object *object)
{
    return object->size_bytes;
}

bool memory_object_writable(const struct memory_object *object)
{
    return object->writable;
}

bool memory_object_executable(const struct memory_object *object)
{
    return object->executable;
}

enum page_cache memory_object_cache(const struct memory_object *object)
{
    return object->cache;
}

// ---- Sparse frames --------------------------------------------------------------------

static unsigned levels_for(uint64_t page_count)
{
    if (page_count <= DIRECT_COUNT)
        return 0;
    unsigned levels = 1;
    while (page_count > (uint64_t)1 << (TABLE_BITS * levels))
        levels++;
    return levels;
}

// The pages of a complete tree.
static uint64_t table_count(uint64_t page_count)
{
    uint64_t count = 0;
    for (unsigned levels = levels_for(page_count); levels > 0; levels--) {
        page_count = (page_count + TABLE_COUNT - 1) / TABLE_COUNT;
        count += page_count;
    }
    return count;
}

static uint32_t *table_at(uint32_t number)
{
    return arch_frame_pointer(frame_of_number(number));
}

// A zeroed frame that has been charged.
static uint32_t charged_frame(void)
{
    paddr_t frame = frame_get_one_zeroed();
    ASSERT(frame != 0);
    return frame_number(frame);
}

static unsigned table_index(uint64_t page_index, unsigned level)
{
    return (unsigned)(page_index >> (TABLE_BITS * (level - 1)) & (TABLE_COUNT - 1));
}

static uint32_t sparse_present(const struct memory_object *object, uint64_t page_index)
{
    if (object->levels == 0)
        return object->direct[page_index];
    uint32_t number = object->root;
    for (unsigned level = object->levels; level > 0 && number != 0; level--)
        number = table_at(number)[table_index(page_index, level)];
    return number;
}

// Where a page's frame number is, with the tree pages on the way.
static uint32_t *sparse_slot(struct memory_object *object, uint64_t page_index)
{
    uint32_t *slot = &object->root;
    if (object->levels == 0)
        slot = &object->direct[page_index];
    for (unsigned level = object->levels; level > 0; level--) {
        if (*slot == 0)
            *slot = charged_frame();
        slot = &table_at(*slot)[table_index(page_index, level)];
    }
    return slot;
}

// The first page from an index on, before `end`, that is present; `end` without one.
static uint64_t sparse_next(const struct memory_object *object, uint64_t page_index,
                            uint64_t end)
{
    while (page_index < end && object->levels == 0 && object->direct[page_index] == 0)
        page_index++;
    while (page_index < end && object->levels > 0) {
        uint32_t number = object->root;
        unsigned level = object->levels;
        for (; level > 0 && number != 0; level--)
            number = table_at(number)[table_index(page_index, level)];
        if (number != 0)
            break;
        // `level` tables further down there would have been the page.
        page_index = ((page_index >> TABLE_BITS * level) + 1) << TABLE_BITS * level;
    }
    return page_index < end ? page_index : end;
}

constexpr uint64_t LARGE_COUNT = LARGE_PAGE_BYTES / PAGE_BYTES;
static_assert(TABLE_COUNT % LARGE_COUNT == 0); // a large page's frames are in one tree page

// Makes the frames around a page as one run, if none of them is there and there is a run.
static void sparse_make_large(struct memory_object *object, uint64_t page_index)
{
    uint64_t first = page_index & ~(LARGE_COUNT - 1);
    if (object->size_bytes / PAGE_BYTES - first < LARGE_COUNT ||
        sparse_next(object, first, first + LARGE_COUNT) < first + LARGE_COUNT)
        return;
    paddr_t run = frame_get_zeroed(LARGE_PAGE_ORDER);
    if (run == 0)
        return;
    uint32_t *slots = sparse_slot(object, first);
    for (uint64_t i = 0; i < LARGE_COUNT; i++)
        slots[i] = frame_number(run) + (uint32_t)i;
}

// Puts a frame (level 0) or a tree page with all below it; at most three levels deep.
static void sparse_put(uint32_t number, unsigned level)
{
    if (number == 0)
        return;
    for (unsigned i = 0; level > 0 && i < TABLE_COUNT; i++)
        sparse_put(table_at(number)[i], level - 1);
    frame_put(frame_of_number(number));
}

// ---- Frames ---------------------------------------------------------------------------

struct list *memory_object_mappings(struct memory_object *object)
{
    return object->backing == BACKING_VIEW ? &object->whole->mappings : &object->mappings;
}

uint64_t memory_object_whole_offset(const struct memory_object *object, uint64_t offset_bytes)
{
    return object->backing == BACKING_VIEW ? offset_bytes + object->offset_bytes : offset_bytes;
}

static struct memory_object *whole_of(struct memory_object *object)
{
    return object->backing == BACKING_VIEW ? object->whole : object;
}

paddr_t memory_object_frame_present(const struct memory_object *object, uint64_t offset_bytes)
{
    ASSERT(offset_bytes % PAGE_BYTES == 0 && offset_bytes < object->size_bytes);
    if (object->backing == BACKING_VIEW) {
        offset_bytes += object->offset_bytes;
        object = object->whole;
    }
    if (object->backing == BACKING_SPARSE)
        return frame_of_number(sparse_present(object, offset_bytes / PAGE_BYTES));
    return object->base + offset_bytes;
}

paddr_t memory_object_run_present(const struct memory_object *object, uint64_t offset_bytes,
                                  uint64_t page_count, uint64_t *out_count)
{
    ASSERT(page_count > 0 && offset_bytes + page_count * PAGE_BYTES <= object->size_bytes);
    object = memory_object_whole(object, &offset_bytes);
    *out_count = page_count;
    if (object->backing != BACKING_SPARSE)
        return object->base + offset_bytes;
    uint64_t first_page = offset_bytes / PAGE_BYTES, end = first_page + page_count;
    uint32_t first = sparse_present(object, first_page);
    uint64_t count = 1;
    if (first == 0)
        count = sparse_next(object, first_page, end) - first_page;
    while (first != 0 && count < page_count &&
           sparse_present(object, first_page + count) == first + count)
        count++;
    *out_count = count;
    return frame_of_number(first);
}

const struct memory_object *memory_object_whole(const struct memory_object *object,
                                                uint64_t *offset_bytes)
{
    if (object->backing != BACKING_VIEW)
        return object;
    *offset_bytes += object->offset_bytes;
    return object->whole; // which isn't a view
}

paddr_t memory_object_frame(struct memory_object *object, uint64_t offset_bytes)
{
    ASSERT(offset_bytes % PAGE_BYTES == 0 && offset_bytes < object->size_bytes);
    if (object->backing == BACKING_VIEW) {
        offset_bytes += object->offset_bytes;
        object = object->whole;
    }
    if (object->backing != BACKING_SPARSE)
        return object->base + offset_bytes;
    uint64_t page_index = offset_bytes / PAGE_BYTES;
    uint32_t *slot = sparse_slot(object, page_index);
    if (*slot == 0)
        sparse_make_large(object, page_index);
    if (*slot == 0)
        *slot = charged_frame();
    return frame_of_number(*slot);
}

bool memory_object_has_shared(const struct memory_object *object)
{
    return object->backing == BACKING_VIEW ? object->whole->has_shared : object->has_shared;
}

paddr_t memory_object_frame_own(struct memory_object *object, uint64_t offset_bytes)
{
    paddr_t old = memory_object_frame(object, offset_bytes);
    offset_bytes = memory_object_whole_offset(object, offset_bytes);
    object = whole_of(object);
    if (!object->has_shared || object->backing != BACKING_SPARSE || !frame_is_shared(old))
        return old;
    paddr_t copy = frame_get_one();
    ASSERT(copy != 0); // it was charged when the snapshot was made
    __builtin_memcpy(arch_frame_pointer(copy), arch_frame_pointer(old), PAGE_BYTES);
    *sparse_slot(object, offset_bytes / PAGE_BYTES) = frame_number(copy);
    mm_mappings_replace(&object->mappings, offset_bytes, copy);
    frame_put(old);
    return copy;
}

paddr_t memory_object_frame_large(const struct memory_object *object, uint64_t offset_bytes)
{
    if (object->size_bytes < LARGE_PAGE_BYTES ||
        offset_bytes > object->size_bytes - LARGE_PAGE_BYTES)
        return 0;
    paddr_t first = memory_object_frame_present(object, offset_bytes);
    constexpr uint64_t last = LARGE_PAGE_BYTES - PAGE_BYTES;
    // The last page first: it tells most often that there is no run.
    if (first % LARGE_PAGE_BYTES != 0 || first == 0 ||
        memory_object_frame_present(object, offset_bytes + last) != first + last)
        return 0;
    for (uint64_t at = PAGE_BYTES; at < last; at += PAGE_BYTES)
        if (memory_object_frame_present(object, offset_bytes + at) != first + at)
            return 0;
    return first;
}

void memory_object_pin(struct memory_object *object)
{
    whole_of(object)->pin_count++;
}

void memory_object_unpin(struct memory_object *object)
{
    ASSERT(whole_of(object)->pin_count > 0);
    whole_of(object)->pin_count--;
}

// ---- Life -----------------------------------------------------------------------------

// What the pages, not the structure, cost, by kind.
static uint64_t charged_bytes(const struct memory_object *object, enum charge_kind kind)
{
    if (object->backing == BACKING_SPARSE && kind == CHARGE_KERNEL)
        return table_count(object->size_bytes / PAGE_BYTES) * PAGE_BYTES;
    if ((object->backing == BACKING_SPARSE || object->backing == BACKING_CONTIGUOUS) &&
        kind == CHARGE_USER)
        return object->size_bytes;
    return 0;
}

static void uncharge(struct memory_object *object)
{
    struct budget *budget = object->budget;
    budget_uncharge(budget, CHARGE_USER, charged_bytes(object, CHARGE_USER));
    budget_uncharge(budget, CHARGE_KERNEL, charged_bytes(object, CHARGE_KERNEL));
    slab_put(&memory_objects, budget, object);
}

// An object whose pages are charged, without its backing.  nullptr without memory.
static struct memory_object *create(struct budget *budget, enum backing backing,
                                    uint64_t size_bytes)
{
    ASSERT(size_bytes % PAGE_BYTES == 0 && size_bytes > 0);
    struct memory_object *object = slab_get(&memory_objects, budget);
    if (object == nullptr)
        return nullptr;
    object_init(&object->object, &memory_object_type);
    object->budget = budget;
    object->backing = backing;
    object->size_bytes = size_bytes;
    list_init(&object->mappings);
    uint64_t user_bytes = charged_bytes(object, CHARGE_USER);
    if (budget_charge(budget, CHARGE_USER, user_bytes) != STATUS_OK)
        goto fail_slab;
    if (budget_charge(budget, CHARGE_KERNEL, charged_bytes(object, CHARGE_KERNEL)) != STATUS_OK)
        goto fail_user;
    object_get(&budget->object);
    return object;

fail_user:
    budget_uncharge(budget, CHARGE_USER, user_bytes);
fail_slab:
    slab_put(&memory_objects, budget, object);
    return nullptr;
}

struct memory_object *memory_object_create(struct budget *budget, uint64_t size_bytes)
{
    if (size_bytes > MEMORY_OBJECT_BYTES_MAX)
        return nullptr;
    struct memory_object *object = create(budget, BACKING_SPARSE, size_bytes);
    if (object == nullptr)
        return nullptr;
    object->levels = levels_for(size_bytes / PAGE_BYTES);
    object->writable = true;
    object->executable = true;
    return object;
}

// A zeroed run of exactly page_count frames: the rest of the power of two is given back.
static paddr_t contiguous_get(uint64_t page_count)
{
    unsigned order = 0;
    while ((uint64_t)1 << order < page_count)
        order++;
    paddr_t base = frame_get(order);
    if (base == 0)
        return 0;
    for (uint64_t i = page_count; i < (uint64_t)1 << order; i++)
        frame_put(base + i * PAGE_BYTES);
    __builtin_memset(arch_frame_pointer(base), 0, page_count * PAGE_BYTES);
    return base;
}

struct memory_object *memory_object_create_contiguous(struct budget *budget,
                                                      uint64_t size_bytes, paddr_t *out_base)
{
    if (size_bytes > MEMORY_OBJECT_CONTIGUOUS_BYTES_MAX)
        return nullptr;
    struct memory_object *object = create(budget, BACKING_CONTIGUOUS, size_bytes);
    if (object == nullptr)
        return nullptr;
    object->base = contiguous_get(size_bytes / PAGE_BYTES);
    if (object->base == 0) {
        uncharge(object);
        object_put(&budget->object);
        return nullptr;
    }
    object->writable = true;
    *out_base = object->base;
    return object;
}

struct memory_object *memory_object_create_physical(struct budget *budget, paddr_t base,
                                                    uint64_t size_bytes, bool writable,
                                                    bool executable, enum page_cache cache)
{
    ASSERT(base % PAGE_BYTES == 0 && base != 0);
    struct memory_object *object = create(budget, BACKING_PHYSICAL, size_bytes);
    if (object == nullptr)
        return nullptr;
    object->base = base;
    object->writable = writable;
    object->executable = executable;
    object->cache = cache;
    return object;
}

struct memory_object *memory_object_create_view(struct budget *budget,
                                                struct memory_object *whole,
                                                uint64_t offset_bytes, uint64_t size_bytes,
                                                bool writable, bool executable)
{
    ASSERT(offset_bytes % PAGE_BYTES == 0 && offset_bytes <= whole->size_bytes);
    ASSERT(size_bytes <= whole->size_bytes - offset_bytes);
    ASSERT((whole->writable || !writable) && (whole->executable || !executable));
    struct memory_object *view = create(budget, BACKING_VIEW, size_bytes);
    if (view == nullptr)
        return nullptr;
    view->writable = writable;
    view->executable = executable;
    view->cache = whole->cache;
    if (whole->backing == BACKING_VIEW) {
        offset_bytes += whole->offset_bytes;
        whole = whole->whole;
    }
    view->whole = whole;
    view->offset_bytes = offset_bytes;
    object_get(&whole->object);
    return view;
}

// Why no snapshot can be made; nullptr if one can.
static const char *snapshot_problem(const struct memory_object *whole)
{
    if (whole->cache == PAGE_UNCACHED)
        return "a snapshot of device registers isn't possible";
    if (whole->backing == BACKING_CONTIGUOUS)
        return "a snapshot of DMA memory isn't possible: devices write to it";
    if (whole->pin_count > 0)
        return "a snapshot isn't possible while the kernel or a device writes to the object "
               "(a trace, DmaPool.pin)";
    ASSERT(whole->backing == BACKING_SPARSE || !whole->writable);
    return nullptr;
}

// Gives a snapshot the frames of a range of the whole that are there.
static void snapshot_share(struct memory_object *snapshot, const struct memory_object *whole,
                           uint64_t offset_bytes)
{
    uint64_t first = offset_bytes / PAGE_BYTES;
    uint64_t end = first + snapshot->size_bytes / PAGE_BYTES;
    for (uint64_t i = first; i < end; i++) {
        if (whole->backing == BACKING_SPARSE && (i = sparse_next(whole, i, end)) == end)
            return;
        paddr_t frame = memory_object_frame_present(whole, i * PAGE_BYTES);
        frame_ref(frame);
        *sparse_slot(snapshot, i - first) = frame_number(frame);
    }
}

bool memory_object_can_part(const struct memory_object *object)
{
    const struct memory_object *whole =
        object->backing == BACKING_VIEW ? object->whole : object;
    return snapshot_problem(whole) == nullptr;
}

void memory_object_part(struct memory_object *object, uint64_t offset_bytes,
                        uint64_t length_bytes)
{
    offset_bytes = memory_object_whole_offset(object, offset_bytes);
    object = whole_of(object);
    object->has_shared = true;
    if (object->backing == BACKING_SPARSE)
        mm_mappings_narrow(&object->mappings, offset_bytes, length_bytes);
}

struct memory_object *memory_object_create_snapshot(struct budget *budget,
                                                    struct memory_object *object,
                                                    enum status *out_status,
                                                    const char **out_reason)
{
    uint64_t offset_bytes = memory_object_whole_offset(object, 0);
    struct memory_object *whole = whole_of(object);
    *out_status = STATUS_FAILED;
    *out_reason = snapshot_problem(whole);
    if (*out_reason != nullptr)
        return nullptr;
    struct memory_object *snapshot = memory_object_create(budget, object->size_bytes);
    if (snapshot == nullptr) {
        *out_status = STATUS_OVERLOADED;
        return nullptr;
    }
    snapshot->executable = object->executable;
    snapshot->has_shared = true;
    snapshot_share(snapshot, whole, offset_bytes);
    memory_object_part(object, 0, object->size_bytes);
    return snapshot;
}

static void memory_object_destroy(struct object *self)
{
    struct memory_object *object = memory_object_of(self);
    ASSERT(list_empty(&object->mappings) && object->pin_count == 0);
    struct object *whole = nullptr;
    switch (object->backing) {
    case BACKING_SPARSE:
        for (unsigned i = 0; object->levels == 0 && i < DIRECT_COUNT; i++)
            sparse_put(object->direct[i], 0);
        sparse_put(object->root, object->levels);
        break;
    case BACKING_CONTIGUOUS:
        for (uint64_t offset = 0; offset < object->size_bytes; offset += PAGE_BYTES)
            frame_put(object->base + offset);
        break;
    case BACKING_PHYSICAL:
        break;
    case BACKING_VIEW:
        whole = &object->whole->object;
        break;
    }
    struct budget *budget = object->budget;
    uncharge(object);
    object_put(&budget->object);
    if (whole != nullptr)
        object_put(whole);
}

// ---- Methods --------------------------------------------------------------------------

enum status memory_object_info(struct object *self, struct invocation *,
                               struct memory_object_info_results *out_results)
{
    const struct memory_object *object = memory_object_of(self);
    *out_results = (struct memory_object_info_results){
        .size_bytes = object->size_bytes,
        .writable = object->writable,
        .executable = object->executable,
    };
    return STATUS_OK;
}

enum status memory_object_view(struct object *self, struct invocation *invocation,
                               const struct memory_object_view_params *params,
                               struct memory_object_view_results *out_results)
{
    struct memory_object *object = memory_object_of(self);
    if (params->size_bytes == 0 || params->size_bytes % PAGE_BYTES != 0 ||
        params->size_bytes > object->size_bytes)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "sizeBytes: a multiple of 4096, not zero, at most the "
                               "object's size");
    if (params->offset_bytes % PAGE_BYTES != 0 ||
        params->offset_bytes > object->size_bytes - params->size_bytes)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "offsetBytes: a multiple of 4096; offsetBytes + sizeBytes is "
                               "at most the object's size");
    if (params->writable && !object->writable)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "writable: false, because the object isn't writable");
    if (params->executable && !object->executable)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "executable: false, because the object isn't executable");

    struct memory_object *view =
        memory_object_create_view(invocation->process->budget, object, params->offset_bytes,
                                  params->size_bytes, params->writable, params->executable);
    if (view == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the caller's memory budget is exhausted");
    out_results->object = invocation_add_capability(invocation, &view->object);
    return STATUS_OK;
}

enum status memory_object_snapshot(struct object *self, struct invocation *invocation,
                                   struct memory_object_snapshot_results *out_results)
{
    enum status status;
    const char *reason;
    struct memory_object *snapshot = memory_object_create_snapshot(
        invocation->process->budget, memory_object_of(self), &status, &reason);
    if (snapshot == nullptr)
        return invocation_fail(
            invocation, status,
            status == STATUS_OVERLOADED ? "the caller's memory budget is exhausted" : reason);
    out_results->object = invocation_add_capability(invocation, &snapshot->object);
    return STATUS_OK;
}

// What `read` hands to the encoder; the kernel runs one method at a time.
static uint8_t read_buffer[PAGE_BYTES];

static void copy_from(const struct memory_object *object, uint64_t offset_bytes, uint8_t *to,
                      uint32_t size_bytes)
{
    while (size_bytes > 0) {
        uint64_t in_page = offset_bytes % PAGE_BYTES;
        uint32_t part = (uint32_t)(PAGE_BYTES - in_page);
        if (part > size_bytes)
            part = size_bytes;
        paddr_t frame = memory_object_frame_present(object, offset_bytes - in_page);
        if (frame == 0)
            __builtin_memset(to, 0, part);
        else
            __builtin_memcpy(to, (const uint8_t *)arch_frame_pointer(frame) + in_page, part);
        offset_bytes += part;
        to += part;
        size_bytes -= part;
    }
}

enum status memory_object_read(struct object *self, struct invocation *invocation,
                               const struct memory_object_read_params *params,
                               struct memory_object_read_results *out_results)
{
    const struct memory_object *object = memory_object_of(self);
    if (object->cache == PAGE_UNCACHED)
        return invocation_fail(invocation, STATUS_FAILED,
                               "the object is device registers: map it to read them");
    if (params->length_bytes == 0 || params->length_bytes > sizeof read_buffer ||
        params->length_bytes > object->size_bytes)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "lengthBytes: 1 to 4096, at most the object's size");
    if (params->offset_bytes > object->size_bytes - params->length_bytes)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "offsetBytes: offsetBytes + lengthBytes is at most the "
                               "object's size");

    copy_from(object, params->offset_bytes, read_buffer, params->length_bytes);
    out_results->data =
        (struct wire_data){.data = read_buffer, .size_bytes = params->length_bytes};
    return STATUS_OK;
}
