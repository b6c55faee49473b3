# SPDX-License-Identifier: MIT
@0xa94d0be217c36f58;
# The system of the tests of RestrictedLauncher: one that may start three programs.
using M = import "/schema/manifest.capnp";
using Default = import "/system/default.capnp";

const manifest :M.SystemManifest = (
  services = [
    Default.hostlink,
    ( name = "launcher",
      binary = "launcher",
      arguments = ["programs=exitcode,fault,args", "grants=stdio,timer", "budget=2097152"],
      grants = [
        (name = "console", source = (kernel = "console")),  # for its last words
        (name = "spawner", source = (kernel = "spawner")),
        (name = "boot", source = (kernel = "boot")),
        (name = "timer", source = (kernel = "timer")),  # to hand on
        (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
      ],
      exports = [
        (name = "launcher", interfaceId = 0xde41c7a2935f6b08, word = 1),  # RestrictedLauncher
      ],
      budgetBytes = 4194304 ),
  ],
  programGrants = [
    (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
    (name = "launcher", source = (service = (service = "launcher", export = "launcher"))),
  ],
);
