"""The buttons of the preferences on a runtime of small packages: installed, checked, damaged, repaired, removed."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

from vggt_addon import registration  # noqa: E402 - only where there is a Blender
from vggt_addon.runtime import task  # noqa: E402
from vggt_addon.runtime.state import runtime_state  # noqa: E402
from vggt_addon.ui import controller, errands, places  # noqa: E402
from vggt_addon.ui.session import Message  # noqa: E402


@pytest.fixture
def profile(tmp_path: Path, locked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The extension, enabled online in a profile of its own, with the small lock for its own."""
    folder = tmp_path / "Jörg's Blender"
    launch = task.runtime_launch

    def small_launch(*values: object, **named: object) -> object:
        return launch(*values, **named, lock=locked)  # type: ignore[arg-type]

    def user_folder(name: str, *, create: bool = True) -> Path:
        if create:
            (folder / name).mkdir(parents=True, exist_ok=True)
        return folder / name

    monkeypatch.setattr(task, "runtime_launch", small_launch)
    monkeypatch.setattr("vggt_addon.runtime.state._own_lock_id", lambda: json_id(locked))
    monkeypatch.setattr(places, "user_folder", user_folder)
    monkeypatch.setattr(errands, "_online", lambda: True)
    monkeypatch.delenv(places.PYTHON_VARIABLE, raising=False)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    yield folder
    registration.unregister()


def json_id(locked: Path) -> str:
    from vggt_addon.runtime.locked import load_lock

    return load_lock(locked).id


def press(button: Callable[..., set[str]], **values: object) -> Message:
    """What is said in the end."""
    assert button(**values) == {"FINISHED"}
    until = time.monotonic() + 120
    while errands.current() is not None:
        assert time.monotonic() < until
        controller.tick()
        time.sleep(0.02)
    assert errands.message is not None
    return errands.message


def test_every_button(profile: Path) -> None:
    runtime = profile / "runtime"
    told = press(bpy.ops.vggt.install_runtime)
    assert (told.kind, told.sentence[:25]) == ("INFO", "The runtime is installed."), told
    python = places.learned_python("")
    assert python is not None and python.is_relative_to(runtime)
    assert press(bpy.ops.vggt.mend_runtime, action="verify").kind == "INFO"
    environment = json.loads((runtime / "current.json").read_text())["environment"]
    next((runtime / environment).rglob("gamma/__init__.py")).write_text("changed")
    told = press(bpy.ops.vggt.mend_runtime, action="verify")
    assert told.kind == "ERROR" and "gamma" in told.sentence and "Repair" in told.sentence
    assert places.learned_python("") is None, "a worker is not started by what is damaged"
    assert press(bpy.ops.vggt.mend_runtime, action="repair").kind == "INFO"
    assert places.learned_python("") is not None
    assert press(bpy.ops.vggt.remove_runtime).kind == "INFO"
    assert not runtime.exists() or not any(runtime.rglob("*.py"))
    assert places.learned_python("") is None


def test_cancelled_half_way_there_is_nothing_but_what_can_go_on(profile: Path, index: object) -> None:
    index.slow, index.seconds_a_block = "beta", 0.2  # type: ignore[attr-defined]
    assert bpy.ops.vggt.install_runtime() == {"FINISHED"}
    task = errands.current()
    assert task is not None
    until = time.monotonic() + 60
    while "Downloading" not in task.task.status().stage:
        assert time.monotonic() < until and errands.current() is not None
        controller.tick()
        time.sleep(0.02)
    assert bpy.ops.vggt.cancel_errand() == {"FINISHED"}
    until = time.monotonic() + 2.5
    while errands.current() is not None:
        assert time.monotonic() < until
        controller.tick()
        time.sleep(0.02)
    state = runtime_state(profile / "runtime")
    assert not state.usable and state.leftovers
    index.seconds_a_block = 0.0  # type: ignore[attr-defined]
    assert press(bpy.ops.vggt.install_runtime).kind == "INFO"
    assert places.learned_python("") is not None
