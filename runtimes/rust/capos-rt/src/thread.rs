// SPDX-License-Identifier: MIT
//! Threads: making, joining and ending them.  Needs the grants "threads" and "thread".
//!
//! A thread's memory is one region, which its creator reserves:
//!
//! ```text
//! guard page | stack ... | Block
//! ```
//!
//! Invariants:
//!  1. The region belongs to the thread's owner, who gives it back after the join, until the
//!     thread is detached; then it belongs to the thread, which unmaps it in the same operation in
//!     which it ends, for nobody can free a stack that he stands on.
//!  2. `state` decides who is first, the detacher or the end of the thread: each exchanges it
//!     once, and the second one gives the region back.
#![allow(unsafe_code)]

pub use crate::schema::thread::*;

use crate::abi::{Capset, RingHeader};
use crate::arch;
use crate::capset;
use crate::error::Result;
use crate::ring::Ring;
use crate::virtual_memory::{Protection, VirtualMemory};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::cell::{Cell, UnsafeCell};
use core::mem::{ManuallyDrop, MaybeUninit};
use core::sync::atomic::{AtomicU32, Ordering};

const PAGE: u64 = 4096;
/// Of a thread's stack.
const STACK_BYTES: u64 = 64 * 1024;

const RUNNING: u32 = 0;
const DETACHED: u32 = 1;
const ENDED: u32 = 2;

/// What the FS base points to.  The first word is its own address and the one at 0x28 is for the
/// stack protector, as the psABI has them.
#[repr(C)]
pub struct Block {
    this: *const Block,
    reserved: [u64; 4],
    canary: u64,
    pub(crate) ring: Ring,
    state: AtomicU32,
    region: u64, // 0: the program's first thread
    region_bytes: u64,
    main: Cell<Option<Box<dyn FnOnce() + Send>>>,
}
const _: () = assert!(core::mem::offset_of!(Block, canary) == 0x28);

struct First(UnsafeCell<MaybeUninit<Block>>);
// SAFETY: written once, before there is a second thread; then its own thread's.
unsafe impl Sync for First {}

static FIRST: First = First(UnsafeCell::new(MaybeUninit::uninit()));

/// Makes the block of the program's first thread.
///
/// # Safety
/// Once, before anything else uses the ring at `ring`.
pub(crate) unsafe fn first_init(ring: *const RingHeader, canary: u64) {
    let block = FIRST.0.get().cast::<Block>();
    // SAFETY: the static is this thread's; the caller vouches for the ring.
    unsafe {
        block.write(Block {
            this: block,
            reserved: [0; 4],
            canary,
            ring: Ring::new(ring),
            state: AtomicU32::new(RUNNING),
            region: 0,
            region_bytes: 0,
            main: Cell::new(None),
        });
        arch::set_thread_block(block);
    }
}

/// The first function of a thread, with what the kernel put into the registers.
///
/// # Safety
/// Called by `arch::thread_entry` alone.
pub(crate) unsafe extern "C" fn thread_main(
    ring: *const RingHeader,
    _capset: *const Capset,
    block: *mut Block,
) -> ! {
    // SAFETY: `spawn` wrote all of the block but the ring, and the kernel mapped that for us.
    let block = unsafe {
        (&raw mut (*block).ring).write(Ring::new(ring));
        &*block
    };
    if let Some(main) = block.main.take() {
        main();
    }
    block.ring.drain();
    end(block)
}

fn end(block: &Block) -> ! {
    if let Ok(control) = capset::find::<ThreadControl>("thread") {
        let _ = if block.state.swap(ENDED, Ordering::AcqRel) == RUNNING {
            control.exit(0)
        } else {
            control.exit_and_unmap(0, block.region, block.region_bytes)
        };
    }
    panic!("a thread can't end")
}

/// What a thread leaves for who joins it.
struct Packet<T>(UnsafeCell<Option<T>>);
// SAFETY: the thread writes it before it ends, the joiner reads it after that.
unsafe impl<T: Send> Sync for Packet<T> {}

/// A running thread.  Dropped, it is detached.
pub struct JoinHandle<T> {
    handle: ManuallyDrop<ThreadHandle>,
    block: *const Block,
    packet: Arc<Packet<T>>,
}

