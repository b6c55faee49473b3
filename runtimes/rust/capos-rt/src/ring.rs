// SPDX-License-Identifier: MIT
//! The ring client: submissions, completions, and the memory of calls.  Each thread has its own,
//! so nothing here takes a lock.
//!
//! Invariants:
//!  1. `in_flight` counts the submissions whose completion was not consumed, and quiet ones
//!     until the kernel has taken them.  It never exceeds the entries of either queue, so
//!     neither overflows.
//!  2. The last entry is kept for what completes at once (releases, cancels), so a release
//!     always finds room.
//!  3. A completion is consumed in one place and matched by its user_data, which is the address
//!     of a `Slot`: operations complete in any order.  A slot outlives its operation: it lies on
//!     the stack of a function that waits for it, or in a box that the completion frees if its
//!     owner is gone.
//!  4. Nothing of a program runs while completions are consumed, but for `Waker::wake`.
//!
//! The message area of the ring belongs to the one synchronous call that a thread makes at a
//! time; what doesn't fit and asynchronous calls lie on the heap.
#![allow(unsafe_code)]

use crate::abi::{self, CapRecord, Cqe, RingHeader, Sqe, Transfer};
use crate::arch;
use crate::error::{Error, Result};
use crate::errors::{CapException, Status};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

/// The part of the message area for synchronous calls: 4096 bytes of data with their message fit.
const SYNC_BYTES: usize = 4608;
/// The least room for results, so that an exception with its reason fits.
const RESULT_BYTES_MIN: usize = 240;
const _: () = assert!(RESULT_BYTES_MIN >= CapException::BYTES_MAX);
const _: () = assert!(SYNC_BYTES <= abi::RING_MESSAGE_BYTES as usize);

/// What a submission's user_data names, in its low two bits.
const KIND_MASK: u64 = 3;
const KIND_SLOT: u64 = 0; // Slot
const KIND_BOX: u64 = 1; // Flight, in a box
const KIND_QUIET: u64 = 2; // nothing
const KIND_QUIET_IF_HELD: u64 = 3; // nothing, and no mistake if the capability isn't held

/// Where the outcome of an operation is stored.
#[repr(align(8))]
pub struct Slot {
    done: Cell<bool>,
    result: Cell<i32>,
    flags: Cell<u32>,
    result_bytes: Cell<u32>,
    cap_count: Cell<u32>,
}

impl Slot {
    const fn new() -> Self {
        Self {
            done: Cell::new(false),
            result: Cell::new(0),
            flags: Cell::new(0),
            result_bytes: Cell::new(0),
            cap_count: Cell::new(0),
        }
    }

    fn store(&self, completion: &Cqe) {
        self.result.set(completion.result);
        self.flags.set(completion.flags);
        self.result_bytes.set(completion.result_bytes);
        self.cap_count.set(completion.transfer_count);
        self.done.set(true);
    }
}

/// A thread's ring.
pub struct Ring {
    header: *const RingHeader,
    submissions: *mut Sqe,
    completions: *const Cqe,
    message_area: *mut u64,
    message_offset: u64,
    sq_mask: u32,
    cq_mask: u32,
    in_flight_max: u32,
    sq_tail: Cell<u32>,
    cq_head: Cell<u32>,
    in_flight: Cell<u32>,
    quiet: Cell<u32>,
    sync_in_use: Cell<bool>,
    abandoned: Cell<u32>,
    /// Flights whose completion was consumed, whose owners haven't been told.
    landed: Cell<*const Flight>,
    /// Nobody is told now (`hold`).
    held: Cell<u32>,
    /// A block that the last large call left for the next one.
    spare: Cell<Vec<u64>>,
}

