# SPDX-License-Identifier: MIT
@0xd2a1c7f0b3e59a46;
# The system of the tests of restarts: two services that end when they are told to.
using M = import "/schema/manifest.capnp";
using Default = import "/system/default.capnp";

const manifest :M.SystemManifest = (
  services = [
    Default.hostlink,
    ( name = "flaky",
      binary = "crash_server",
      grants = [
        (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
      ],
      exports = [
        (name = "echo", interfaceId = 0xe7f9f2a0be4c5d03, word = 1),  # Echo
      ],
      budgetBytes = 1048576,
      restart = always,
      restartsMax = 3,
      restartDelayNs = 20000000 ),
    ( name = "worker",
      binary = "crash_server",
      exports = [
        (name = "echo", interfaceId = 0xe7f9f2a0be4c5d03, word = 1),  # Echo
      ],
      budgetBytes = 1048576,
      restart = onFailure ),
  ],
  programGrants = [
    (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
    (name = "timer", source = (kernel = "timer")),
    (name = "flaky", source = (service = (service = "flaky", export = "echo"))),
    (name = "worker", source = (service = (service = "worker", export = "echo"))),
  ],
);
