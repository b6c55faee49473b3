// SPDX-License-Identifier: MIT
// Memory, over the grant "memory" (VirtualMemory).
//
// Small mappings are charged to the budget when they are made, so touching them can't fail;
// from LAZY_BYTES on a page is charged when it is touched, for programs that ask for much and
// use little. A mapping that nobody may access is a reservation, and mprotect commits it.
//
// There is no break: brk never moves it, and malloc lives on mmap.  Mappings of files are
// map.c's.
#include "memory.h"

#include "abi.h"
#include "descriptor.h"
#include "errno.h"

#include <posix/calls.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

constexpr uint64_t LAZY_BYTES = 1 << 20;
constexpr uint64_t LENGTH_MAX = UINT64_C(1) << 47;
constexpr uint64_t CHANGE_BYTES_MAX = 256 << 20; // VirtualMemory changes that much in one call

static bool find(virtual_memory_cap *out_memory)
{
    return virtual_memory_cap_find("memory", out_memory) == STATUS_OK;
}

// EACCES: memory that is writable and executable.
static long protection_of(long asked, enum protection *out_protection)
{
    bool write = (asked & PROT_WRITE) != 0, execute = (asked & PROT_EXEC) != 0;
    if ((asked & ~(long)(PROT_READ | PROT_WRITE | PROT_EXEC)) != 0)
        return -EINVAL;
    if (write && execute)
        return -EACCES;
    *out_protection = execute      ? PROTECTION_READ_EXECUTE
                      : write      ? PROTECTION_READ_WRITE
                      : asked != 0 ? PROTECTION_READ
                                   : PROTECTION_NONE;
    return 0;
}

static bool is_range(uint64_t address, uint64_t bytes)
{
    return address % MEMORY_PAGE == 0 && bytes != 0 && bytes <= LENGTH_MAX &&
           address <= LENGTH_MAX - bytes;
}

enum status memory_change(virtual_memory_cap memory, uint64_t address, uint64_t bytes,
                          enum status (*part)(virtual_memory_cap memory, uint64_t address,
                                              uint64_t bytes))
{
    enum status status = STATUS_OK;
    for (uint64_t done = 0; status == STATUS_OK && done < bytes;) {
        uint64_t rest = bytes - done;
        uint64_t count = rest < CHANGE_BYTES_MAX ? rest : CHANGE_BYTES_MAX;
        status = part(memory, address + done, count);
        done += count;
    }
    return status;
}

// ---- Mapping ---------------------------------------------------------------------------

enum status memory_map_zeros(virtual_memory_cap memory, uint64_t address, uint64_t bytes,
                             enum protection protection, uint64_t *out_address)
{
    if (protection != PROTECTION_NONE && bytes < LAZY_BYTES)
        return virtual_memory_allocate(memory, bytes, address, protection, out_address);
    enum status status = virtual_memory_reserve(memory, bytes, address, 0, out_address);
    if (status != STATUS_OK || protection == PROTECTION_NONE)
        return status;
    status = virtual_memory_commit_lazily(memory, *out_address, bytes, protection);
    if (status != STATUS_OK)
        (void)memory_change(memory, *out_address, bytes, virtual_memory_unmap);
    return status;
}

// ENODEV: what the descriptor stands for can't be mapped.
static long map_file(long descriptor, const struct mapping *mapping)
{
    struct open_file *file = descriptor_get(descriptor);
    if (file == nullptr)
        return -EBADF;
    capos_mutex_lock(&file->lock);
    long result = file->ops->map == nullptr ? -ENODEV : file->ops->map(file, mapping);
    capos_mutex_unlock(&file->lock);
    open_file_put(file);
    return result;
}

