"""The preferences' page: the runtime and the weights, changed in the background while Blender goes on."""

import importlib.util
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

from vggt_addon.errors import UserError
from vggt_addon.jobs.status import JobState, JobStatus
from vggt_addon.progress import never, no_progress
from vggt_addon.ui import controller, diagnosing, errands, findings, places
from vggt_addon.ui.looking import Findings
from vggt_addon.ui.panels.learned_engines import draw_learned_engines
from vggt_addon.weights.file_lock import file_lock
from vggt_addon.weights.store import VARIABLE

pytestmark = pytest.mark.usefixtures("enabled")


class Page:
    """A layout that remembers what was put into it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.operators: list[str] = []

    def label(self, *, text: str = "", **_: object) -> None:
        self.texts.append(text)

    def progress(self, *, factor: float, text: str, **_: object) -> None:
        assert 0 <= factor <= 1
        self.texts.append(text)

    def operator(self, name: str, **_: object) -> Any:
        module, function = name.split(".")
        getattr(getattr(bpy.ops, module), function).get_rna_type()  # raises where there is no such operator
        self.operators.append(name)
        return type("Properties", (), {})()

    def part(self, **_: object) -> "Page":
        return self

    box = column = row = part

    def __str__(self) -> str:
        return " ".join(self.texts)


class Context:
    region = type("Region", (), {"width": 900})
    preferences = type("Preferences", (), {"system": type("System", (), {"ui_scale": 1.0})})


def page() -> Page:
    """As it would be drawn now."""
    drawn = Page()
    draw_learned_engines(drawn, Context)
    return drawn


@pytest.fixture
def found(tick_until: Callable[..., None]) -> Findings:
    """The page was opened, and what is on this machine is known."""
    assert "Looking" in str(page())
    tick_until(lambda: findings.known() is not None and not findings.ask(), seconds=30)
    known = findings.known()
    assert known is not None
    return known


def ended(tick_until: Callable[..., None]) -> Any:
    tick_until(lambda: errands.current() is None, seconds=60)
    return errands.message


def test_nothing_is_looked_for_until_the_page_is_shown(listed: list[Path], tick_until: Callable[..., None]) -> None:
    tick_until(lambda: controller.session().planned)
    assert findings.known() is None


def test_the_page_says_what_is_there_and_what_could_be(found: Findings) -> None:
    shown = page()
    assert "not installed" in str(shown)
    assert found.offer is not None and found.offer.sentences[0] in str(shown)
    assert [weights.entry.id for weights in found.weights] == ["vggt-1b", "vggt-1b-commercial", "dust3r-512-dpt"]
    assert "CC BY-NC 4.0" in str(shown)
    for name in ("vggt.install_runtime", "vggt.install_archive", "vggt.copy_diagnosis", "vggt.download_weights"):
        assert name in shown.operators
    assert "vggt.remove_runtime" not in shown.operators


def test_without_online_access_nothing_is_installed_and_that_is_said(
    found: Findings, user_files: Path, tick_until: Callable[..., None]
) -> None:
    assert not bpy.app.online_access
    assert "online access is off" in str(page())
    assert bpy.ops.vggt.install_runtime() == {"FINISHED"}
    assert "Installing the runtime" in str(page())
    assert not bpy.ops.vggt.remove_runtime.poll(), "one thing at a time"
    message = ended(tick_until)
    assert message.kind == "ERROR" and "online access" in message.sentence.lower()
    assert message.sentence in str(page())
    assert not (user_files / "runtime" / "current.json").exists()
    assert bpy.ops.vggt.dismiss_errand() == {"FINISHED"}
    assert errands.message is None


def test_a_file_that_is_no_archive_is_refused(
    found: Findings, tmp_path: Path, user_files: Path, tick_until: Callable[..., None]
) -> None:
    (tmp_path / "holiday.zip").write_bytes(b"nothing")
    assert bpy.ops.vggt.install_archive(filepath=str(tmp_path / "holiday.zip")) == {"FINISHED"}
    message = ended(tick_until)
    assert message.kind == "ERROR" and "holiday.zip" in message.sentence


@pytest.fixture
def worker_python(user_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python with torch: this one, where it has it; Blenders of the matrix and of the package's tests do not."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not in this Python")
    monkeypatch.setenv(places.PYTHON_VARIABLE, sys.executable)


def test_weights_need_the_runtime_consent_and_a_network(
    found: Findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(places.PYTHON_VARIABLE)
    with pytest.raises(RuntimeError, match="tick that you accept it"):
        bpy.ops.vggt.download_weights(weights="vggt-1b")
    with pytest.raises(RuntimeError, match="install the runtime first"):
        bpy.ops.vggt.download_weights(weights="vggt-1b", accepted=True)
    monkeypatch.setenv(places.PYTHON_VARIABLE, sys.executable)
    with pytest.raises(RuntimeError, match="online access is off"):
        bpy.ops.vggt.download_weights(weights="vggt-1b", accepted=True)
    with pytest.raises(RuntimeError, match="tick that you accept it"):
        bpy.ops.vggt.use_weights(weights="vggt-1b", filepath=str(tmp_path / "a.pt"))
    assert errands.current() is None


@pytest.mark.usefixtures("worker_python")
def test_a_file_of_something_else_is_refused_and_blender_goes_on_meanwhile(
    found: Findings, tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    (tmp_path / "notes.pt").write_text("nothing")
    assert bpy.ops.vggt.use_weights(weights="vggt-1b", filepath=str(tmp_path / "notes.pt"), accepted=True) == {
        "FINISHED"
    }
    assert "Reading notes.pt" in str(page())
    message = ended(tick_until)
    assert message.kind == "ERROR" and "notes.pt" in message.sentence
    assert max(call.work for call in controller.timings().calls) < 0.2


@pytest.fixture
def silent_hub(worker_python: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(errands, "_online", lambda: True)
        yield


@pytest.mark.usefixtures("silent_hub")
def test_a_download_can_be_cancelled_and_runs_go_on_meanwhile(
    listed: list[Path], found: Findings, tick_until: Callable[..., None]
) -> None:
    assert bpy.ops.vggt.download_weights(weights="vggt-1b", accepted=True) == {"FINISHED"}
    task = errands.current().task
    tick_until(lambda: task.status().state is JobState.RUNNING)
    assert bpy.ops.vggt.reconstruct.poll()
    assert bpy.ops.vggt.cancel_errand() == {"FINISHED"}
    tick_until(lambda: errands.current() is None, seconds=2.5)
    assert task.status().state is JobState.CANCELLED and errands.message is None


@pytest.mark.usefixtures("silent_hub")
def test_disabled_in_the_middle_of_an_errand_no_process_is_left(
    found: Findings, tick_until: Callable[..., None]
) -> None:
    bpy.ops.vggt.download_weights(weights="vggt-1b", accepted=True)
    task = errands.current().task
    tick_until(lambda: task.status().state is JobState.RUNNING)
    controller.stop()
    assert task.status().state.ended and errands.current() is None
    controller.start()


class Changing:
    """A change of the runtime that takes as long as the test wants."""

    def __init__(self) -> None:
        self.state = JobState.RUNNING

    def status(self) -> JobStatus:
        return JobStatus("runtime", "install", self.state)

    def cancel(self) -> None:
        self.state = JobState.CANCELLED

    stop = cancel


def test_while_the_runtime_changes_nothing_is_started_by_it(
    listed: list[Path], found: Findings, monkeypatch: pytest.MonkeyPatch, tick_until: Callable[..., None]
) -> None:
    tick_until(lambda: controller.session().planned)
    controller.session().stop()
    monkeypatch.delenv(places.PYTHON_VARIABLE)
    monkeypatch.setattr("vggt_addon.runtime.state.worker_python", lambda folder: folder / "bin/python")
    assert places.learned_python("") is not None
    errands._start(errands.Errand(errands.RUNTIME, "Installing the runtime", "Done.", Changing()))
    assert not bpy.ops.vggt.reconstruct.poll()
    with pytest.raises(UserError, match="being changed"):
        controller.start_run(bpy.context.scene)
    controller.settings_changed()
    tick_until(lambda: controller.session().planned)  # by Blender's own Python
    errands.cancel()
    tick_until(lambda: errands.current() is None)
    assert bpy.ops.vggt.reconstruct.poll()


def test_what_goes_wrong_beside_a_reconstruction_costs_the_reconstruction_nothing(
    listed: list[Path], monkeypatch: pytest.MonkeyPatch, tick_until: Callable[..., None]
) -> None:
    def fail() -> bool:
        raise RuntimeError("beside")

    monkeypatch.setattr(errands, "step", fail)
    assert bpy.ops.vggt.reconstruct() == {"FINISHED"}
    tick_until(lambda: not controller.busy())
    assert controller.session().message is None
    assert len([thing for thing in bpy.context.scene.objects if thing.type == "CAMERA"]) == 3


def test_a_page_that_cannot_find_out_says_so(monkeypatch: pytest.MonkeyPatch, tick_until: Callable[..., None]) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no driver answers")

    monkeypatch.setattr("vggt_addon.ui.looking.make_offer", fail)
    assert "Looking" in str(page())
    tick_until(lambda: findings.failure(), seconds=30)
    assert "cannot be found out" in str(page())


def test_weights_are_not_removed_under_a_run(listed: list[Path], tick_until: Callable[..., None]) -> None:
    assert bpy.ops.vggt.reconstruct() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="A reconstruction is under way"):
        bpy.ops.vggt.remove_weights(weights="vggt-1b")
    tick_until(lambda: not controller.busy())
    assert controller.session().message is None, "it went on"


def test_weights_can_be_removed(
    found: Findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    stored = tmp_path / "vggt-1b.safetensors"
    stored.write_bytes(b"weights")
    with file_lock(tmp_path / ".vggt-1b.lock", no_progress, never), pytest.raises(RuntimeError, match="being written"):
        bpy.ops.vggt.remove_weights(weights="vggt-1b")
    assert stored.exists()
    assert bpy.ops.vggt.remove_weights(weights="vggt-1b") == {"FINISHED"}
    assert not stored.exists() and "are removed" in errands.message.sentence


def test_the_diagnosis_comes_to_the_clipboard(
    found: Findings, monkeypatch: pytest.MonkeyPatch, tick_until: Callable[..., None]
) -> None:
    assert bpy.ops.vggt.copy_diagnosis() == {"FINISHED"}
    assert not bpy.ops.vggt.copy_diagnosis.poll()
    tick_until(lambda: not diagnosing.busy(), seconds=30)
    assert "in the clipboard" in errands.message.sentence
    text = diagnosing.last()
    assert bpy.app.version_string in text and "runtime: none" in text
    assert str(Path.home()) not in text or str(Path.home()) == "/"
