# SPDX-License-Identifier: MIT
@0xd33557f84a45e084;
using A = import "annotations.capnp";

interface Console @0xa8d6c6074b849713 $A.home(kernel) {
  # Emergency output on the machine's first serial port.
  #
  # It needs no other process, so a program whose services are gone can still
  # say so.  It is slow, shared and unbuffered: ordinary output goes to a StdIO.

  write @0 WriteParams -> WriteResults;
  # Writes bytes as they are.  Completes when the last one is in the port's
  # FIFO.  Bytes of concurrent writers never mix within one call.

  limit @1 LimitParams -> LimitResults;
  # A console that takes so many bytes and no more: what it writes beyond them is
  # `overloaded`, whoever else writes.  It takes them from this console's own
  # allowance, if that has one; releasing it doesn't bring them back.

  info @2 () -> InfoResults;
  # What may still be written.

  struct LimitParams {
    bytesMax @0 :UInt64 $A.unit("bytes");
    # The new console's allowance, at most what this one has left.
  }
  struct LimitResults {
    console @0 :Console;
    # The new console, charged to the caller's budget.
  }
  struct InfoResults {
    leftBytes @0 :UInt64 $A.unit("bytes");
    # The allowance that is left; 2^64 - 1 without a limit.
  }
  struct WriteParams {
    data @0 :Data $A.maxBytes(1024);
    # What to write; all of it or, if the allowance doesn't reach, nothing.
  }
  struct WriteResults {}
}
