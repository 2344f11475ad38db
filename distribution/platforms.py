"""The kinds of computer that a zip is made for. This module imports nothing beyond the standard library."""

from dataclasses import dataclass

from .errors import PackageError


@dataclass(frozen=True)
class Platform:
    """A kind of computer, as Blender names it."""

    name: str
    tags: tuple[str, ...]  # platform tags of wheels that run there
    pythons: tuple[str, ...]  # of its Blenders: 3.11 until 5.0, 3.13 from 5.1 on, 3.14 where a distribution builds it
    engine: bool  # whether the embedded engine exists there

    @property
    def in_file_names(self) -> str:
        """The name as Blender's tool writes it in the name of a zip."""
        return self.name.replace("-", "_")


_PYTHONS = ("3.11", "3.13", "3.14")
_LINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")  # Blender itself asks for glibc 2.28
_MACOS = ("macosx_14_0", "macosx_13_0", "macosx_12_0", "macosx_11_0")
_OLD_MACOS = ("macosx_11_0", "macosx_10_15", "macosx_10_13", "macosx_10_10", "macosx_10_9")

PLATFORMS = (
    Platform("linux-x64", tuple(f"{tag}_x86_64" for tag in _LINUX), _PYTHONS, engine=True),
    Platform("windows-x64", ("win_amd64",), _PYTHONS, engine=True),
    Platform("macos-arm64", tuple(f"{tag}_arm64" for tag in _MACOS), _PYTHONS, engine=True),
    Platform("macos-x64", tuple(f"{tag}_x86_64" for tag in _OLD_MACOS), ("3.11",), engine=False),  # none after 5.0
    Platform("windows-arm64", ("win_arm64",), _PYTHONS, engine=False),
)


def find_platform(name: str) -> Platform:
    """Raises PackageError where no zip is made for it."""
    for platform in PLATFORMS:
        if platform.name == name:
            return platform
    known = ", ".join(platform.name for platform in PLATFORMS)
    raise PackageError(f"There is no platform {name}: choose one of {known}.")
