// SPDX-License-Identifier: MIT
//! Words as bytes: a message is a slice of words, its texts are slices of bytes.
#![allow(unsafe_code)]

/// The bytes of words.
pub fn bytes_of(words: &[u64]) -> &[u8] {
    // SAFETY: the same memory, all of it initialised; bytes need no alignment.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

/// The bytes of words, to be written: any bytes are a word.
pub fn bytes_of_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: as bytes_of; the borrow is as exclusive as that of the words.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
}

/// The id of an interface, from where `capos inspect` finds it.  Volatile, for otherwise the
/// compiler would take the number and drop the place.
#[inline]
pub fn linked(id: &'static u64) -> u64 {
    // SAFETY: a reference is readable.
    unsafe { core::ptr::read_volatile(id) }
}
