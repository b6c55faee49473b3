// SPDX-License-Identifier: MIT
//! Cap'n Proto messages: the bounds-checked reading and writing that the generated codecs are
//! made of.  A message is one unframed segment, its first word the root pointer.
//!
//! Invariants, those of lib/wire.h:
//!  1. Nothing outside the message is read, whatever its words say: it is a slice.
//!  2. Only one segment: far pointers are refused.
//!  3. Each object that a reader reaches through a list costs its words from a budget of the
//!     message's length: a message can't make a reader do more work than its size.
//!  4. Evolution: a field that the message lacks has its default, one that the schema lacks is
//!     ignored; a list of structs may arrive as a list of its first field.
//!
//! Encoding: <https://capnproto.org/encoding.html>.

use crate::error::{Error, Result};
use crate::errors::Status;
use crate::words::{bytes_of, bytes_of_mut};
use core::cell::Cell;

/// The index of a capability in the list that travels beside a message.
pub type CapIndex = u32;

const LIST_BIT: u64 = 1;
const LIST_BYTE: u64 = 2;
const LIST_POINTER: u64 = 6;
const LIST_COMPOSITE: u64 = 7;
const ELEMENT_BITS: [u64; 8] = [0, 1, 8, 16, 32, 64, 64, 0];

fn bad() -> Error {
    Error::new(Status::BadMessage)
}

fn check(holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(bad()) }
}

const fn words_of(bytes: usize) -> usize {
    bytes.div_ceil(8)
}

/// The bytes that a Text or Data of this size takes behind its pointer.
pub const fn content_bytes(bytes: usize) -> usize {
    words_of(bytes) * 8
}

// ---- Reading --------------------------------------------------------------------------------

/// A message, and how many of its words may still be visited.
pub struct Message<'a> {
    words: &'a [u64],
    budget: Cell<u64>,
}

/// A struct of a message.
#[derive(Clone, Copy)]
pub struct Reader<'m, 'a> {
    message: &'m Message<'a>,
    data: usize, // in bytes, from the start of the message
    data_bytes: usize,
    pointers: usize, // in words
    pointer_count: usize,
}

/// A list of a message.
pub struct List<'m, 'a> {
    message: &'m Message<'a>,
    first: usize, // in bytes
    step_bits: usize,
    data_bytes: usize,
    pointer_count: usize,
    count: usize,
}

impl<'a> Message<'a> {
    /// Reads `words` as a message.
    pub fn new(words: &'a [u64]) -> Self {
        Self { words, budget: Cell::new(words.len() as u64) }
    }

    /// The root struct.  `BadMessage` unless it lies within the message.
    #[inline]
    pub fn root(&self) -> Result<Reader<'_, 'a>> {
        let pointer = *self.words.first().ok_or_else(bad)?;
        self.struct_at(0, pointer)
    }

    fn charge(&self, words: u64) -> Result<()> {
        let left = self.budget.get().checked_sub(words).ok_or_else(bad)?;
        self.budget.set(left);
        Ok(())
    }

    /// The word that the pointer at word `at` leads to, with room for `words` behind it.
    #[inline]
    fn target(&self, at: usize, pointer: u64, words: u64) -> Result<usize> {
        let target = at as i64 + 1 + i64::from(pointer as i32 >> 2);
        let length = self.words.len() as u64;
        check(target >= 0 && target as u64 <= length && words <= length - target as u64)?;
        Ok(target as usize)
    }

    #[inline]
    fn struct_at(&self, at: usize, pointer: u64) -> Result<Reader<'_, 'a>> {
        let data_words = pointer >> 32 & 0xffff;
        let pointer_count = pointer >> 48;
        check(pointer & 3 == 0)?;
        let mut target = 0;
        if pointer != 0 {
            target = self.target(at, pointer, data_words + pointer_count)?;
        }
        Ok(Reader {
            message: self,
            data: target * 8,
            data_bytes: data_words as usize * 8,
            pointers: target + data_words as usize,
            pointer_count: pointer_count as usize,
        })
    }
}

