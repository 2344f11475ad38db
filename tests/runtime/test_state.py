"""How a runtime stands, in milliseconds; what is said of it to whoever helps; and what it has room for."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from vggt_addon.errors import FormatError, InstallError
from vggt_addon.progress import never, no_progress
from vggt_addon.runtime.diagnosis import diagnose, private
from vggt_addon.runtime.integrity import Installed, damaged, installed, intact, recorded
from vggt_addon.runtime.layout import Layout, packages_of, starts, sweep
from vggt_addon.runtime.locked import Wheel
from vggt_addon.runtime.record import Device, Package, Record, known_record, read_record, write_record
from vggt_addon.runtime.reuse import take_over
from vggt_addon.runtime.room import check_names, check_space, installed_size
from vggt_addon.runtime.state import Condition, runtime_state, worker_python

RECORD = Record(
    schema=1,
    environment="e1",
    lock="0123456789abcdef",
    python="3.11.9",
    backend="cpu",
    packages=(Package("alpha", "1.0", "alpha-1.0-py3-none-any.whl", "ab" * 32),),
    device=Device("cpu", "the processor", 0, "2.13.0+cpu"),
    made="2026-01-01T00:00:00+00:00",
    size=1000,
    note="",
    damaged=(),
)
CONTENT = b"x = 1\n"
DIGEST = "nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q"  # of CONTENT, as RECORD writes it


@pytest.fixture
def made(folder: Path) -> Path:
    """A runtime by its names alone: an environment of one package, and its record."""
    windows = os.name == "nt"
    place = folder / "e1"
    site = place / ("Lib/site-packages" if windows else "lib/python3.11/site-packages")
    (site / "alpha-1.0.dist-info").mkdir(parents=True)
    (site / "alpha.py").write_bytes(CONTENT)
    (site / "alpha-1.0.dist-info" / "RECORD").write_text(
        f"alpha.py,sha256={DIGEST},6\n../../../bin/alpha,sha256=x,3\nalpha-1.0.dist-info/RECORD,,\n"
    )
    home = folder.parent / "Blender's Python"
    home.mkdir()
    (home / ("python.exe" if windows else "python3.11")).write_text("")
    (place / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n", encoding="utf-8")
    python = place / ("Scripts/python.exe" if windows else "bin/python")
    python.parent.mkdir()
    python.write_text("")
    write_record(Layout(folder).current, RECORD)
    return folder


def site_of(folder: Path) -> Path:
    site = packages_of(folder / "e1")
    assert site is not None
    return site


def look(folder: Path) -> Condition:
    return runtime_state(folder, (3, 11), RECORD.lock).condition


def test_ready_in_milliseconds(made: Path) -> None:
    started = time.thread_time()
    for _ in range(20):
        assert look(made) is Condition.READY
    assert (time.thread_time() - started) / 20 < 0.05
    assert worker_python(made) is not None


@pytest.mark.parametrize(
    "name", ["pyvenv.cfg", "bin/python", "lib/python3.11/site-packages/alpha-1.0.dist-info", "lib", ""]
)
@pytest.mark.skipif(os.name == "nt", reason="other names")
def test_what_is_gone_is_damage(made: Path, name: str) -> None:
    path = made / "e1" / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    state = runtime_state(made, (3, 11), RECORD.lock)
    assert state.condition is Condition.DAMAGED
    assert state.sentence.endswith("Repair it.")
    assert worker_python(made) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "nul", '{"schema": 1}', "[" * 100_000])
def test_a_record_that_is_none(made: Path, text: str) -> None:
    Layout(made).current.write_text(text)
    assert look(made) is Condition.DAMAGED
    assert known_record(Layout(made).current) is None


@pytest.mark.parametrize("environment", ["..", "/etc", "e1/../../x", "e0", "", "e1\n"])
def test_a_record_leads_nowhere_else(made: Path, environment: str) -> None:
    write_record(Layout(made).current, replace(RECORD, environment=environment))
    with pytest.raises(FormatError):
        read_record(Layout(made).current)


def test_a_note_on_the_device_is_shown(made: Path) -> None:
    write_record(Layout(made).current, replace(RECORD, note="Update the driver."))
    assert runtime_state(made, (3, 11), RECORD.lock).sentence.endswith("Update the driver.")


def test_our_own_lock_is_what_it_is_compared_with(made: Path) -> None:
    assert runtime_state(made, (3, 11)).condition is Condition.OUTDATED


def test_integrity(made: Path) -> None:
    site = site_of(made)
    package = installed(site)["alpha"]
    assert [name for name, _, _ in recorded(package)] == ["alpha.py", "alpha-1.0.dist-info/RECORD"]
    assert intact(site, package, never)
    assert damaged(site, RECORD.packages, no_progress, never) == []
    (site / "alpha.py").write_text("x = 2\n")
    assert damaged(site, RECORD.packages, no_progress, never) == ["alpha"]


@pytest.mark.parametrize(
    "text", ["", "a,b,c\n", f"alpha.py,sha256={DIGEST},6\n\n", f"alpha.py,sha256={DIGEST},notanumber\n", "\0"]
)
def test_a_list_of_files_that_is_none_is_damage(made: Path, text: str) -> None:
    metadata = site_of(made) / "alpha-1.0.dist-info"
    (metadata / "RECORD").write_text(text)
    assert not intact(site_of(made), Installed("alpha", "1.0", metadata), never)


def test_only_our_own_names_are_swept(made: Path) -> None:
    for name in ("e2", "e10", "extra", "e0", "mine"):
        (made / name).mkdir()
    sweep(Layout(made), "e1")
    assert sorted(path.name for path in made.iterdir()) == ["current.json", "e0", "e1", "extra", "mine"]
    assert Layout(made).new_environment().name == "e2"


def test_a_diagnosis_says_what_is_needed_and_nothing_private(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "https://jo:secret@index.example/simple")
    log = tmp_path / "log.txt"
    log.write_text(f"fetching https://jo:secret@index.example/x\nin {tmp_path}/photos\n" + "line\n" * 30)
    text = diagnose(made, online=False, log=log, more={"Blender": "5.2.0"})
    for words in (
        "Blender: 5.2.0",
        "online access: off",
        "alpha==1.0",
        "in ~/photos",
        "Python 3.11.9",
        "free",
        "the user's own",
        "runtime: outdated",
    ):
        assert words in text, words
    assert "secret" not in text
    assert str(tmp_path) not in text


def test_a_diagnosis_of_nothing(tmp_path: Path) -> None:
    text = diagnose(tmp_path / "nothing" / "at all", online=True, log=tmp_path / "no log")
    assert "runtime: none" in text
    assert "cannot be read" in text


def test_homes_of_windows_are_private_too() -> None:
    home = Path(r"C:\Users\Jörg")
    text = r"C:\Users\Jörg\x C:/Users/Jörg/y c:\users\jörg\z C:\Users\Jörgen"
    assert private(text, home) == r"~\x ~/y ~\z C:\Users\Jörgen"
    assert private("file:///home/J%C3%B6rg/x", Path("/home/Jörg")) == "file://~/x"


def test_room_counts_what_has_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = Wheel("torch", "2", "torch.whl", "", "", 1_000_000_000)
    free = 4_900_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(free, 0, free))
    with pytest.raises(InstallError, match=r"5\.0 GB are needed in .*, and 4\.9 GB are free"):
        check_space(tmp_path, tmp_path, [wheel])
    with (tmp_path / "torch.whl.part").open("wb") as file:
        file.truncate(500_000_000)
    check_space(tmp_path, tmp_path, [wheel])


def test_names_that_windows_does_not_take(tmp_path: Path) -> None:
    wheel = tmp_path / "long.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"torch/{'a' * 100}.py", "")
        archive.writestr(f"torch/{'b' * 200}/LICENSE.txt", "")
    site = Path("C:/" + "u" * 140)
    check_names(site, [wheel], 259)
    with pytest.raises(InstallError, match="Windows allows names of 259 letters"):
        check_names(site / "longer path", [wheel], 259)


def test_nothing_heavy_is_imported() -> None:
    """What Blender calls as it starts a worker must not cost it anything."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import vggt_addon.runtime.state, vggt_addon.runtime.task; "
    command = [sys.executable, "-I", "-c", f"{code} print(*sys.modules)", str(Path(__file__).parents[2])]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "urllib.request", "ssl", "tqdm"} & set(told.stdout.split())


