# SPDX-License-Identifier: MIT
@0x8ffc18052d3b76f4;
using A = import "annotations.capnp";
using import "memory_object.capnp".MemoryObject;

interface DeviceMemory @0xb015fd4763be1a96 $A.home(kernel) {
  # A range of physical addresses at which devices answer.  It never contains
  # RAM: a range that touches RAM is refused.

  range @0 RangeParams -> RangeResults;
  # A narrower range.

  object @1 () -> ObjectResults;
  # The registers as a MemoryObject, to be mapped uncached: readable and
  # writable, never executable.

  info @2 () -> InfoResults;
  # Where the range lies.

  struct RangeParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # Where the narrower range starts in this one: a multiple of 4096.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # Its size: a multiple of 4096, not zero, within this range.
  }
  struct RangeResults {
    memory @0 :DeviceMemory;
    # The narrower range.
  }
  struct ObjectResults {
    object @0 :MemoryObject;
    # The registers; at most 1 GiB at a time.
  }
  struct InfoResults {
    physicalAddress @0 :UInt64;
    # The first address on the bus.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # The size.
  }
}

interface DmaPool @0xca1d5146e4d620b7 $A.home(kernel) {
  # The right to memory that devices read and write by its bus address.

  allocate @0 AllocateParams -> AllocateResults;
  # Zero-filled, physically contiguous memory, charged to the caller's budget.

  keeper @1 () -> KeeperResults;
  # A pool that keeps what is allocated from it: the memory isn't used for anything else
  # until it is forgotten, whoever releases it and whoever ends.  So a device that goes on
  # when its driver was killed harms nobody.

  forget @2 ForgetParams -> ForgetResults;
  # The pool no longer keeps a piece of memory: no device knows it any more.

  forgetAll @3 () -> ForgetAllResults;
  # The pool no longer keeps any: the device was reset.

  pin @4 PinParams -> PinResults;
  # Lets devices reach memory that somebody made for another purpose, so that data go where
  # they are wanted without a copy.  A keeper alone can (`failed`), and keeps the memory like
  # what it allocated: until it is forgotten, once for each time that it was pinned.  So long
  # it has no snapshots.

  struct AllocateParams {
    sizeBytes @0 :UInt64 $A.unit("bytes");
    # A multiple of 4096, not zero, at most 2 MiB.
  }
  struct AllocateResults {
    object @0 :MemoryObject;
    # The memory, readable and writable.
    busAddress @1 :UInt64;
    # The address by which a device reaches the first byte.
  }
  struct KeeperResults {
    pool @0 :DmaPool;
    # The pool.  With its last hold everything is forgotten.
  }
  struct ForgetParams {
    object @0 :MemoryObject;
    # From `allocate` or for `pin` of this pool, and not forgotten yet; otherwise
    # `invalidArgument`.
  }
  struct ForgetResults {}
  struct ForgetAllResults {}
  struct PinParams {
    object @0 :MemoryObject;
    # RAM that may be written to; otherwise `invalidArgument`.
    offsetBytes @1 :UInt64 $A.unit("bytes");
    # Where to begin: a multiple of 4096.
    sizeBytes @2 :UInt64 $A.unit("bytes");
    # How much: a multiple of 4096, not zero, at most 2 MiB, within the object.
  }
  struct PinResults {
    pages @0 :Data $A.maxBytes(4096);
    # The bus address of each page, 8 bytes in the machine's order.
  }
}
