// SPDX-License-Identifier: MIT
//! The last words of a program: to the emergency Console if it holds one, else to standard error.
//! They use neither the heap nor the ring's message area, which may be what failed.

use crate::arch;
use crate::cap::Interface;
use crate::console::{Console, ConsoleWriteParams};
use crate::error::Result;
use crate::ring::{self, Call, Room};
use crate::start;
use crate::stdio::{OutputStream, StdIO, StdIOWriteParams};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

const TEXT_BYTES_MAX: usize = 512;

struct Text {
    bytes: [u8; TEXT_BYTES_MAX],
    used: usize,
}

impl fmt::Write for Text {
    /// Cuts what doesn't fit.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = TEXT_BYTES_MAX - 1 - self.used;
        let piece = &text.as_bytes()[..text.len().min(room)];
        self.bytes[self.used..self.used + piece.len()].copy_from_slice(piece);
        self.used += piece.len();
        Ok(())
    }
}

fn say(
    name: &[u8],
    interface_id: u64,
    method: u16,
    encode: impl FnOnce(&mut [u64]) -> Result<usize>,
) -> bool {
    let mut entries = start::capset().iter();
    let Some(entry) =
        entries.find(|entry| entry.name.starts_with(name) && entry.interface_id == interface_id)
    else {
        return false;
    };
    let mut words = [0; 128];
    let room = Room {
        params_bytes: TEXT_BYTES_MAX + 64,
        params_caps: 0,
        results_bytes: 0,
        results_caps: 0,
    };
    let held = ring::current().hold();
    let mut call = Call::begin_in(&mut words, room);
    let done = encode(call.message())
        .and_then(|bytes| call.invoke(entry.cap, interface_id, method, bytes, &[]).map(drop));
    drop(held);
    done.is_ok()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static PANICKING: AtomicBool = AtomicBool::new(false);
    if PANICKING.swap(true, Ordering::Relaxed) {
        arch::trap(); // what failed now is the way to tell
    }
    let mut text = Text { bytes: [0; TEXT_BYTES_MAX], used: 0 };
    let _ = text.write_str("panic: ");
    let _ = write!(text, "{}", info.message());
    if let Some(place) = info.location() {
        let _ = write!(text, " at {}:{}", place.file(), place.line());
    }
    text.bytes[text.used] = b'\n';
    let data = &text.bytes[..=text.used];
    let on_console = say(b"console\0", Console::ID, Console::METHOD_WRITE, |to| {
        ConsoleWriteParams { data }.encode(to)
    });
    if !on_console {
        say(b"stdio\0", StdIO::ID, StdIO::METHOD_WRITE, |to| {
            StdIOWriteParams { stream: OutputStream::Error, data }.encode(to)
        });
    }
    arch::trap()
}
