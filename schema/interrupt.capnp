# SPDX-License-Identifier: MIT
@0x866c5f9da1ca343a;
using A = import "annotations.capnp";
using Notification = import "notification.capnp".Notification;

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

  message @1 () -> MessageResults;
  # Makes an interrupt that a device raises by writing a number to an address (MSI, MSI-X):
  # who may tell a device where to write gets it there.  It can't be masked: each counts.
  # `overloaded` if the machine has none left.

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
  struct MessageResults {
    interrupt @0 :Interrupt;
    # The messages.
    address @1 :UInt64;
    # Where the device writes.
    data @2 :UInt32;
    # What it writes.
  }
}

interface Interrupt @0xfd410fbc6bfdaf4b $A.home(kernel) {
  # One interrupt line, or one kind of message of a device.

  wait @0 () -> WaitResults $A.pending;
  # Completes at the next interrupt, or at once if one came since the last
  # completion.  The line stays masked from an interrupt until the next wait:
  # calling wait says that the device was served.

  notify @1 NotifyParams -> NotifyResults;
  # From now on each interrupt sets bits in a notification, for who waits for
  # more than one thing; an earlier notify is superseded.  An interrupt that
  # came since the last completion sets them at once.  As with wait the line
  # stays masked from an interrupt until the next wait or rearm.

  rearm @2 () -> RearmResults;
  # Says that the device was served, without waiting: the next interrupt comes
  # through.  Without a notify it is `failed`.

  struct NotifyParams {
    notification @0 :Notification;
    # Where the bits are set; kept until the last hold of the line is gone.
    bits @1 :UInt64;
    # The bits; not zero.
  }
  struct NotifyResults {}
  struct RearmResults {}
  struct WaitResults {
    count @0 :UInt64;
    # Interrupts since the line was bound.
  }
}
