// SPDX-License-Identifier: MIT
//! The CapSet: the names of the capabilities that the process was started with.

use crate::abi::CapsetEntry;
use crate::cap::{Cap, Interface};
use crate::error::{Error, Result};
use crate::errors::Status;
use crate::start;
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// A capability of the CapSet: borrowed for as long as the process lives, never released.
#[derive(Debug)]
pub struct Grant<T>(ManuallyDrop<T>);

impl<T: Interface> Grant<T> {
    fn of(entry: &CapsetEntry) -> Self {
        Self(ManuallyDrop::new(T::from_cap(Cap::adopt(entry.cap))))
    }
}

impl<T: Interface> Clone for Grant<T> {
    fn clone(&self) -> Self {
        Self(ManuallyDrop::new(T::from_cap(Cap::adopt(self.cap().id()))))
    }
}

impl<T> Deref for Grant<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The name of an entry.
fn name_of(entry: &CapsetEntry) -> &[u8] {
    entry.name.split(|byte| *byte == 0).next().unwrap_or(&[])
}

/// The capability that was granted as `name`.
///
/// `NotFound`: nothing was.  `WrongInterface`: it isn't a `T`.  The error's reason names it.
pub fn find<T: Interface>(name: &str) -> Result<Grant<T>> {
    let entry = start::capset().iter().find(|entry| name_of(entry) == name.as_bytes());
    match entry {
        Some(entry) if T::ID == 0 || entry.interface_id == T::ID => Ok(Grant::of(entry)),
        Some(_) => Err(wrong(Status::WrongInterface, name, T::NAME)),
        None => Err(wrong(Status::NotFound, name, T::NAME)),
    }
}

#[cold]
fn wrong(status: Status, name: &str, interface: &str) -> Error {
    let mut reason = alloc::string::String::new();
    if reason.try_reserve(name.len() + interface.len() + 40).is_ok() {
        reason.push_str("the grant \"");
        reason.push_str(name);
        reason.push_str(if status == Status::NotFound {
            "\" is missing: a capability of "
        } else {
            "\" isn't a capability of "
        });
        reason.push_str(interface);
    }
    Error::with_reason(status, &reason)
}

/// The names and the interfaces' ids of all grants, in their order.
pub fn entries() -> impl Iterator<Item = (&'static [u8], u64)> {
    start::capset().iter().map(|entry| (name_of(entry), entry.interface_id))
}
