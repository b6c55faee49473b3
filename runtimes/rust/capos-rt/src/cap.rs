// SPDX-License-Identifier: MIT
//! Capabilities as values, and how they go with a call.

use crate::abi::{self, Transfer};
use crate::error::Error;
use crate::ring;
use crate::wire::CapIndex;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;

/// An owned capability of any interface.  Dropping it queues its release, which takes effect
/// before the thread's next submission does.
#[derive(Debug, PartialEq, Eq)]
pub struct Cap(u64);

impl Cap {
    /// Takes ownership of the capability that this process knows as `id`.
    ///
    /// An id that isn't held is harmless until it is used: a call with it is `BadCapability`, its
    /// release a panic.
    #[inline]
    pub const fn adopt(id: u64) -> Self {
        Self(id)
    }

    /// How this process knows the capability.
    #[inline]
    pub const fn id(&self) -> u64 {
        self.0
    }

    /// Gives up ownership without releasing.
    #[inline]
    pub fn into_id(self) -> u64 {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Cap {
    #[inline]
    fn drop(&mut self) {
        if self.0 != 0 {
            ring::current().release(self.0, false);
        }
    }
}

/// A typed capability: the client of an interface.
pub trait Interface: Sized {
    /// The Cap'n Proto type id.
    const ID: u64;
    /// The name in the schema.
    const NAME: &'static str;

    /// Takes a capability for one of this interface.  If it isn't, its calls are
    /// `WrongInterface`.
    fn from_cap(cap: Cap) -> Self;
    /// The capability.
    fn cap(&self) -> &Cap;
    /// The capability without its type.
    fn into_cap(self) -> Cap;
}

impl Interface for Cap {
    const ID: u64 = 0;
    const NAME: &'static str = "Capability";

    fn from_cap(cap: Cap) -> Self {
        cap
    }

    fn cap(&self) -> &Cap {
        self
    }

    fn into_cap(self) -> Cap {
        self
    }
}

/// A capability that goes with a call: `(&cap).into()` lends it, the callee gets a copy;
/// `cap.into()` gives it away.
#[derive(Debug)]
pub struct Arg<'a, T> {
    cap: Cap,
    given: bool,
    lent: PhantomData<&'a T>,
}

impl<'a, T: Interface> From<&'a T> for Arg<'a, T> {
    fn from(lent: &'a T) -> Self {
        Self { cap: Cap(lent.cap().id()), given: false, lent: PhantomData }
    }
}

impl<T: Interface> From<T> for Arg<'_, T> {
    fn from(given: T) -> Self {
        Self { cap: given.into_cap(), given: true, lent: PhantomData }
    }
}

impl<T> Arg<'_, T> {
    fn into_transfer(mut self) -> Transfer {
        let given = core::mem::replace(&mut self.given, false);
        let how = if given { abi::TRANSFER_GIVE } else { abi::TRANSFER_COPY };
        Transfer {
            cap: core::mem::replace(&mut self.cap, Cap(0)).into_id(),
            how: how as u16,
            ..Transfer::ZERO
        }
    }
}

impl<T> Drop for Arg<'_, T> {
    fn drop(&mut self) {
        if !self.given {
            core::mem::forget(core::mem::replace(&mut self.cap, Cap(0)));
        }
    }
}

/// The capabilities beside a message.
pub struct Transfers {
    all: [Transfer; abi::TRANSFER_COUNT_MAX as usize],
    count: usize,
}

impl Transfers {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { all: [Transfer::ZERO; abi::TRANSFER_COUNT_MAX as usize], count: 0 }
    }

    /// Appends a capability; its index, for the message.
    #[inline]
    pub(crate) fn add<T>(&mut self, arg: Arg<'_, T>) -> Option<CapIndex> {
        let transfer = arg.into_transfer();
        if transfer.cap == 0 {
            return None;
        }
        self.all[self.count] = transfer;
        self.count += 1;
        Some(self.count as CapIndex - 1)
    }

    /// The call failed: releases what was given away and didn't arrive.  Returns the error.
    #[cold]
    pub(crate) fn refused(&self, error: Error) -> Error {
        for transfer in self.iter() {
            if transfer.how == abi::TRANSFER_GIVE as u16 {
                ring::current().release(transfer.cap, true);
            }
        }
        error
    }
}

impl core::ops::Deref for Transfers {
    type Target = [Transfer];

    #[inline]
    fn deref(&self) -> &[Transfer] {
        &self.all[..self.count]
    }
}
