# SPDX-License-Identifier: MIT
@0xdd128b79e688506f;
using A = import "annotations.capnp";

interface EntropySource @0xbc8cd5bd695cfcec $A.home(kernel) {
  # Random bytes fit for keys.
  #
  # Seeded from the CPU's generator (RDSEED, RDRAND) and from the jitter of the
  # clock, expanded by ChaCha20 with fast key erasure: bytes once handed out
  # can't be computed from a later state of the kernel's memory.

  fill @0 FillParams -> FillResults;
  # Returns fresh random bytes.

  struct FillParams {
    lengthBytes @0 :UInt32 $A.unit("bytes");
    # How many, 1 to 1024.
  }
  struct FillResults {
    data @0 :Data $A.maxBytes(1024);
    # Exactly as many bytes as were asked for.
  }
}
