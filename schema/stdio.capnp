# SPDX-License-Identifier: MIT
@0xdac56dad9a6bfd29;
using A = import "annotations.capnp";

enum OutputStream {
  # Where output goes.
  output @0;
  # Standard output.
  error @1;
  # Standard error.
}

interface StdIO @0xa75df329f22bac7f $A.home(service) {
  # Standard input, output and error of a program, binary-clean.

  read @0 ReadParams -> ReadResults $A.pending;
  # Completes when there is input: some bytes, or none at the end of input.
  # After the end every read completes at once with none.

  write @1 WriteParams -> WriteResults $A.pending;
  # Completes when all bytes are accepted, in the order of the calls.  If
  # nobody reads that stream any more: `disconnected`; beyond its limit: `overloaded`.

  info @2 () -> InfoResults;
  # What is at the other end.

  waitResize @3 WaitResizeParams -> WaitResizeResults $A.pending;
  # Completes when the window's size is another than the given one; at once if it is.
  # `unimplemented` if whoever serves it can't know.

  limit @4 LimitParams -> LimitResults;
  # A StdIO through which so many bytes are written, to both streams together, and no
  # more: a write beyond them does nothing and is `overloaded`, whoever else writes.
  # It takes them from this one's own allowance, if that has one; releasing it doesn't
  # bring them back.  What is read is the same.  `overloaded` if whoever serves it keeps
  # as many allowances as it can; `unimplemented` if it keeps none.

  struct LimitParams {
    bytesMax @0 :UInt64 $A.unit("bytes");
    # The new allowance, at most what this one has left.
  }
  struct LimitResults {
    stdio @0 :StdIO;
    # The new StdIO.
  }
  struct ReadParams {
    maxBytes @0 :UInt32 $A.unit("bytes");
    # The most to return, 1 to 61440.
  }
  struct ReadResults {
    data @0 :Data $A.maxBytes(61440);
    # What came; empty at the end of input.
  }
  struct WriteParams {
    stream @0 :OutputStream;
    # Where to.
    data @1 :Data $A.maxBytes(61440);
    # What to write; empty is allowed and does nothing.
  }
  struct WriteResults {}
  struct InfoResults {
    inputIsTerminal @0 :Bool;
    # Whether a person types the input.
    outputIsTerminal @1 :Bool;
    # Whether standard output is shown to a person.
    errorIsTerminal @2 :Bool;
    # Whether standard error is shown to a person.
    columns @3 :UInt16;
    # Width of the terminal, 0 if unknown.
    rows @4 :UInt16;
    # Height of the terminal, 0 if unknown.
  }
  struct WaitResizeParams {
    columns @0 :UInt16;
    # The width that the caller knows.
    rows @1 :UInt16;
    # The height that the caller knows.
  }
  struct WaitResizeResults {
    columns @0 :UInt16;
    # The new width.
    rows @1 :UInt16;
    # The new height.
  }
}
