# SPDX-License-Identifier: MIT
@0x99800f24e16a02b1;
using A = import "annotations.capnp";
using import "memory_object.capnp".MemoryObject;

enum Protection {
  # What user code may do with a page.  No page is ever writable and
  # executable.
  none @0;
  # Nothing: an access faults.
  read @1;
  # Read.
  readWrite @2;
  # Read and write.
  readExecute @3;
  # Read and execute.
}

interface VirtualMemory @0xec78ac506026d695 $A.home(kernel) {
  # The caller's own address space, whichever process calls.
  #
  # A *reservation* is a range of addresses that belongs to nobody else; it
  # costs nothing.  Reservations that touch are one.  A range whose address the
  # kernel chose has a free page before and behind it.  *Committed* pages read as zero at first and are charged to
  # the process's budget when they are committed, not when they are touched, so
  # touching one can't fail.  *Lazily* committed ones are charged when they are
  # touched; if the budget is exhausted then, the access is a fault,
  # `outOfMemory`, and a buffer of a call that lies there is `badAddress`.
  # One call changes at most 65,536 pages or regions: of a longer range in which
  # more is mapped it is `invalidArgument`, and the caller does it in parts; a
  # range of 256 MiB never has more.  What isn't mapped doesn't count.
  # Addresses and lengths are multiples of 4096.  The first 64 KiB and all
  # above 0x7fff_ffff_f000 can't be mapped.

  reserve @0 ReserveParams -> ReserveResults;
  # Sets a range of addresses aside.

  commit @1 CommitParams -> CommitResults;
  # Backs reserved pages with zero-filled memory.  Pages of the range that are
  # committed already keep their contents and take the protection.

  decommit @2 DecommitParams -> DecommitResults;
  # Gives the memory back and keeps the addresses reserved.

  protect @3 ProtectParams -> ProtectResults;
  # Changes the protection of mapped or committed pages.  A page of a
  # MemoryObject gets no right that the object lacks.

  map @4 MapParams -> MapResults;
  # Maps a part of a MemoryObject.

  unmap @5 UnmapParams -> UnmapResults;
  # Frees a range: reservations, committed pages and mappings that lie in it
  # whole or in part.  Free addresses in the range are no error.

  info @6 () -> InfoResults;
  # Counts of the caller's address space.

  allocate @7 AllocateParams -> AllocateResults;
  # Reserves and commits in one: zero-filled memory at free addresses.

  commitLazily @8 CommitLazilyParams -> CommitLazilyResults;
  # Lets reserved pages be touched and charges each when it is, its page tables
  # too: for a runtime that wants large ranges and uses little of them.  Pages of
  # the range that are committed already keep their contents, stay charged, and
  # take the protection.  `commit` makes lazily committed pages committed.

  struct ReserveParams {
    lengthBytes @0 :UInt64 $A.unit("bytes");
    # The length, not zero.
    address @1 :UInt64;
    # Where, or 0: the kernel chooses.  A range that is taken is `failed`.
    alignmentBytes @2 :UInt64 $A.unit("bytes");
    # The alignment of a chosen address: a power of two, or 0 for 4096.
  }
  struct ReserveResults {
    address @0 :UInt64;
    # The first address.
  }
  struct CommitParams {
    address @0 :UInt64;
    # The first address.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # The length, not zero; the range lies within one reservation.
    protection @2 :Protection;
    # What user code may do with the pages.
  }
  struct CommitResults {}
  struct DecommitParams {
    address @0 :UInt64;
    # The first address.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # The length, not zero; the range lies within one reservation.
  }
  struct DecommitResults {}
  struct ProtectParams {
    address @0 :UInt64;
    # The first address.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # The length, not zero.
    protection @2 :Protection;
    # What user code may do with the pages.
  }
  struct ProtectResults {}
  struct MapParams {
    object @0 :MemoryObject;
    # The object.
    offsetBytes @1 :UInt64 $A.unit("bytes");
    # Where in the object the mapping starts: a multiple of 4096.
    lengthBytes @2 :UInt64 $A.unit("bytes");
    # The length, not zero, within the object.
    address @3 :UInt64;
    # Where, or 0: the kernel chooses.  A range that is taken is `failed`.
    protection @4 :Protection;
    # What user code may do with the pages; no more than the object allows.
  }
  struct MapResults {
    address @0 :UInt64;
    # The first address.
  }
  struct UnmapParams {
    address @0 :UInt64;
    # The first address.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # The length, not zero.
  }
  struct UnmapResults {}
  struct AllocateParams {
    lengthBytes @0 :UInt64 $A.unit("bytes");
    # The length, not zero.
    address @1 :UInt64;
    # Where, or 0: the kernel chooses.  A range that is taken is `failed`.
    protection @2 :Protection;
    # What user code may do with the pages.
  }
  struct AllocateResults {
    address @0 :UInt64;
    # The first address.
  }
  struct CommitLazilyParams {
    address @0 :UInt64;
    # The first address.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # The length, not zero; the range lies within one reservation.
    protection @2 :Protection;
    # What user code may do with the pages.
  }
  struct CommitLazilyResults {}
  struct InfoResults {
    regionCount @0 :UInt64;
    # Regions: reservations and mappings, split where protection differs.
    committedBytes @1 :UInt64 $A.unit("bytes");
    # Committed and charged; of lazily committed memory, what was touched.
    residentBytes @2 :UInt64 $A.unit("bytes");
    # Backed by a frame now, own or shared.
  }
}
