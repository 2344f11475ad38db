"""The platforms that a private runtime can be made for, by the names that Blender's extensions have for them.

This module imports nothing beyond the standard library.
"""

import platform

from ..errors import InstallError

TRIPLES = {
    "linux-x64": "x86_64-manylinux_2_28",
    "linux-arm64": "aarch64-manylinux_2_28",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-x64": "x86_64-pc-windows-msvc",
}  # as uv calls them
OLDEST_MACOS = "14.0"  # that torch's wheels run on
PYTHONS = ("3.11", "3.12", "3.13", "3.14")  # minor versions that the locked packages have wheels for
_SYSTEMS = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}


def platform_name(system: str, machine: str) -> str:
    """ "linux-x64" and the like, of what `platform` says of a machine."""
    return f"{_SYSTEMS.get(system, system.lower())}-{_MACHINES.get(machine.lower(), machine.lower())}"


def this_platform() -> str:
    """The platform of this machine. Raises InstallError where torch is not made for it."""
    name = platform_name(platform.system(), platform.machine())
    if name not in TRIPLES:
        raise InstallError(
            f"PyTorch is not made for {name}: use the embedded engine, or a machine with one of {', '.join(TRIPLES)}."
        )
    return name