impl Ring {
    /// Takes the ring at `header` into use.
    ///
    /// # Safety
    /// The kernel mapped it for the calling thread, which makes one `Ring` of it.
    pub(crate) unsafe fn new(header: *const RingHeader) -> Self {
        // SAFETY: the header states where the queues and the message area lie in the region.
        unsafe {
            let base = header.cast::<u8>().cast_mut();
            let fields = &*header;
            Self {
                header,
                submissions: base.add(fields.sq_offset as usize).cast(),
                completions: base.add(fields.cq_offset as usize).cast(),
                message_area: base.add(fields.message_offset as usize).cast(),
                message_offset: u64::from(fields.message_offset),
                sq_mask: fields.sq_entries - 1,
                cq_mask: fields.cq_entries - 1,
                in_flight_max: fields.sq_entries.min(fields.cq_entries),
                sq_tail: Cell::new(0),
                cq_head: Cell::new(0),
                in_flight: Cell::new(0),
                quiet: Cell::new(0),
                sync_in_use: Cell::new(false),
                abandoned: Cell::new(0),
                landed: Cell::new(core::ptr::null()),
                held: Cell::new(0),
                spare: Cell::new(Vec::new()),
            }
        }
    }

    fn sq_tail_word(&self) -> &AtomicU32 {
        // SAFETY: an aligned word of the header, which lives as long as the thread; the kernel
        // reads it while user code writes it, so it is only accessed atomically.
        unsafe { AtomicU32::from_ptr((&raw const (*self.header).sq_tail).cast_mut()) }
    }

    fn cq_head_word(&self) -> &AtomicU32 {
        // SAFETY: as sq_tail_word.
        unsafe { AtomicU32::from_ptr((&raw const (*self.header).cq_head).cast_mut()) }
    }

    #[inline]
    fn cq_tail(&self) -> u32 {
        // SAFETY: as sq_tail_word; the kernel writes this one.
        let word = unsafe { AtomicU32::from_ptr((&raw const (*self.header).cq_tail).cast_mut()) };
        word.load(Ordering::Acquire)
    }

    #[cold]
    fn enter_failed(result: i64) -> ! {
        panic!("cap_enter: {:?}", Status::from_code(-result as i32))
    }

    /// Enters the kernel.  The indices are ours, so an error says that this file is wrong.
    #[inline]
    fn enter(&self, completions_min: u32) {
        let timeout = if completions_min == 0 { 0 } else { abi::FOREVER };
        let result = arch::cap_enter(completions_min, timeout);
        if result < 0 {
            Self::enter_failed(result);
        }
        let quiet = self.quiet.replace(0); // taken
        self.in_flight.set(self.in_flight.get() - quiet);
    }

    /// The oldest completion that is not consumed.
    #[inline]
    fn completion(&self) -> Option<&Cqe> {
        if self.cq_tail() == self.cq_head.get() {
            return None;
        }
        // SAFETY: within the queue; the kernel wrote it before cq_tail and leaves it alone until
        // cq_head passes it.
        Some(unsafe { &*self.completions.add((self.cq_head.get() & self.cq_mask) as usize) })
    }

    #[inline]
    fn completion_take(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
        let head = self.cq_head.get().wrapping_add(1);
        self.cq_head.set(head);
        self.cq_head_word().store(head, Ordering::Release);
    }

    /// A quiet submission failed.  A cancel that came too late is no error; a release of what
    /// isn't held is a mistake of the runtime, like freeing memory twice.
    #[cold]
    fn quiet_failed(&self, completion: &Cqe) {
        let bad_capability = completion.result == -(Status::BadCapability as i32);
        if bad_capability && completion.user_data & KIND_MASK == KIND_QUIET {
            panic!("release of a capability that isn't held");
        }
        self.in_flight.set(self.in_flight.get() + 1); // it wasn't counted any more
    }

    /// Consumes all completions that are there.
    pub(crate) fn consume(&self) {
        while let Some(completion) = self.completion() {
            let address = completion.user_data & !KIND_MASK;
            match completion.user_data & KIND_MASK {
                KIND_SLOT => {
                    // SAFETY: invariant 3: the slot waits for this completion.
                    unsafe { &*(address as *const Slot) }.store(completion);
                    self.completion_take();
                }
                KIND_BOX => {
                    // SAFETY: invariant 3: the box is there until its completion was consumed.
                    let flight = unsafe { &*(address as *const Flight) };
                    flight.slot.store(completion);
                    self.completion_take();
                    flight.next.set(self.landed.replace(flight));
                }
                _ => {
                    if completion.result < 0 {
                        self.quiet_failed(completion);
                    }
                    self.completion_take();
                    self.consume_quiets();
                }
            }
        }
        if !self.landed.get().is_null() && self.held.get() == 0 {
            self.landed_settle();
        }
    }

