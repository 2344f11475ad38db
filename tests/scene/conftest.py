"""What the tests of scene share: an empty Blender for each, a synthetic capture, and ways to look at it."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if importlib.util.find_spec("bpy") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def scene() -> Any:
    """The one scene of an empty file."""
    from vggt_addon.scene.save import new_file

    return new_file()


@pytest.fixture(scope="session")
def measures(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("scene/measures.py")


@pytest.fixture(scope="session")
def synthetic(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("scene/synthetic.py")


@pytest.fixture(scope="session")
def capture(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Four views (landscape, portrait, square, landscape) of the synthetic scene, in a world ten thousand units away
    that is turned and half as large."""
    folder = tmp_path_factory.mktemp("synthetic") / "photos"
    scene_from_world = synthetic.similarity(0.5, (0.0, 0.0, 0.0))
    scene_from_world[:3, 3] = -scene_from_world[:3, :3] @ [10_000.0, -8_000.0, 4_000.0]
    return synthetic.capture(folder, scene_from_world=scene_from_world)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture file of a colour that is easy to recognise."""
    from PIL import Image

    path = tmp_path / "photos" / "leaf.png"
    path.parent.mkdir()
    Image.new("RGB", (12, 8), (200, 100, 50)).save(path)
    return path
