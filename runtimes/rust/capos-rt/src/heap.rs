// SPDX-License-Identifier: MIT
//! The allocator, over the program's own VirtualMemory, its grant "memory".  Without that grant
//! there is no heap: every allocation fails.
//!
//! Sizes up to 32 KiB are rounded up to one of 40 classes, each with a list of free blocks, which
//! are cut from pages of the heap's own; those pages stay with their class.  What is larger, or
//! aligned to more than a page, is a region of its own and goes back to the kernel.
//!
//! Invariants:
//!  1. A free block is in one list, linked by its first word.
//!  2. Nothing that runs while the lock is held allocates: the calls for pages have their messages
//!     on the stack, and completions that free memory wait (`Ring::hold`).
#![allow(unsafe_code)]

use crate::cap::Interface;
use crate::ring::{self, Call, Room};
use crate::sync::Mutex;
use crate::virtual_memory::{
    Protection, VirtualMemory, VirtualMemoryAllocateParams, VirtualMemoryAllocateResults,
    VirtualMemoryCommitParams, VirtualMemoryReserveParams, VirtualMemoryReserveResults,
    VirtualMemoryUnmapParams,
};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

const PAGE: usize = 4096;
const CLASSES: usize = 40;
const SMALL_BYTES_MAX: usize = 32 * 1024;
const ARENA_BYTES: usize = 64 * 1024 * 1024; // of addresses
const COMMIT_BYTES: usize = 32 * 1024;
const SPAN_BYTES: usize = 4096; // that a class takes at a time, at least

/// The class of a size: steps of 16 up to 128, then four to each power of two.
const fn class_of(bytes: usize) -> usize {
    if bytes <= 128 {
        return if bytes == 0 { 0 } else { (bytes - 1) / 16 };
    }
    let power = (bytes - 1).ilog2() as usize; // 2^power < bytes <= 2^(power + 1)
    8 + (power - 7) * 4 + ((bytes - 1) >> (power - 2)) % 4
}

/// The size of a class's blocks.
const fn class_bytes(class: usize) -> usize {
    if class < 8 {
        return (class + 1) * 16;
    }
    let (power, step) = (7 + (class - 8) / 4, (class - 8) % 4);
    (1 << power) + ((step + 1) << (power - 2))
}
const _: () = assert!(class_of(SMALL_BYTES_MAX) == CLASSES - 1);
const _: () = assert!(class_bytes(CLASSES - 1) == SMALL_BYTES_MAX);

/// The class for a layout; `None`: a region of its own.  A block of a class that is a power of two
/// is aligned to its size, up to a page.
fn class_for(layout: Layout) -> Option<usize> {
    let bytes = if layout.align() <= 16 {
        layout.size()
    } else {
        layout.size().max(layout.align()).checked_next_power_of_two()?
    };
    (bytes <= SMALL_BYTES_MAX && layout.align() <= PAGE).then(|| class_of(bytes))
}

struct Free {
    next: *mut Free,
}

struct Heap {
    free: [*mut Free; CLASSES],
    // Of the arena: what no class has yet, what is committed, what is reserved.
    next: usize,
    committed: usize,
    end: usize,
}

// SAFETY: the pointers are the heap's own, which is used under its lock.
unsafe impl Send for Heap {}

struct Allocator(Mutex<Heap>);

#[cfg_attr(target_os = "capos", global_allocator)]
#[cfg_attr(not(target_os = "capos"), allow(dead_code))]
static ALLOCATOR: Allocator =
    Allocator(Mutex::new(Heap { free: [null_mut(); CLASSES], next: 0, committed: 0, end: 0 }));

// ---- Pages ----------------------------------------------------------------------------------

/// Calls the program's VirtualMemory with messages on the stack; the first word of the results.
fn memory_call(
    method: u16,
    encode: impl FnOnce(&mut [u64]) -> crate::Result<usize>,
) -> Option<u64> {
    let memory = crate::start::capset().iter().find(|entry| {
        entry.interface_id == VirtualMemory::ID && entry.name.starts_with(b"memory\0")
    })?;
    let ring = ring::current();
    let held = ring.hold();
    let mut words = [0; 64];
    let room = Room { params_bytes: 64, params_caps: 0, results_bytes: 64, results_caps: 0 };
    let mut call = Call::begin_in(&mut words, room);
    let result = encode(call.message()).ok().and_then(|bytes| {
        let reply = call.invoke(memory.cap, VirtualMemory::ID, method, bytes, &[]).ok()?;
        Some(reply.message().get(1).copied().unwrap_or(0))
    });
    drop(held);
    result
}

fn pages_unmap(address: usize, bytes: usize) {
    let params = VirtualMemoryUnmapParams { address: address as u64, length_bytes: bytes as u64 };
    let done = memory_call(VirtualMemory::METHOD_UNMAP, |to| params.encode(to));
    assert!(done.is_some(), "heap: a region can't be unmapped");
}

