# SPDX-License-Identifier: MIT
@0xf2a3b9d0c7e64511;
# The system of machines that start by themselves, from the ISO image: the program named on
# the boot command line talks over the first serial port.
using M = import "/schema/manifest.capnp";

const manifest :M.SystemManifest = (
  services = [
    ( name = "serialio",
      binary = "serialio",
      grants = [
        (name = "console", source = (kernel = "console")),  # for its last words
        (name = "ports", source = (kernel = "ports")),
        (name = "interrupts", source = (kernel = "interrupts")),
      ],
      exports = [
        (name = "stdio", interfaceId = 0xa75df329f22bac7f, word = 1),  # StdIO
      ],
      budgetBytes = 1048576 ),
  ],
  programGrants = [
    (name = "stdio", source = (service = (service = "serialio", export = "stdio"))),
    (name = "timer", source = (kernel = "timer")),
  ],
);
