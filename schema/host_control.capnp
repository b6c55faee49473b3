# SPDX-License-Identifier: MIT
@0x9e34c9d46cd12e37;
using A = import "annotations.capnp";
using import "process.capnp".EndKind;
using import "process.capnp".FaultKind;

interface HostControl @0xd33557f84a45e091 $A.home(service) {
  # What init tells the `capos` command on the host.

  finish @0 FinishParams -> FinishResults $A.pending;
  # Reports how the requested program ended, after all its output.  The host
  # then ends the machine.

  refuse @1 RefuseParams -> RefuseResults $A.pending;
  # Reports that the requested program could not be started.

  trace @2 TraceParams -> TraceResults $A.pending;
  # Hands over a piece of the requested program's trace.  Completes when it is
  # on its way to the host.

  struct FinishParams {
    kind @0 :EndKind;
    # exited, faulted or killed.
    exitCode @1 :Int64;
    # As in ProcessHandle.wait.
    fault @2 :FaultKind;
    # As in ProcessHandle.wait.
    faultAddress @3 :UInt64;
    # As in ProcessHandle.wait.
    instructionPointer @4 :UInt64;
    # As in ProcessHandle.wait.
    loadBias @5 :UInt64;
    # Added to the addresses in the program's file when it was loaded.
    threadId @6 :UInt64;
    # As in ProcessHandle.wait.
  }
  struct FinishResults {}
  enum Refusal {
    # Why a program was not started.
    notFound @0;
    # No program of that name is in the image.
    notExecutable @1;
    # The file isn't a capOS program.
    system @2;
    # The system could not start it: a grant or memory was missing.
  }
  struct RefuseParams {
    refusal @0 :Refusal;
    # The kind, from which the exit status follows.
    reason @1 :Text $A.maxBytes(400);
    # For a person.
  }
  struct RefuseResults {}
  struct TraceParams {
    data @0 :Data $A.maxBytes(32768);
    # Records as abi/trace.h has them; the pieces of all calls, one behind the
    # other, are whole records.
  }
  struct TraceResults {}
}