impl<'m, 'a> Reader<'m, 'a> {
    /// Word `index` of the data section, 0 behind its end.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        if (index + 1) * 8 <= self.data_bytes && self.data.is_multiple_of(8) {
            return self.message.words.get(self.data / 8 + index).copied().unwrap_or(0);
        }
        self.part_of_word(index)
    }

    /// Of an element that is smaller than its struct in the schema.
    #[cold]
    fn part_of_word(&self, index: usize) -> u64 {
        let bytes = bytes_of(self.message.words);
        let mut word = [0; 8];
        for (i, byte) in word.iter_mut().enumerate() {
            if index * 8 + i < self.data_bytes {
                *byte = bytes.get(self.data + index * 8 + i).copied().unwrap_or(0);
            }
        }
        u64::from_le_bytes(word)
    }

    #[inline]
    fn pointer(&self, index: usize) -> (usize, u64) {
        let at = self.pointers + index;
        if index >= self.pointer_count {
            return (at, 0);
        }
        (at, self.message.words.get(at).copied().unwrap_or(0))
    }

    /// Pointer field `index`: bytes.
    pub fn data(&self, index: usize, bytes_max: usize) -> Result<&'a [u8]> {
        let (at, pointer) = self.pointer(index);
        if pointer == 0 {
            return Ok(&[]);
        }
        check(pointer & 3 == 1 && pointer >> 32 & 7 == LIST_BYTE)?;
        let size = (pointer >> 35) as usize;
        check(size <= bytes_max)?;
        let target = self.message.target(at, pointer, words_of(size) as u64)?;
        Ok(&bytes_of(self.message.words)[target * 8..][..size])
    }

    /// Pointer field `index`: text, of at most `bytes_max` bytes without its NUL.  `BadMessage`
    /// also if it isn't UTF-8.
    pub fn text(&self, index: usize, bytes_max: usize) -> Result<&'a str> {
        if self.pointer(index).1 == 0 {
            return Ok("");
        }
        match self.data(index, bytes_max + 1)?.split_last() {
            Some((0, text)) => core::str::from_utf8(text).map_err(|_| bad()),
            _ => Err(bad()),
        }
    }

    /// Pointer field `index`: a capability, as its place beside the message.
    pub fn capability(&self, index: usize) -> Result<Option<CapIndex>> {
        let (_, pointer) = self.pointer(index);
        if pointer == 0 {
            return Ok(None);
        }
        check(pointer as u32 == 3)?;
        Ok(Some((pointer >> 32) as u32))
    }

    /// Pointer field `index`: a struct.
    pub fn structure(&self, index: usize) -> Result<Reader<'m, 'a>> {
        let (at, pointer) = self.pointer(index);
        let found = self.message.struct_at(at, pointer)?;
        self.message.charge((found.data_bytes / 8 + found.pointer_count) as u64)?;
        Ok(found)
    }

    fn list(&self, index: usize, count_max: usize) -> Result<(List<'m, 'a>, u64)> {
        let (at, pointer) = self.pointer(index);
        let message = self.message;
        let mut list =
            List { message, first: 0, step_bits: 0, data_bytes: 0, pointer_count: 0, count: 0 };
        if pointer == 0 {
            return Ok((list, LIST_COMPOSITE));
        }
        check(pointer & 3 == 1)?;
        let (size, count) = (pointer >> 32 & 7, pointer >> 35);
        let words = match size {
            LIST_COMPOSITE => count + 1,
            _ => (count * ELEMENT_BITS[size as usize]).div_ceil(64),
        };
        let target = message.target(at, pointer, words)?;
        message.charge(words)?;
        let bits = ELEMENT_BITS[size as usize] as usize;
        list.first = target * 8;
        list.count = count as usize;
        list.step_bits = bits;
        if size == LIST_POINTER {
            list.pointer_count = 1;
        } else {
            list.data_bytes = bits / 8;
        }
        if size == LIST_COMPOSITE {
            list.composite(message.words[target], count)?;
        }
        check(list.count <= count_max)?;
        Ok((list, size))
    }

    /// Pointer field `index`: a list of structs.
    pub fn structs(&self, index: usize, count_max: usize) -> Result<List<'m, 'a>> {
        let (list, size) = self.list(index, count_max)?;
        check(size != LIST_BIT)?; // the one list that can't be read as a list of structs
        Ok(list)
    }

    /// Pointer field `index`: a list of numbers of `bits` bits.
    pub fn numbers(&self, index: usize, count_max: usize, bits: usize) -> Result<List<'m, 'a>> {
        let (list, size) = self.list(index, count_max)?;
        check(size != LIST_BIT && (list.count == 0 || list.data_bytes * 8 >= bits))?;
        Ok(list)
    }

    /// Pointer field `index`: a list of texts or data.
    pub fn pointers(&self, index: usize, count_max: usize) -> Result<List<'m, 'a>> {
        let (list, size) = self.list(index, count_max)?;
        check(size == LIST_POINTER || size == LIST_COMPOSITE)?;
        Ok(list)
    }
}

