# SPDX-License-Identifier: MIT
@0xd23c1c0104efedac;
using A = import "annotations.capnp";

enum LatencyClass {
  # How soon a thread runs when it becomes ready.  How much it runs is decided by
  # priorities and by the share of its budget alone.
  normal @0;
  # When its turn comes.
  interactive @1;
  # Ahead of the others, until it has run for 8 ms without sleeping: for threads
  # that wait for a person or a device and then have little to do.
}

interface ThreadSpawner @0xf93b3f46ef36ada4 $A.home(kernel) {
  # The right to start threads in the caller's own process, whichever process
  # calls, up to a priority and a latency class.
  #
  # Each thread has a ring of its own, which the kernel maps when the thread
  # starts and unmaps when it ends, and a stack that whoever starts it provides.
  # All else belongs to the process: memory, capabilities, budget.  When the last
  # thread of a process exits, the process exits with that thread's code.
  #
  # A *priority* is a weight in the division of the CPU time of a budget, 1 to 31:
  # each step is worth a quarter more.  No priority starves another.  What a
  # budget gets, MemoryBudget.setCpuWeight decides.  The first thread of a
  # process has 16 and is `normal`, unless its builder says otherwise
  # (ProcessBuilder.schedule).

  start @0 StartParams -> StartResults;
  # Starts a thread.  RDI holds the address of its ring, RSI that of the CapSet
  # page, RDX the argument; RSP the stack pointer; FS base the thread base; every
  # other register is zero.

  narrow @1 NarrowParams -> NarrowResults;
  # Makes a spawner whose threads reach no priority and no latency class above
  # lower bounds.

  struct StartParams {
    entry @0 :UInt64;
    # The first instruction.
    stackPointer @1 :UInt64;
    # The stack pointer, 16-byte aligned.
    argument @2 :UInt64;
    # Handed over in RDX.
    threadBase @3 :UInt64;
    # The FS base.
    priority @4 :UInt8;
    # 1 to the spawner's bound, or 0: the calling thread's, if the bound allows
    # it, else the bound.  The thread may change it later, within the same bound,
    # and its latency class, which is `normal` at first.
  }
  struct StartResults {
    thread @0 :ThreadHandle;
    # The running thread.
  }
  struct NarrowParams {
    priorityMax @0 :UInt8;
    # 1 to this spawner's own bound.
    latencyMax @1 :LatencyClass;
    # No higher than this spawner's own bound.
  }
  struct NarrowResults {
    spawner @0 :ThreadSpawner;
    # The narrower spawner.
  }
}

interface ThreadHandle @0xa7b3ede34d9cb040 $A.home(kernel) {
  # A thread as others see it.  Releasing the handle doesn't end it.

  join @0 () -> JoinResults $A.pending;
  # Completes when the thread has ended: its ring is unmapped, and it doesn't
  # touch its stack any more.  Once per thread: `failed` if the thread has been
  # joined, is being joined, is detached, or is the caller.  CANCEL lets somebody
  # else join.  `disconnected` if the process ended before the thread exited.

  detach @1 () -> DetachResults;
  # Nobody will join the thread.  `failed` as for `join`.

  info @2 () -> InfoResults;
  # What is known now.

  struct JoinResults {
    exitCode @0 :Int64;
    # The code given to `exit`.
  }
  struct DetachResults {}
  struct InfoResults {
    threadId @0 :UInt64;
    # Its number in the process: 1 is the first thread.  Never reused.
    running @1 :Bool;
    # It hasn't ended.
    priority @2 :UInt8;
    # 1 to 31; 0 once it has ended.
  }
}

interface ParkSpace @0xf09539af7d524370 $A.home(kernel) {
  # Sleeping on words of memory: what locks, condition variables and language
  # runtimes are made of.
  #
  # The operations are the ring's opcodes PARK and UNPARK on this capability
  # (abi/ring.h); here is only what there is to know.  It concerns the calling
  # process and those that share memory with it, so every program is given it.

  info @0 () -> InfoResults;
  # Counts of the calling process.

  struct InfoResults {
    sleeperCount @0 :UInt32;
    # Its threads' pending PARK operations.
  }
}

interface ThreadControl @0xee6772979aef926b $A.home(kernel) {
  # The calling thread, whichever thread calls.  It concerns nobody else, so every
  # program is given it, as it is given its memory.  A call that was linked to a call
  # under way, or built on its result, is `invalidArgument`, except `info` and `latency`.

