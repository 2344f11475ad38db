"""Photos added to a capture in the scene, from the button on; the real worker, no window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.ui import controller

pytestmark = pytest.mark.usefixtures("enabled")
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def built(listed: list[Path], tick_until: Callable[..., None]) -> Any:
    """The root of the capture of three photos."""
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    return next(thing for thing in bpy.context.scene.objects if "capture_id" in thing)


@pytest.fixture
def fourth(tmp_path: Path) -> Path:
    """Another photo of the place, as large as the three."""
    path = tmp_path / "photo 4.jpg"
    with Image.open(REPOSITORY / "examples/courtyard/photos/courtyard_05.jpg") as image:
        small = image.resize((image.width // 3, image.height // 3))
        small.save(path, exif=image.info["exif"], quality=92)
    return path


def _add(*paths: Path) -> set[str]:
    return bpy.ops.vggt.add_to_capture(directory=f"{paths[0].parent}/", files=[{"name": path.name} for path in paths])


def _cameras() -> list[str]:
    return sorted(thing.name for thing in bpy.context.scene.objects if thing.type == "CAMERA")


def test_a_photo_comes_into_the_scene_in_one_undo_step(
    built: Any, fourth: Path, user_files: Path, tick_until: Callable[..., None]
) -> None:
    (old,) = (user_files / "captures").iterdir()
    moved = bpy.data.objects["photo 2.jpg relief"]
    moved.location.z = 2.0
    places = {thing.name: np.array(thing.matrix_basis) for thing in bpy.context.scene.objects}
    bpy.ops.ed.undo_push(message="moved")
    assert _add(fourth) == {"FINISHED"}
    assert not bpy.ops.vggt.add_to_capture.poll() and controller.busy()
    tick_until(lambda: not controller.busy())
    assert controller.session().message is None
    assert _cameras() == [f"photo {number}.jpg" for number in (1, 2, 3, 4)]
    for name, place in places.items():
        assert np.array_equal(np.array(bpy.data.objects[name].matrix_basis), place), name
    (new,) = set((user_files / "captures").iterdir()) - {old}
    assert len(Reconstruction.load(new).views) == 4 and len(Reconstruction.load(old).views) == 3
    assert Path(bpy.path.abspath(built["capture_folder"])) == new
    tick_until(lambda: not any((user_files / "jobs").iterdir()))
    bpy.ops.ed.undo()
    assert _cameras() == [f"photo {number}.jpg" for number in (1, 2, 3)]
    root = next(thing for thing in bpy.context.scene.objects if "capture_id" in thing)
    assert Path(bpy.path.abspath(root["capture_folder"])) == old
    assert bpy.data.objects["photo 2.jpg relief"].location.z == 2.0
    bpy.ops.ed.redo()
    assert len(_cameras()) == 4
    assert bpy.ops.vggt.rebuild_capture() == {"FINISHED"}
    tick_until(lambda: not controller.busy())
    assert len(_cameras()) == 4


def test_a_photo_that_cannot_be_added_is_a_sentence(
    built: Any, listed: list[Path], tmp_path: Path, user_files: Path, tick_until: Callable[..., None]
) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "black.png")
    for path, sentence in ((tmp_path / "black.png", "shows nothing that"), (listed[0], "is in the capture already")):
        assert _add(path) == {"FINISHED"}
        tick_until(lambda: not controller.busy())
        message = controller.session().message
        assert message.kind == "ERROR" and f"{path.name} {sentence}" in message.sentence
        bpy.ops.vggt.dismiss_message()
    assert len(_cameras()) == 3 and len(list((user_files / "captures").iterdir())) == 1


def test_a_capture_whose_folder_is_gone_is_told(built: Any, fourth: Path, user_files: Path) -> None:
    (folder,) = (user_files / "captures").iterdir()
    folder.rename(user_files / "gone")
    with pytest.raises(RuntimeError, match="folder is not there any more"):
        _add(fourth)
    assert not controller.busy()


def test_a_root_that_was_removed_meanwhile_costs_nothing(
    built: Any, fourth: Path, tick_until: Callable[..., None]
) -> None:
    _add(fourth)
    for thing in list(bpy.context.scene.objects):
        bpy.data.objects.remove(thing)
    tick_until(lambda: not controller.busy())
    assert len(_cameras()) == 4
