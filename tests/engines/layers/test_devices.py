"""Devices, precisions and free memory: what is found here, and what other systems would say."""

import ctypes
import platform
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vggt_addon.engines.layers import main_memory
from vggt_addon.engines.layers.devices import Device, choose_dtype, find_device, release_memory
from vggt_addon.engines.layers.main_memory import UNLIMITED, free_memory
from vggt_addon.errors import EngineError

PROCESSOR = Device(torch.device("cpu"), "the processor", 10**10, torch.float32)
GPU = Device(torch.device("cuda"), "the GPU", 10**10, torch.bfloat16)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


# --- devices


@pytest.mark.parametrize("name", ["auto", "cpu"])
@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_it_is_the_processor(name: str) -> None:
    found = find_device(name)
    assert found.is_cpu and found.title == "the processor" and found.natural_dtype == torch.float32
    assert 10**7 < found.free < 10**14


@pytest.mark.parametrize(("name", "words"), [("cuda", "No NVIDIA"), ("mps", "No Apple GPU")])
@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_told(name: str, words: str) -> None:
    with pytest.raises(EngineError, match=f"^{words}.* can be used here: choose --device cpu or auto."):
        find_device(name)


def test_an_unknown_device_is_told() -> None:
    with pytest.raises(EngineError, match="no device called tpu: choose one of auto, cuda, mps, cpu"):
        find_device("tpu")


@pytest.mark.parametrize(("capability", "natural"), [((9, 0), "bfloat16"), ((8, 0), "bfloat16"), ((7, 5), "float16")])
@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_an_nvidia_gpu(monkeypatch: pytest.MonkeyPatch, name: str, capability: tuple[int, int], natural: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (4_000_000_000, 8_000_000_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 3_000_000_000)  # a network that was kept warm
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA GeForce")
    found = find_device(name)
    assert found == Device(torch.device("cuda"), "NVIDIA GeForce", 7_000_000_000, getattr(torch, natural))
    assert find_device("cpu").is_cpu, "the processor can still be asked for"


@pytest.mark.parametrize("name", ["auto", "mps"])
def test_an_apple_gpu(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12_000_000_000)
    assert find_device(name) == Device(torch.device("mps"), "the Apple GPU", 12_000_000_000, torch.float32)


def test_what_nobody_uses_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: given.append("mps"))

    class Ring:
        """Kept by itself alone."""

        def __init__(self) -> None:
            self.own = self

    for kind in ("cpu", "cuda", "mps"):
        kept = weakref.ref(Ring())
        release_memory(Device(torch.device(kind), "", 0, torch.float32))
        assert kept() is None, kind
    assert given == ["cuda", "mps"]


# --- precisions


def test_the_precision_that_suits_the_device() -> None:
    assert choose_dtype("auto", PROCESSOR) == torch.float32
    assert choose_dtype("auto", GPU) == torch.bfloat16
    for device in (PROCESSOR, GPU):
        assert choose_dtype("float32", device) == torch.float32
    assert choose_dtype("float16", GPU) == torch.float16


def test_an_unknown_precision_is_told() -> None:
    for name in ("int8", "bfloat", ""):
        with pytest.raises(
            EngineError, match=r"no precision called .*: choose one of auto, float32, bfloat16, float16"
        ):
            choose_dtype(name, PROCESSOR)


@pytest.mark.parametrize(("precision", "other"), [("bfloat16", "float16"), ("float16", "bfloat16")])
def test_a_processor_without_that_half_precision_is_told(
    monkeypatch: pytest.MonkeyPatch, precision: str, other: str
) -> None:
    short = {"bfloat16": "bf16", "float16": "fp16"}
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    questions = {f"_is_mkldnn_{short[precision]}_supported": False, f"_is_mkldnn_{short[other]}_supported": True}
    asked = SimpleNamespace(**{name: lambda answer=answer: answer for name, answer in questions.items()})
    monkeypatch.setattr(torch.ops, "mkldnn", asked, raising=False)
    with pytest.raises(EngineError, match=f"cannot compute in {precision}: choose --precision float32"):
        choose_dtype(precision, PROCESSOR)
    assert choose_dtype(other, PROCESSOR) == getattr(torch, other)
    assert choose_dtype(precision, GPU) == getattr(torch, precision), "a GPU is not asked"


def test_torch_without_onednn_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(), raising=False)
    with pytest.raises(EngineError, match="cannot compute in bfloat16"):
        choose_dtype("bfloat16", PROCESSOR)


# --- free memory: Linux


@pytest.mark.skipif(sys.platform != "linux", reason="compares with Linux's own table")
def test_free_memory_is_what_the_system_says() -> None:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    table = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    assert 0 < free_memory() < table["MemTotal"]
    if main_memory._control_groups_free() == UNLIMITED:
        assert free_memory() == pytest.approx(table["MemAvailable"], rel=0.3)


Linux = Callable[..., None]


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Linux:
    """A Linux with 16 GB available, in these control groups: the lines of /proc/self/cgroup, and files by name."""

    def make(groups: str = "0::/", files: dict[str, str] | None = None, table: str = "") -> None:
        monkeypatch.setattr(platform, "system", lambda: "Linux")
        for name, text in {
            "meminfo": table or "MemTotal:       32000000 kB\nMemFree:   9 kB\nMemAvailable:   16000000 kB\n",
            "cgroup": groups,
            **{f"groups/{name}": text for name, text in (files or {}).items()},
        }.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="ascii")
        monkeypatch.setattr(main_memory, "MEMORY_TABLE", tmp_path / "meminfo")
        monkeypatch.setattr(main_memory, "GROUPS_OF_PROCESS", tmp_path / "cgroup")
        monkeypatch.setattr(main_memory, "CONTROL_GROUPS", tmp_path / "groups")

    return make


