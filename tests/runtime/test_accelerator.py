"""What drivers' tools print, and what is made of it; samples of their formats, since no such machine is here."""

import os
import sys
import time
from pathlib import Path

import pytest

from vggt_addon.runtime import accelerator
from vggt_addon.runtime.accelerator import NONE, Accelerator, apple, nvidia, rocm

NVIDIA_ROW = "NVIDIA GeForce RTX 4070, 12282, 551.86, 8.9\n"
ROCM_AGENTS = """
ROCk module version 6.10.5 is loaded
=====================
HSA Agents
=====================
*******
Agent 1
*******
  Name:                    AMD Ryzen 9 7950X 16-Core Processor
  Marketing Name:          AMD Ryzen 9 7950X 16-Core Processor
  Device Type:             CPU
*******
Agent 2
*******
  Name:                    gfx1100
  Marketing Name:          AMD Radeon RX 7900 XTX
  Device Type:             GPU
"""


def test_an_nvidia_card() -> None:
    card = nvidia(NVIDIA_ROW)
    assert card == Accelerator("nvidia", "NVIDIA GeForce RTX 4070", 12282 << 20, "551.86", 8.9)
    assert card.title == "NVIDIA GeForce RTX 4070, 13 GB, driver 551.86"


def test_of_several_the_most_capable() -> None:
    rows = f"NVIDIA T400, 2048, 551.86, 7.5\n{NVIDIA_ROW}"
    assert nvidia(rows).name == "NVIDIA GeForce RTX 4070"


def test_an_old_card_is_said_to_be() -> None:
    assert "older than current builds" in nvidia("Quadro K620, 2048, 470.1, 5.0\n").note


@pytest.mark.parametrize(
    "told",
    [
        "",
        "No devices were found\n",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
        "a,b,c,d\n",
        "x" * 1000,
    ],
)
def test_a_tool_that_finds_nothing(told: str) -> None:
    assert nvidia(told) is NONE


def test_what_a_driver_does_not_tell_is_not_known() -> None:
    card = nvidia("NVIDIA GB10, [N/A], 580.95.05, [N/A]\n")
    assert (card.memory, card.compute, card.driver) == (None, None, "580.95.05")


def test_an_amd_card() -> None:
    assert rocm(ROCM_AGENTS) == Accelerator("rocm", "AMD Radeon RX 7900 XTX")
    assert rocm("").note


def test_macs() -> None:
    assert apple("arm64", "Apple M3 Max\n") == Accelerator("apple", "Apple M3 Max")
    assert apple("x86_64", "Intel(R) Core(TM) i7").kind == "none"


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins for drivers' tools are shell scripts")
def test_a_tool_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(accelerator, "TOOL_SECONDS", 0.2)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexec sleep 20\n")
    tool.chmod(0o755)
    monkeypatch.setattr(accelerator, "_nvidia_tool", lambda system: str(tool))
    started = time.monotonic()
    assert accelerator.probe().kind in ("none", "rocm", "apple")
    assert time.monotonic() - started < 5.0


@pytest.mark.skipif(sys.platform != "linux", reason="the path leads to a shell script")
def test_a_tool_on_the_path_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{NVIDIA_ROW}'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(accelerator, "_nvidia_tool", lambda system: str(tool))
    assert accelerator.probe().name == "NVIDIA GeForce RTX 4070"


def test_on_windows_only_the_systems_own_folders_are_looked_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A name alone would be searched for in the current folder first, where a planted program may lie."""
    planted = tmp_path / "photos" / "nvidia-smi"
    planted.parent.mkdir()
    planted.write_text("#!/bin/sh\n")
    planted.chmod(0o755)
    monkeypatch.chdir(planted.parent)
    monkeypatch.setenv("PATH", str(planted.parent))
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path / "Windows"))
    monkeypatch.setenv("PROGRAMFILES", str(tmp_path / "Program Files"))
    assert accelerator._nvidia_tool("Windows") is None
    older = tmp_path / "Program Files" / "NVIDIA Corporation" / "NVSMI" / "nvidia-smi.exe"
    newer = tmp_path / "Windows" / "System32" / "nvidia-smi.exe"
    for tool in (older, newer):
        tool.parent.mkdir(parents=True)
        tool.write_text("")
        assert accelerator._nvidia_tool("Windows") == str(tool)