  exit @0 ExitParams -> ExitResults;
  # Ends the thread.  Submissions behind this one aren't taken, what is pending
  # is withdrawn, and nothing completes any more.

  exitAndUnmap @1 ExitAndUnmapParams -> ExitAndUnmapResults;
  # Frees a range of addresses, as VirtualMemory.unmap does, and ends the thread:
  # the way for a detached thread to give back the stack that it stands on.

  yield @2 () -> YieldResults;
  # Lets the other threads that are ready run first, once.

  setThreadBase @3 SetThreadBaseParams -> SetThreadBaseResults;
  # Sets the FS base, as WRFSBASE does, which needs no call.

  setPriority @4 SetPriorityParams -> SetPriorityResults;
  # Changes the thread's priority.

  setAffinity @5 SetAffinityParams -> SetAffinityResults;
  # States on which CPUs the thread may run.

  info @6 () -> InfoResults;
  # What the kernel knows of the calling thread.

  setFaultHandler @7 SetFaultHandlerParams -> SetFaultHandlerResults;
  # States where the calling thread goes when it faults, instead of ending the
  # process: abi/fault.h says with what.  Replaces an earlier handler.  A fault
  # before the handler has resumed ends the process, with the reason of the fault
  # that came first; so does a frame that can't be written.

  resume @8 ResumeParams -> ResumeResults;
  # Goes on with the registers of a fault frame in memory, which is read once.
  # cap_enter doesn't return; the completion of this call is posted.  Outside of a
  # handler it is an ordinary jump.  `invalidArgument`: RIP isn't an address of user
  # space, or RFLAGS has a flag that user code can't change; the text says which.

  setLatencyClass @9 SetLatencyClassParams -> SetLatencyClassResults;
  # Changes the thread's latency class.

  latency @10 () -> LatencyResults;
  # The thread's latency class, and the bound of setLatencyClass.

  struct ExitParams {
    code @0 :Int64;
    # What `ThreadHandle.join` returns.
  }
  struct ExitResults {}
  struct ExitAndUnmapParams {
    code @0 :Int64;
    # What `ThreadHandle.join` returns.
    address @1 :UInt64;
    # The first address, a multiple of 4096.
    lengthBytes @2 :UInt64 $A.unit("bytes");
    # The length, a multiple of 4096, not zero.
  }
  struct ExitAndUnmapResults {}
  struct YieldResults {}
  struct SetThreadBaseParams {
    threadBase @0 :UInt64;
    # An address of user space.
  }
  struct SetThreadBaseResults {}
  struct SetPriorityParams {
    priority @0 :UInt8;
    # 1 to the bound that the thread was started with.
  }
  struct SetPriorityResults {}
  struct SetLatencyClassParams {
    latencyClass @0 :LatencyClass;
    # No higher than the bound that the thread was started with.
  }
  struct SetLatencyClassResults {}
  struct LatencyResults {
    latencyClass @0 :LatencyClass;
    # What it is.
    latencyMax @1 :LatencyClass;
    # What it may be.
  }
  struct SetAffinityParams {
    cpus @0 :UInt64;
    # A mask: bit i stands for CPU i.  At least one CPU of the machine; bits
    # beyond them are ignored.
  }
  struct SetAffinityResults {}
  struct SetFaultHandlerParams {
    entry @0 :UInt64;
    # The handler's first instruction; 0: no handler.
    stackPointer @1 :UInt64;
    # The stack that it starts on, 16-byte aligned: not the one that may overflow.
    frame @2 :UInt64;
    # Where the frame goes: 160 bytes of writable memory, 8-byte aligned.
  }
  struct SetFaultHandlerResults {}
  struct ResumeParams {
    frame @0 :UInt64;
    # The address of a frame, 8-byte aligned.
  }
  struct ResumeResults {}
  struct InfoResults {
    threadId @0 :UInt64;
    # Its number in the process: 1 is the first thread.  Never reused.
    priority @1 :UInt8;
    # 1 to 31.
    priorityMax @2 :UInt8;
    # The bound of setPriority.
    cpuCount @3 :UInt32;
    # CPUs of the machine.
    cpus @4 :UInt64;
    # On which of them the thread may run: a mask.
  }
}
