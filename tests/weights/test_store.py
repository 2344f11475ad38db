"""The store: where it is, what it finds, and one writer at a time."""

import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from vggt_addon.errors import Cancelled, WeightsError
from vggt_addon.progress import never, no_progress
from vggt_addon.weights import disk, file_lock
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.saving import save_checkpoint
from vggt_addon.weights.store import PRECISIONS, Store, default_folder

VGGT = find_entry("vggt-1b")
METADATA = {"network": "vggt", "source": "the file a.pt", "source_sha256": "ab" * 32, "licence": "CC BY-NC 4.0"}


def put(store: Store, metadata: dict[str, str] = METADATA, kind: str = "") -> Path:
    return save_checkpoint(store.folder / f"vggt-1b{kind}.safetensors", {"a": torch.ones(3)}, metadata)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_folder({}, "linux") == tmp_path / ".local/share/vggt_addon/weights"
    assert default_folder({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data/vggt_addon/weights")
    assert default_folder({"XDG_DATA_HOME": "data"}, "linux") == tmp_path / ".local/share/vggt_addon/weights"
    assert default_folder({}, "darwin") == tmp_path / "Library/Application Support/vggt_addon/weights"
    assert default_folder({"LOCALAPPDATA": "/Local"}, "win32") == Path("/Local/vggt_addon/weights")
    assert default_folder({}, "win32") == tmp_path / "AppData/Local/vggt_addon/weights"
    for platform in ("linux", "darwin", "win32"):
        assert default_folder({"VGGT_ADDON_WEIGHTS": "/studio"}, platform) == Path("/studio")


def test_what_is_stored_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path / "new")
    assert [store.find("vggt-1b", precision) for precision in PRECISIONS] == [None, None, None]
    assert not store.folder.exists()  # looking makes nothing
    path = put(store)
    found = store.require("vggt-1b")
    assert found.path == path and found.precision == "source" and found.size == path.stat().st_size
    assert found.source == "the file a.pt"
    assert found.record == {"name": "vggt-1b", "sha256": "ab" * 32, "licence": "CC BY-NC 4.0"}
    assert store.find("vggt-1b-commercial") is None


def test_what_is_removed_is_gone_with_its_halves_and_begun_downloads(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = tmp_path / "vggt-1b-commercial.safetensors"
    kept.write_bytes(b"other")
    store.part(find_entry("vggt-1b-commercial"), "cd" * 32).write_bytes(b"begun")
    put(store)
    put(store, kind=".bfloat16")
    store.part(VGGT, "ab" * 32).write_bytes(b"begun")
    store.remove(VGGT)
    left = {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"}
    assert left == {kept.name, f".vggt-1b-commercial.{'cd' * 32}.part"}
    store.remove(VGGT)  # nothing is there any more


def test_what_is_not_stored_is_a_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(WeightsError, match=r"vggt-1b is not in .*: get it in .* or with `weights download vggt-1b`"):
        store.require("vggt-1b", "bfloat16")
    put(store)
    with pytest.raises(WeightsError, match=r"make it with `weights convert vggt-1b --precision bfloat16`"):
        store.require("vggt-1b", "bfloat16")
    with pytest.raises(WeightsError, match="no weights called vggt-2"):
        store.find("vggt-2")


def test_half_precision_of_other_weights_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    half = put(store, METADATA, ".bfloat16")
    assert store.require("vggt-1b", "bfloat16").path == half  # alone it may serve
    put(store)
    assert store.require("vggt-1b", "bfloat16").path == half
    put(store, METADATA | {"source_sha256": "cd" * 32})
    assert store.find("vggt-1b", "bfloat16") is None
    put(store, METADATA | {"source_sha256": "cd" * 32}, ".float16")
    (tmp_path / "vggt-1b-commercial.bfloat16.safetensors").write_bytes(b"another's")
    store.drop_halves_of_others(VGGT)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "vggt-1b-commercial.bfloat16.safetensors",
        "vggt-1b.float16.safetensors",
        "vggt-1b.safetensors",
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 9) + b"not JSON!",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"{}" + b"more",
        struct.pack("<Q", 8) + b'{"a": 1}',
        struct.pack("<Q", 6) + b'{"a":[',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vggt-1b.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        Store(tmp_path).find("vggt-1b")
    assert caught.value.sentence == f"{path} is damaged: delete it, then download or convert the weights again."


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_a_pipe_in_the_place_of_weights_is_not_waited_for(tmp_path: Path) -> None:
    """In a thread of its own: where it is opened, nothing ends the wait."""
    path = Store(tmp_path).path(find_entry("vggt-1b"))
    os.mkfifo(path)
    said: list[str] = []

    def look() -> None:
        try:
            Store(tmp_path).find("vggt-1b")
        except WeightsError as error:
            said.append(error.sentence)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(20.0)
    assert said == [f"{path} is no file of weights: move it elsewhere."]


def test_a_file_that_lost_its_end_is_damaged(tmp_path: Path) -> None:
    path = put(Store(tmp_path))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is damaged"):
        Store(tmp_path).find("vggt-1b")


def test_another_makers_file_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for metadata in ({}, {"format": "pt"}, METADATA | {"network": "dust3r"}):
        path = put(store, metadata)
        before = path.read_bytes()
        with pytest.raises(WeightsError, match="was not made by `weights convert`: move it elsewhere"):
            store.find("vggt-1b")
        assert path.read_bytes() == before


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = put(store)
    for name in (f".{path.name}-abc", ".vggt-1b.bfloat16.safetensors-x_y"):
        (tmp_path / name).write_bytes(b"half")
    kept = [".vggt-1b-commercial.safetensors-abc", f".vggt-1b.{'ab' * 32}.part", "mine.safetensors-abc"]
    for name in kept:
        (tmp_path / name).write_bytes(b"half")
    with store.writing(VGGT, no_progress, never):
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*kept, path.name, ".vggt-1b.lock"])


