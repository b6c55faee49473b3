# SPDX-License-Identifier: MIT
@0xfcfb30d6bd6f46f3;
using A = import "annotations.capnp";
using import "memory_object.capnp".MemoryObject;
using import "memory_budget.capnp".MemoryBudget;
using import "forker.capnp".AddressSpaceSnapshot;
using import "notification.capnp".Notification;
using import "thread.capnp".LatencyClass;
using import "thread.capnp".ThreadSpawner;
using import "virtual_memory.capnp".Protection;

interface ProcessSpawner @0xe126599c34422771 $A.home(kernel) {
  # The right to make processes.
  #
  # A process is built from outside: its parent makes a builder, maps memory
  # into it, grants capabilities by name, and starts it.  A process holds
  # exactly what it was granted, so the spawner alone gives a child nothing.

  create @0 CreateParams -> CreateResults;
  # Makes a builder with an empty address space and an empty CapSet.

  struct CreateParams {
    name @0 :Text $A.maxBytes(63);
    # For people: shown in fault reports and traces.  Not an identity.
    budget @1 :MemoryBudget;
    # What the process's memory is charged to.
  }
  struct CreateResults {
    builder @0 :ProcessBuilder;
    # The builder.  Releasing it before `start` discards all that was built.
  }
}

interface ProcessBuilder @0x8c70c06ad1c4276b $A.home(kernel) {
  # A process that hasn't started yet.
  #
  # The first method that fails spoils the builder: every later call fails with
  # the first reason, `start` too.  A parent can therefore submit the whole
  # building as one batch and look at the last completion.

  map @0 MapParams -> MapResults;
  # Maps a part of a MemoryObject into the process.

  commit @1 CommitParams -> CommitResults;
  # Maps zero-filled pages into the process, charged to its budget.

  grant @2 GrantParams -> GrantResults;
  # Puts a capability under a name into the process's CapSet.

  start @3 StartParams -> StartResults;
  # Starts the first thread.  The builder is spent.  RDI holds the address of
  # the ring, RSI that of the CapSet page, RDX the argument; RSP the stack
  # pointer; every other register is zero.

  trace @4 TraceParams -> TraceResults;
  # Records every call of the process and every capability that it releases,
  # from its start to its end, in a ring of bytes that abi/trace.h describes.
  # Once per process.  The process can neither see nor stop it and never waits
  # for it: records that don't fit are dropped and counted.

  mapSnapshot @5 MapSnapshotParams -> MapSnapshotResults;
  # Gives the process the address space of a snapshot, before anything else is
  # mapped into it.  Memory is shared until one side writes to it; the process's
  # budget pays for all that is committed at once, so that no write can fail.
  # `start` says where the thread begins: the ring and the CapSet are new, at
  # addresses of their own.

  schedule @6 ScheduleParams -> ScheduleResults;
  # States how the process's first thread is scheduled, within the bounds of a
  # ThreadSpawner that the caller holds.  They become the thread's own bounds:
  # no need to grant the spawner to a process that starts no threads.

  load @7 LoadParams -> LoadResults;
  # Does at once what a program with a file and a stack needs: maps parts of the
  # file, commits memory that begins with other parts of it, then writes into
  # what has been committed.

