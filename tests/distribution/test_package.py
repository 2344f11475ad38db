"""The zip for this computer: made by Blender's tool, read by it, and installed into a clean profile of this Blender.

The whole, on every Blender and with the network cut, is `make test-package`.
"""

import hashlib
import importlib.util
import json
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from distribution.blender_tool import validate
from distribution.build import build
from distribution.errors import PackageError
from distribution.lock import read_lock
from distribution.platforms import find_platform
from distribution.project import REPOSITORY, version

NAMES = {("Linux", "x86_64"): "linux-x64", ("Windows", "AMD64"): "windows-x64", ("Darwin", "arm64"): "macos-arm64"}
HERE = NAMES.get((platform.system(), platform.machine()), "")
pytestmark = [
    pytest.mark.skipif(not HERE, reason="no zip with engines is made for this kind of computer"),
    pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="Blender's tool comes with bpy"),
]

PROGRAM = """
import json, logging, sys, time
from pathlib import Path
sys.path.insert(0, {repository!r})
from tests.distribution import clean_profile
bpy = clean_profile.use(Path({profile!r}))
clean_profile.install(bpy, Path({archive!r}))
controller, places = clean_profile.part("ui.controller"), clean_profile.part("ui.places")
runner = controller.session().runner
bpy.ops.vggt.add_folder(directory={photos!r})
end = time.monotonic() + 60
while runner.hello is None and time.monotonic() < end:
    controller.tick()
    time.sleep(0.05)
(libraries,) = places.worker_libraries(places.blenders_python())
told = {{
    "ready": [engine.name for engine in runner.hello.engines if engine.ready],
    "unpacked": sorted(path.name for path in libraries.iterdir()),
    "foreign": sorted({{"PIL", "cv2", "pycolmap", "torch"}} & set(sys.modules)),
    "log": places.log_file().relative_to({profile!r}).as_posix(),
}}
bpy.ops.preferences.addon_disable(module=clean_profile.MODULE)
told["disabled"] = not hasattr(bpy.types.Scene, "vggt")
bpy.ops.preferences.addon_enable(module=clean_profile.MODULE)
told["enabled"] = hasattr(bpy.types.Scene, "vggt")
bpy.ops.preferences.addon_disable(module=clean_profile.MODULE)
print("TOLD", json.dumps(told), flush=True)
import os
os._exit(0)
"""


UPDATE = """
import importlib, sys
from pathlib import Path
sys.path.insert(0, {repository!r})
from tests.distribution import clean_profile
bpy = clean_profile.use(Path({profile!r}))
for archive, version in (({archive!r}, {version!r}), ({newer!r}, "99.0.0")):
    clean_profile.install(bpy, Path(archive))
    assert clean_profile.part("").__version__ == version
    own = clean_profile.part("ui.places").user_folder("captures")
    (own / version).touch()
assert sorted(path.name for path in own.iterdir()) == sorted([{version!r}, "99.0.0"]), "an update keeps the user's own"
repositories = [repository.module for repository in bpy.context.preferences.extensions.repos]
bpy.ops.extensions.package_uninstall(repo_index=repositories.index("user_default"), pkg_id="vggt_addon")
assert not hasattr(bpy.types.Scene, "vggt")
left = [path for path in Path({profile!r}, "extensions").rglob("*") if path.is_file() and path.name != "compat.dat"]
print("LEFT", [str(path) for path in left], flush=True)
import os
os._exit(0)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for this computer, in a folder with its index."""
    try:
        (made,) = build([find_platform(HERE)], tmp_path_factory.mktemp("dist"))
    except PackageError as error:
        if "package registry" not in str(error):
            raise
        pytest.skip(f"the wheels are not here, and the package registry does not give them: {error}")
    return made


def test_its_name_and_its_entry_in_the_index(archive: Path) -> None:
    assert archive.name == f"vggt_addon-{version()}-{HERE.replace('-', '_')}.zip"
    (entry,) = json.loads((archive.parent / "index.json").read_text())["data"]
    assert entry["archive_url"] == f"./{archive.name}"
    assert entry["archive_hash"] == f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}"
    assert (entry["version"], entry["platforms"]) == (version(), [HERE])
    assert entry["python_versions"] == list(find_platform(HERE).pythons)
    assert "index.json" in (archive.parent / "index.html").read_text()
    assert len(list(archive.parent.iterdir())) == 3


def test_it_holds_the_product_its_wheels_and_their_licences(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        assert opened.testzip() is None
    assert {name for name in names if name.startswith("wheels/")} == {
        f"wheels/{file}" for file in read_lock(find_platform(HERE))
    }
    assert {name.partition("/")[0] for name in names} == {
        "__init__.py", "LICENSE", "blender_manifest.toml", "third_party", "vggt_addon", "wheels"
    }  # fmt: skip
    assert "third_party/README.txt" in names


def test_made_again_it_is_the_same(archive: Path, tmp_path: Path) -> None:
    (again,) = build([find_platform(HERE)], tmp_path)
    assert again.read_bytes() == archive.read_bytes()
    assert (tmp_path / "index.json").read_bytes() == (archive.parent / "index.json").read_bytes()


def test_an_update_runs_the_new_code_and_removing_it_leaves_nothing(archive: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(newer, "w") as target:
        for member in source.infolist():
            content = source.read(member)
            if member.filename in ("blender_manifest.toml", "vggt_addon/__init__.py"):
                content = content.replace(f'version = "{version()}"'.encode(), b'version = "99.0.0"')
                content = content.replace(f'__version__ = "{version()}"'.encode(), b'__version__ = "99.0.0"')
            target.writestr(member, content)
    program = UPDATE.format(
        repository=str(REPOSITORY),
        profile=str(tmp_path / "profile"),
        archive=str(archive),
        newer=str(newer),
        version=version(),
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert "LEFT []" in done.stdout, done.stdout + done.stderr


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as damaged:
        damaged.writestr("blender_manifest.toml", 'schema_version = "1.0.0"\n')
    with pytest.raises(PackageError, match="refuses"):
        validate(tmp_path / "x.zip")


def test_installed_it_finds_its_engine_and_leaves_blender_alone(archive: Path, tmp_path: Path) -> None:
    profile = tmp_path / "a profile, ä ß"
    program = PROGRAM.format(
        repository=str(REPOSITORY),
        profile=str(profile),
        archive=str(archive),
        photos=f"{REPOSITORY}/examples/courtyard/photos/",
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert lines, done.stdout + done.stderr
    told = json.loads(lines[0].removeprefix("TOLD "))
    assert told["ready"] == ["sfm"]
    assert {"pycolmap", "cv2", "PIL"} <= set(told["unpacked"])
    assert not [name for name in told["unpacked"] if name.startswith("numpy")]
    assert told["foreign"] == []
    assert told["disabled"] and told["enabled"]
    assert told["log"] == "extensions/.user/user_default/vggt_addon/log/log.txt"
    assert (profile / "extensions/user_default/vggt_addon/third_party/README.txt").exists()
