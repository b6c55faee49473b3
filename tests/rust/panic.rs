// SPDX-License-Identifier: MIT
//! Panics: for tests/cli/rust_test.py.
#![no_std]
#![no_main]

use capos_rt::{entry_point, process};

entry_point!(main);

fn main() {
    panic!("the sum is {}", process::arguments().count() + 2);
}