  struct ScheduleParams {
    bounds @0 :ThreadSpawner;
    # What allows it.
    priority @1 :UInt8;
    # 1 to the spawner's bound.
    latencyClass @2 :LatencyClass;
    # No higher than the spawner's bound.
  }
  struct ScheduleResults {}
  struct LoadParams {
    file @0 :MemoryObject;
    # The file; not device registers.
    pieces @1 :Data $A.maxBytes(800);
    # Records of struct capos_load_piece, at most 20; abi/load.h has what they say.
    # What is copied from the file are 64 pages of memory at most: a larger file
    # is loaded by several calls.
    contentsAddress @2 :UInt64;
    # Where the contents go; ignored without any.
    contents @3 :Data $A.maxBytes(3072);
    # What is written at last, into memory that is readWrite.
  }
  struct LoadResults {}
  struct MapSnapshotParams {
    snapshot @0 :AddressSpaceSnapshot;
    # The snapshot.
  }
  struct MapSnapshotResults {}
  struct MapParams {
    object @0 :MemoryObject;
    # The object.
    offsetBytes @1 :UInt64 $A.unit("bytes");
    # Where in the object the mapping starts: a multiple of 4096.
    lengthBytes @2 :UInt64 $A.unit("bytes");
    # The length: a multiple of 4096, not zero, within the object.
    address @3 :UInt64;
    # Where in the process; a multiple of 4096.
    protection @4 :Protection;
    # What user code may do with the pages; no more than the object allows.
  }
  struct MapResults {}
  struct CommitParams {
    address @0 :UInt64;
    # Where in the process; a multiple of 4096.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # The length: a multiple of 4096, not zero.
    protection @2 :Protection;
    # What user code may do with the pages.
  }
  struct CommitResults {}
  struct GrantParams {
    name @0 :Text $A.maxBytes(31);
    # 1 to 31 bytes, unique in the CapSet.
    capability @1 :Capability;
    # A hold of the caller, by copy or by move.  `VirtualMemory` needs no
    # thought: it means the address space of whoever calls it.
  }
  struct GrantResults {}
  struct StartParams {
    entry @0 :UInt64;
    # The first instruction.
    stackPointer @1 :UInt64;
    # The stack pointer, 16-byte aligned.
    argument @2 :UInt64;
    # Handed over in RDX.
  }
  struct StartResults {
    process @0 :ProcessHandle;
    # The running process.
  }
  struct TraceParams {
    buffer @0 :MemoryObject;
    # Where the records go: writable memory of 8 KiB to 16 MiB.  The caller maps
    # it to read them.
    notification @1 :Notification;
    # Signalled when a record goes into a ring that was empty.
    bits @2 :UInt64;
    # The bits of the signal; not zero.
    captureBytes @3 :UInt32 $A.unit("bytes");
    # How much of each message is recorded, 0 to 1024.
  }
  struct TraceResults {}
}

enum EndKind {
  # How a process ended.
  running @0;
  # It hasn't.
  exited @1;
  # It called exit.
  faulted @2;
  # It did what the CPU or the memory map forbids.
  killed @3;
  # Somebody killed it.
}

enum FaultKind {
  # What the CPU refused.
  none @0;
  # No fault.
  unmapped @1;
  # An access to an address where nothing is mapped.
  protection @2;
  # An access that the page's protection forbids.
  guardPage @3;
  # An access to a guard page below a stack: the stack is too small.
  divide @4;
  # Division by zero, or a quotient out of range.
  illegalInstruction @5;
  # An undefined or privileged instruction.
  generalProtection @6;
  # A non-canonical address, or a privileged operation.
  alignment @7;
  # An unaligned access where alignment is checked.
  floatingPoint @8;
  # An unmasked floating-point exception, x87 or SSE.
  breakpoint @9;
  # A breakpoint or single step without a debugger.
  outOfMemory @10;
  # A page could not be provided: lazily committed memory was touched, and the
  # process's budget is exhausted.
  badRing @11;
  # The ring's pages could not be used by the kernel.
}

interface ProcessHandle @0xc01e7407be5ad6da $A.home(kernel) {
  # A process as its parent sees it.  Releasing the handle doesn't end it.

  wait @0 () -> WaitResults $A.pending;
  # Completes when the process has ended and all that it held is released; at
  # once if it has.  Any number of waiters get the same answer.

  kill @1 () -> KillResults;
  # Ends the process now, whatever it is doing.  No error if it has ended.

  info @2 () -> InfoResults;
  # What is known now.

  struct WaitResults {
    kind @0 :EndKind;
    # exited, faulted or killed.
    exitCode @1 :Int64;
    # The code given to exit; 0 unless exited.
    fault @2 :FaultKind;
    # none unless faulted.
    faultAddress @3 :UInt64;
    # The address whose access faulted; 0 if the fault has none.
    instructionPointer @4 :UInt64;
    # The instruction that faulted; 0 unless faulted.
    stackPointer @5 :UInt64;
    # The stack pointer at the fault; 0 unless faulted.
    threadId @6 :UInt64;
    # The thread that faulted: its number in the process, of which 1 is the first
    # thread; 0 unless faulted.
  }
  struct KillResults {}
  struct InfoResults {
    processId @0 :UInt64;
    # A number for people; never reused.  It gives no access to anything.
    name @1 :Text $A.maxBytes(63);
    # The name given by its parent.
    kind @2 :EndKind;
    # Whether and how it ended.
    capabilityCount @3 :UInt64;
    # Live slots in its table.
    cpuTimeNs @4 :UInt64 $A.unit("ns");
    # CPU time that its threads paid for.  A server that a call was handed over to works on
    # the caller's time.
  }
}