def test_a_launcher_outlives_the_python_that_it_starts(made: Path) -> None:
    """As on Windows, where an environment's python.exe is a copy."""
    assert starts(made / "e1")
    (home,) = made.parent.glob("Blender*")
    for program in home.iterdir():
        program.rename(home / "other.dll")
    state = runtime_state(made, (3, 11), RECORD.lock)
    assert (state.condition, state.python) == (Condition.DAMAGED, None)
    assert "its Python is gone" in state.sentence


@pytest.mark.parametrize("text", ["", "home =\n", "home = \0\n", "home = /nowhere/at/all\n", "version = 3.11\n"])
def test_an_environment_that_does_not_say_what_it_was_made_from(made: Path, text: str) -> None:
    (made / "e1" / "pyvenv.cfg").write_text(text)
    assert not starts(made / "e1")


def test_on_windows_a_python_is_an_exe(made: Path) -> None:
    (home,) = made.parent.glob("Blender*")
    (home / "python.exe").unlink(missing_ok=True)
    assert not starts(made / "e1", windows=True)
    (home / "python.exe").write_text("")
    assert starts(made / "e1", windows=True)


@pytest.mark.parametrize("name", ["e1", "downloads", "tools", "python", ".current.json.part"])
def test_what_is_left_without_a_runtime_can_be_removed(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    (folder / "lock").write_text("")
    (folder / "mine").mkdir()
    assert not runtime_state(folder).leftovers
    (folder / name).mkdir()
    state = runtime_state(folder)
    assert (state.condition, state.leftovers) == (Condition.NONE, True)
    assert "remove that" in state.sentence


def test_a_runtime_is_no_leftover(made: Path) -> None:
    assert not runtime_state(made, (3, 11), RECORD.lock).leftovers


def test_a_list_of_files_that_is_none_is_said_and_does_not_stop_the_count(made: Path, tmp_path: Path) -> None:
    site = site_of(made)
    (site / "beta-1.0.dist-info").mkdir()
    (site / "beta-1.0.dist-info" / "RECORD").write_text("\n")
    assert installed_size(site) == 6
    beta = Wheel("beta", "1.0", "beta-1.0-py3-none-any.whl", "", "", 0)
    with pytest.raises(InstallError, match="beta was changed while it was taken over, so nothing was installed"):
        take_over(site, tmp_path / "new", [beta], never)
    (site / "beta-1.0.dist-info" / "RECORD").unlink()
    assert installed_size(site) == 6


@pytest.mark.parametrize(("online", "words"), [(True, "on\n"), (False, "off\n"), (None, "unless --offline is said\n")])
def test_a_diagnosis_says_whether_the_network_may_be_used(tmp_path: Path, online: bool | None, words: str) -> None:
    line = next(line for line in diagnose(tmp_path, online=online).splitlines(True) if line.startswith("online"))
    assert line.endswith(words)
