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

  struct WriteParams {
    data @0 :Data $A.maxBytes(1024);
    # What to write.
  }
  struct WriteResults {}
}
