"""Downloads: continued, repeated, believed by their hash alone, and each failure said."""

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vggt_addon.errors import Cancelled, InstallError
from vggt_addon.progress import never, no_progress
from vggt_addon.runtime import fetch as fetching
from vggt_addon.runtime.fetch import fetch, fetch_all, with_sizes
from vggt_addon.runtime.index import find_file
from vggt_addon.runtime.locked import Wheel
from vggt_addon.runtime.network import Network
from vggt_addon.runtime.sources import Sources, configured

SIZE = 1_000_000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a network to recover."""
    monkeypatch.setattr(fetching, "_PAUSE", 0.01)


@pytest.fixture
def wheel(quiet_index: Any) -> Wheel:
    """A megabyte."""
    file = quiet_index.wheel("alpha", size=SIZE)
    content = quiet_index.files[file]
    url = f"{quiet_index.address}/files/{file}"
    return Wheel("alpha", "1.0", file, hashlib.sha256(content).hexdigest(), url, len(content))


@pytest.fixture
def network() -> Network:
    return Network(Sources())


def test_whole_and_then_not_again(wheel: Wheel, network: Network, tmp_path: Path, quiet_index: Any) -> None:
    told: list[int] = []
    path = fetch(wheel, tmp_path, network, told.append)
    assert path.read_bytes() == quiet_index.files[wheel.file]
    assert told == sorted(told)
    assert told[-1] == wheel.size
    fetch(wheel, tmp_path, network)
    assert len(quiet_index.asked) == 1
    assert [each.name for each in tmp_path.iterdir()] == [wheel.file]


def test_a_connection_that_breaks_is_continued(
    wheel: Wheel, network: Network, tmp_path: Path, quiet_index: Any
) -> None:
    quiet_index.broken_after = 400_000
    fetch(wheel, tmp_path, network)
    assert [asked for _, asked in quiet_index.asked] == ["", "bytes=400000-", "bytes=800000-"]


def test_what_is_begun_is_kept_for_the_next_time(
    wheel: Wheel, network: Network, tmp_path: Path, quiet_index: Any
) -> None:
    quiet_index.broken_after = 100_000
    with pytest.raises(InstallError, match="the download goes on from there"):
        fetch(wheel, tmp_path, network)
    assert (tmp_path / f"{wheel.file}.part").stat().st_size == 400_000
    quiet_index.broken_after = None
    fetch(wheel, tmp_path, network)
    assert quiet_index.asked[-1][1] == "bytes=400000-"


@pytest.mark.parametrize("begun", [SIZE + 100_000, 5_000_000])
def test_too_much_that_is_begun_is_dropped(wheel: Wheel, network: Network, tmp_path: Path, begun: int) -> None:
    for known in (wheel, replace(wheel, size=0)):
        (tmp_path / f"{wheel.file}.part").write_bytes(b"\0" * begun)
        path = fetch(known, tmp_path, network)
        path.unlink()


def test_what_is_not_as_promised_is_deleted(wheel: Wheel, network: Network, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="is not what was promised"):
        fetch(replace(wheel, sha256="0" * 64), tmp_path, network)
    assert not list(tmp_path.iterdir())


def test_a_begun_file_that_was_changed_is_noticed(wheel: Wheel, network: Network, tmp_path: Path) -> None:
    (tmp_path / f"{wheel.file}.part").write_bytes(b"\0" * 1000)
    with pytest.raises(InstallError, match="is not what was promised"):
        fetch(wheel, tmp_path, network)
    assert fetch(wheel, tmp_path, network).exists()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (403, "refused the download with the answer 403"),
        (407, "name and password"),
        (410, "does not offer"),
        (503, "cannot be reached"),
    ],
)
def test_answers_that_are_none(
    wheel: Wheel, network: Network, tmp_path: Path, quiet_index: Any, status: int, sentence: str
) -> None:
    quiet_index.status = status
    with pytest.raises(InstallError, match=sentence):
        fetch(wheel, tmp_path, network)


def test_a_local_file(wheel: Wheel, network: Network, tmp_path: Path, quiet_index: Any) -> None:
    source = tmp_path / "wheels with spaces"
    source.mkdir()
    (source / wheel.file).write_bytes(quiet_index.files[wheel.file])
    local = replace(wheel, url=(source / wheel.file).as_uri(), size=0)
    (sized,) = with_sizes([local], network, never)
    assert sized.size == wheel.size
    assert fetch(sized, tmp_path, network).read_bytes() == quiet_index.files[wheel.file]


def test_a_cancel_is_answered_while_the_network_is_slow(
    wheel: Wheel, network: Network, tmp_path: Path, quiet_index: Any
) -> None:
    quiet_index.seconds_a_block = 0.5
    asked = threading.Event()
    threading.Timer(0.3, asked.set).start()
    with pytest.raises(Cancelled):
        fetch_all([wheel], tmp_path, network, no_progress, asked.is_set)


def test_a_file_is_found_in_an_index_and_in_a_folder(
    wheel: Wheel, network: Network, tmp_path: Path, quiet_index: Any
) -> None:
    sources = configured()
    assert find_file("alpha", wheel.file, sources, network) == wheel.url
    (tmp_path / wheel.file).write_bytes(b"")
    folder = Sources(index="http://127.0.0.1:9/simple", find_links=(str(tmp_path),))
    assert find_file("alpha", wheel.file, folder, network) == (tmp_path / wheel.file).as_uri()
    with pytest.raises(InstallError, match="does not offer"):
        find_file("beta", "beta-1.0-py3-none-any.whl", sources, network)
    with pytest.raises(InstallError, match="cannot be reached"):
        find_file("beta", "beta-1.0-py3-none-any.whl", folder, network)
