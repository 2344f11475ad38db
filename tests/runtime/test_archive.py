"""Offline archives: made, installed without a network, and refused before anything where not as they should be."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vggt_addon.errors import Cancelled, InstallError
from vggt_addon.progress import never, no_progress
from vggt_addon.runtime import offline
from vggt_addon.runtime.archive import MANIFEST
from vggt_addon.runtime.layout import Layout
from vggt_addon.runtime.locked import load_lock
from vggt_addon.runtime.offline import make_archive
from vggt_addon.runtime.platforms import PYTHONS, TRIPLES, this_platform
from vggt_addon.runtime.record import Record
from vggt_addon.runtime.state import Condition, runtime_state
from vggt_addon.runtime.tools import tool_wheels

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
Change = Callable[[dict[str, Any], dict[str, bytes]], None]


@pytest.fixture(scope="session")
def made_once() -> dict[str, bytes]:
    """Archives by the lock that they are of, which are the same in every test."""
    return {}


@pytest.fixture
def archive(locked: Path, tmp_path: Path, made_once: dict[str, bytes]) -> Path:
    """Of what is locked, for this machine."""
    path, lock = tmp_path / "out" / "the archive.zip", load_lock(locked)
    path.parent.mkdir()
    if lock.id not in made_once:
        make_archive(path, this_platform(), "cpu", [VERSION], lock, no_progress, never)
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        made_once[lock.id] = path.read_bytes()
    path.write_bytes(made_once[lock.id])
    return path


@pytest.fixture
def changed(archive: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """A copy of the archive with manifest and files as `change` makes them."""

    def make(change: Change) -> Path:
        with zipfile.ZipFile(archive) as opened:
            files = {name: opened.read(name) for name in opened.namelist()}
        manifest = json.loads(files.pop(MANIFEST))
        change(manifest, files)
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(path, "w") as written:
            written.writestr(MANIFEST, json.dumps(manifest))
            for name, content in files.items():
                written.writestr(name, content)
        return path

    return make


def test_made_and_installed_without_a_network(
    archive: Path, install: Callable[..., Record], folder: Path, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    install(archive=archive, online=False)
    assert runtime_state(folder, lock_id=load_lock(locked).id).condition is Condition.READY
    (record,) = folder.glob("e1/lib/python3*/site-packages/gamma/__init__.py")
    record.unlink()
    install(archive=archive, online=False, repair=True)
    assert runtime_state(folder, lock_id=load_lock(locked).id).condition is Condition.READY
    assert next(folder.glob("e2/lib/python3*/site-packages/gamma/__init__.py")).exists()


def test_an_archive_of_another_build_takes_the_place_of_what_is_ready(
    changed: Callable[[Change], Path], install: Callable[..., Record], folder: Path
) -> None:
    def other_build(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        manifest["backend"] = "cu126"

    made = install(backend="cpu")
    archive = changed(other_build)
    record = install(archive=archive, online=False)
    assert (made.environment, record.environment) == ("e1", "e2")
    assert (made.backend, record.backend) == ("cpu", "cu126")
    assert install(archive=archive, online=False) == record


def test_the_network_is_really_cut(archive: Path, folder: Path, locked: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("unshare cannot cut the network here")
    command = ["unshare", "-rn", sys.executable, "-m", "vggt_addon", "runtime", "install", "--archive", str(archive)]
    command += ["--lock", str(locked), "--runtime-folder", str(folder), "--json"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "result"


def test_the_same_files_make_the_same_archive(archive: Path, locked: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    make_archive(other, this_platform(), "cpu", [VERSION], load_lock(locked), no_progress, never)
    assert other.read_bytes() == archive.read_bytes()


def test_an_address_is_no_part_of_it(archive: Path) -> None:
    assert b"http" not in zipfile.ZipFile(archive).read(MANIFEST)


def test_an_archive_is_not_overwritten_unless_asked(archive: Path, locked: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(InstallError, match="already exists"):
        make_archive(archive, this_platform(), "cpu", [VERSION], load_lock(locked), no_progress, never)
    with pytest.raises(Cancelled):
        make_archive(
            archive, this_platform(), "cpu", [VERSION], load_lock(locked), no_progress, lambda: True, replace=True
        )
    assert archive.read_bytes() == before


def test_what_was_fetched_is_kept_for_the_next_try(
    locked: Path, tmp_path: Path, index: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggt_addon.runtime.fetch._PAUSE", 0.01)
    path, lock = tmp_path / "out" / "a.zip", load_lock(locked)
    index.seconds_a_block, index.slow = 0.02, "beta"
    with pytest.raises(Cancelled):
        make_archive(path, this_platform(), "cpu", [VERSION], lock, no_progress, lambda: bool(begun(path)))
    size = begun(path)[0].stat().st_size
    index.seconds_a_block = 0.0
    index.asked.clear()
    make_archive(path, this_platform(), "cpu", [VERSION], lock, no_progress, never)
    assert ("/files/beta-1.0-py3-none-any.whl", f"bytes={size}-") in index.asked
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def begun(path: Path) -> list[Path]:
    """The large wheel's download, once something of it is there."""
    return [part for part in path.parent.glob(".a.zip.parts/beta*.part") if part.stat().st_size > 100_000]