    /// Consumes the completions of what nobody waits for up to the first other one, at once.
    fn consume_quiets(&self) {
        let (first, tail) = (self.cq_head.get(), self.cq_tail());
        let mut head = first;
        while head != tail {
            // SAFETY: as in `completion`.
            let completion = unsafe { &*self.completions.add((head & self.cq_mask) as usize) };
            if completion.user_data & KIND_MASK < KIND_QUIET || completion.result < 0 {
                break;
            }
            head = head.wrapping_add(1);
        }
        if head != first {
            self.in_flight.set(self.in_flight.get() - head.wrapping_sub(first));
            self.cq_head.set(head);
            self.cq_head_word().store(head, Ordering::Release);
        }
    }

    /// Wakes who awaits what has landed, and frees what was given up.
    #[cold]
    fn landed_settle(&self) {
        loop {
            let first = self.landed.get();
            // SAFETY: a flight in the list is there until it was taken out, here.
            let Some(flight) = (unsafe { first.as_ref() }) else {
                return;
            };
            self.landed.set(flight.next.get());
            flight.settled.set(true);
            if flight.abandoned.get() {
                self.abandoned.set(self.abandoned.get() - 1);
                // SAFETY: made by Box::into_raw in `Request::submit`; its owner gave it up, and
                // its completion is consumed.
                drop(unsafe { Box::from_raw(first.cast_mut()) });
            } else if let Some(waker) = flight.waker.take() {
                waker.wake();
            }
        }
    }

    /// Until what it returns is dropped, consuming completions frees no memory and wakes nobody.
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        struct Held<'r>(&'r Ring);
        impl Drop for Held<'_> {
            fn drop(&mut self) {
                self.0.held.set(self.0.held.get() - 1);
            }
        }
        self.held.set(self.held.get() + 1);
        Held(self)
    }

    /// Consumes completions, after waiting for one if none is there.
    pub(crate) fn wait(&self) {
        if self.completion().is_none() {
            self.enter(1);
        }
        self.consume();
    }

    /// Lets the kernel take what was submitted.
    pub(crate) fn flush(&self) {
        self.enter(0);
        self.consume();
    }

    #[inline]
    fn wait_for(&self, slot: &Slot) {
        while !slot.done.get() {
            if self.completion().is_none() {
                self.enter(1);
            }
            // Most often the next completion is the one.
            match self.completion() {
                Some(completion)
                    if completion.user_data == core::ptr::from_ref(slot).addr() as u64 =>
                {
                    slot.store(completion);
                    self.completion_take();
                }
                _ => self.consume(),
            }
        }
    }

    #[cold]
    fn make_room(&self, limit: u32) -> bool {
        self.flush();
        self.in_flight.get() < limit
    }

    /// Puts a submission into the queue; the kernel takes it at the next cap_enter.  False if as
    /// many are in flight as the queues have entries.
    #[inline]
    fn submit(&self, submission: Sqe, limit: u32) -> bool {
        if self.in_flight.get() >= limit && !self.make_room(limit) {
            return false;
        }
        let tail = self.sq_tail.get();
        // SAFETY: within the queue, and by invariant 1 the kernel has taken what was there.
        unsafe { self.submissions.add((tail & self.sq_mask) as usize).write(submission) };
        self.in_flight.set(self.in_flight.get() + 1);
        self.sq_tail.set(tail.wrapping_add(1));
        self.sq_tail_word().store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// Submits what completes only if it fails, and which always finds room (invariant 2).
    pub(crate) fn submit_quiet(&self, mut submission: Sqe, if_held: bool) {
        submission.flags = abi::SQE_QUIET as u8;
        submission.user_data = if if_held { KIND_QUIET_IF_HELD } else { KIND_QUIET };
        assert!(self.submit(submission, self.in_flight_max), "the ring has no room");
        self.quiet.set(self.quiet.get() + 1);
    }

    /// Queues the release of a capability.
    pub(crate) fn release(&self, cap: u64, if_held: bool) {
        let release = Sqe { opcode: abi::OP_RELEASE as u8, cap, ..Sqe::ZERO };
        self.submit_quiet(release, if_held);
    }

    /// Submits an operation that isn't a call and waits for it: what its completion says.
    /// `None` if the ring has no room.
    pub(crate) fn operate(&self, mut submission: Sqe) -> Option<Cqe> {
        let slot = Slot::new();
        submission.user_data = core::ptr::from_ref(&slot).addr() as u64 | KIND_SLOT;
        if !self.submit(submission, self.in_flight_max - 1) {
            return None;
        }
        self.wait_for(&slot);
        Some(Cqe {
            result: slot.result.get(),
            flags: slot.flags.get(),
            result_bytes: slot.result_bytes.get(),
            transfer_count: slot.cap_count.get(),
            ..Cqe::ZERO
        })
    }

    /// `count` NOPs, or as many as the queues have room for, in one entry of the kernel.
    pub(crate) fn nop(&self, count: u32) {
        let in_flight = self.in_flight.get();
        for _ in 0..count.min(self.in_flight_max - in_flight) {
            let nop = Sqe { opcode: abi::OP_NOP as u8, user_data: KIND_QUIET, ..Sqe::ZERO };
            self.submit(nop, self.in_flight_max);
        }
        while self.in_flight.get() > in_flight {
            self.wait();
        }
    }

    /// Waits until nothing that was given up is in flight, before the thread ends.
    pub(crate) fn drain(&self) {
        while self.abandoned.get() > 0 {
            self.wait();
        }
        drop(self.spare.take());
    }
}

