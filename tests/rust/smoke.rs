// SPDX-License-Identifier: MIT
//! capos-rt, booted: one test per function, run by tests/cli/rust_test.py.  Needs the grants
//! timer, console and threads, and must not have entropy.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use capos_rt::console::Console;
use capos_rt::echo::{
    Echo, EchoEchoParams, EchoEchoResults, EchoPassParams, EchoPassResults, EchoPingParams,
    EchoPingResults, EchoRecord, EchoRecordsParams, EchoRecordsResults, EchoServer, EchoService,
};
use capos_rt::endpoint::Endpoint;
use capos_rt::entropy_source::EntropySource;
use capos_rt::executor::{Tasks, block_on};
use capos_rt::memory_budget::MemoryBudget;
use capos_rt::server::{Received, serve};
use capos_rt::sync::{Condvar, Mutex, channel};
use capos_rt::timer::Timer;
use capos_rt::virtual_memory::VirtualMemory;
use capos_rt::{Cap, Interface, Result, Status, capset, entry_point, println, process, thread};

entry_point!(main);

fn a_grant_is_found_by_name_and_interface() -> Result<()> {
    capset::find::<Timer>("timer")?;
    let error = capset::find::<Timer>("console").expect_err("a Console isn't a Timer");
    assert_eq!(error.status(), Status::WrongInterface);
    Ok(())
}

fn a_missing_grant_is_an_error_that_names_it() -> Result<()> {
    let error = capset::find::<EntropySource>("entropy").expect_err("it wasn't granted");
    assert_eq!(error.status(), Status::NotFound);
    assert_eq!(error.reason(), "the grant \"entropy\" is missing: a capability of EntropySource");
    Ok(())
}

fn arguments_arrive() -> Result<()> {
    let arguments: Vec<&[u8]> = process::arguments().skip(1).collect();
    assert_eq!(arguments, [&b"one"[..], b"two words"]);
    assert!(process::environment().any(|text| text == b"MODE=smoke"));
    Ok(())
}

fn the_console_and_the_clock_are_called() -> Result<()> {
    capset::find::<Console>("console")?.write(b"rust smoke\n")?;
    let timer = capset::find::<Timer>("timer")?;
    let before = timer.now()?;
    timer.sleep(1000)?;
    assert!(timer.now()? >= before + 1000);
    Ok(())
}

fn an_exception_brings_its_reason() -> Result<()> {
    let memory = capset::find::<VirtualMemory>("memory")?;
    let error = memory.unmap(1, 4096).expect_err("no address of a page");
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(!error.reason().is_empty());
    Ok(())
}

fn a_released_capability_names_nothing() -> Result<()> {
    let budget = capset::find::<MemoryBudget>("budget")?;
    let endpoint = budget.create_endpoint(1)?;
    let id = endpoint.cap().id();
    drop(endpoint);
    let stale = core::mem::ManuallyDrop::new(Endpoint::from_cap(Cap::adopt(id)));
    let error = stale.disconnect().expect_err("it was released");
    assert_eq!(error.status(), Status::BadCapability);
    Ok(())
}

fn memory_of_all_sizes_is_allocated() -> Result<()> {
    let mut map = BTreeMap::new();
    for i in 0..1000_u64 {
        map.insert(i * 7919 % 1000, i.to_string());
    }
    assert!(map.iter().all(|(key, value)| *key == value.parse::<u64>().unwrap_or(0) * 7919 % 1000));
    for power in 0..22 {
        let mut block = vec![power as u8; 1 << power];
        block.resize(block.len() * 2, 1);
        assert!(block[..1 << power].iter().all(|byte| *byte == power as u8));
    }
    #[repr(align(65536))]
    struct Aligned(u8);
    let aligned = alloc::boxed::Box::new(Aligned(1));
    assert_eq!(core::ptr::from_ref(&*aligned).addr() % 65536, 0);
    assert_eq!(aligned.0, 1);
    let mut too_large: Vec<u8> = Vec::new();
    assert!(too_large.try_reserve(1 << 62).is_err());
    Ok(())
}

fn calls_complete_in_any_order() -> Result<()> {
    let timer = capset::find::<Timer>("timer")?;
    let never = timer.sleep_begin(u64::MAX)?;
    let calls: Vec<_> = (0..40).map(|_| timer.sleep_begin(1)).collect::<Result<_>>()?;
    for call in calls.into_iter().rev() {
        call.wait()?;
    }
    assert!(timer.now_begin()?.wait()? > 0);
    assert!(!never.is_done());
    drop(never); // cancelled
    Ok(())
}

