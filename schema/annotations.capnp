# SPDX-License-Identifier: MIT
@0xab1965a8d46f603b;
# The vocabulary that the capOS schema compiler (tools/schemac) understands
# beyond standard Cap'n Proto.  Every other schema file imports this one.

enum Home {
  # Who implements an interface.
  kernel @0;
  # The kernel itself.  Its methods are flat: scalars, enums, bounded Text and
  # Data, and capabilities, so that the kernel never walks a nested message.
  service @1;
  # A user process that answers on an Endpoint.
}

annotation home @0xb960a043040c62ac (interface) :Home;
# Required on every interface.

annotation maxBytes @0xffc4578521dceb42 (field) :UInt32;
# The longest Text or Data that the field may carry, in bytes, without the
# terminating NUL of a Text.  Required on every Text and Data field that a
# method of an interface carries; longer values are `badMessage`.

annotation maxCount @0xb2595daba29d5d36 (field) :UInt32;
# The most elements that a List field may carry.  Required on every List.

annotation pending @0xea8b8b2f8975990d (method) :Void;
# The method may complete later than the call that submits it: it stays in the
# queue of an object until an event, a CANCEL or the end of the caller.

annotation optional @0x9a057141c05fed3d (field) :Void;
# A capability that may be null, in the parameters or results of a service's method;
# without it, null is `invalidArgument` in parameters, and results that leave one out are
# malformed.

annotation unit @0xc017aa0ad658942c (field) :Text;
# The unit of a number, as a person reads it: "ns", "bytes", "pages".

annotation since @0xd2a853701d3a2a00 (interface, method) :Text;
# The release that introduced it.  Absent: 0.1.
