// SPDX-License-Identifier: MIT
//! The Rust runtime of capOS programs, without std: from the kernel's two system calls to typed
//! capabilities.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! use capos_rt::{Result, capset, entry_point, println, timer::Timer};
//!
//! entry_point!(main);
//!
//! fn main() -> Result<()> {
//!     let timer = capset::find::<Timer>("timer")?;
//!     println!("{} ns since boot", timer.now()?);
//!     Ok(())
//! }
//! ```
//!
//! A module per file of the schema has the clients, messages and server traits that are generated
//! from it; the authored modules are the rest.
//!
//! * A capability is a value of its interface's type.  Dropping an owned one queues its release;
//!   one of the CapSet is borrowed for ever ([`capset::Grant`]).
//! * A call takes the ring of the thread that makes it.  `x()` waits; `x_begin()` returns a
//!   [`Pending`], to be waited for or awaited, many at a time and in any order.
//! * Unsafe code is in the modules that say so in their first lines, and nowhere else: `arch`,
//!   `start`, `ring`, `words`, `heap`, `thread` and `sync`.
#![no_std]
#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

extern crate alloc;

pub mod abi {
    //! Constants and layouts that programs and the kernel share, generated from abi.golden.
    #![allow(missing_docs)]
    include!(concat!(env!("CAPOS_GEN"), "/abi.rs"));
}
mod arch;
mod cap;
pub mod capset;
pub mod error;
pub mod executor;
mod heap;
pub mod io;
#[cfg(target_os = "capos")]
mod panic;
mod park;
pub mod process;
mod ring;
pub mod server;
mod start;
pub mod sync;
pub mod thread;
pub mod wire;
mod words;

pub(crate) mod generated {
    //! What generated code names.
    pub use crate::cap::{Arg, Cap, Interface, Transfers};
    pub use crate::error::{Error, Result};
    pub use crate::ring::{Call, Pending, Request, Room};
    pub use crate::server::{Answer, Received, Service};
    pub use crate::wire::{CapIndex, Message, Reader, Writer, content_bytes};
    pub use crate::words::linked;
    pub use alloc::string::String;
    pub use alloc::vec::Vec;
}

mod schema {
    // What is generated is uniform, also where a person would write it shorter.
    #![allow(clippy::too_many_arguments, clippy::useless_conversion)]
    include!(concat!(env!("CAPOS_GEN"), "/schema.rs"));
}

pub use arch::{cap_enter, exit};
pub use cap::{Arg, Cap, Interface};
pub use capset::Grant;
pub use error::{Error, Result};
pub use errors::Status;
pub use ring::Pending;
pub use schema::*;

/// `count` NOPs through the ring, or as many as it has room for: what entering the kernel costs.
pub fn nop(count: u32) {
    ring::current().nop(count);
}

/// Defines the program's entry: `entry_point!(main)` calls `main`, which takes nothing and
/// returns what implements [`process::Termination`], and ends the process with its status.
#[macro_export]
macro_rules! entry_point {
    ($main:path) => {
        // The one name that capos-rt asks for; a second definition doesn't link.
        #[unsafe(no_mangle)]
        fn capos_rt_main() -> i64 {
            $crate::process::Termination::report($main())
        }
    };
}
