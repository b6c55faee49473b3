# SPDX-License-Identifier: MIT
@0xa967c2ee96510bf2;
using A = import "annotations.capnp";
using import "memory_budget.capnp".MemoryBudget;

interface Forker @0xf1a7b7062bdb0daf $A.home(kernel) {
  # The right to copy the caller's own address space, whichever process calls.
  #
  # With it and a ProcessSpawner a program can fork.  It is a right of its own
  # because a copy takes along what no grant names: the secrets in memory, and the
  # mappings of MemoryObjects that the caller may have released since.

  snapshot @0 SnapshotParams -> SnapshotResults;
  # What the caller's address space is now.  Memory is shared until one side
  # writes to it, so this costs time for each page that is there, not a copy.
  #
  # Contained are reservations, anonymous memory, what the process was built with,
  # and mappings of MemoryObjects that it made itself, which go on to show the same
  # objects.  Not contained are rings, the CapSet, device registers, and all
  # capabilities.

  struct SnapshotParams {
    budget @0 :MemoryBudget;
    # What the snapshot is charged to: the anonymous memory that is there now,
    # for the caller may write to all of it, and page tables.
  }
  struct SnapshotResults {
    snapshot @0 :AddressSpaceSnapshot;
    # The snapshot.
  }
}

interface AddressSpaceSnapshot @0xeb0a1df9768088c5 $A.home(kernel) {
  # An address space as it was, for processes to start from: see
  # ProcessBuilder.mapSnapshot.  Any number of processes can; it doesn't change.

  info @0 () -> InfoResults;
  # Counts of the snapshot.

  struct InfoResults {
    regionCount @0 :UInt64;
    # Reservations and mappings.
    chargedBytes @1 :UInt64 $A.unit("bytes");
    # Anonymous memory that it is charged for.
  }
}