def other_platform(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["platform"] = next(name for name in TRIPLES if name != this_platform())


def other_version(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["lock"] = "0" * 16


def other_python(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["choices"][0]["python"] = next(python for python in PYTHONS if python != VERSION)


def no_python(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["choices"][0]["python"] = "3.9"


def wheel_cut_short(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    files["wheels/beta-1.0-py3-none-any.whl"] = files["wheels/beta-1.0-py3-none-any.whl"][:-10]


def wheel_changed(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    content = bytearray(files["wheels/beta-1.0-py3-none-any.whl"])
    content[1000] ^= 1
    files["wheels/beta-1.0-py3-none-any.whl"] = bytes(content)


def wheel_and_hash_changed(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    wheel_changed(manifest, files)
    manifest["choices"][0]["wheels"][1]["sha256"] = "0" * 64


def package_of_somebody_else(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    add(manifest, files, "evil", "evil-1.0-py3-none-any.whl")


def package_that_torch_would_bring(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    add(manifest, files, "nvidia-cublas", "nvidia_cublas-1.0-py3-none-any.whl")  # of a lock without torch


def package_twice(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    wheels = manifest["choices"][0]["wheels"]
    wheels.append(wheels[0])


def package_missing(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    del manifest["choices"][0]["wheels"][0]


def file_of_another_package(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    wheel = manifest["choices"][0]["wheels"][0]
    files["wheels/other-1.0-py3-none-any.whl"] = files[f"wheels/{wheel['file']}"]
    wheel["file"] = "other-1.0-py3-none-any.whl"


def no_build(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["backend"] = "cpu --index-url=x"


def add(manifest: dict[str, Any], files: dict[str, bytes], name: str, file: str) -> None:
    files[f"wheels/{file}"] = b"evil"
    wheel = {"name": name, "version": "1.0", "file": file, "sha256": hashlib.sha256(b"evil").hexdigest()}
    manifest["choices"][0]["wheels"].append(wheel | {"url": "", "size": 4})


def wheel_missing(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    del files["wheels/alpha-1.0-py3-none-any.whl"]


def tool_of_somebody_else(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    tool = next(tool for tool in manifest["tools"] if tool["name"] == "uv")
    files[f"tools/{tool['file']}"] = b"evil"
    tool |= {"sha256": hashlib.sha256(b"evil").hexdigest(), "size": 4}


def name_that_leads_out(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    wheel = manifest["choices"][0]["wheels"][0]
    files["wheels/../../../escaped.whl"] = files.pop(f"wheels/{wheel['file']}")
    wheel["file"] = "../../../escaped.whl"


def absolute_name(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    wheel = manifest["choices"][0]["wheels"][0]
    files["wheels//escaped.whl"] = files.pop(f"wheels/{wheel['file']}")
    wheel["file"] = "/escaped.whl"


def manifest_of_another_shape(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["more"] = 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (other_platform, "is for .*, and this machine is .*, so nothing was installed"),
        (other_version, "was made for another version of the add-on"),
        (other_python, r"is for Python 3\.1\d, and this Blender has"),
        (no_python, "is damaged"),
        (wheel_cut_short, "is damaged"),
        (wheel_changed, "is damaged"),
        (wheel_and_hash_changed, "is not the file that was tested"),
        (wheel_missing, "is damaged"),
        (package_of_somebody_else, r"evil-1\.0.* is none of the packages that were tested"),
        (package_that_torch_would_bring, r"nvidia_cublas.* is none of the packages that were tested"),
        (package_twice, "alpha should be there once"),
        (package_missing, "alpha should be there once and is not, so nothing was installed"),
        (file_of_another_package, r"other-1\.0.* is none of the packages that were tested"),
        (no_build, "There is no build"),
        (tool_of_somebody_else, "is damaged"),
        (name_that_leads_out, "is damaged"),
        (absolute_name, "is damaged"),
        (manifest_of_another_shape, "is damaged"),
    ],
)
def test_refused_with_nothing_changed(
    change: Change,
    sentence: str,
    changed: Callable[[Change], Path],
    install: Callable[..., Record],
    folder: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(InstallError, match=sentence):
        install(archive=changed(change), online=False)
    assert not Layout(folder).environments()
    assert not Layout(folder).current.exists()
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_archive(
    content: bytes, install: Callable[..., Record], tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    with pytest.raises(InstallError, match=r"photos\.zip is damaged or no archive"):
        install(archive=path)
    assert not folder.exists()


def test_an_archive_that_is_not_there(install: Callable[..., Record], tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="is not there"):
        install(archive=tmp_path / "nothing.zip")


def test_for_a_platform_that_there_is_none_for(locked: Path, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="Archives are made for"):
        make_archive(tmp_path / "a.zip", "amiga", "cpu", [VERSION], load_lock(locked), no_progress, never)


@pytest.mark.parametrize("platform", [name for name in TRIPLES if name != this_platform()])
def test_for_other_platforms(
    platform: str, locked: Path, tmp_path: Path, index: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tool_wheels(platform)["uv"]
    index.files[wheel.file] = b"uv for others"
    sha256 = hashlib.sha256(b"uv for others").hexdigest()
    monkeypatch.setattr(offline, "tool_wheels", lambda platform: {"uv": replace(wheel, sha256=sha256)})
    path = tmp_path / f"{platform}.zip"
    manifest = make_archive(path, platform, "cpu", ["3.11", "3.13"], load_lock(locked), no_progress, never)
    assert [choice.python for choice in manifest.choices] == ["3.11", "3.13"]
    system = {"linux": "linux", "macos": "macosx", "windows": "win"}[platform.split("-")[0]]
    assert any(name.startswith("tools/uv-") and system in name for name in zipfile.ZipFile(path).namelist())
