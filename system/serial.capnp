# SPDX-License-Identifier: MIT
@0xf2a3b9d0c7e64511;
# The system of machines that start by themselves, from the ISO image: a person at a terminal
# on the first serial port, in front of the program that the boot command line names.  The
# image names the shell, so a program gets all that there is to grant.
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
      budgetBytes = 1048576,
      latencyClass = interactive ),
    ( name = "terminal",
      binary = "terminal",
      grants = [
        (name = "console", source = (kernel = "console")),  # for its last words
        (name = "stdio", source = (service = (service = "serialio", export = "stdio"))),
      ],
      exports = [
        (name = "stdio", interfaceId = 0xa75df329f22bac7f, word = 1),  # StdIO
        (name = "terminal", interfaceId = 0xaac1e45f0025b706, word = 2),  # TerminalSession
      ],
      budgetBytes = 4194304,
      latencyClass = interactive ),
  ],
  programGrants = [
    (name = "stdio", source = (service = (service = "terminal", export = "stdio"))),
    (name = "terminal", source = (service = (service = "terminal", export = "terminal"))),
    (name = "timer", source = (kernel = "timer")),
    (name = "entropy", source = (kernel = "entropy")),
    (name = "console", source = (kernel = "console")),
    (name = "spawner", source = (kernel = "spawner")),
    (name = "boot", source = (kernel = "boot")),
    (name = "inspector", source = (kernel = "inspector")),
  ],
);