impl<'m, 'a> List<'m, 'a> {
    /// The layout of the elements from the tag word, which stands where they would.
    fn composite(&mut self, tag: u64, content_words: u64) -> Result<()> {
        let (data_words, pointer_count) = (tag >> 32 & 0xffff, tag >> 48);
        let (count, step) = (tag >> 2 & 0x3fff_ffff, data_words + pointer_count);
        check(tag & 3 == 0 && count * step <= content_words)?;
        self.first += 8;
        self.count = count as usize;
        self.step_bits = step as usize * 64;
        self.data_bytes = data_words as usize * 8;
        self.pointer_count = pointer_count as usize;
        Ok(())
    }

    /// The elements as structs.
    pub fn elements(&self) -> impl Iterator<Item = Result<Reader<'m, 'a>>> {
        (0..self.count).map(|index| {
            // An element of no size costs too.
            self.message.charge(u64::from(self.step_bits == 0))?;
            let data = self.first + index * self.step_bits / 8;
            Ok(Reader {
                message: self.message,
                data,
                data_bytes: self.data_bytes,
                pointers: (data + self.data_bytes).div_ceil(8),
                pointer_count: self.pointer_count,
            })
        })
    }
}

// ---- Writing --------------------------------------------------------------------------------

/// A message under construction.  What doesn't fit, or exceeds its bound, is remembered: `finish`
/// tells.
pub struct Writer<'a> {
    words: &'a mut [u64],
    used: usize, // in words
    failed: bool,
}

/// The pointer to a struct right behind it.
#[inline]
const fn struct_pointer(data_words: usize, pointer_count: usize) -> u64 {
    (data_words as u64) << 32 | (pointer_count as u64) << 48
}

impl<'a> Writer<'a> {
    /// Starts a message whose root has these sections, zeroed.  The root is at word 1.
    #[inline]
    pub fn new(words: &'a mut [u64], data_words: usize, pointer_count: usize) -> Self {
        let mut writer = Self { words, used: 0, failed: false };
        writer.take(1 + data_words + pointer_count);
        writer.set(0, struct_pointer(data_words, pointer_count));
        writer
    }

    /// Words at the end, zeroed; where they start.
    #[inline]
    fn take(&mut self, count: usize) -> usize {
        let start = self.used;
        match self.words.get_mut(start..start + count) {
            Some(place) => place.fill(0),
            None => {
                self.failed = true;
                return start;
            }
        }
        self.used += count;
        start
    }

    /// Sets a whole word.
    #[inline]
    pub fn set(&mut self, at: usize, value: u64) {
        match self.words.get_mut(at) {
            Some(word) => *word = value,
            None => self.failed = true,
        }
    }