fn too_many_calls_in_flight_are_refused() -> Result<()> {
    let timer = capset::find::<Timer>("timer")?;
    let mut calls = Vec::new();
    let error = loop {
        match timer.sleep_begin(u64::MAX) {
            Ok(call) => calls.push(call),
            Err(error) => break error,
        }
        assert!(calls.len() < 100);
    };
    assert_eq!(error.status(), Status::Overloaded);
    drop(calls);
    timer.sleep(1)
}

fn futures_run_side_by_side() -> Result<()> {
    let timer = capset::find::<Timer>("timer")?;
    let never = timer.sleep_begin(u64::MAX)?;
    let order = core::cell::RefCell::new(Vec::new());
    let tasks = Tasks::new();
    let (timer, order_of) = (&timer, &order);
    for name in ["first", "second"] {
        tasks.spawn(async move {
            for step in 0..3 {
                timer.sleep_begin(1).expect("room").await.expect("sleeps");
                order_of.borrow_mut().push((name, step));
            }
        });
    }
    tasks.run();
    assert_eq!(order.borrow().len(), 6);
    let time = block_on(async { timer.now_begin()?.await })?;
    assert!(time > 0);
    drop(never);
    Ok(())
}

fn threads_share_a_mutex() -> Result<()> {
    let total = Arc::new(Mutex::new(0_u64));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let total = total.clone();
            thread::spawn(move || {
                for _ in 0..1000 {
                    *total.lock() += 1;
                }
            })
        })
        .collect::<Result<_>>()?;
    for each in threads {
        each.join()?;
    }
    assert_eq!(*total.lock(), 4000);
    Ok(())
}

fn a_condition_and_a_channel_wake_who_waits() -> Result<()> {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (sender, receiver) = channel();
    let theirs = gate.clone();
    let worker = thread::spawn(move || {
        drop(theirs.1.wait_while(theirs.0.lock(), |open| !*open));
        for i in 0..100_u32 {
            sender.send(i).expect("the receiver is there");
        }
    })?;
    *gate.0.lock() = true;
    gate.1.notify_all();
    let received: Vec<u32> = core::iter::from_fn(|| receiver.recv()).collect();
    assert_eq!(received, (0..100).collect::<Vec<_>>());
    worker.join()
}

/// Answers with what it was sent, and counts.
struct Mirror {
    calls: u64,
}

impl EchoServer for Mirror {
    fn echo<'a>(
        &'a mut self,
        _: &mut Received<'_>,
        params: EchoEchoParams<'a>,
    ) -> Result<EchoEchoResults<'a>> {
        self.calls += 1;
        Ok(EchoEchoResults { data: params.data })
    }

    fn pass(&mut self, call: &mut Received<'_>, params: EchoPassParams) -> Result<EchoPassResults> {
        if params.object.is_none() {
            return Ok(EchoPassResults { object: None });
        }
        let object: Cap = call.take(params.object)?;
        Ok(EchoPassResults { object: call.send(object) })
    }

    fn ping(&mut self, call: &mut Received<'_>, params: EchoPingParams) -> Result<EchoPingResults> {
        if params.first == u64::MAX {
            call.stop();
        }
        if params.first == u64::MAX - 1 {
            return Err(capos_rt::Error::with_reason(Status::Overloaded, "not this number"));
        }
        Ok(EchoPingResults { first: params.first, second: params.second, third: params.third })
    }

    fn records(
        &mut self,
        call: &mut Received<'_>,
        params: EchoRecordsParams,
    ) -> Result<EchoRecordsResults> {
        let subject: Cap = call.take(params.subject)?;
        let mut records = params.records;
        records.reverse();
        Ok(EchoRecordsResults { records, subject: call.send(subject) })
    }
}

fn records_are_reversed(echo: &Echo, subject: &Cap) -> Result<()> {
    let records: Vec<EchoRecord> = (0..10)
        .map(|i| EchoRecord {
            name: String::from("record") + &i.to_string(),
            number: u64::MAX - i,
            tags: (0..i as u16 % 8).collect(),
        })
        .collect();
    let reply = echo.records(records.clone(), subject)?;
    assert!(reply.records.iter().eq(records.iter().rev()));
    Ok(())
}

