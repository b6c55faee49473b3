// SPDX-License-Identifier: MIT
//! From the first instruction to the program's `main`.
//!
//! A program is a static PIE: it is linked at address 0 and relocates itself, before it touches
//! anything that a relocation fills in.  Then come the thread block with the ring client, the
//! read-only protection of what was relocated, and `capos_rt_main`, which `entry_point!` defines.
//! What a program must know of its own file its loader has written into the startup block.
//!
//! Sources: System V gABI (dynamic section, RELR), psABI for AMD64 (R_X86_64_RELATIVE).
#![allow(unsafe_code)]

use crate::abi::{Capset, CapsetEntry, Startup};
use core::sync::atomic::{AtomicPtr, Ordering};

static CAPSET: AtomicPtr<Capset> = AtomicPtr::new(core::ptr::null_mut());
static STARTUP: AtomicPtr<Startup> = AtomicPtr::new(core::ptr::null_mut());

/// The names, capabilities and interfaces that the process was started with.
pub fn capset() -> &'static [CapsetEntry] {
    let page = CAPSET.load(Ordering::Relaxed);
    if page.is_null() {
        return &[];
    }
    // SAFETY: the kernel mapped the page, read-only and for good, with `count` entries behind the
    // header, and `start` checked its magic.
    unsafe { core::slice::from_raw_parts(page.add(1).cast(), (*page).count as usize) }
}

/// The number of the process, as in `ProcessHandle.info`.
pub fn process_id() -> u64 {
    // SAFETY: as capset.
    unsafe { CAPSET.load(Ordering::Relaxed).as_ref() }.map_or(0, |page| page.process_id)
}

fn startup() -> Option<&'static Startup> {
    // SAFETY: the parent mapped the block for as long as the process lives; `start` checked its
    // magic, and nothing here changes it.
    unsafe { STARTUP.load(Ordering::Relaxed).as_ref() }
}

/// Text number `index` of an array of addresses that ends with 0.
fn text_at(array: u64, index: usize) -> Option<&'static [u8]> {
    // SAFETY: the parent wrote the arrays of the startup block with a 0 at the end and each text
    // with a NUL, and they stay; nobody asks beyond the first 0 (`texts`).
    unsafe {
        let text = *(array as *const u64).add(index);
        (text != 0).then(|| core::ffi::CStr::from_ptr(text as *const _).to_bytes())
    }
}

fn texts(array: u64) -> impl Iterator<Item = &'static [u8]> {
    (0..).map_while(move |index| text_at(array, index))
}

/// The arguments; the first one is the program's name.
pub fn arguments() -> impl Iterator<Item = &'static [u8]> {
    startup().into_iter().flat_map(|block| texts(block.arguments))
}

/// The environment's `NAME=value`.
pub fn environment() -> impl Iterator<Item = &'static [u8]> {
    startup().into_iter().flat_map(|block| texts(block.environment))
}

#[cfg(target_os = "capos")]
mod native {
    use super::{CAPSET, Ordering, STARTUP};
    use crate::abi::{self, Capset, RingHeader, Startup};
    use crate::virtual_memory::{Protection, VirtualMemory};
    use crate::{arch, thread};

    /// The note by which a loader knows a capOS program (lib/elf.h).
    #[repr(C)]
    struct Note {
        name_bytes: u32,
        description_bytes: u32,
        kind: u32,
        name: [u8; 8],
        version: u32,
    }

    #[used]
    #[unsafe(link_section = ".note.capos")]
    static NOTE: Note =
        Note { name_bytes: 6, description_bytes: 4, kind: 1, name: *b"capOS\0\0\0", version: 1 };

    /// An entry of the dynamic section.
    #[repr(C)]
    pub(crate) struct Dynamic {
        tag: u64,
        value: u64,
    }

    #[repr(C)]
    struct Relocation {
        address: u64,
        info: u64,
        addend: u64,
    }

    const DT_NULL: u64 = 0;
    const DT_RELA: u64 = 7;
    const DT_RELASZ: u64 = 8;
    const DT_RELRSZ: u64 = 35;
    const DT_RELR: u64 = 36;
    const R_X86_64_RELATIVE: u32 = 8;

