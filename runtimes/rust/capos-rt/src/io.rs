// SPDX-License-Identifier: MIT
//! Standard input, output and error, over the grant "stdio".  Nothing is buffered beyond one
//! `print!`, which is one call if its text has at most 512 bytes.

use crate::capset;
use crate::error::Result;
use crate::stdio::StdIO;
use core::fmt::{self, Write};

pub use crate::stdio::OutputStream;

const BUFFER_BYTES: usize = 512;
const CALL_BYTES_MAX: usize = 61440; // of StdIO.read and StdIO.write

struct Output {
    stream: OutputStream,
    buffer: [u8; BUFFER_BYTES],
    used: usize,
    result: Result<()>,
}

impl Output {
    fn flush(&mut self) {
        let used = core::mem::take(&mut self.used);
        if self.result.is_ok() && used > 0 {
            self.result = write(self.stream, &self.buffer[..used]);
        }
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().chunks(BUFFER_BYTES) {
            if piece.len() > BUFFER_BYTES - self.used {
                self.flush();
            }
            self.buffer[self.used..self.used + piece.len()].copy_from_slice(piece);
            self.used += piece.len();
        }
        if self.result.is_ok() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Writes bytes to a stream, all of them.
pub fn write(stream: OutputStream, data: &[u8]) -> Result<()> {
    let stdio = capset::find::<StdIO>("stdio")?;
    data.chunks(CALL_BYTES_MAX).try_for_each(|piece| stdio.write(stream, piece))
}

/// Reads from standard input into `buffer`, waiting for at least one byte.  Returns how many
/// came; 0: its end.
pub fn read(buffer: &mut [u8]) -> Result<usize> {
    let stdio = capset::find::<StdIO>("stdio")?;
    stdio.read_into(buffer.len().min(CALL_BYTES_MAX) as u32, buffer)
}

/// Writes formatted text to a stream.
pub fn print(stream: OutputStream, text: fmt::Arguments<'_>) -> Result<()> {
    let mut output = Output { stream, buffer: [0; BUFFER_BYTES], used: 0, result: Ok(()) };
    let _ = output.write_fmt(text);
    output.flush();
    output.result
}

/// Prints to standard output; without the grant "stdio", nowhere.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => {{
        let _ = $crate::io::print($crate::io::OutputStream::Output, ::core::format_args!($($text)*));
    }};
}

/// Prints a line to standard output.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($text:tt)+) => { $crate::print!("{}\n", ::core::format_args!($($text)+)) };
}

/// Prints to standard error.
#[macro_export]
macro_rules! eprint {
    ($($text:tt)*) => {{
        let _ = $crate::io::print($crate::io::OutputStream::Error, ::core::format_args!($($text)*));
    }};
}

/// Prints a line to standard error.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($text:tt)+) => { $crate::eprint!("{}\n", ::core::format_args!($($text)+)) };
}
