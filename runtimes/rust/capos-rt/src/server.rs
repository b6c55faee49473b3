// SPDX-License-Identifier: MIT
//! Serving: a thread receives the calls on its Endpoint's objects and answers them, one after the
//! other.
//!
//! ```ignore
//! struct Doubler;
//! impl EchoServer for Doubler {
//!     fn ping(&mut self, _: &mut Received<'_>, params: EchoPingParams) -> Result<EchoPingResults> {
//!         Ok(EchoPingResults { first: params.first * 2, second: params.second, third: params.third })
//!     }
//! }
//! server::serve(&endpoint, &mut EchoService(Doubler))?;
//! ```

use crate::abi::{self, CapRecord, RecvHeader, Sqe, Transfer};
use crate::cap::{Arg, Cap, Interface, Transfers};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::errors::{CapException, ExceptionType, Status};
use crate::ring::{self, records_of, write_transfers};
use crate::wire::CapIndex;
use alloc::vec::Vec;

/// The longest message that is received; callers of longer ones fail.
pub const MESSAGE_BYTES_DEFAULT: usize = 4096 + 224;
const REPLY_WORDS_MIN: usize = 64;
const HEADER_WORDS: usize = size_of::<RecvHeader>() / 8;
const RECORD_WORDS: usize = abi::TRANSFER_COUNT_MAX as usize * size_of::<CapRecord>() / 8;
const TRANSFER_WORDS: usize = abi::TRANSFER_COUNT_MAX as usize * size_of::<Transfer>() / 8;

/// What answers calls: a generated `XService` around the program's own `XServer`, or several of
/// them behind one.
pub trait Service {
    /// Answers a call: writes the results and returns their size in bytes.  An error is an
    /// exception for the caller; a status that is none becomes `Failed`.
    fn call(&mut self, call: &mut Received<'_>, reply: &mut Answer<'_>) -> Result<usize>;

    /// The last hold of the object that was minted with `word` is gone.
    fn released(&mut self, word: u64) {
        let _ = word;
    }
}

/// A call that was received.  Capabilities that came with it and that nobody takes are released
/// when it is answered.
pub struct Received<'a> {
    header: RecvHeader,
    params: &'a [u64],
    caps: &'a [CapRecord],
    taken: u32,
    transfers: Transfers,
    stop: bool,
}

impl<'a> Received<'a> {
    /// The word under which the called object was minted.
    pub fn word(&self) -> u64 {
        self.header.word
    }

    /// The interface of the called object.
    pub fn interface_id(&self) -> u64 {
        self.header.interface_id
    }

    /// The method's ordinal.
    pub fn method(&self) -> u32 {
        self.header.method
    }

    /// The parameters' message.
    pub fn params(&self) -> &'a [u64] {
        self.params
    }

    /// Takes a capability of the parameters.  `BadTransfer`: there is none; `WrongInterface`.
    pub fn take<T: Interface>(&mut self, index: Option<CapIndex>) -> Result<T> {
        self.check(index, T::ID, false)?;
        let index = index.ok_or(Error::new(Status::BadTransfer))?;
        self.taken |= 1 << index;
        Ok(T::from_cap(Cap::adopt(self.caps[index as usize].cap)))
    }

    /// Adds a capability to the results: `(&cap).into()` keeps it, `cap.into()` gives it away.
    /// Its index, for the field of the results.
    pub fn send<'c, T: Interface + 'c>(&mut self, cap: impl Into<Arg<'c, T>>) -> Option<CapIndex> {
        self.transfers.add(cap.into())
    }

    /// After this answer the server stops: `serve` returns.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// The error for a method that isn't there.
    #[cold]
    pub fn no_such_method(&self) -> Error {
        Error::with_reason(Status::Unimplemented, "the interface has no such method")
    }

    /// For generated code: reads the parameters.
    pub fn decode<M>(&self, decode: impl FnOnce(&'a [u64]) -> Result<M>) -> Result<M> {
        decode(self.params).map_err(|_| bad_params())
    }

    /// For generated code: whether a capability came and has the interface.
    pub fn check(&self, index: Option<CapIndex>, interface_id: u64, optional: bool) -> Result<()> {
        let Some(index) = index else {
            return if optional { Ok(()) } else { Err(bad_params()) };
        };
        match self.caps.get(index as usize) {
            Some(record)
                if (interface_id == 0 || record.interface_id == interface_id)
                    && self.taken >> index & 1 == 0 =>
            {
                Ok(())
            }
            _ => Err(bad_params()),
        }
    }
}