    unsafe extern "Rust" {
        /// Of `entry_point!`.
        fn capos_rt_main() -> i64;
    }

    /// Relocates the program.  It calls nothing and refers to nothing that needs relocation.
    ///
    /// # Safety
    /// Once, before anything else; the tables are the linker's.
    #[inline(always)]
    unsafe fn relocate(bias: u64, dynamic: *const Dynamic) {
        // SAFETY: it is the program's own dynamic section; its tables name places in the program's writable segments.
        unsafe {
            let (mut rela, mut rela_bytes, mut relr, mut relr_bytes) = (0, 0, 0, 0);
            let mut entry = dynamic;
            while (*entry).tag != DT_NULL {
                match (*entry).tag {
                    DT_RELA => rela = (*entry).value,
                    DT_RELASZ => rela_bytes = (*entry).value,
                    DT_RELR => relr = (*entry).value,
                    DT_RELRSZ => relr_bytes = (*entry).value,
                    _ => {}
                }
                entry = entry.add(1);
            }
            let mut relocation = (bias + rela) as *const Relocation;
            let end = (bias + rela + rela_bytes) as *const Relocation;
            while relocation < end {
                if (*relocation).info as u32 != R_X86_64_RELATIVE {
                    arch::trap(); // the linker wrote a symbol reference into a static program
                }
                *((bias + (*relocation).address) as *mut u64) = bias + (*relocation).addend;
                relocation = relocation.add(1);
            }
            relocate_relr(bias, (bias + relr) as *const u64, relr_bytes);
        }
    }

    /// RELR: an even word is the address of a word to relocate; an odd one is a bit map of the 63
    /// words that follow the last address.
    ///
    /// # Safety
    /// As relocate.
    #[inline(always)]
    unsafe fn relocate_relr(bias: u64, table: *const u64, table_bytes: u64) {
        let mut place = core::ptr::null_mut::<u64>();
        for i in 0..table_bytes as usize / 8 {
            // SAFETY: within the table; its words name places of the program.
            unsafe {
                let mut word = *table.add(i);
                if word & 1 == 0 {
                    place = (bias + word) as *mut u64;
                    *place += bias;
                    place = place.add(1);
                    continue;
                }
                let mut bit_place = place;
                while word > 1 {
                    word >>= 1;
                    if word & 1 != 0 {
                        *bit_place += bias;
                    }
                    bit_place = bit_place.add(1);
                }
                place = place.add(63);
            }
        }
    }

    /// Makes what the relocation wrote read-only, if the program may change its memory.
    fn relro_protect(startup: &Startup) {
        const PAGE: u64 = 4096;
        let end = (startup.relro + startup.relro_bytes) & !(PAGE - 1);
        if end <= startup.relro {
            return;
        }
        if let Ok(memory) = crate::capset::find::<VirtualMemory>("memory")
            && memory.protect(startup.relro, end - startup.relro, Protection::Read).is_err()
        {
            panic!("the relocated data can't be made read-only");
        }
    }

    /// Called by `_start` with what the kernel put into the registers.
    ///
    /// # Safety
    /// The arguments are the kernel's.
    pub(crate) unsafe extern "C" fn start(
        ring: *mut RingHeader,
        capset: *mut Capset,
        startup: *mut Startup,
        dynamic: *const Dynamic,
    ) -> ! {
        // SAFETY: the kernel and the parent mapped the three for the life of the process; this
        // runs once, first, on the only thread.
        unsafe {
            if (*startup).magic != abi::STARTUP_MAGIC || (*capset).magic != abi::CAPSET_MAGIC {
                arch::trap();
            }
            relocate((*startup).image_bias, dynamic);
            thread::first_init(ring, (*startup).canary);
            CAPSET.store(capset, Ordering::Relaxed);
            STARTUP.store(startup, Ordering::Relaxed);
            assert!((*startup).tls_bytes == 0, "capos-rt has no thread-local variables");
            relro_protect(&*startup);
            arch::exit(capos_rt_main())
        }
    }
}

#[cfg(target_os = "capos")]
pub(crate) use native::start;
