// SPDX-License-Identifier: MIT
//! Sleeping on words of memory, over the grant "park", which every program has.  Without it, and
//! without room in the ring, waiting is yielding.

use crate::abi::{self, Sqe};
use crate::cap::Interface;
use crate::capset;
use crate::ring;
use crate::thread::{ParkSpace, yield_now};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// 0: not looked for yet, or not there.
static SPACE: AtomicU64 = AtomicU64::new(0);

fn space() -> Option<u64> {
    let known = SPACE.load(Ordering::Relaxed);
    if known != 0 {
        return Some(known);
    }
    let found = capset::find::<ParkSpace>("park").ok()?.cap().id();
    SPACE.store(found, Ordering::Relaxed);
    Some(found)
}

/// Sleeps until somebody wakes the sleepers of `word`, if it holds `expected`; looking and falling
/// asleep are one step.  May return for no reason.
pub(crate) fn park(word: &AtomicU32, expected: u32) {
    let parked = space().and_then(|space| {
        let entry = Sqe {
            opcode: abi::OP_PARK as u8,
            cap: space,
            params: core::ptr::from_ref(word).addr() as u64,
            ..Sqe::ZERO
        };
        ring::current()
            .operate(entry.with_expected(u64::from(expected)).with_timeout_ns(abi::FOREVER))
    });
    if parked.is_none() {
        yield_now();
    }
}

/// Wakes up to `count` sleepers of a word.  The word need not be there any more.
pub(crate) fn unpark(word: *const AtomicU32, count: u32) {
    if let Some(space) = space() {
        let ring = ring::current();
        let entry = Sqe {
            opcode: abi::OP_UNPARK as u8,
            cap: space,
            params: word.addr() as u64,
            params_bytes: count,
            ..Sqe::ZERO
        };
        ring.submit_quiet(entry, true);
        ring.flush();
    }
}
