// SPDX-License-Identifier: MIT
//! The process itself: arguments, environment, how it ends.

pub use crate::schema::process::*;

use crate::eprintln;
use core::fmt::Debug;

pub use crate::start::{arguments, environment, process_id as id};

/// What `main` may return.
pub trait Termination {
    /// The exit status.
    fn report(self) -> i64;
}

impl Termination for () {
    fn report(self) -> i64 {
        0
    }
}

impl Termination for i64 {
    fn report(self) -> i64 {
        self
    }
}

impl<E: Debug> Termination for Result<(), E> {
    /// 1 for an error, which is printed to standard error.
    fn report(self) -> i64 {
        match self {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("error: {error:?}");
                1
            }
        }
    }
}

/// Ends the process, all its threads, at once: no destructor runs.
pub fn exit(code: i64) -> ! {
    crate::arch::exit(code)
}
