# SPDX-License-Identifier: MIT
@0xfb92170d076f91fb;
using A = import "annotations.capnp";
using import "memory_object.capnp".MemoryObject;

enum BlockOutcome {
  # How a request to a block device ended.  Only with `ok` do the other results mean anything.
  ok @0;
  # Done.
  inputOutput @1;
  # The device reports a failure.  Of a write: the blocks hold what they held, or what was to
  # be written, each in whole.
  readOnly @2;
  # The device, or what was granted of it, can't be written.
  notSupported @3;
  # The device can't do it.
  reset @4;
  # The device was reset under the request, which took effect or didn't.  It can be
  # made again; what wasn't flushed before may be lost.
}

interface BlockDevice @0xef4c40c948c0f38c $A.home(service) {
  # Blocks of a disk, or of a part of one, by their number.
  #
  # Data goes through queues: memory that the driver and its client share, and from and to
  # which the device itself transfers.  A block is written as a whole or not at all.  What was
  # written is durable once a flush that began later has ended with `ok`; before that,
  # it may be lost when the power goes, in any order.

  info @0 () -> InfoResults;
  # What the device is.

  openQueue @1 OpenQueueParams -> OpenQueueResults;
  # Memory, and the right to have blocks transferred to and from it.

  part @2 PartParams -> PartResults;
  # A narrower device on some of the blocks; its first block is its number 0.

  struct InfoResults {
    blockBytes @0 :UInt32 $A.unit("bytes");
    # The size of a block: a power of two from 512 to 4096.
    readOnly @1 :Bool;
    # Whether it can't be written.
    flushes @2 :Bool;
    # Whether the device keeps writes back until a flush.  If not, they are durable when they
    # complete.
    discards @3 :Bool;
    # Whether `discard` works.
    blockCount @4 :UInt64;
    # How many blocks there are.
    transferBytesMax @5 :UInt32 $A.unit("bytes");
    # The most that one read or write may transfer, a multiple of 4096.
    queueBytesMax @6 :UInt32 $A.unit("bytes");
    # The largest memory of a queue.
  }
  struct OpenQueueParams {
    sizeBytes @0 :UInt32 $A.unit("bytes");
    # How much memory: a multiple of 4096, not zero, at most `queueBytesMax`; otherwise
    # `invalidArgument`.  `overloaded` if the driver has none left.
  }
  struct OpenQueueResults {
    queue @0 :BlockQueue;
    # The queue.  When its last capability is released, it and its memory are gone.
    memory @1 :MemoryObject;
    # The memory, readable and writable, charged to the driver.
  }
  struct PartParams {
    firstBlock @0 :UInt64;
    # The first block.
    blockCount @1 :UInt64;
    # How many, not zero; all within this device, otherwise `invalidArgument`.
    readOnly @2 :Bool;
    # Whether the part can't be written, although this device can.
  }
  struct PartResults {
    device @0 :BlockDevice;
    # The part.
  }
}

interface BlockQueue @0x9f467166c78eec27 $A.home(service) {
  # The right to transfer blocks of one BlockDevice from and to one piece of memory.
  #
  # Requests may be under way at once and end in any order; two that touch the same
  # blocks or the same memory are the client's concern.  While a request is under way, its
  # part of the memory is the device's: what is written there meanwhile may or may not be
  # transferred.
  #
  # Blocks outside the device, bytes outside the memory, and a memory offset that isn't a
  # multiple of the block size are `invalidArgument`; too many requests at once are
  # `overloaded`.

  read @0 ReadParams -> ReadResults $A.pending;
  # Reads blocks into the memory.

  write @1 WriteParams -> WriteResults $A.pending;
  # Writes blocks from the memory.

  flush @2 () -> FlushResults $A.pending;
  # Completes when all writes that completed before are durable.

  discard @3 DiscardParams -> DiscardResults $A.pending;
  # Tells the device that blocks aren't needed; they read as anything until they are written.

  struct ReadParams {
    block @0 :UInt64;
    # The first block.
    blockCount @1 :UInt32;
    # How many, not zero, at most `transferBytesMax` in all.
    memoryOffsetBytes @2 :UInt32 $A.unit("bytes");
    # Where in the memory they go.
  }
  struct ReadResults {
    outcome @0 :BlockOutcome;
    # ok, inputOutput, reset.
  }
  struct WriteParams {
    block @0 :UInt64;
    # The first block.
    blockCount @1 :UInt32;
    # How many, not zero, at most `transferBytesMax` in all.
    memoryOffsetBytes @2 :UInt32 $A.unit("bytes");
    # Where in the memory they are.
  }
  struct WriteResults {
    outcome @0 :BlockOutcome;
    # ok, inputOutput, readOnly, reset.
  }
  struct FlushResults {
    outcome @0 :BlockOutcome;
    # ok, inputOutput, reset.
  }
  struct DiscardParams {
    block @0 :UInt64;
    # The first block.
    blockCount @1 :UInt64;
    # How many, not zero.
  }
  struct DiscardResults {
    outcome @0 :BlockOutcome;
    # ok, inputOutput, readOnly, notSupported, reset.
  }
}
