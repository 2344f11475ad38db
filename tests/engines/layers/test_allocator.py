"""Freed memory goes back to the system: seen from outside, in a process of its own."""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from vggt_addon.engines.layers import allocator

REPOSITORY = Path(__file__).parents[3]
GLIBC = platform.libc_ver()[0] == "glibc"
# glibc raises its threshold to the size of the largest piece that was given back. A large one comes and goes; from
# then on smaller ones lie in the heap, and one small piece behind the last of them keeps all of it. Linked by the C
# library's own calls, so that no pool of Python or numpy is between.
PROGRAM = """
import ctypes, sys
from pathlib import Path
from vggt_addon.engines.layers.allocator import return_freed_memory

c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def resident():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])

def piece(size):
    address = c.malloc(size)
    ctypes.memset(address, 1, size)
    return address

if sys.argv[1] == "set":
    print(return_freed_memory())
else:
    print("left")
before = resident()
c.free(piece(30 * 2**20))
pieces = [(piece(4 * 2**20), piece(1000)) for _ in range(50)]
for large, _ in pieces:
    c.free(large)
print(resident() - before)
"""


def kept_after_freeing(setting: str) -> tuple[str, int]:
    """What the program says of the setting, and the kilobytes that a process holds after it freed 200 MB."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, setting], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    said, kilobytes = done.stdout.split()
    return said, int(kilobytes)


@pytest.mark.skipif(not GLIBC, reason="only glibc has the setting")
def test_freed_memory_is_returned() -> None:
    said, kept = kept_after_freeing("set")
    assert said == "True"
    assert kept < 20_000
    _, without = kept_after_freeing("leave")
    assert without > 150_000  # what the setting is for


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(_: object) -> None:
        raise AssertionError("the C library was loaded")

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", called)
    assert allocator.return_freed_memory() is False


def test_a_refusal_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Library:
        def __init__(self, _: object) -> None:
            pass

        def mallopt(self, parameter: int, value: int) -> int:
            assert (parameter, value) == (-3, allocator.LARGE)
            return 0

    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.35"))
    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert allocator.return_freed_memory() is False
    assert "mallopt" in caplog.text