fn a_service_is_called_from_another_thread() -> Result<()> {
    let budget = capset::find::<MemoryBudget>("budget")?;
    let endpoint = budget.create_endpoint(16)?;
    let echo = Echo::from_cap(endpoint.mint(Echo::ID, 7)?);
    let server = thread::spawn(move || {
        let mut service = EchoService(Mirror { calls: 0 });
        serve(&endpoint, &mut service).expect("serves until it is stopped");
        service.0.calls
    })?;
    let text: Vec<u8> = (0..4096).map(|i| i as u8).collect();
    assert_eq!(echo.echo(&text)?, text);
    let mut buffer = [0; 8];
    assert_eq!(echo.echo_into(b"eight", &mut buffer)?, 5);
    let error = echo.echo_into(&text, &mut buffer).expect_err("it doesn't fit");
    assert_eq!(error.status(), Status::NoResultSpace);
    let error = echo.echo(&vec![0; 4097]).expect_err("it exceeds the bound");
    assert_eq!(error.status(), Status::BadMessage);

    assert!(echo.pass(None)?.is_none());
    let object = budget.create_memory_object(4096)?.into_cap();
    let same = echo.pass(Some((&object).into()))?.expect("it comes back");
    drop(same);
    let moved = echo.pass(Some(object.into()))?.expect("it comes back");
    records_are_reversed(&echo, &moved)?;

    let error = echo.ping(u64::MAX - 1, 0, 0).expect_err("the service refuses");
    assert_eq!((error.status(), error.reason()), (Status::Overloaded, "not this number"));
    let calls: Vec<_> = (0..8).map(|i| echo.ping_begin(i, 0, 1)).collect::<Result<_>>()?;
    for (i, call) in calls.into_iter().enumerate().rev() {
        let reply = call.wait()?;
        assert_eq!((reply.first, reply.third), (i as u64, 1));
    }
    echo.ping(u64::MAX, 0, 0)?;
    assert!(server.join()? >= 2);
    let error = echo.ping(0, 0, 0).expect_err("the endpoint is gone");
    assert_eq!(error.status(), Status::Disconnected);
    Ok(())
}

/// What the program has of memory, without what the kernel keeps for it, with the releases that
/// are queued done.
fn own_bytes() -> Result<u64> {
    let info = capset::find::<MemoryBudget>("budget")?.info()?;
    Ok(info.used_bytes - info.kernel_bytes)
}

/// How often a test runs between two looks at what is used, and what may come of it: the heap
/// takes pages of a size when it needs them, but not in each run.
const RUNS: u64 = 8;
const GROWTH_BYTES_MAX: u64 = RUNS * 4096;

fn main() -> Result<()> {
    let tests: [(&str, fn() -> Result<()>); 13] = [
        ("a_grant_is_found_by_name_and_interface", a_grant_is_found_by_name_and_interface),
        ("a_missing_grant_is_an_error_that_names_it", a_missing_grant_is_an_error_that_names_it),
        ("arguments_arrive", arguments_arrive),
        ("the_console_and_the_clock_are_called", the_console_and_the_clock_are_called),
        ("an_exception_brings_its_reason", an_exception_brings_its_reason),
        ("a_released_capability_names_nothing", a_released_capability_names_nothing),
        ("memory_of_all_sizes_is_allocated", memory_of_all_sizes_is_allocated),
        ("calls_complete_in_any_order", calls_complete_in_any_order),
        ("too_many_calls_in_flight_are_refused", too_many_calls_in_flight_are_refused),
        ("futures_run_side_by_side", futures_run_side_by_side),
        ("threads_share_a_mutex", threads_share_a_mutex),
        ("a_condition_and_a_channel_wake_who_waits", a_condition_and_a_channel_wake_who_waits),
        ("a_service_is_called_from_another_thread", a_service_is_called_from_another_thread),
    ];
    for (name, test) in tests {
        test()?;
        let before = own_bytes()?;
        for _ in 0..RUNS {
            test()?;
        }
        let growth = own_bytes()?.saturating_sub(before);
        assert!(growth <= GROWTH_BYTES_MAX, "{name}: {growth} bytes are left");
        println!("ok {name}");
    }
    println!("ok all");
    Ok(())
}
