# SPDX-License-Identifier: MIT
@0x9cc55f91fd769579;
using A = import "annotations.capnp";

interface MemoryObject @0xeba24d419185e438 $A.home(kernel) {
  # A run of pages that processes map, share and hand to each other.

  info @0 () -> InfoResults;
  # What the object is.

  view @1 ViewParams -> ViewResults;
  # A narrower object on the same pages: a part of the range, fewer rights.
  # There is no way back from the view to the whole.

  read @2 ReadParams -> ReadResults;
  # Copies bytes out, for small reads that aren't worth a mapping.

  snapshot @3 () -> SnapshotResults;
  # What the object holds now, as a new object that may be written to.  The two
  # share pages until one side writes to a page; neither sees what the other
  # writes.  The snapshot is charged to the caller's budget in full at once, so
  # writing to either can't fail.  `failed` for device registers, DMA memory,
  # memory that is pinned for devices, and the buffer of a trace.

  struct InfoResults {
    sizeBytes @0 :UInt64 $A.unit("bytes");
    # The size, a multiple of 4096.
    writable @1 :Bool;
    # Whether it may be mapped for writing.
    executable @2 :Bool;
    # Whether it may be mapped for execution.
  }
  struct ViewParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # Where the view starts: a multiple of 4096.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # Its size: a multiple of 4096, not zero, within the object.
    writable @2 :Bool;
    # Whether the view may be mapped for writing; only if the object may.
    executable @3 :Bool;
    # Whether the view may be mapped for execution; only if the object may.
  }
  struct ViewResults {
    object @0 :MemoryObject;
    # The view.
  }
  struct ReadParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # Where to start.
    lengthBytes @1 :UInt32 $A.unit("bytes");
    # How many bytes, 1 to 4096, within the object.
  }
  struct ReadResults {
    data @0 :Data $A.maxBytes(4096);
    # The bytes.
  }
  struct SnapshotResults {
    object @0 :MemoryObject;
    # The snapshot: writable, and executable if the object is.
  }
}
