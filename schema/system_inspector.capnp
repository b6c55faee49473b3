# SPDX-License-Identifier: MIT
@0xb0741e9bf99338b7;
using A = import "annotations.capnp";

interface SystemInspector @0x9037f20a5778b4f1 $A.home(kernel) {
  # The right to see who holds what: every process and its capabilities.
  #
  # It gives no access to any of them: what is seen here can't be called.  Names
  # and numbers of other processes are information all the same, so no program
  # gets it unasked.

  process @0 ProcessParams -> ProcessResults;
  # The live process with the lowest number above `after`.

  capability @1 CapabilityParams -> CapabilityResults;
  # The first capability of a live process in the slots from `slot` on.
  # `invalidArgument` if no live process has that number.

  struct ProcessParams {
    after @0 :UInt64;
    # The number that was seen last; 0 begins.
  }
  struct ProcessResults {
    processId @0 :UInt64;
    # Its number; 0 if there is none above `after`.
    name @1 :Text $A.maxBytes(63);
    # The name given by its parent.
    threadCount @2 :UInt32;
    # Its threads.
    capabilityCount @3 :UInt64;
    # Live slots in its table.
    cpuTimeNs @4 :UInt64 $A.unit("ns");
    # CPU time that its threads paid for.
    residentBytes @5 :UInt64 $A.unit("bytes");
    # Memory that is mapped in its address space, shared memory included.
  }
  struct CapabilityParams {
    processId @0 :UInt64;
    # Whose.
    slot @1 :UInt32;
    # Where to begin; 0, then `nextSlot` of the last answer.
  }
  struct CapabilityResults {
    nextSlot @0 :UInt32;
    # Where to go on; 0 if there is no capability from `slot` on, and then the
    # rest means nothing.
    name @1 :Text $A.maxBytes(31);
    # Under which it was granted; empty if it came later.
    interfaceId @2 :UInt64;
    # Its interface.
    object @3 :UInt64;
    # A number that two capabilities share exactly if they are on the same object.
    # It is no address, and another one after the next boot.
    server @4 :UInt64;
    # The `object` of the Endpoint where calls on it arrive; 0: the kernel's.
    revocable @5 :Bool;
    # Whether it can be taken back: see Revoker.
  }
}
