"""The runtime made, repaired, brought up to date and removed, by real tools in real processes; the index is ours."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vggt_addon.errors import Cancelled, InstallError
from vggt_addon.jobs.in_use import hold
from vggt_addon.progress import never, no_progress
from vggt_addon.runtime import install as install_module
from vggt_addon.runtime import layout, tools, upkeep
from vggt_addon.runtime.accelerator import Accelerator
from vggt_addon.runtime.integrity import installed
from vggt_addon.runtime.layout import Layout, packages_of, python_of
from vggt_addon.runtime.locked import Lock, load_lock
from vggt_addon.runtime.record import Record, read_record, write_record
from vggt_addon.runtime.state import Condition, RuntimeState, runtime_state, worker_python
from vggt_addon.runtime.upkeep import remove, verify
from vggt_addon.weights.file_lock import file_lock

Install = Callable[..., Record]


def state_of(folder: Path, lock: Path) -> RuntimeState:
    return runtime_state(folder, lock_id=load_lock(lock).id)


def version_of(folder: Path, package: str) -> str:
    """As the runtime's own Python imports it."""
    record = read_record(Layout(folder).current)
    assert record is not None
    program = f"import {package}; print({package}.VERSION)"
    python = python_of(folder / record.environment)
    return subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def site_of(folder: Path) -> Path:
    record = read_record(Layout(folder).current)
    assert record is not None
    site = packages_of(folder / record.environment)
    assert site is not None
    return site


def whole(index: Any) -> set[str]:
    """The wheels that were fetched from their beginning; uv itself reads the ends, where the metadata is."""
    return {path for path, asked in index.asked if not asked and "uv-" not in path}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_made_used_and_removed(install: Install, folder: Path, locked: Path) -> None:
    assert state_of(folder, locked).condition is Condition.NONE
    record = install()
    assert [package.name for package in record.packages] == ["alpha", "beta", "gamma"]
    assert record.size > 2_000_000
    state = state_of(folder, locked)
    assert state.condition is Condition.READY, state
    assert state.python == python_of(folder / record.environment)
    assert version_of(folder, "gamma") == "2.5"
    assert names(folder) == ["current.json", "e1", "lock"]  # no downloads, no tools
    remove(folder, no_progress, never)
    assert not folder.exists()
    assert worker_python(folder) is None


