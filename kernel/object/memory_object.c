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
//  2. A frame, once present, stays the same until the object ends: whoever maps it needs
//     a reference on the object and none on the frame.
//  3. A view refers to an object that isn't one, and has no more rights.
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
    paddr_t frame = frame_get_zeroed(0);
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

static uint32_t sparse_make(struct memory_object *object, uint64_t page_index)
{
    uint32_t *slot = &object->root;
    if (object->levels == 0)
        slot = &object->direct[page_index];
    for (unsigned level = object->levels; level > 0; level--) {
        if (*slot == 0)
            *slot = charged_frame();
        slot = &table_at(*slot)[table_index(page_index, level)];
    }
    if (*slot == 0)
        *slot = charged_frame();
    return *slot;
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

paddr_t memory_object_frame(struct memory_object *object, uint64_t offset_bytes)
{
    ASSERT(offset_bytes % PAGE_BYTES == 0 && offset_bytes < object->size_bytes);
    if (object->backing == BACKING_VIEW) {
        offset_bytes += object->offset_bytes;
        object = object->whole;
    }
    if (object->backing == BACKING_SPARSE)
        return frame_of_number(sparse_make(object, offset_bytes / PAGE_BYTES));
    return object->base + offset_bytes;
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

static void memory_object_destroy(struct object *self)
{
    struct memory_object *object = memory_object_of(self);
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
