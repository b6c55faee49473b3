# SPDX-License-Identifier: MIT
@0x96711f2fdc9bb28f;
# Every error of capOS.
#
# A completion carries a signed result: zero or more is success, and the
# negative of a Status says what went wrong.  The statuses from `failed` to
# `invalidArgument` are *exceptions*: the object itself refused, and a
# CapException in the result buffer says why in words.  The statuses after them
# are *transport errors*: the request never reached the object.  An outcome
# that is part of a method's job (not found, end of file) is neither: it is an
# ordinary result.

enum Status {
  ok @0;
  # Done.

  failed @1;
  # Exception: the object tried and could not.  Trying again won't help.
  overloaded @2;
  # Exception: a budget, a queue or a table is full.  Try again with back-off,
  # or give the culprit a larger budget.
  disconnected @3;
  # Exception: the object behind the capability is gone or was revoked.
  # Acquire a new capability.
  unimplemented @4;
  # Exception: the object's interface has no such method.
  invalidArgument @5;
  # Exception: an argument is out of range.  The reason names the argument and
  # its legal range.

  badOpcode @6;
  # The submission's opcode is reserved or unknown.
  badFlags @7;
  # A flag that the opcode doesn't know is set, or a reserved field isn't zero.
  badAddress @8;
  # A buffer isn't mapped in the caller's address space with the access that
  # the operation needs, or lies outside the ring's message area.
  badLength @9;
  # A buffer is longer than the limit, or shorter than the operation needs.
  badCapability @10;
  # The CapId names no live slot of the caller's table: never issued, released,
  # or of an older generation.
  wrongInterface @11;
  # The capability is live and its interface isn't the one that the call names.
  badMessage @12;
  # The message isn't a well-formed Cap'n Proto message of the method's
  # parameter type, or a field exceeds its bound.
  badTransfer @13;
  # A transfer descriptor is malformed, repeats a moved capability, or names a
  # capability that may not be transferred that way.
  noResultSpace @14;
  # The result doesn't fit the caller's buffer.  The operation had no effect
  # on the caller's capabilities.
  cancelled @15;
  # CANCEL withdrew the operation.  A server that had received the call may have
  # acted on it.
  timedOut @16;
  # The deadline passed before the operation completed.
  notFound @17;
  # CANCEL found no pending operation with that user data; RETURN found no
  # call with that id.
  corruptRing @18;
  # The submission or completion indices are impossible.  Nothing was done.
  queueFull @19;
  # The completion queue has no room for what cap_enter was asked to wait for.
  pending @20;
  # Never on the wire: inside the kernel and in server code it says that the
  # operation will complete later.
}

enum ExceptionType {
  # The kinds of exception, as Cap'n Proto RPC names them, and one of our own.
  # Equal in number to the Status of the same name less one.
  failed @0;
  # It could not.  Trying again won't help.
  overloaded @1;
  # Something is full.  Try again later.
  disconnected @2;
  # The object is gone.  Acquire a new capability.
  unimplemented @3;
  # There is no such method.
  invalidArgument @4;
  # An argument is out of range.
}

struct CapException {
  # What an object says when it refuses a call.
  type @0 :ExceptionType;
  # The kind, by which a caller decides what to do next.
  reason @1 :Text $import "annotations.capnp".maxBytes(200);
  # For a person: which argument, which range, what to do.  Never contains
  # kernel addresses, secrets, or the state of another process.
}
