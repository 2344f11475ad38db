"""Blender without a window: the extension registered from source, its timer called by the test."""

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
if importlib.util.find_spec("bpy") is None:
    collect_ignore = ["test_registration.py", "test_photo_list.py", "test_run.py", "test_vggt_run.py", "test_faults.py"]
    collect_ignore += ["test_clips.py", "test_places.py", "test_engine_settings.py"]


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three photos of the example at a third of their size: a run takes some seconds."""
    folder = tmp_path_factory.mktemp("small") / "yard"
    folder.mkdir()
    for number in (1, 2, 3):
        with Image.open(REPOSITORY / f"examples/courtyard/photos/courtyard_{number:02d}.jpg") as image:
            small = image.resize((image.width // 3, image.height // 3))
            small.save(folder / f"photo {number}.jpg", exif=image.info["exif"], quality=92)
    return sorted(folder.iterdir())


@pytest.fixture
def user_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's files go, and nothing of the machine's own."""
    from vggt_addon.ui import places

    folder = tmp_path / "user"

    def user_folder(name: str, *, create: bool = True) -> Path:
        if create:
            (folder / name).mkdir(parents=True, exist_ok=True)
        return folder / name

    monkeypatch.setattr(places, "user_folder", user_folder)
    monkeypatch.setenv(places.PYTHON_VARIABLE, os.environ.get("VGGT_ADDON_TEST_WORKER", ""))  # see matrix.sh
    return folder


@pytest.fixture
def enabled(user_files: Path) -> Iterator[None]:
    """The extension, enabled in an empty scene."""
    import bpy

    from vggt_addon import registration

    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    bpy.ops.ed.undo_push(message="start")
    yield
    registration.unregister()
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def listed(enabled: None, small_photos: list[Path]) -> list[Path]:
    """The three photos on the scene's list, with settings for a quick run, and an undo step after them."""
    import bpy

    files = [{"name": path.name} for path in small_photos]
    bpy.ops.vggt.drop_photos(directory=f"{small_photos[0].parent}/", files=files)
    properties = bpy.context.scene.vggt
    properties.engine, properties.depth_size, properties.point_budget = "sfm", 128, 5000
    bpy.ops.ed.undo_push(message="photos")
    return small_photos


@pytest.fixture
def tick_until() -> Callable[..., None]:
    """Call the timer as Blender does until `condition` holds; fails after `seconds`."""
    from vggt_addon.ui import controller

    def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (
                f"in vain for {seconds} s: {controller.stage()} {controller.session().message}"
            )
            wait = controller.tick()
            time.sleep(0.02 if wait is None else min(wait, 0.02))

    return until