/// The ring of the calling thread.
#[inline]
pub(crate) fn current() -> &'static Ring {
    // SAFETY: the block of a thread outlives all that the thread runs.  The reference doesn't
    // leave the thread, for Ring isn't Sync and what holds it here isn't Send.
    unsafe { &(*arch::thread_block()).ring }
}

const fn round_up_8(bytes: usize) -> usize {
    (bytes + 7) & !7
}

const fn records_bytes(count: usize) -> usize {
    count * size_of::<Transfer>()
}

// ---- The memory of calls --------------------------------------------------------------------

/// How much a call needs: of its parameters, and at most of its results.
#[derive(Clone, Copy)]
pub struct Room {
    /// Of the message of parameters, in bytes.
    pub params_bytes: usize,
    /// Capabilities that go with it.
    pub params_caps: usize,
    /// Of the message of results, in bytes.
    pub results_bytes: usize,
    /// Capabilities that come with it.
    pub results_caps: usize,
}

impl Room {
    #[inline]
    fn params_words(&self) -> usize {
        (round_up_8(self.params_bytes) + records_bytes(self.params_caps)) / 8
    }

    #[inline]
    fn results_words(&self) -> usize {
        let bytes = round_up_8(self.results_bytes) + records_bytes(self.results_caps);
        bytes.max(RESULT_BYTES_MIN) / 8
    }
}

enum Memory {
    Area,
    Heap(Vec<u64>),
    Lent,
}

/// A synchronous call, from its parameters to its results.
pub struct Call<'m> {
    ring: &'static Ring,
    memory: Memory,
    block: *mut u64,
    params_words: usize,
    results_words: usize,
    slot: Slot,
    lent: PhantomData<&'m mut [u64]>,
}

impl<'m> Call<'m> {
    /// Takes memory for a call.  `Overloaded` without.
    #[inline]
    pub fn begin(room: Room) -> Result<Self> {
        let ring = current();
        let (params_words, results_words) = (room.params_words(), room.results_words());
        let (memory, block) =
            if params_words + results_words <= SYNC_BYTES / 8 && !ring.sync_in_use.replace(true) {
                (Memory::Area, ring.message_area)
            } else {
                Self::heap_block(ring, params_words + results_words)?
            };
        let slot = Slot::new();
        Ok(Self { ring, memory, block, params_words, results_words, slot, lent: PhantomData })
    }