fn pages_commit(address: usize, bytes: usize) -> Option<()> {
    let params = VirtualMemoryCommitParams {
        address: address as u64,
        length_bytes: bytes as u64,
        protection: Protection::ReadWrite,
    };
    memory_call(VirtualMemory::METHOD_COMMIT, |to| params.encode(to)).map(|_| ())
}

fn pages_reserve(bytes: usize, alignment: usize) -> Option<usize> {
    let params = VirtualMemoryReserveParams {
        length_bytes: bytes as u64,
        address: 0,
        alignment_bytes: if alignment > PAGE { alignment as u64 } else { 0 },
    };
    memory_call(VirtualMemory::METHOD_RESERVE, |to| params.encode(to))
        .map(|address| address as usize)
}

/// A region of its own; `None` without memory.
fn region_make(layout: Layout) -> Option<usize> {
    let bytes = region_bytes(layout)?;
    if layout.align() <= PAGE {
        let params = VirtualMemoryAllocateParams {
            length_bytes: bytes as u64,
            address: 0,
            protection: Protection::ReadWrite,
        };
        return memory_call(VirtualMemory::METHOD_ALLOCATE, |to| params.encode(to))
            .map(|at| at as usize);
    }
    let address = pages_reserve(bytes, layout.align())?;
    let committed = pages_commit(address, bytes);
    if committed.is_none() {
        pages_unmap(address, bytes);
    }
    committed.map(|()| address)
}

fn region_bytes(layout: Layout) -> Option<usize> {
    Some(layout.size().checked_add(PAGE - 1)? & !(PAGE - 1))
}

// The one word of the results that `memory_call` returns.
const _: () = assert!(VirtualMemoryReserveResults::BYTES_MIN == 16);
const _: () = assert!(VirtualMemoryAllocateResults::BYTES_MIN == 16);

// ---- Blocks ---------------------------------------------------------------------------------

impl Heap {
    /// Pages of the arena, committed.
    fn span(&mut self, bytes: usize) -> Option<usize> {
        if self.next + bytes > self.end {
            // What is left of the old arena stays unused: less than one span.
            self.next = pages_reserve(ARENA_BYTES, 0)?;
            self.committed = self.next;
            self.end = self.next + ARENA_BYTES;
        }
        if self.next + bytes > self.committed {
            let more = bytes.max(COMMIT_BYTES).min(self.end - self.committed);
            pages_commit(self.committed, more)?;
            self.committed += more;
        }
        let start = self.next;
        self.next += bytes;
        Some(start)
    }

    /// Cuts new pages into blocks of a class and returns one.
    #[cold]
    fn refill(&mut self, class: usize) -> *mut u8 {
        let block = class_bytes(class);
        let bytes =
            if block <= SPAN_BYTES / 4 { SPAN_BYTES } else { (block * 2).next_multiple_of(PAGE) };
        let Some(start) = self.span(bytes) else {
            return null_mut();
        };
        let mut at = start + block;
        while at + block <= start + bytes {
            self.give(class, at as *mut u8);
            at += block;
        }
        start as *mut u8
    }

    #[inline]
    fn take(&mut self, class: usize) -> *mut u8 {
        let first = self.free[class];
        if first.is_null() {
            return self.refill(class);
        }
        // SAFETY: a free block of this class, whose first word is the link (invariant 1).
        self.free[class] = unsafe { (*first).next };
        first.cast()
    }

    #[inline]
    fn give(&mut self, class: usize, block: *mut u8) {
        let free = block.cast::<Free>();
        // SAFETY: the block is the heap's again, of at least 16 bytes, aligned to 16.
        unsafe { (*free).next = self.free[class] };
        self.free[class] = free;
    }
}

// SAFETY: blocks don't overlap and are as large and as aligned as their class or region says.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class_for(layout) {
            Some(class) => self.0.lock().take(class),
            None => region_make(layout).map_or(null_mut(), |address| address as *mut u8),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match (class_for(layout), region_bytes(layout)) {
            (Some(class), _) => self.0.lock().give(class, block),
            (None, Some(bytes)) => pages_unmap(block.addr(), bytes),
            (None, None) => {} // was never allocated
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's, of a size that doesn't overflow.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (old_class, new_class) = (class_for(layout), class_for(new));
        if old_class == new_class
            && (old_class.is_some() || region_bytes(layout) == region_bytes(new))
        {
            return block;
        }
        // SAFETY: both are blocks of the caller's, and don't overlap.
        unsafe {
            let target = self.alloc(new);
            if !target.is_null() {
                core::ptr::copy_nonoverlapping(block, target, layout.size().min(size));
                self.dealloc(block, layout);
            }
            target
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, SMALL_BYTES_MAX, class_bytes, class_of};

    #[test]
    fn a_size_gets_the_smallest_class_that_holds_it() {
        for bytes in 1..=SMALL_BYTES_MAX {
            let class = class_of(bytes);
            assert!(class_bytes(class) >= bytes, "{bytes}");
            assert!(class == 0 || class_bytes(class - 1) < bytes, "{bytes}");
        }
        assert_eq!(class_of(SMALL_BYTES_MAX) + 1, CLASSES);
    }
}
