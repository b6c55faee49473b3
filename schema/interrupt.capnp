# SPDX-License-Identifier: MIT
@0x866c5f9da1ca343a;
using A = import "annotations.capnp";

enum Trigger {
  # How a line signals.
  edge @0;
  # A change to high.
  level @1;
  # As long as it is high.
}

interface InterruptController @0xd3d13802239fcf0f $A.home(kernel) {
  # The right to take interrupt lines.

  bind @0 BindParams -> BindResults;
  # Takes a line.  A line that is bound already is `failed`; it is free again
  # when the last hold of its Interrupt is gone.

  struct BindParams {
    line @0 :UInt32;
    # The global system interrupt: an input of the I/O APIC.
    trigger @1 :Trigger;
    # How it signals.
  }
  struct BindResults {
    interrupt @0 :Interrupt;
    # The line.
  }
}

interface Interrupt @0xfd410fbc6bfdaf4b $A.home(kernel) {
  # One interrupt line.

  wait @0 () -> WaitResults $A.pending;
  # Completes at the next interrupt, or at once if one came since the last
  # completion.  The line stays masked from an interrupt until the next wait:
  # calling wait says that the device was served.

  struct WaitResults {
    count @0 :UInt64;
    # Interrupts since the line was bound.
  }
}