    fn point(&mut self, at: usize, target: usize, low: u64, high: u64) {
        self.set(
            at,
            ((target as i64 - at as i64 - 1) << 2) as u64 & 0xffff_fffc | low | high << 32,
        );
    }

    /// Points word `at` at bytes; nothing for none.
    pub fn data(&mut self, at: usize, data: &[u8], bytes_max: usize) {
        if data.len() > bytes_max {
            self.failed = true;
        } else if !data.is_empty() {
            self.bytes(at, data, data.len());
        }
    }

    /// Points word `at` at a text; nothing for an empty one.
    pub fn text(&mut self, at: usize, text: &str, bytes_max: usize) {
        if text.len() > bytes_max {
            self.failed = true;
        } else if !text.is_empty() {
            self.bytes(at, text.as_bytes(), text.len() + 1);
        }
    }

    fn bytes(&mut self, at: usize, bytes: &[u8], size: usize) {
        let words = words_of(size);
        let target = self.used;
        let Some(place) = self.words.get_mut(target..target + words) else {
            self.failed = true;
            return;
        };
        // The words but for the last are written once.
        if let Some(last) = place.last_mut() {
            *last = 0;
        }
        bytes_of_mut(place)[..bytes.len()].copy_from_slice(bytes);
        self.used += words;
        self.point(at, target, 1, LIST_BYTE | (size as u64) << 3);
    }

    /// Points word `at` at a capability, or at none.
    #[inline]
    pub fn capability(&mut self, at: usize, capability: Option<CapIndex>) {
        self.set(at, capability.map_or(0, |index| u64::from(index) << 32 | 3));
    }

    /// Points word `at` at a new struct; where that is.
    pub fn structure(&mut self, at: usize, data_words: usize, pointer_count: usize) -> usize {
        let target = self.take(data_words + pointer_count);
        if data_words + pointer_count == 0 {
            self.set(at, 0xffff_fffc);
        } else {
            let high = struct_pointer(data_words, pointer_count) >> 32;
            self.point(at, target, 0, high);
        }
        target
    }

    /// Points word `at` at a new list of structs; where the first one is.
    pub fn structs(
        &mut self,
        at: usize,
        count: usize,
        count_max: usize,
        data_words: usize,
        pointer_count: usize,
    ) -> usize {
        if count > count_max {
            self.failed = true;
            return 0;
        }
        let words = count * (data_words + pointer_count);
        let target = self.take(1 + words);
        self.point(at, target, 1, LIST_COMPOSITE | (words as u64) << 3);
        self.set(target, struct_pointer(data_words, pointer_count) | (count as u64) << 2);
        target + 1
    }

    /// Points word `at` at a list of numbers of `bits` bits, 8 to 64.
    pub fn numbers(
        &mut self,
        at: usize,
        numbers: impl ExactSizeIterator<Item = u64>,
        count_max: usize,
        bits: usize,
    ) {
        let count = numbers.len();
        if count > count_max {
            self.failed = true;
            return;
        }
        let target = self.take((count * bits).div_ceil(64));
        for (index, number) in numbers.enumerate() {
            if let Some(word) = self.words.get_mut(target + index * bits / 64) {
                *word |= number << (index * bits % 64);
            }
        }
        self.point(at, target, 1, u64::from(bits.ilog2() - 1) | (count as u64) << 3);
    }

    /// Points word `at` at a list of pointers, to be set one by one; where the first one is.
    pub fn pointers(&mut self, at: usize, count: usize, count_max: usize) -> usize {
        if count > count_max {
            self.failed = true;
            return 0;
        }
        let target = self.take(count);
        self.point(at, target, 1, LIST_POINTER | (count as u64) << 3);
        target
    }

    /// The size of the message in bytes; `BadMessage` if anything didn't fit.
    #[inline]
    pub fn finish(self) -> Result<usize> {
        if self.failed { Err(bad()) } else { Ok(self.used * 8) }
    }
}
