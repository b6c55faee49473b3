# SPDX-License-Identifier: MIT
@0xdcdca1e3d10bc547;
using A = import "annotations.capnp";

interface Endpoint @0xf576fa9aa3bee4f7 $A.home(kernel) {
  # The server's side of IPC: where calls arrive.
  #
  # A holder of the Endpoint receives calls (ring opcode RECV), answers them
  # (RETURN) and mints the objects that its clients call.  A minted object
  # carries a word that the server chose: the server finds its own state by it
  # and no holder can change it.  When the last hold of a minted object is
  # released, the server receives a release notice with the word.  When the
  # last hold of the Endpoint itself is released, every pending call on its
  # objects completes with `disconnected`; so do, when a process ends, the calls
  # that it received and didn't answer, whoever else holds the Endpoint.

  mint @0 MintParams -> MintResults;
  # Makes an object that answers to an interface through this endpoint.

  revoke @1 RevokeParams -> RevokeResults;
  # Cuts an object off, and with it every copy of every holder.  Calls waiting
  # in the queue and calls under way complete with `disconnected`; so does
  # every later call.  Revoking twice is no error.

  disconnect @2 () -> DisconnectResults;
  # Ends every call that was received and not answered with `disconnected`; those
  # that wait in the queue stay there.  For who keeps an endpoint when its server
  # ended: what the server had received, nobody else can answer.

  watch @3 WatchParams -> WatchResults $A.pending;
  # Completes when a call that was received ends, for a server that keeps it for
  # long: when it is answered, or when nobody waits for the answer any more,
  # because the caller cancelled it or ended, the object was revoked, or the
  # endpoint is gone.  A call that has ended already, or never was, completes at
  # once.  A call has one watcher at a time; a second is `failed`.

  identify @4 IdentifyParams -> IdentifyResults;
  # Tells what an object is that this endpoint minted: for a server to which a client hands
  # one of the server's own objects as an argument.

  struct MintParams {
    interfaceId @0 :UInt64;
    # The Cap'n Proto type id of the interface; not zero, and not one of a
    # kernel-homed interface: only the kernel speaks for those.
    word @1 :UInt64;
    # Delivered with each call on the object.
  }
  struct MintResults {
    object @0 :Capability;
    # A capability on the new object; transfer by copy and by move.
  }
  struct RevokeParams {
    object @0 :Capability;
    # An object that this endpoint minted; otherwise `invalidArgument`.
  }
  struct RevokeResults {}
  struct DisconnectResults {}
  struct WatchParams {
    callId @0 :UInt64;
    # From the header of the received call.
  }
  struct WatchResults {
    answered @0 :Bool;
    # It was answered while it was watched.  Otherwise an answer would be in vain.
  }
  struct IdentifyParams {
    object @0 :Capability;
    # An object that this endpoint minted, also lent through a revocable capability;
    # otherwise `invalidArgument`, also if it was revoked.
  }
  struct IdentifyResults {
    word @0 :UInt64;
    # With what it was minted.
    interfaceId @1 :UInt64;
    # With what it was minted.
  }
}
