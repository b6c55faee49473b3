// SPDX-License-Identifier: MIT
//! Futures over the thread's ring: every [`Pending`](crate::Pending) call is one.

use crate::ring;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs a future to its end on this thread; while it waits, so does the thread, for completions
/// of its ring.
///
/// A waker may be called by this thread alone: one that another thread calls isn't noticed before
/// the ring has a completion.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    let mut future = pin!(future);
    loop {
        while flag.0.swap(false, Ordering::Acquire) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        }
        ring::current().wait();
    }
}

type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Tasks that run side by side on one thread.
#[derive(Clone, Default)]
pub struct Tasks<'a>(Rc<RefCell<Vec<Task<'a>>>>);

impl<'a> Tasks<'a> {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one, also from within another.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'a) {
        self.0.borrow_mut().push(Box::pin(task));
    }

    /// Runs all to their ends.
    pub fn run(&self) {
        let mut running: Vec<Task<'a>> = Vec::new();
        block_on(poll_fn(|context| {
            loop {
                running.append(&mut self.0.borrow_mut());
                running.retain_mut(|task| task.as_mut().poll(context).is_pending());
                if self.0.borrow().is_empty() {
                    break; // nobody has added one meanwhile
                }
            }
            if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
}