long call_mmap(long address, long length, long asked, long flags, long descriptor, long offset)
{
    virtual_memory_cap memory;
    enum protection protection;
    uint64_t bytes = memory_page_up((uint64_t)length), mapped = 0;
    bool fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
    long error = protection_of(asked, &protection);
    if (error != 0)
        return error;
    if (length <= 0 || offset % (long)MEMORY_PAGE != 0 || offset < 0 ||
        (flags & MAP_TYPE) == 0 || !is_range(fixed ? (uint64_t)address : 0, bytes))
        return (uint64_t)length > LENGTH_MAX ? -ENOMEM : -EINVAL;
    if (!find(&memory))
        return -ENOMEM;
    uint64_t at = fixed ? (uint64_t)address : 0;
    if (fixed && (flags & MAP_FIXED_NOREPLACE) == 0 &&
        memory_change(memory, at, bytes, virtual_memory_unmap) != STATUS_OK)
        return -ENOMEM;
    if ((flags & MAP_ANONYMOUS) == 0)
        return map_file(descriptor,
                        &(struct mapping){memory, at, bytes, protection,
                                          (flags & MAP_TYPE) != MAP_PRIVATE, (uint64_t)offset});
    if (memory_map_zeros(memory, at, bytes, protection, &mapped) == STATUS_OK)
        return (long)mapped;
    return (flags & MAP_FIXED_NOREPLACE) != 0 ? -EEXIST : -ENOMEM;
}

// ---- Changing --------------------------------------------------------------------------

long call_munmap(long address, long length)
{
    virtual_memory_cap memory;
    uint64_t bytes = memory_page_up((uint64_t)length);
    if (!find(&memory) || !is_range((uint64_t)address, bytes))
        return -EINVAL;
    return memory_change(memory, (uint64_t)address, bytes, virtual_memory_unmap) == STATUS_OK
               ? 0
               : -ENOMEM;
}

// Committing gives what is only reserved its pages, and what has some keeps them; of an
// object's pages and the program's own file only the protection changes.
long call_mprotect(long address, long length, long asked)
{
    virtual_memory_cap memory;
    enum protection protection;
    uint64_t bytes = memory_page_up((uint64_t)length);
    long error = protection_of(asked, &protection);
    if (error != 0)
        return error;
    if (length == 0)
        return 0;
    if (!find(&memory) || !is_range((uint64_t)address, bytes))
        return -EINVAL;
    enum status status = STATUS_FAILED;
    if (protection != PROTECTION_NONE)
        status =
            bytes < LAZY_BYTES
                ? virtual_memory_commit(memory, (uint64_t)address, bytes, protection)
                : virtual_memory_commit_lazily(memory, (uint64_t)address, bytes, protection);
    if (status != STATUS_OK)
        status = virtual_memory_protect(memory, (uint64_t)address, bytes, protection);
    return status == STATUS_OK ? 0 : -ENOMEM;
}

// Only anonymous memory that may be written grows, by moving.
long call_mremap(long address, long old_length, long new_length, long flags, long target)
{
    virtual_memory_cap memory;
    uint64_t old_bytes = memory_page_up((uint64_t)old_length),
             new_bytes = memory_page_up((uint64_t)new_length);
    uint64_t mapped;
    (void)target;
    if ((flags & ~(long)MREMAP_MAYMOVE) != 0 || !find(&memory) ||
        !is_range((uint64_t)address, old_bytes) || !is_range(0, new_bytes))
        return -EINVAL;
    if (new_bytes < old_bytes)
        return memory_change(memory, (uint64_t)address + new_bytes, old_bytes - new_bytes,
                             virtual_memory_unmap) == STATUS_OK
                   ? address
                   : -ENOMEM;
    if (new_bytes == old_bytes)
        return address;
    if ((flags & MREMAP_MAYMOVE) == 0 ||
        memory_map_zeros(memory, 0, new_bytes, PROTECTION_READ_WRITE, &mapped) != STATUS_OK)
        return -ENOMEM;
    memcpy((void *)mapped, (const void *)address, old_bytes);
    (void)memory_change(memory, (uint64_t)address, old_bytes, virtual_memory_unmap);
    return (long)mapped;
}

// Advice is taken or not; MADV_DONTNEED isn't advice: the memory reads as zero afterwards.
long call_madvise(long address, long length, long advice)
{
    virtual_memory_cap memory;
    uint64_t bytes = memory_page_up((uint64_t)length);
    if (advice != MADV_DONTNEED)
        return 0;
    if (!find(&memory) || !is_range((uint64_t)address, bytes))
        return -EINVAL;
    if (memory_change(memory, (uint64_t)address, bytes, virtual_memory_decommit) != STATUS_OK ||
        virtual_memory_commit_lazily(memory, (uint64_t)address, bytes, PROTECTION_READ_WRITE) !=
            STATUS_OK)
        return -EINVAL;
    return 0;
}

// The break can't be moved: the answer is where it is, nowhere.
long call_brk(long address)
{
    (void)address;
    return 0;
}