def test_one_writer_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "PAUSE", 0.001)
    store, order, stages = Store(tmp_path), [], []
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with store.writing(VGGT, no_progress, never):
            (tmp_path / ".vggt-1b.safetensors-abc").write_bytes(b"being written")
            entered.set()
            assert leave.wait(10)
            order.append("first")

    def tell(stage: str, _: float) -> None:
        stages.append(stage)
        assert (tmp_path / ".vggt-1b.safetensors-abc").exists()  # not taken for one of a dead run
        leave.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    with store.writing(find_entry("dust3r-512-dpt"), no_progress, never):
        pass  # other weights have a lock of their own
    with store.writing(VGGT, tell, never):
        order.append("second")
    thread.join()
    assert order == ["first", "second"] and set(stages) == {"Waiting for another run"}


def test_waiting_can_be_cancelled(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing(VGGT, no_progress, never), pytest.raises(Cancelled), store.writing(VGGT, no_progress, always):
        pytest.fail("there are two writers")


def always() -> bool:
    return True


def test_a_killed_writer_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from vggt_addon.weights.store import Store;"
        "from vggt_addon.weights.catalogue import find_entry; from vggt_addon.progress import never, no_progress\n"
        "with Store(Path(sys.argv[1])).writing(find_entry('vggt-1b'), no_progress, never):\n"
        "    print('writing', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    with pytest.raises(Cancelled), Store(tmp_path).writing(VGGT, no_progress, always):
        pytest.fail("there are two writers")
    process.kill()
    process.communicate()
    with Store(tmp_path).writing(VGGT, no_progress, always):
        pass


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "_take", lambda _: False)
    (tmp_path / ".vggt-1b.safetensors-abc").write_bytes(b"perhaps being written")
    with Store(tmp_path).writing(VGGT, no_progress, never):
        assert (tmp_path / ".vggt-1b.safetensors-abc").exists()


def test_a_folder_that_takes_no_files_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "weights")
    with pytest.raises(WeightsError, match="could not be written"), store.writing(VGGT, no_progress, never):
        pytest.fail("it can be written")


def test_an_error_of_the_writer_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mine"), Store(tmp_path).writing(VGGT, no_progress, never):
        raise OSError("mine")


def test_too_little_space_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.check_space(tmp_path, 10)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3_100_000_000))
    with pytest.raises(WeightsError, match=r"5\.1 GB are needed in .*, and 3\.1 GB are free: free some"):
        disk.check_space(tmp_path, 5_000_000_000)


def test_looking_needs_no_library(tmp_path: Path) -> None:
    """The folder can be looked at before torch is installed."""
    program = (
        "import sys, json; from pathlib import Path; from vggt_addon.weights.store import Store;"
        "print(Store(Path(sys.argv[1])).require('vggt-1b').sha256); print(json.dumps(sorted(sys.modules)))"
    )
    put(Store(tmp_path))
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    sha256, modules = ended.stdout.splitlines()
    assert sha256 == "ab" * 32
    assert not {"torch", "safetensors", "huggingface_hub", "numpy"} & set(json.loads(modules))