def test_the_environment_sees_nothing_of_others(
    install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PIP_TARGET", "/nowhere")
    monkeypatch.setenv("UV_SYSTEM_PYTHON", "1")
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    before = sorted(site_packages().iterdir())
    install()
    assert version_of_clean(folder) == "1.0"
    assert sorted(site_packages().iterdir()) == before


def site_packages() -> Path:
    return Path(pytest.__file__).parents[1]


def version_of_clean(folder: Path) -> str:
    return (site_of(folder) / "alpha" / "__init__.py").read_text().split('"')[1]


def test_a_second_installation_finds_it_ready(install: Install, folder: Path, index: Any) -> None:
    record = install()
    index.asked.clear()
    assert install() == record
    assert not index.asked


def test_damage_is_found_and_repaired_with_what_is_needed_alone(
    install: Install, folder: Path, locked: Path, index: Any
) -> None:
    install()
    site = site_of(folder)
    (site / "alpha" / "__init__.py").unlink()
    (site / "gamma" / "__init__.py").write_text('VERSION = "666"\n')
    assert state_of(folder, locked).condition is Condition.READY  # names alone do not tell
    record = verify(folder, load_lock(locked), no_progress, never)
    assert record.damaged == ("alpha", "gamma")
    state = state_of(folder, locked)
    assert (state.condition, state.python) == (Condition.DAMAGED, None)
    assert state.sentence == "The runtime is damaged: alpha, gamma are not whole. Repair it."
    index.asked.clear()
    install(repair=True)
    fetched = whole(index)
    assert fetched == {"/files/alpha-1.0-py3-none-any.whl", "/files/gamma-2.5-py3-none-any.whl"}
    assert (version_of(folder, "alpha"), version_of(folder, "gamma")) == ("1.0", "2.5")
    assert state_of(folder, locked).condition is Condition.READY
    assert verify(folder, load_lock(locked), no_progress, never).damaged == ()


def test_another_version_is_seen_at_once_and_repaired(install: Install, folder: Path, locked: Path) -> None:
    install()
    site = site_of(folder)
    (site / "gamma-2.5.dist-info").rename(site / "gamma-2.6.dist-info")
    assert "gamma is not whole" in state_of(folder, locked).sentence
    install(repair=True)
    assert installed(site_of(folder))["gamma"].version == "2.5"


def test_a_lost_python_is_replaced_without_the_network(install: Install, folder: Path, locked: Path) -> None:
    record = install()
    python = python_of(folder / record.environment)
    python.unlink()
    assert "its Python is gone" in state_of(folder, locked).sentence
    install(repair=True, online=False)
    assert version_of(folder, "beta") == "1.0"


def test_an_unreadable_record_is_damage_and_repaired(install: Install, folder: Path, locked: Path) -> None:
    install()
    Layout(folder).current.write_text('{"schema": 1, "environment": "../../elsewhere"}')
    assert state_of(folder, locked).condition is Condition.DAMAGED
    install(repair=True)
    assert state_of(folder, locked).condition is Condition.READY


def test_an_older_lock_works_and_is_brought_up_to_date(
    install: Install, folder: Path, index: Any, tmp_path: Path, locked: Path
) -> None:
    install()
    beta = "beta-1.0-py3-none-any.whl"
    newer = index.lock(tmp_path / "newer", index.wheel("alpha", "1.1"), beta, index.wheel("delta", "0.1"))
    state = state_of(folder, newer)
    assert state.condition is Condition.OUTDATED
    assert state.usable
    index.asked.clear()
    install(load_lock(newer))
    assert f"/files/{beta}" not in whole(index)  # it is the same, so it is not fetched
    assert (version_of(folder, "alpha"), version_of(folder, "delta")) == ("1.1", "0.1")
    assert sorted(installed(site_of(folder))) == ["alpha", "beta", "delta"]
    assert state_of(folder, newer).condition is Condition.READY


def test_another_python_is_recognised(install: Install, folder: Path, locked: Path) -> None:
    install()
    state = runtime_state(folder, (3, 99), load_lock(locked).id)
    assert state.condition is Condition.OTHER_PYTHON
    assert state.usable
    assert state.repairable


def test_online_access_off(install: Install, folder: Path) -> None:
    with pytest.raises(InstallError, match="Online access is off"):
        install(online=False)
    assert names(folder) == ["lock"]


def test_no_network(install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(InstallError, match=r"127\.0\.0\.1 cannot be reached"):
        install()
    assert not Layout(folder).environments()


def test_the_network_goes_half_way_and_the_download_goes_on(
    install: Install, folder: Path, index: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggt_addon.runtime.fetch._PAUSE", 0.01)
    index.broken_after = 300_000
    with pytest.raises(InstallError, match=r"the connection broke.*the download goes on from there"):
        install()
    assert not Layout(folder).environments()
    index.broken_after = None
    index.asked.clear()
    install()
    assert version_of(folder, "beta") == "1.0"
    continued = [asked for path, asked in index.asked if "beta" in path or "uv-" in path]
    assert any(asked.startswith("bytes=") and asked != "bytes=0-" for asked in continued)


def test_folders_of_wheels_that_are_not_there_do_no_harm(
    install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    install()
    assert version_of(folder, "alpha") == "1.0"


def test_a_package_that_the_lock_does_not_know_is_refused(install: Install, folder: Path, index: Any) -> None:
    index.wheel("alpha", more={"alpha/evil.py": b"print('evil')\n"})  # another file under the same name
    with pytest.raises(InstallError, match=r"alpha-1\.0.* is not the file that was tested"):
        install()
    assert not Layout(folder).environments()


def test_a_disk_that_is_short(install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=50_000_000))
    with pytest.raises(InstallError, match=r"0\.2 GB are needed in .*, and 0\.1 GB are free, so nothing was installed"):
        install()
    assert not Layout(folder).environments()


def test_a_disk_that_becomes_full(install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install()

    def full(path: Path, record: Record) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("vggt_addon.runtime.reuse._link", full)
    with pytest.raises(InstallError, match="The disk is full"):
        install(repair=True)
    assert names(folder) == ["current.json", "e1", "lock"]
    assert version_of(folder, "alpha") == "1.0"


@pytest.mark.skipif(os.name == "nt", reason="a file stands where the folder should")
def test_a_folder_that_cannot_be_written(install: Install, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match="cannot be written"):
        install(folder=tmp_path / "file" / "runtime")


def test_a_python_that_does_not_run(install: Install, folder: Path) -> None:
    with pytest.raises(InstallError, match="cannot be run, so nothing was installed"):
        install(python=folder / "nothing")


def test_a_cancel_leaves_the_old_one(install: Install, folder: Path, locked: Path, index: Any, tmp_path: Path) -> None:
    install()
    newer = index.lock(tmp_path / "newer", index.wheel("alpha", "1.1"))
    for looks in (1, 5, 12, 20):
        left = iter(range(looks))
        with pytest.raises(Cancelled):
            install(load_lock(newer), cancel=lambda left=left: next(left, None) is None)
        assert len(Layout(folder).environments()) == 1
        assert state_of(folder, locked).condition is Condition.READY


def test_two_at_once(install: Install, folder: Path) -> None:
    """The second waits, and finds it done."""
    made: list[Record] = []
    threads = [threading.Thread(target=lambda: made.append(install())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert made[0] == made[1]
    assert names(folder) == ["current.json", "e1", "lock"]


def test_what_a_killed_one_left_is_cleared_away(install: Install, folder: Path) -> None:
    install()
    (folder / "e7" / "bin").mkdir(parents=True)
    (folder / "e7" / "bin" / "python").write_text("")
    install(repair=True)
    assert [path.name for path in Layout(folder).environments()] == ["e2"]


def test_pip_takes_uvs_place(
    install: Install, folder: Path, index: Any, monkeypatch: pytest.MonkeyPatch, locked: Path
) -> None:
    wheels = {name: wheel for name, wheel in tools.tool_wheels("linux-x64").items() if name == "pip"}
    monkeypatch.setattr(tools, "tool_wheels", lambda platform: wheels)
    install()
    assert version_of(folder, "gamma") == "2.5"
    assert not [path for path, _ in index.asked if "uv-" in path]
    (site_of(folder) / "gamma" / "__init__.py").unlink()
    install(repair=True)
    assert version_of(folder, "gamma") == "2.5"


def test_a_python_without_venv_gets_its_environment_from_uv(
    install: Install, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name == "nt":
        pytest.skip("the stand-in for Python is a shell script")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$3" = venv ] && exit 1\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    install(python=python)
    assert version_of(folder, "alpha") == "1.0"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
def test_a_python_that_there_are_no_packages_for(install: Install, folder: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho '[3, 9, 1]'\n")
    python.chmod(0o755)
    with pytest.raises(InstallError, match=r"No environment can be made with the Python 3\.9\.1 of this Blender"):
        install(python=python, online=False)
    assert not Layout(folder).environments()


def test_remove_where_nothing_is_and_beside_what_is_not_ours(install: Install, folder: Path) -> None:
    remove(folder, no_progress, never)
    install()
    (folder / "notes.txt").write_text("mine")
    remove(folder, no_progress, never)
    assert names(folder) == ["notes.txt"]
    shutil.rmtree(folder)


def test_verify_where_nothing_is(folder: Path, locked: Path) -> None:
    with pytest.raises(InstallError, match="There is no runtime"):
        verify(folder, load_lock(locked), no_progress, never)


def test_the_order_of_stages_never_falls(install: Install, locked: Path, folder: Path) -> None:
    told: list[float] = []
    request = install_module.Request(folder, Path(sys.executable), True, lock=load_lock(locked))
    install_module.install(request, lambda stage, fraction: told.append(fraction), never)
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize("repair", [False, True])
def test_what_was_made_for_the_processor_stays_so(
    install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch, locked: Path, repair: bool
) -> None:
    """Even where a driver says that there is a GPU now; unless another build is asked for by its name."""
    assert install(backend="cpu").backend == "cpu"
    card = Accelerator("nvidia", "RTX", 1, "580", 9.0)
    monkeypatch.setattr(install_module, "probe", lambda: card)
    (site_of(folder) / "gamma-2.5.dist-info").rename(site_of(folder) / "gamma-2.6.dist-info")
    assert install(repair=repair).backend == "cpu"
    assert install(backend="cu126", repair=repair).backend == "cu126"


def test_folders_that_cannot_be_cleared_are_no_failure(
    install: Install, folder: Path, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime is ready by then."""
    really = layout.delete

    def delete(path: Path) -> None:
        if path.name in ("tools", "downloads"):
            raise InstallError("in use")
        really(path)

    monkeypatch.setattr(layout, "delete", delete)
    install()
    assert state_of(folder, locked).condition is Condition.READY
    assert names(folder) == ["current.json", "downloads", "e1", "lock", "tools"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("Error: [Errno 28] No space left on device", "The disk is full"),
        ("Error: [Errno 13] Permission denied: lib", "cannot be written"),
        ("[WinError 112] Es steht nicht genug Speicherplatz auf dem Datentraeger zur Verfuegung", "The disk is full"),
    ],
)
def test_a_disk_that_takes_no_environment_is_no_fault_of_the_python(
    install: Install, folder: Path, tmp_path: Path, says: str, sentence: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$3" = venv ] && {{ echo "{says}" >&2; exit 1; }}\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    with pytest.raises(InstallError, match=sentence):
        install(python=python)
    assert not Layout(folder).environments()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
def test_a_python_without_venv_where_nothing_may_be_fetched(install: Install, folder: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$3" = venv ] && exit 1\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    with pytest.raises(InstallError, match="No environment can be made with the Python"):
        install(python=python, online=False)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
def test_uv_leaves_nothing_in_the_users_cache(
    install: Install, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$3" = venv ] && exit 1\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    install(python=python)
    assert not list((tmp_path / "cache").glob("uv*"))
    assert names(folder) == ["current.json", "e1", "lock"]


def test_a_removal_that_is_stopped_half_way_is_gone_on_with(
    install: Install, folder: Path, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install()
    really = layout.delete

    def delete(path: Path) -> None:
        if path.name == "e1":
            raise InstallError("in use")
        really(path)

    monkeypatch.setattr(upkeep, "delete", delete)
    with pytest.raises(InstallError, match="in use"):
        remove(folder, no_progress, never)
    state = state_of(folder, locked)
    assert (state.condition, state.leftovers, state.python) == (Condition.NONE, True, None)
    monkeypatch.undo()
    remove(folder, no_progress, never)
    assert not folder.exists()


def test_a_removal_asks_for_a_cancel_only_while_it_waits(install: Install, folder: Path) -> None:
    install()
    with file_lock(Layout(folder).lock, no_progress, never), pytest.raises(Cancelled):
        remove(folder, no_progress, lambda: True)
    assert names(folder) == ["current.json", "e1", "lock"]
    remove(folder, no_progress, lambda: True)
    assert not folder.exists()


def test_a_lock_that_stays_is_no_failure_of_a_removal(
    install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where another Blender that waits has it open."""
    install()
    really = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == "lock":
            raise PermissionError(errno.EACCES, "open")
        really(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    remove(folder, no_progress, never)
    assert names(folder) == ["lock"]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not remove a file that is open")
def test_who_waits_for_a_removal_installs_with_nobody_beside(install: Install, folder: Path, locked: Path) -> None:
    """The removal takes the lock's file away, which the others wait for."""
    install()
    made: list[Record] = []
    waiting = threading.Event()
    request = install_module.Request(folder, Path(sys.executable), True, lock=load_lock(locked))
    threads = [
        threading.Thread(
            target=lambda: made.append(install_module.install(request, lambda *told: waiting.set(), never))
        )
        for _ in range(2)
    ]

    def removing(stage: str, fraction: float) -> None:
        for thread in threads:
            thread.start()
        assert waiting.wait(10.0)

    remove(folder, removing, never)
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert made[0] == made[1]
    assert names(folder) == ["current.json", "e1", "lock"]


def test_torch_that_does_not_start_is_damage(install: Install, folder: Path, locked: Path, index: Any) -> None:
    install()
    lock = Lock(load_lock(locked).packages, "2.0")  # there is no torch in the environment
    path = Layout(folder).current
    record = read_record(path)
    assert record is not None
    write_record(path, replace(record, lock=lock.id))
    with pytest.raises(InstallError, match="PyTorch cannot be started"):
        verify(folder, lock, no_progress, never)
    state = runtime_state(folder, lock_id=lock.id)
    assert (state.condition, state.repairable, state.python) == (Condition.DAMAGED, True, None)
    assert state.sentence == "The runtime is damaged: PyTorch is not whole, or does not start. Repair it."


def test_what_another_blenders_worker_runs_by_stays(
    install: Install, folder: Path, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LEAVE_SECONDS", 0.2)
    install()
    (folder / "python").mkdir()  # which it may have been made from
    with hold(folder / "e1"):
        install(repair=True)
        assert names(folder) == ["current.json", "e1", "e2", "lock", "python"]
        with pytest.raises(
            InstallError, match=r"removed but for .*e1, which a worker of another Blender still runs by"
        ):
            remove(folder, no_progress, never)
        assert names(folder) == ["e1", "lock", "python"]
        assert state_of(folder, locked).leftovers
        install()
        assert names(folder) == ["current.json", "e1", "e2", "lock", "python"]
        assert version_of(folder, "alpha") == "1.0"
    install(repair=True)
    assert names(folder) == ["current.json", "e1", "lock", "python"]


def test_our_own_worker_is_given_the_time_to_leave(install: Install, folder: Path) -> None:
    install()
    held = hold(folder / "e1")
    timer = threading.Timer(0.5, held.close)
    timer.start()
    remove(folder, no_progress, never)
    timer.join()
    assert not folder.exists()