// SAFETY: the block is touched by its atomic alone, and after the thread's end.
unsafe impl<T: Send> Send for JoinHandle<T> {}

fn region_make(memory: &VirtualMemory, bytes: u64) -> Result<u64> {
    let region = memory.reserve(bytes, 0, 0)?;
    let committed = memory.commit(region + PAGE, bytes - PAGE, Protection::ReadWrite);
    if committed.is_err() {
        memory.unmap(region, bytes).expect("a reservation can be given back");
    }
    committed.map(|()| region)
}

fn region_give(memory: &VirtualMemory, region: u64, bytes: u64) {
    memory.unmap(region, bytes).expect("a stack can be given back");
}

/// Starts a thread that runs `main`, with a stack of 64 KiB.
///
/// `NotFound` without the grants; `Overloaded` if there is no memory or no room for a thread.
pub fn spawn<T, F>(main: F) -> Result<JoinHandle<T>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let spawner = capset::find::<ThreadSpawner>("threads")?;
    let memory = capset::find::<VirtualMemory>("memory")?;
    capset::find::<ThreadControl>("thread")?;
    let packet = Arc::new(Packet(UnsafeCell::new(None)));
    let result = packet.clone();
    let main = Box::new(move || {
        let value = main();
        // SAFETY: nobody reads it before this thread has ended.
        unsafe { *result.0.get() = Some(value) };
    });
    let bytes = PAGE + STACK_BYTES + PAGE;
    let region = region_make(&memory, bytes)?;
    const { assert!(size_of::<Block>() <= PAGE as usize) };
    let block = (region + bytes - PAGE) as *mut Block;
    // SAFETY: the region's last page is mapped, aligned and ours.  The ring is thread_main's.
    unsafe {
        (&raw mut (*block).this).write(block);
        (&raw mut (*block).canary).write((*arch::thread_block()).canary);
        (&raw mut (*block).state).write(AtomicU32::new(RUNNING));
        (&raw mut (*block).region).write(region);
        (&raw mut (*block).region_bytes).write(bytes);
        (&raw mut (*block).main).write(Cell::new(Some(main)));
    }
    let (entry, top) = (arch::thread_entry as *const () as u64, block as u64);
    match spawner.start(entry, top, top, top, 0) {
        Ok(handle) => Ok(JoinHandle { handle: ManuallyDrop::new(handle), block, packet }),
        Err(error) => {
            // SAFETY: no thread has it.
            drop(unsafe { (*block).main.take() });
            region_give(&memory, region, bytes);
            Err(error)
        }
    }
}

impl<T> JoinHandle<T> {
    /// Waits for the thread's end and returns what `main` returned.
    pub fn join(mut self) -> Result<T> {
        self.finish()?;
        // SAFETY: the thread has ended, so nobody else has the packet's value.
        let value = unsafe { (*self.packet.0.get()).take() };
        let packet = self.packet.clone();
        core::mem::forget(self);
        // One for `self`, one for the clone.
        // SAFETY: `self` was forgotten, so its share is ours.
        unsafe { Arc::decrement_strong_count(Arc::as_ptr(&packet)) };
        Ok(value.expect("a thread that has ended has a result"))
    }

    /// Waits, and gives back what the thread had.
    fn finish(&mut self) -> Result<()> {
        self.handle.join()?;
        // SAFETY: the handle is dropped once, here or in `drop`.
        unsafe { ManuallyDrop::drop(&mut self.handle) };
        // SAFETY: the thread has ended, the region is this owner's.
        let (region, bytes) = unsafe { ((*self.block).region, (*self.block).region_bytes) };
        region_give(&*capset::find::<VirtualMemory>("memory")?, region, bytes);
        Ok(())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // SAFETY: until the exchange the region is this owner's.
        if unsafe { (*self.block).state.swap(DETACHED, Ordering::AcqRel) } == RUNNING {
            // SAFETY: dropped once.  The block may be gone by now.
            unsafe { ManuallyDrop::drop(&mut self.handle) };
            return;
        }
        // It is at its end, which it reached as a thread that will be joined.
        self.finish().expect("a thread that ends can be joined");
    }
}

/// Lets other threads run.
pub fn yield_now() {
    if let Ok(control) = capset::find::<ThreadControl>("thread") {
        let _ = control.yield_();
    }
}