AVAILABLE = 16_000_000 * 1024
STAT = "anon 3000\nfile 900000\nactive_file 300000\ninactive_file 400000\n"


def group(folder: str, limit: str, used: str = "5000000", stat: str = STAT) -> dict[str, str]:
    files = {"memory.max": limit, "memory.current": used, "memory.stat": stat}
    return {f"{folder}{name}": text for name, text in files.items()}


def old_group(folder: str, limit: int) -> dict[str, str]:
    stat = "cache 9\nactive_file 1\ntotal_active_file 300000\ntotal_inactive_file 400000\n"
    files = {"limit_in_bytes": str(limit), "usage_in_bytes": "5000000\n", "stat": stat}
    return {f"memory/{folder}memory.{name}": text for name, text in files.items()}


def test_without_a_limit_it_is_what_is_available(linux: Linux) -> None:
    linux()
    assert free_memory() == AVAILABLE
    linux(files=group("", "max\n"))
    assert free_memory() == AVAILABLE
    linux("9:memory:/\n8:cpu:/\n0::/\n", old_group("", 2**63 - 4096))
    assert free_memory() == AVAILABLE


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("0::/\n", group("", "12000000\n")),  # a container: its own group is all that it sees
        ("0::/user.slice/run.scope\n", group("user.slice/run.scope/", "12000000\n")),
        ("0::/user.slice/run.scope\n", group("user.slice/", "12000000\n") | group("user.slice/run.scope/", "max")),
        ("0::/a/b\n", group("a/", "12000000\n") | group("a/b/", "900000000000\n")),
        ("0::/docker/1234\n", group("", "12000000\n")),  # the host's name of a container's group
        ("9:memory:/\n0::/\n", old_group("", 12000000)),
        ("4:cpu,memory:/job/7\n0::/\n", old_group("job/7/", 12000000)),
        ("9:memory:/job/7\n", old_group("job/", 12000000) | old_group("job/7/", 2**63 - 4096)),
        ("9:memory:/docker/1234\n", old_group("", 12000000)),
    ],
)
def test_the_limit_of_a_control_group_is_honoured(linux: Linux, groups: str, files: dict[str, str]) -> None:
    """What it leaves, with its file caches but without what lies in a tmpfs."""
    linux(groups, files)
    assert free_memory() == 12_000_000 - 5_000_000 + 700_000


def test_groups_that_are_not_this_processs_do_not_matter(linux: Linux) -> None:
    linux("0::/mine\n", group("mine/", "max") | group("other/", "12000000"))
    assert free_memory() == AVAILABLE


def test_a_group_beyond_its_limit_leaves_nothing(linux: Linux) -> None:
    linux(files=group("", "1000000", used="9000000"))
    assert free_memory() == 0


def test_a_group_that_says_nonsense_is_passed_over(linux: Linux) -> None:
    linux(files=group("", "plenty"))
    assert free_memory() == AVAILABLE


# --- free memory: other systems

VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            312345.
Pages inactive:                          200000.
Pages speculative:                         3000.
Pages throttled:                              0.
Pages wired down:                        123456.
Pages purgeable:                            400.
"Translation faults":                 987654321.
Pages copy-on-write:                   12345678.
File-backed pages:                       150000.
"""


def test_a_mac_lists_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(command: list[str], **_: Any) -> Any:
        assert command == ["vm_stat"]
        return SimpleNamespace(stdout=VM_STAT)

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(subprocess, "run", answer)
    assert free_memory() == 16384 * 213_400


def test_windows_fills_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """As its documentation lays it out: two whole numbers of 4 bytes, then seven of 8; the fourth is what is free."""
    taken = []

    def answer(reference: Any) -> int:
        record = reference._obj
        taken.append(record.length)
        numbers = [64, 41, 17_000_000_000, 9_876_543_210, 1, 2, 3, 4, 5]
        told = b"".join(number.to_bytes(4 if place < 2 else 8, "little") for place, number in enumerate(numbers))
        ctypes.memmove(ctypes.addressof(record), told, len(told))
        return 1

    library = SimpleNamespace(kernel32=SimpleNamespace(GlobalMemoryStatusEx=answer))
    monkeypatch.setattr(ctypes, "windll", library, raising=False)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert free_memory() == 9_876_543_210
    assert taken == [64]
    library.kernel32.GlobalMemoryStatusEx = lambda _: 0
    with pytest.raises(EngineError, match="does not tell how much memory is free: set a limit with --memory-limit"):
        free_memory()


def fail(*_: Any, **__: Any) -> Any:
    raise FileNotFoundError("vm_stat")


@pytest.mark.parametrize("system", ["Plan 9", "Darwin without vm_stat", "Darwin in other words", "Linux before 3.14"])
@pytest.mark.usefixtures("no_gpu")
def test_a_system_that_does_not_tell_asks_for_a_limit_and_takes_it(
    monkeypatch: pytest.MonkeyPatch, linux: Linux, system: str
) -> None:
    linux(table="MemTotal:       32000000 kB\nMemFree:   9 kB\n")
    monkeypatch.setattr(platform, "system", lambda: system.split()[0])
    monkeypatch.setattr(subprocess, "run", fail if "without" in system else lambda *_, **__: SimpleNamespace(stdout=""))
    with pytest.raises(EngineError, match="does not tell how much memory is free: set a limit with --memory-limit"):
        find_device("cpu")
    assert find_device("cpu", 6_000_000_000).free == 6_000_000_000
