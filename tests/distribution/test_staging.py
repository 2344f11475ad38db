"""What is in a zip, and what is not."""

import zipfile
from pathlib import Path

import pytest

from distribution.lock import read_lock
from distribution.platforms import PLATFORMS, Platform
from distribution.project import REPOSITORY
from distribution.registry import CACHE, missing
from distribution.staging import product_files, stage

# The longest path of a profile: a long name of a user, Blender's own folders, and where it unpacks wheels.
WINDOWS_PROFILE = "C:/Users/twenty-characters-xy/AppData/Roaming/Blender Foundation/Blender/4.2/extensions/"
WINDOWS_LIMIT = 259


def test_the_product_and_nothing_else(tmp_path: Path) -> None:
    files = {path.as_posix() for path in product_files()}
    assert {"__init__.py", "LICENSE", "vggt_addon/__main__.py", "vggt_addon/jobs/worker.py"} <= files
    assert {path.partition("/")[0] for path in files} == {"__init__.py", "LICENSE", "vggt_addon"}
    assert not [path for path in files if "__pycache__" in path or path.endswith((".pyc", ".blend", ".npy"))]


def test_without_wheels_it_is_an_extension_all_the_same(tmp_path: Path) -> None:
    stage(tmp_path, PLATFORMS[0], {})
    top = {path.name for path in tmp_path.iterdir()}
    assert top == {"__init__.py", "LICENSE", "blender_manifest.toml", "vggt_addon", "third_party", "wheels"}


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_paths_are_short_enough_for_windows(platform: Platform) -> None:
    """What Blender unpacks, in a profile with a long name; Windows refuses more without a setting of the system."""
    longest = max((len(path.as_posix()) for path in product_files()), default=0)
    assert len(WINDOWS_PROFILE) + len("user_default/vggt_addon/") + longest < WINDOWS_LIMIT
    wheels = read_lock(platform)
    if absent := missing(wheels):
        pytest.skip(f"{len(absent)} wheels are not in {CACHE}: `make package` fetches them")
    for file in wheels:
        with zipfile.ZipFile(REPOSITORY / CACHE / file) as wheel:
            longest = max(map(len, wheel.namelist()))
        assert len(WINDOWS_PROFILE) + len(".local/lib/python3.11/site-packages/") + longest < WINDOWS_LIMIT, file
        assert len(WINDOWS_PROFILE) + len("user_default/vggt_addon/wheels/") + len(file) < WINDOWS_LIMIT
