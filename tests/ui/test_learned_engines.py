"""The preferences' page: the runtime and the weights, changed in the background while Blender goes on."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

from vggt_addon.jobs.status import JobState
from vggt_addon.ui import controller, diagnosing, errands, findings, places
from vggt_addon.ui.panels.learned_engines import draw_learned_engines

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
def found(tick_until: Callable[..., None]) -> findings.Findings:
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


def test_the_page_says_what_is_there_and_what_could_be(found: findings.Findings) -> None:
    shown = page()
    assert "not installed" in str(shown)
    assert found.offer is not None and found.offer.sentences[0] in str(shown)
    assert [weights.entry.id for weights in found.weights] == ["vggt-1b", "vggt-1b-commercial", "dust3r-512-dpt"]
    assert "CC BY-NC 4.0" in str(shown)
    for name in ("vggt.install_runtime", "vggt.install_archive", "vggt.copy_diagnosis", "vggt.download_weights"):
        assert name in shown.operators
    assert "vggt.remove_runtime" not in shown.operators


def test_without_online_access_nothing_is_installed_and_that_is_said(
    found: findings.Findings, user_files: Path, tick_until: Callable[..., None]
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
    found: findings.Findings, tmp_path: Path, user_files: Path, tick_until: Callable[..., None]
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
    found: findings.Findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
    found: findings.Findings, tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    (tmp_path / "notes.pt").write_text("nothing")
    assert bpy.ops.vggt.use_weights(weights="vggt-1b", filepath=str(tmp_path / "notes.pt"), accepted=True) == {
        "FINISHED"
    }
    assert "Reading notes.pt" in str(page())
    message = ended(tick_until)
    assert message.kind == "ERROR" and "notes.pt" in message.sentence
    assert max(call.work for call in controller.timings().calls) < 0.2


@pytest.mark.usefixtures("worker_python")
def test_a_download_can_be_cancelled(
    found: findings.Findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setattr(errands, "_online", lambda: True)
    assert bpy.ops.vggt.download_weights(weights="vggt-1b", accepted=True) == {"FINISHED"}
    task = errands.current().task
    tick_until(lambda: task.status().state is JobState.RUNNING)
    assert bpy.ops.vggt.cancel_errand() == {"FINISHED"}
    tick_until(lambda: errands.current() is None, seconds=2.5)
    assert errands.message is None or errands.message.kind == "ERROR"  # the connection was refused before we were


@pytest.mark.usefixtures("worker_python")
def test_disabled_in_the_middle_of_an_errand_no_process_is_left(
    found: findings.Findings, monkeypatch: pytest.MonkeyPatch, tick_until: Callable[..., None]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(errands, "_online", lambda: True)
    bpy.ops.vggt.download_weights(weights="vggt-1b", accepted=True)
    task = errands.current().task
    tick_until(lambda: task.status().state is JobState.RUNNING)
    controller.stop()
    assert task.status().state.ended and errands.current() is None
    controller.start()


def test_the_diagnosis_comes_to_the_clipboard(
    found: findings.Findings, monkeypatch: pytest.MonkeyPatch, tick_until: Callable[..., None]
) -> None:
    assert bpy.ops.vggt.copy_diagnosis() == {"FINISHED"}
    assert not bpy.ops.vggt.copy_diagnosis.poll()
    tick_until(lambda: not diagnosing.busy(), seconds=30)
    assert "in the clipboard" in errands.message.sentence
    text = diagnosing.last()
    assert bpy.app.version_string in text and "runtime: none" in text
    assert str(Path.home()) not in text or str(Path.home()) == "/"