#[cold]
fn bad_params() -> Error {
    let reason = "the parameters are malformed or exceed a bound";
    Error::with_reason(Status::InvalidArgument, reason)
}

/// Where the results go.
pub struct Answer<'a> {
    words: &'a mut Vec<u64>,
}

impl Answer<'_> {
    /// Writes results of up to `bytes` bytes by `encode`, which returns their size.
    /// `Overloaded` without memory.
    pub fn write(
        &mut self,
        bytes: usize,
        encode: impl FnOnce(&mut [u64]) -> Result<usize>,
    ) -> Result<usize> {
        let words = bytes.div_ceil(8) + TRANSFER_WORDS;
        if self.words.len() < words {
            let more = words - self.words.len();
            self.words.try_reserve_exact(more).map_err(|_| Error::new(Status::Overloaded))?;
            self.words.resize(words, 0);
        }
        encode(self.words)
            .map_err(|_| Error::with_reason(Status::Failed, "the results exceed a bound"))
    }
}

/// An answer on its way out.
struct Outgoing {
    call_id: u64,
    bytes: usize,
    exception: Option<Status>,
    transfers: Transfers,
}

impl Outgoing {
    /// An exception in place of results.
    fn failed(call_id: u64, error: &Error, reply: &mut [u64]) -> Self {
        let status = match error.status() {
            Status::Ok => Status::Failed,
            status if (status as i32) <= Status::InvalidArgument as i32 => status,
            _ => Status::Failed,
        };
        let reason = match error.reason() {
            "" => error.status().name(),
            reason => &reason[..reason.floor_char_boundary(200)],
        };
        let kind = ExceptionType::from_bits(status as u16 - 1).unwrap_or(ExceptionType::Failed);
        let bytes = CapException { type_: kind, reason }.encode(reply).unwrap_or(0);
        Self { call_id, bytes, exception: Some(status), transfers: Transfers::new() }
    }
}

/// Serves the objects that were minted at an endpoint, on the calling thread.  Returns when a call
/// said so ([`Received::stop`]), or when the endpoint is gone.
///
/// `Overloaded` without memory or room in the ring.
pub fn serve(endpoint: &Endpoint, service: &mut impl Service) -> Result<()> {
    let receive_words = HEADER_WORDS + MESSAGE_BYTES_DEFAULT / 8 + RECORD_WORDS;
    let mut buffer = Vec::new();
    let mut reply = Vec::new();
    buffer.try_reserve_exact(receive_words).map_err(|_| Error::new(Status::Overloaded))?;
    buffer.resize(receive_words, 0_u64);
    reply.try_reserve_exact(REPLY_WORDS_MIN).map_err(|_| Error::new(Status::Overloaded))?;
    reply.resize(REPLY_WORDS_MIN, 0_u64);

    let mut outgoing: Option<Outgoing> = None;
    loop {
        let arrived = exchange(endpoint, outgoing.as_ref(), &mut reply, Some(&mut buffer))?;
        let arrived = match arrived {
            Ok(arrived) => arrived,
            Err(Status::Disconnected | Status::Cancelled) => return Ok(()),
            Err(status) => {
                outgoing = refusal(status, outgoing.take(), &mut reply);
                continue;
            }
        };
        outgoing = None;
        let header = arrived.header(&buffer);
        if arrived.released {
            service.released(header.word);
            continue;
        }
        let message = &buffer[HEADER_WORDS..][..arrived.bytes / 8];
        let records = &buffer[HEADER_WORDS + arrived.bytes.div_ceil(8)..];
        let mut call = Received {
            header,
            params: message,
            caps: records_of(records, arrived.caps),
            taken: 0,
            transfers: Transfers::new(),
            stop: false,
        };
        let call_id = call.header.call_id;
        let result = service.call(&mut call, &mut Answer { words: &mut reply });
        release_untaken(&call);
        let stop = call.stop;
        let transfers = core::mem::replace(&mut call.transfers, Transfers::new());
        outgoing = Some(match result {
            Ok(bytes) => Outgoing { call_id, bytes, exception: None, transfers },
            Err(error) => {
                let error = transfers.refused(error);
                Outgoing::failed(call_id, &error, &mut reply)
            }
        });
        if stop {
            let last = exchange(endpoint, outgoing.as_ref(), &mut reply, None)?;
            if let Err(status) = last
                && let Some(again) = refusal(status, outgoing.take(), &mut reply)
            {
                let _ = exchange(endpoint, Some(&again), &mut reply, None)?;
            }
            return Ok(());
        }
    }
}

