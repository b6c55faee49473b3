// SPDX-License-Identifier: MIT
//! Every instruction that Rust cannot express: the entry points, the two system calls and the
//! thread pointer.  The register contracts are those of abi/syscall.h and abi/startup.h.
//!
//! On other systems, where only unit tests run, the kernel is a function of the test.
#![allow(unsafe_code)]

#[cfg(target_os = "capos")]
mod native {
    use crate::thread::Block;
    use core::arch::{asm, naked_asm};

    /// The first instruction of the program.  RDI, RSI and RDX hold what `start` takes; RBP is
    /// zero, which ends backtraces; RSP is 16-byte aligned, as a call needs it.
    ///
    /// # Safety
    /// Only the kernel jumps here.
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn _start() -> ! {
        // The dynamic section goes by a register: only an address relative to the instruction is
        // right before the program has relocated itself.
        naked_asm!(
            ".hidden _DYNAMIC",
            "lea rcx, [rip + _DYNAMIC]",
            "xor ebp, ebp",
            "call {start}",
            "ud2",
            start = sym crate::start::start
        )
    }

    /// The first instruction of every other thread.
    ///
    /// # Safety
    /// Only the kernel jumps here, for `ThreadSpawner.start`.
    #[unsafe(naked)]
    pub unsafe extern "C" fn thread_entry() -> ! {
        naked_asm!("xor ebp, ebp", "call {main}", "ud2", main = sym crate::thread::thread_main)
    }

    /// The system call `cap_enter` as it is: takes the submissions, then waits until
    /// `min_complete` completions are there or `timeout_ns` has passed.  Returns their number, or
    /// the negative of a status.  Programs don't need it: each call enters the kernel by itself.
    #[inline]
    pub fn cap_enter(min_complete: u32, timeout_ns: u64) -> i64 {
        let result;
        // SAFETY: the kernel writes to memory only where a submission named it; who submits
        // answers for that (ring.rs).  All that the call changes of the registers is listed.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") crate::abi::SYS_CAP_ENTER => result,
                in("rdi") u64::from(min_complete),
                in("rsi") timeout_ns,
                clobber_abi("sysv64"),
            );
        }
        result
    }

    /// The system call `exit` as it is: ends the process, all its threads, at once.
    #[inline]
    pub fn exit(code: i64) -> ! {
        // SAFETY: nothing runs afterwards that could see a broken invariant.
        unsafe {
            asm!("syscall", "ud2", in("rax") crate::abi::SYS_EXIT, in("rdi") code,
                 options(noreturn));
        }
    }

    /// Ends the program with a fault.
    #[inline]
    pub fn trap() -> ! {
        // SAFETY: as exit.
        unsafe { asm!("ud2", options(noreturn)) }
    }

    /// The calling thread's block.
    #[inline]
    pub fn thread_block() -> *const Block {
        let block;
        // SAFETY: the FS base is a Block's address from the first lines of `start` and
        // `ThreadSpawner.start` on, and the block's first word is that address.  It never changes
        // for a thread, so the load may be moved and merged.
        unsafe {
            asm!("mov {}, fs:[0]", out(reg) block, options(pure, readonly, nostack, preserves_flags));
        }
        block
    }

    /// Makes a block the calling thread's.
    ///
    /// # Safety
    /// It lives as long as the thread, and is no other thread's.
    pub unsafe fn set_thread_block(block: *const Block) {
        // SAFETY: user code may write the FS base (CR4.FSGSBASE is set); the caller vouches for
        // what it points to.
        unsafe { asm!("wrfsbase {}", in(reg) block, options(nostack, preserves_flags)) }
    }
}

#[cfg(not(target_os = "capos"))]
mod hosted {
    extern crate std;

    use crate::thread::Block;
    use core::cell::Cell;
    use std::thread_local;

    thread_local! {
        /// What the test has for a kernel.
        pub static KERNEL: Cell<fn(u32, u64) -> i64> = const { Cell::new(|_, _| trap()) };
        static BLOCK: Cell<*const Block> = const { Cell::new(core::ptr::null()) };
    }

    /// As on capOS.
    pub fn cap_enter(min_complete: u32, timeout_ns: u64) -> i64 {
        KERNEL.get()(min_complete, timeout_ns)
    }

    /// As on capOS.
    pub fn exit(code: i64) -> ! {
        std::process::exit(code as i32)
    }

    pub fn trap() -> ! {
        std::process::abort()
    }

    pub fn thread_block() -> *const Block {
        BLOCK.get()
    }

    /// # Safety
    /// As on capOS.
    pub unsafe fn set_thread_block(block: *const Block) {
        BLOCK.set(block);
    }

    pub unsafe extern "C" fn thread_entry() -> ! {
        trap()
    }
}

#[cfg(not(target_os = "capos"))]
pub use hosted::*;
#[cfg(target_os = "capos")]
pub use native::*;
