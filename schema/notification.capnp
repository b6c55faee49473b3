# SPDX-License-Identifier: MIT
@0xd3392fd4ff783469;
using A = import "annotations.capnp";

interface Notification @0xb393ff68041a3e57 $A.home(kernel) {
  # A word of 64 event bits: signals are collected until somebody waits.
  #
  # A signal never blocks and never needs memory, so a driver or a server can
  # always afford one.  Signals of a bit that is set already are one with it: a
  # waiter learns that something happened, not how often.

  signal @0 SignalParams -> SignalResults;
  # Sets bits.  If a waiter's mask meets them, the oldest such waiter completes.

  wait @1 WaitParams -> WaitResults $A.pending;
  # Completes as soon as a bit of the mask is set, clears the bits of the mask
  # and returns them.  Each signal is seen by one waiter.

  poll @2 PollParams -> PollResults;
  # The same without waiting: clears the bits of the mask that are set and returns
  # them, none if none is.

  struct SignalParams {
    bits @0 :UInt64;
    # The bits to set; not zero.
  }
  struct SignalResults {}
  struct WaitParams {
    mask @0 :UInt64;
    # The bits to wait for; not zero.
  }
  struct WaitResults {
    bits @0 :UInt64;
    # The bits of the mask that were set; not zero.
  }
  struct PollParams {
    mask @0 :UInt64;
    # The bits to look for; not zero.
  }
  struct PollResults {
    bits @0 :UInt64;
    # The bits of the mask that were set.
  }
}