fn release_untaken(call: &Received<'_>) {
    for (index, record) in call.caps.iter().enumerate() {
        if call.taken >> index & 1 == 0 {
            ring::current().release(record.cap, false);
        }
    }
}

/// An answer failed: its client is gone, which is no concern of the server, or waits still,
/// because it held a capability that isn't the server's to give; then it gets an exception.
fn refusal(status: Status, sent: Option<Outgoing>, reply: &mut [u64]) -> Option<Outgoing> {
    let sent = sent?;
    let error = sent.transfers.refused(Error::new(Status::Failed));
    let waits =
        !sent.transfers.is_empty() && matches!(status, Status::BadCapability | Status::BadTransfer);
    waits.then(|| {
        let reason = "the server's answer holds a capability that it can't give";
        drop(error);
        Outgoing::failed(sent.call_id, &Error::with_reason(Status::Failed, reason), reply)
    })
}

/// What a receive brought.
struct Arrived {
    bytes: usize,
    caps: usize,
    released: bool,
}

impl Arrived {
    fn header(&self, buffer: &[u64]) -> RecvHeader {
        RecvHeader {
            call_id: buffer[0],
            word: buffer[1],
            interface_id: buffer[2],
            method: buffer[3] as u32,
            ..RecvHeader::ZERO
        }
    }
}

/// One submission: RECV, RETURN or both.  The outer error: there is no room in the ring.
fn exchange(
    endpoint: &Endpoint,
    outgoing: Option<&Outgoing>,
    reply: &mut Vec<u64>,
    receive: Option<&mut Vec<u64>>,
) -> Result<core::result::Result<Arrived, Status>> {
    let mut entry = Sqe { cap: endpoint.cap().id(), ..Sqe::ZERO };
    let receives = receive.is_some();
    if let Some(buffer) = receive {
        entry.opcode = abi::OP_RECV as u8;
        entry.result = buffer.as_mut_ptr().addr() as u64;
        entry.result_bytes_max = (buffer.len() * 8) as u32;
    }
    if let Some(sent) = outgoing {
        let needed = sent.bytes.div_ceil(8) + TRANSFER_WORDS;
        if reply.len() < needed && !sent.transfers.is_empty() {
            reply.resize(needed, 0);
        }
        write_transfers(reply, sent.bytes, &sent.transfers);
        entry = entry.with_call_id(sent.call_id);
        entry.opcode = if receives { abi::OP_RETURN_RECV } else { abi::OP_RETURN } as u8;
        entry.params = reply.as_ptr().addr() as u64;
        entry.params_bytes = sent.bytes as u32;
        entry.transfer_count = sent.transfers.len() as u16;
        if let Some(status) = sent.exception {
            entry.flags = abi::SQE_EXCEPTION as u8;
            entry.method = status as u16;
        }
    }
    let done = ring::current().operate(entry).ok_or(Error::new(Status::Overloaded))?;
    if done.result < 0 {
        return Ok(Err(Status::from_code(-done.result)));
    }
    Ok(Ok(Arrived {
        bytes: done.result_bytes as usize,
        caps: done.transfer_count as usize,
        released: u64::from(done.flags) & abi::CQE_RELEASED != 0,
    }))
}
