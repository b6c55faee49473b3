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

  readSelected @3 ReadSelectedParams -> ReadSelectedResults;
  # Selects a register through one port and reads it through another, with nothing of anybody
  # else's in between: so several processes can use what has one pair of ports, as the
  # configuration of PCI devices.

  writeSelected @4 WriteSelectedParams -> WriteSelectedResults;
  # Likewise, and writes.

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
  struct ReadSelectedParams {
    selectPort @0 :UInt16;
    # The port that selects; it and the three behind it lie in the range.
    selection @1 :UInt32;
    # What is written there, 4 bytes.
    port @2 :UInt16;
    # As in `read`.
    widthBytes @3 :UInt8 $A.unit("bytes");
    # As in `read`.
  }
  struct ReadSelectedResults {
    value @0 :UInt32;
    # What was read.
  }
  struct WriteSelectedParams {
    selectPort @0 :UInt16;
    # As in `readSelected`.
    selection @1 :UInt32;
    # As in `readSelected`.
    port @2 :UInt16;
    # As in `write`.
    widthBytes @3 :UInt8 $A.unit("bytes");
    # As in `write`.
    value @4 :UInt32;
    # As in `write`.
  }
  struct WriteSelectedResults {}
}
