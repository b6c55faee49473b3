// SPDX-License-Identifier: MIT
//! Locks between threads.  Taking a free one costs a few instructions and no system call.
//!
//! The mutex is the third one of U. Drepper, "Futexes are tricky" (2011): whoever has had to wait
//! takes it as "somebody may wait", since it can't know that nobody else does.
#![allow(unsafe_code)]

use crate::park::{park, unpark};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

// ---- Mutex ----------------------------------------------------------------------------------

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const CONTENDED: u32 = 2; // taken, and somebody may wait

/// A lock around a value.  Not recursive.
#[derive(Debug, Default)]
pub struct Mutex<T: ?Sized> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

/// The value of a locked [`Mutex`]; dropping it unlocks.
#[derive(Debug)]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// The value, which nobody else has any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, waiting while another thread has it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if self.state.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait();
        }
        MutexGuard { mutex: self }
    }

    /// Locks unless somebody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.state
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| MutexGuard { mutex: self })
    }

    #[cold]
    fn wait(&self) {
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            park(&self.state, CONTENDED);
        }
    }

    #[inline]
    fn unlock(&self) {
        let word = &raw const self.state;
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            unpark(word, 1);
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as deref.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.unlock();
    }
}

// ---- Condition variable ---------------------------------------------------------------------

/// A condition variable.  What is waited for is changed under a mutex, always the same one, and
/// looked at again after each wait.
#[derive(Debug, Default)]
pub struct Condvar {
    sequence: AtomicU32,
    waiters: AtomicU32,
}

impl Condvar {
    /// One that nobody waits for.
    pub const fn new() -> Self {
        Self { sequence: AtomicU32::new(0), waiters: AtomicU32::new(0) }
    }

    /// Unlocks, waits for a notification, and locks again.  May return without one.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        // Under the mutex, so whoever changes something under it and notifies then sees it.
        let mutex = guard.mutex;
        self.waiters.fetch_add(1, Ordering::Relaxed);
        let sequence = self.sequence.load(Ordering::Relaxed);
        drop(guard);
        park(&self.sequence, sequence);
        let guard = mutex.lock();
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// Waits as long as `condition` holds.
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    fn notify(&self, count: u32) {
        self.sequence.fetch_add(1, Ordering::Release);
        if self.waiters.load(Ordering::Relaxed) != 0 {
            unpark(&raw const self.sequence, count);
        }
    }

    /// Wakes one waiter.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.notify(u32::MAX);
    }
}

// ---- Channel --------------------------------------------------------------------------------

struct State<T> {
    queue: VecDeque<T>,
    senders: usize,
    receiver: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

/// The sending half of a [`channel`].
pub struct Sender<T>(Arc<Shared<T>>);

/// The receiving half of a [`channel`].
pub struct Receiver<T>(Arc<Shared<T>>);

/// A queue between threads without a bound: many senders, one receiver.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { queue: VecDeque::new(), senders: 1, receiver: true };
    let shared = Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new() });
    (Sender(shared.clone()), Receiver(shared))
}

impl<T> Sender<T> {
    /// Queues a value; gives it back if the receiver is gone.
    pub fn send(&self, value: T) -> core::result::Result<(), T> {
        let mut state = self.0.state.lock();
        if !state.receiver {
            return Err(value);
        }
        state.queue.push_back(value);
        drop(state);
        self.0.arrived.notify_one();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state.lock().senders += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().senders -= 1;
        self.0.arrived.notify_one();
    }
}

impl<T> Receiver<T> {
    /// The oldest value, waiting for one; `None` if there is none and all senders are gone.
    pub fn recv(&self) -> Option<T> {
        let waiting = |state: &mut State<T>| state.queue.is_empty() && state.senders > 0;
        self.0.arrived.wait_while(self.0.state.lock(), waiting).queue.pop_front()
    }

    /// The oldest value, if there is one.
    pub fn try_recv(&self) -> Option<T> {
        self.0.state.lock().queue.pop_front()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.receiver = false;
        let rest = core::mem::take(&mut state.queue);
        drop(state);
        drop(rest); // outside of the lock: their destructors may send
    }
}
