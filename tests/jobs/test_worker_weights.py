"""Getting weights is a job like others: from a hub on this machine, and from a file, in small networks."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vggt_addon.engines.vggt import network as vggt_network
from vggt_addon.jobs.protocol import Cancelled, Done, Event, Failed, GetWeights, Progress
from vggt_addon.jobs.warm import WarmEngines
from vggt_addon.jobs.worker_reporter import Reporter
from vggt_addon.jobs.worker_tasks import perform
from vggt_addon.progress import Cancel, never
from vggt_addon.weights import download
from vggt_addon.weights.store import VARIABLE, Store


@pytest.fixture(scope="module")
def small(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("weights/small.py")


@pytest.fixture
def file(small: ModuleType, tmp_path: Path) -> Path:
    small.write(tmp_path / "mine.pt", small.weights(small.make_vggt()))
    return tmp_path / "mine.pt"


@pytest.fixture
def store(small: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The worker's store, as its environment says."""
    monkeypatch.setattr(vggt_network, "VGGT", small.make_vggt)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return Store(tmp_path / "store")


@pytest.fixture
def hub(helper: Callable[[str], ModuleType], file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with helper("weights/fake_hub.py").FakeHub(file.read_bytes()).serving() as serving:
        # By the argument: the hub's library reads HF_ENDPOINT once in a process.
        monkeypatch.setattr(download, "download", partial(download.download, endpoint=serving.address))
        yield serving


def asked(cancel: Cancel = never, **fields: Any) -> list[Event]:
    job = GetWeights(**{"job": "1", "weights": "vggt-1b", "file": "", "token_file": "", "replace": False, **fields})
    told: list[Event] = []
    perform(job, told.append, Reporter(told.append, "1"), cancel, WarmEngines())
    return told


def test_they_are_downloaded(hub: Any, store: Store) -> None:
    told = asked()
    assert told[-1] == Done("1", "")
    fractions = [event.fraction for event in told if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and fractions
    stored = store.require("vggt-1b")
    assert "facebook/VGGT-1B" in stored.source
    assert {request.token for request in hub.requests} == {None}


def test_a_token_is_sent_where_it_is_named(hub: Any, store: Store, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_abcDEF123\n")
    assert asked(token_file=str(tmp_path / "token"))[-1] == Done("1", "")
    assert hub.asked("HEAD")[0].token == "Bearer hf_abcDEF123"


def test_a_file_that_the_artist_has_is_taken(store: Store, file: Path) -> None:
    assert asked(file=str(file))[-1] == Done("1", "")
    assert store.require("vggt-1b").source == "the file mine.pt"


def test_others_under_the_same_name_stay_unless_they_are_to_be_replaced(
    store: Store, file: Path, small: ModuleType
) -> None:
    asked(file=str(file))
    before = store.require("vggt-1b")
    small.write(file, {name: tensor + 1 for name, tensor in small.weights(small.make_vggt()).items()})
    failed = asked(file=str(file))[-1]
    assert isinstance(failed, Failed) and "already stored" in failed.sentence
    assert store.require("vggt-1b") == before
    assert asked(file=str(file), replace=True)[-1] == Done("1", "")
    assert store.require("vggt-1b").sha256 != before.sha256


def test_what_goes_wrong_is_a_sentence(store: Store, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"file": str(tmp_path / "notes.txt")}, "notes.txt"),
        ({"file": str(tmp_path / "gone.pt")}, "gone.pt"),
        ({"weights": "magic"}, "no weights called magic"),
    )
    for fields, words in cases:
        failed = asked(**fields)[-1]
        assert isinstance(failed, Failed) and words in failed.sentence
    assert store.find("vggt-1b") is None


def test_a_cancel_is_heard(hub: Any, store: Store) -> None:
    assert asked(cancel=lambda: True)[-1] == Cancelled("1")
    assert store.find("vggt-1b") is None
