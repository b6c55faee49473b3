# SPDX-License-Identifier: MIT
@0xeab59c4cb818ac6c;
using A = import "annotations.capnp";

interface IoPorts @0xeabfc0c750ebd26a $A.home(kernel) {
  # A range of x86 I/O ports.

  range @0 RangeParams -> RangeResults;
  # A narrower range.

  read @1 ReadParams -> ReadResults;
  # Reads one port.

  write @2 WriteParams -> WriteResults;
  # Writes one port.

  struct RangeParams {
    first @0 :UInt16;
    # The first port.
    count @1 :UInt32;
    # How many ports, not zero, within this range.
  }
  struct RangeResults {
    ports @0 :IoPorts;
    # The narrower range.
  }
  struct ReadParams {
    port @0 :UInt16;
    # The port; the whole width lies in the range.
    widthBytes @1 :UInt8 $A.unit("bytes");
    # 1, 2 or 4.
  }
  struct ReadResults {
    value @0 :UInt32;
    # What was read.
  }
  struct WriteParams {
    port @0 :UInt16;
    # The port; the whole width lies in the range.
    widthBytes @1 :UInt8 $A.unit("bytes");
    # 1, 2 or 4.
    value @2 :UInt32;
    # What to write; it fits the width.
  }
  struct WriteResults {}
}