    #[cold]
    fn heap_block(ring: &'static Ring, words: usize) -> Result<(Memory, *mut u64)> {
        let mut block = ring.spare.take();
        if block.len() < words {
            block = Vec::new();
            block.try_reserve_exact(words).map_err(|_| Error::new(Status::Overloaded))?;
            block.resize(words, 0);
        }
        let address = block.as_mut_ptr();
        Ok((Memory::Heap(block), address))
    }

    /// A call in memory of the caller's, at least `room`: for the heap, which can't ask itself.
    pub(crate) fn begin_in(memory: &'m mut [u64], room: Room) -> Self {
        let (params_words, results_words) = (room.params_words(), room.results_words());
        assert!(params_words + results_words <= memory.len());
        Self {
            ring: current(),
            memory: Memory::Lent,
            block: memory.as_mut_ptr(),
            params_words,
            results_words,
            slot: Slot::new(),
            lent: PhantomData,
        }
    }

    /// Where the parameters go.
    #[inline]
    pub fn message(&mut self) -> &mut [u64] {
        // SAFETY: the block is the call's alone, initialised (the area is zeroed by the kernel),
        // and nothing is in flight while the call is borrowed.
        unsafe { core::slice::from_raw_parts_mut(self.block, self.params_words) }
    }

    /// Calls: `params_bytes` bytes of `message`, beside which the capabilities `transfers` go.
    /// Waits for the outcome.
    #[inline]
    pub fn invoke(
        &mut self,
        cap: u64,
        interface_id: u64,
        method: u16,
        params_bytes: usize,
        transfers: &[Transfer],
    ) -> Result<Reply<'_>> {
        let results = self.block.wrapping_add(self.params_words);
        let (flags, origin) = match self.memory {
            Memory::Area => {
                let area = self.ring.message_area.addr() as u64 - self.ring.message_offset;
                (abi::SQE_PARAMS_IN_RING | abi::SQE_RESULT_IN_RING, area)
            }
            _ => (0, 0),
        };
        write_transfers(self.message(), params_bytes, transfers);
        self.slot.done.set(false);
        let submission = Sqe {
            opcode: abi::OP_CALL as u8,
            flags: flags as u8,
            method,
            transfer_count: transfers.len() as u16,
            user_data: core::ptr::from_ref(&self.slot).addr() as u64 | KIND_SLOT,
            cap,
            params: self.block.addr() as u64 - origin,
            params_bytes: params_bytes as u32,
            result_bytes_max: (self.results_words * 8) as u32,
            result: results.addr() as u64 - origin,
            ..Sqe::ZERO
        }
        .with_interface_id(interface_id);
        if !self.ring.submit(submission, self.ring.in_flight_max - 1) {
            return Err(Error::new(Status::Overloaded));
        }
        self.ring.wait_for(&self.slot);
        // SAFETY: the kernel is done with the block, and `self` stays borrowed.
        let words = unsafe { core::slice::from_raw_parts(results, self.results_words) };
        Reply::new(&self.slot, words, self.ring)
    }
}

impl Drop for Call<'_> {
    #[inline]
    fn drop(&mut self) {
        match &mut self.memory {
            Memory::Area => self.ring.sync_in_use.set(false),
            Memory::Heap(block) => {
                let block = core::mem::take(block);
                let spare = self.ring.spare.take();
                self.ring.spare.set(if spare.len() > block.len() { spare } else { block });
            }
            Memory::Lent => {}
        }
    }
}

/// Puts the capabilities of a message behind it.
#[inline]
pub(crate) fn write_transfers(message: &mut [u64], params_bytes: usize, transfers: &[Transfer]) {
    if transfers.is_empty() {
        return;
    }
    let place = &mut message[round_up_8(params_bytes) / 8..][..records_bytes(transfers.len()) / 8];
    // SAFETY: a Transfer is two words without padding, and `place` has as many.
    unsafe {
        core::ptr::copy_nonoverlapping(
            transfers.as_ptr(),
            place.as_mut_ptr().cast(),
            transfers.len(),
        );
    }
}

