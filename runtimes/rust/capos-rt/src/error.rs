// SPDX-License-Identifier: MIT
//! What went wrong, in the schema's words.

use crate::errors::Status;
use alloc::boxed::Box;
use core::fmt;

/// The outcome of everything that calls a capability.
pub type Result<T> = core::result::Result<T, Error>;

/// A failed call: its status, and the reason if the object gave one.
#[derive(Debug)]
pub struct Error {
    status: Status,
    reason: Option<Box<str>>,
}

impl Error {
    /// An error without a reason.
    #[inline]
    pub const fn new(status: Status) -> Self {
        Self { status, reason: None }
    }

    /// An error that says why.  Without memory for it the reason is lost.
    #[cold]
    pub fn with_reason(status: Status, reason: &str) -> Self {
        let mut text = alloc::string::String::new();
        let kept = text.try_reserve_exact(reason.len()).is_ok();
        if kept {
            text.push_str(reason);
        }
        Self { status, reason: kept.then(|| text.into_boxed_str()) }
    }

    /// What kind of error it is.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why, in the words of the object that refused; empty if it said nothing.
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or("")
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::new(status)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status.name())?;
        match self.reason() {
            "" => Ok(()),
            reason => write!(f, ": {reason}"),
        }
    }
}

impl core::error::Error for Error {}
