"""Which lines of a lock are for which machine, compared with the reference implementation."""

import pytest
from packaging.markers import Marker

from vggt_addon.runtime.locked import load_lock
from vggt_addon.runtime.markers import applies
from vggt_addon.runtime.platforms import PYTHONS, TRIPLES

MACHINES = {
    "linux-x64": ("linux", "Linux", "posix", "x86_64"),
    "linux-arm64": ("linux", "Linux", "posix", "aarch64"),
    "macos-arm64": ("darwin", "Darwin", "posix", "arm64"),
    "windows-x64": ("win32", "Windows", "nt", "AMD64"),
}
HANDMADE = (
    "(sys_platform == 'linux' or sys_platform == 'win32') and python_version >= '3.13'",
    "sys_platform == 'linux' or sys_platform == 'win32' and python_version >= '3.13'",
    "python_full_version <= '3.12.1' and os_name != 'nt'",
    "((platform_system == 'Darwin'))",
    "python_version > '3.11' and python_version != '3.13'",
)
LOCKED = {line.partition(";")[2].strip() for line in load_lock().requirements} - {""}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", TRIPLES)
def test_as_the_reference_says(platform: str, python: str) -> None:
    names = ("sys_platform", "platform_system", "os_name", "platform_machine")
    facts = dict(zip(names, MACHINES[platform], strict=True))
    facts |= {"python_version": python, "python_full_version": f"{python}.99"}
    for marker in (*LOCKED, *HANDMADE):
        assert applies(marker, platform, python) is Marker(marker).evaluate(dict(facts)), marker
    assert applies("", platform, python)


@pytest.mark.parametrize(
    "marker",
    [
        "x == 'y'",
        "sys_platform",
        "sys_platform < 'linux'",
        "(os_name == 'nt'",
        "os_name == 'nt')",
        "os_name == 'nt' and",
        "or os_name == 'nt'",
        "os_name == 'nt' os_name == 'nt'",
        "python_version == 'three'",
        "extra == 'x'",
        "__import__('os')",
    ],
)
def test_what_is_not_known_is_said(marker: str) -> None:
    with pytest.raises(ValueError):
        applies(marker, "linux-x64", "3.11")


def test_our_own_lock_asks_for_what_each_machine_needs() -> None:
    lock = load_lock()
    names = {platform: lock.names(platform, "3.11") for platform in TRIPLES}
    assert all({"torch", "numpy", "safetensors", "av"} <= found for found in names.values())
    assert {platform for platform, found in names.items() if "colorama" in found} == {"windows-x64"}
    assert {platform for platform, found in names.items() if "pycolmap" not in found} == {"linux-arm64"}