/// The first `count` records of capabilities that arrived, from the words behind the message.
#[inline]
pub(crate) fn records_of(words: &[u64], count: usize) -> &[CapRecord] {
    let records = &words[..records_bytes(count) / 8];
    // SAFETY: a CapRecord is two words without padding, and any bits are one.
    unsafe { core::slice::from_raw_parts(records.as_ptr().cast(), count) }
}

/// The results of a call that succeeded.  Capabilities that nobody takes are released with it.
pub struct Reply<'a> {
    message: &'a [u64],
    caps: &'a [CapRecord],
    taken: u32,
    ring: &'static Ring,
}

impl<'a> Reply<'a> {
    #[inline]
    fn new(slot: &Slot, words: &'a [u64], ring: &'static Ring) -> Result<Self> {
        let bytes = slot.result_bytes.get() as usize;
        if slot.result.get() < 0 {
            return Err(failure(slot, words));
        }
        let count = slot.cap_count.get() as usize;
        let message_words = round_up_8(bytes) / 8;
        let caps = records_of(&words[message_words..], count);
        Ok(Self { message: &words[..bytes / 8], caps, taken: 0, ring })
    }

    /// The message.
    #[inline]
    pub fn message(&self) -> &'a [u64] {
        self.message
    }

    /// Takes result capability `index`, if its interface is `interface_id` (0: any).
    ///
    /// `BadTransfer`: there is no such capability, or it was taken.  `WrongInterface`.
    pub fn take(&mut self, index: u32, interface_id: u64) -> Result<u64> {
        let record = self.caps.get(index as usize).filter(|_| self.taken >> index & 1 == 0);
        let record = record.ok_or(Error::new(Status::BadTransfer))?;
        if interface_id != 0 && record.interface_id != interface_id {
            return Err(Error::new(Status::WrongInterface));
        }
        self.taken |= 1 << index;
        Ok(record.cap)
    }
}

impl Drop for Reply<'_> {
    #[inline]
    fn drop(&mut self) {
        for (index, record) in self.caps.iter().enumerate() {
            if self.taken >> index & 1 == 0 {
                self.ring.release(record.cap, false);
            }
        }
    }
}

/// Why a call failed, with the reason of an exception.
#[cold]
fn failure(slot: &Slot, words: &[u64]) -> Error {
    let status = Status::from_code(-slot.result.get());
    let message = words.get(..slot.result_bytes.get() as usize / 8).unwrap_or(&[]);
    if slot.flags.get() & abi::CQE_EXCEPTION as u32 == 0 {
        return Error::new(status);
    }
    match CapException::decode(message) {
        Ok(exception) => Error::with_reason(status, exception.reason),
        Err(_) => Error::new(status),
    }
}

// ---- Calls in flight ------------------------------------------------------------------------

/// An operation whose memory is its own, until its completion was consumed and its owner is gone.
struct Flight {
    slot: Slot,
    next: Cell<*const Flight>, // in the ring's list
    settled: Cell<bool>,       // in no list any more
    abandoned: Cell<bool>,
    waker: Cell<Option<Waker>>,
    block: Vec<u64>,
    params_words: usize,
    ring: &'static Ring,
}

impl Flight {
    fn name(&self) -> u64 {
        core::ptr::from_ref(self).addr() as u64 | KIND_BOX
    }
}

impl Drop for Flight {
    /// Also of one that was given up, with what came for it.
    fn drop(&mut self) {
        if self.slot.done.get() && self.slot.result.get() >= 0 {
            drop(Reply::new(&self.slot, &self.block[self.params_words..], self.ring));
        }
    }
}

/// What a call in flight is made from; generated code fills it in.
pub struct Request {
    block: Vec<u64>,
    params_words: usize,
}

impl Request {
    /// Takes memory for a call.  `Overloaded` without.
    pub fn begin(room: Room) -> Result<Self> {
        let words = room.params_words() + room.results_words();
        let mut block = Vec::new();
        block.try_reserve_exact(words).map_err(|_| Error::new(Status::Overloaded))?;
        block.resize(words, 0);
        Ok(Self { block, params_words: room.params_words() })
    }

