"""`runtime ...` as it is typed: one sentence or JSON events, and exit codes."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vggt_addon.__main__ import main
from vggt_addon.runtime.locked import load_lock

REPOSITORY = Path(__file__).parents[2]
Typed = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def typed(folder: Path, locked: Path, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Runs a command on the test's runtime; returns its exit code and events."""

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        places = ["--runtime-folder", str(folder), "--lock", str(locked), "--log", str(locked / "log.txt")]
        code = main(["runtime", *arguments, *places, "--json"])
        return code, [json.loads(line) for line in capfd.readouterr().out.splitlines()]

    return run


def errors(events: list[dict[str, Any]]) -> list[str]:
    return [event["message"] for event in events if event["event"] == "error"]


def test_from_offer_to_remove(typed: Typed, folder: Path) -> None:
    code, events = typed("offer")
    assert code == 0
    assert any("Nothing of Blender's is changed" in event["message"] for event in events)
    assert typed("status")[1][-1]["state"] == "none"
    code, events = typed("install")
    assert code == 0
    assert [package["name"] for package in events[-1]["packages"]] == ["alpha", "beta", "gamma"]
    assert any(event["event"] == "progress" for event in events)
    state = typed("status")[1][-1]
    assert state["state"] == "ready"
    assert Path(state["program"]).exists()
    (module,) = folder.glob("e1/**/gamma/__init__.py")
    module.unlink()
    code, events = typed("verify")
    assert code == 1
    assert errors(events) == ["The runtime is damaged: gamma is not whole. Repair it."]
    assert typed("repair")[0] == 0
    assert typed("verify")[0] == 0
    assert typed("remove")[0] == 0
    assert not folder.exists()


def test_an_archive_is_made_and_installed(typed: Typed, tmp_path: Path) -> None:
    path, version = tmp_path / "a.zip", f"{sys.version_info[0]}.{sys.version_info[1]}"
    code, events = typed("archive", "-o", str(path), "--for-python", version)
    assert (code, events[-1]["archive"]) == (0, str(path))
    assert typed("install", "--archive", str(path), "--offline")[0] == 0


def test_a_failure_is_a_sentence_and_exit_code_1(typed: Typed, folder: Path) -> None:
    code, events = typed("install", "--offline")
    assert code == 1
    assert "Online access is off" in errors(events)[0]
    code, events = typed("install", "--backend", "nonsense")
    assert code == 1
    assert "There is no build 'nonsense'" in errors(events)[0]


def test_a_diagnosis_is_text(folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["runtime", "diagnose", "--runtime-folder", str(folder), "--log", str(tmp_path / "log.txt")]) == 0
    told = capfd.readouterr().out
    assert "runtime: none" in told
    assert "online access: outside of Blender the network is used, unless --offline is said" in told


def test_a_list_of_packages_that_is_none(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "packages.lock").write_text("")
    (tmp_path / "lock.json").write_text("[]")
    arguments = ["runtime", "status", "--runtime-folder", str(folder), "--lock", str(tmp_path)]
    assert main([*arguments, "--log", str(tmp_path / "log.txt")]) == 1
    assert "holds no list of packages" in capfd.readouterr().err
    assert load_lock().torch


@pytest.mark.parametrize(
    ("options", "sentence"),
    [("ro,size=1m", "cannot be written"), ("size=30m", "The disk is full, so nothing was installed")],
)
def test_a_disk_that_is_full_or_read_only(options: str, sentence: str, locked: Path, tmp_path: Path) -> None:
    """Real ones, in a namespace of their own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = f"mount -t tmpfs -o {options} none {shlex.quote(str(place))}"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "sh", "-c", mount], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    command = [sys.executable, "-m", "vggt_addon", "runtime", "install", "--lock", str(locked), "--json"]
    command += ["--runtime-folder", str(place / "profile" / "runtime"), "--log", str(tmp_path / "log.txt")]
    left = f"ls {shlex.quote(str(place / 'profile' / 'runtime'))} >&2"
    program = f"{mount} && {shlex.join(command)}; status=$?; {left}; exit $status"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert sentence in errors([json.loads(line) for line in done.stdout.splitlines()])[0]
    assert "current.json" not in done.stderr
    assert "e1" not in done.stderr.split()