    /// Where the parameters go.
    pub fn message(&mut self) -> &mut [u64] {
        &mut self.block[..self.params_words]
    }

    /// Submits the call.  The kernel takes it when the thread next enters it: when it waits, or
    /// makes another call.  `Overloaded`: too many are in flight.
    pub fn submit<T>(
        mut self,
        cap: u64,
        interface_id: u64,
        method: u16,
        params_bytes: usize,
        transfers: &[Transfer],
        decode: fn(&mut Reply<'_>) -> Result<T>,
    ) -> Result<Pending<T>> {
        let ring = current();
        write_transfers(self.message(), params_bytes, transfers);
        let results_bytes = (self.block.len() - self.params_words) * 8;
        let params = self.block.as_ptr();
        let flight = Box::new(Flight {
            slot: Slot::new(),
            next: Cell::new(core::ptr::null()),
            settled: Cell::new(false),
            abandoned: Cell::new(false),
            waker: Cell::new(None),
            params_words: self.params_words,
            block: self.block,
            ring,
        });
        let submission = Sqe {
            opcode: abi::OP_CALL as u8,
            method,
            transfer_count: transfers.len() as u16,
            user_data: flight.name(),
            cap,
            params: params.addr() as u64,
            params_bytes: params_bytes as u32,
            result_bytes_max: results_bytes as u32,
            result: params.wrapping_add(flight.params_words).addr() as u64,
            ..Sqe::ZERO
        }
        .with_interface_id(interface_id);
        if !ring.submit(submission, ring.in_flight_max - 1) {
            return Err(Error::new(Status::Overloaded));
        }
        Ok(Pending { flight: Box::into_raw(flight), decode })
    }
}

/// A call in flight.  Wait for it, or `.await` it; any number may be in flight and complete in
/// any order.  Dropped before it has completed, it is cancelled, and what comes for it released.
pub struct Pending<T> {
    /// Not null; freed by `drop`, or by the completion.  The pointer makes this !Send: the call is
    /// in the ring of the thread that began it.
    flight: *mut Flight,
    decode: fn(&mut Reply<'_>) -> Result<T>,
}

impl<T> Pending<T> {
    fn flight(&self) -> &Flight {
        // SAFETY: it is freed only by `drop`, or after `drop` gave it up.
        unsafe { &*self.flight }
    }

    /// Whether it has completed: then `wait` doesn't block.  Doesn't enter the kernel.
    pub fn is_done(&self) -> bool {
        let flight = self.flight();
        if !flight.settled.get() {
            flight.ring.consume();
        }
        flight.settled.get()
    }

    /// Waits for the outcome, whatever else completes before.
    pub fn wait(self) -> Result<T> {
        let flight = self.flight();
        while !self.is_done() {
            flight.ring.wait();
        }
        self.outcome()
    }

    fn outcome(&self) -> Result<T> {
        let flight = self.flight();
        let mut reply =
            Reply::new(&flight.slot, &flight.block[flight.params_words..], flight.ring)?;
        // The reply answers for the capabilities from here on.
        flight.slot.cap_count.set(0);
        (self.decode)(&mut reply)
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(
        self: core::pin::Pin<&mut Self>,
        context: &mut core::task::Context<'_>,
    ) -> core::task::Poll<Result<T>> {
        if self.is_done() {
            return core::task::Poll::Ready(self.outcome());
        }
        self.flight().waker.set(Some(context.waker().clone()));
        core::task::Poll::Pending
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if self.is_done() {
            // SAFETY: from Box::into_raw; its completion was consumed, so nobody else has it.
            drop(unsafe { Box::from_raw(self.flight) });
            return;
        }
        let flight = self.flight();
        let ring = flight.ring;
        flight.abandoned.set(true);
        flight.waker.set(None);
        ring.abandoned.set(ring.abandoned.get() + 1);
        let cancel = Sqe { opcode: abi::OP_CANCEL as u8, ..Sqe::ZERO }.with_call_id(flight.name());
        ring.submit_quiet(cancel, true);
    }
}
