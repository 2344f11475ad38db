"""Downloads from a hub on this machine: whole and checked or not at all, and what is said of whatever goes wrong."""

import hashlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from vggt_addon.engines.vggt import network as vggt_network
from vggt_addon.errors import Cancelled, OutputExistsError, WeightsError
from vggt_addon.weights import hub as hub_module
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.disk import hash_file
from vggt_addon.weights.download import download, find_token
from vggt_addon.weights.store import Store

REPOSITORY = Path(__file__).parents[2]
VGGT, COMMERCIAL = find_entry("vggt-1b"), find_entry("vggt-1b-commercial")
TOKEN = "hf_abcDEF123"


@pytest.fixture(scope="module")
def small(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("weights/small.py")


@pytest.fixture(autouse=True)
def _quick(small: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vggt_network, "VGGT", small.make_vggt)
    monkeypatch.setattr(hub_module, "PAUSE", 0.001)
    monkeypatch.setattr(hub_module, "BLOCK", 4096)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def content(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("published") / "model.pt"
    small.write(path, small.weights(small.make_vggt()))
    return path.read_bytes()


@pytest.fixture
def hub(helper: Callable[[str], ModuleType], content: bytes) -> Iterator[Any]:
    with helper("weights/fake_hub.py").FakeHub(content).serving() as serving:
        yield serving


def fetched(hub: Any, store: Store, **options: Any) -> Any:
    return download(options.pop("entry", VGGT), store, endpoint=hub.address, **options)


def refused(hub: Any, store: Store, **options: Any) -> str:
    with pytest.raises(WeightsError) as caught:
        fetched(hub, store, **options)
    assert TOKEN not in caught.value.sentence + caught.value.detail
    assert caught.value.sentence.endswith(".") and "\n" not in caught.value.sentence
    return caught.value.sentence


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def part(store: Store) -> Path:
    (found,) = store.folder.glob(".*.part")
    return found


def test_what_arrives_is_checked_and_converted(hub: Any, content: bytes, tmp_path: Path) -> None:
    store, told = Store(tmp_path / "store"), []
    stored = fetched(hub, store, progress=lambda stage, fraction: told.append((stage, fraction)))
    (tmp_path / "again.pt").write_bytes(content)
    assert stored.sha256 == hash_file(tmp_path / "again.pt", lambda *_: None, lambda: False)
    assert stored.source == "facebook/VGGT-1B/model.safetensors of revision 0123456789abcdef0123456789abcdef01234567"
    assert names(store.folder) == ["vggt-1b.safetensors"]
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert [request.path for request in hub.asked("HEAD")] == ["/facebook/VGGT-1B/resolve/main/model.safetensors"]
    assert "resolve/0123456789abcdef" in hub.asked("GET")[0].path  # this very revision
    assert {request.token for request in hub.requests} == {None}
    asked = len(hub.requests)
    assert fetched(hub, store) == stored and len(hub.requests) == asked  # it is there: nothing is asked


def test_the_file_as_published_can_be_kept(hub: Any, content: bytes, tmp_path: Path) -> None:
    keep = tmp_path / "kept" / "model.safetensors"
    fetched(hub, Store(tmp_path / "store"), keep=keep)
    assert keep.read_bytes() == content and names(tmp_path / "store") == ["vggt-1b.safetensors"]
    with pytest.raises(OutputExistsError, match="already exists"):
        fetched(hub, Store(tmp_path / "other"), keep=keep)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_made_again(hub: Any, content: bytes, tmp_path: Path, ranges: bool) -> None:
    hub.ranges = ranges
    hub.cuts = [len(content) // 4, 1, 0, len(content) // 4]
    fetched(hub, Store(tmp_path))
    begins = [request.begin for request in hub.asked("GET") if request.content_host]
    assert len(begins) == 5 and begins[0] == 0 and begins[1] > 0


def test_passing_refusals_are_waited_out(hub: Any, tmp_path: Path) -> None:
    hub.answers = [503, 429, 416, 200]
    fetched(hub, Store(tmp_path))


def test_it_gives_up_in_the_end_and_goes_on_next_time(hub: Any, content: bytes, tmp_path: Path) -> None:
    store = Store(tmp_path)
    hub.cuts = [len(content) // 2] + [0] * 20
    said = refused(hub, store)
    assert "cannot be reached, or the connection broke" in said and "the download goes on from there" in said
    begun = part(store).stat().st_size
    assert 0 < begun <= len(content) // 2
    assert len([request for request in hub.asked("GET") if request.content_host]) <= 1 + hub_module.FRUITLESS
    hub.cuts, hub.requests = [], []
    fetched(hub, store)
    assert [request.begin for request in hub.asked("GET") if request.content_host] == [begun]


def test_a_hub_that_drips_is_left_after_a_while(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection brings something, so none is fruitless."""
    monkeypatch.setattr(hub_module, "CONNECTIONS", 10)
    hub.cuts = [4096] * 100
    assert "the connection broke" in refused(hub, Store(tmp_path))
    assert len([request for request in hub.asked("GET") if request.content_host]) == 10


def test_a_killed_download_goes_on(hub: Any, content: bytes, tmp_path: Path) -> None:
    hub.stalled = threading.Event()
    program = (
        "import sys; from pathlib import Path; from vggt_addon.weights import hub; hub.BLOCK = 4096\n"
        "from vggt_addon.weights.download import download; from vggt_addon.weights.store import Store\n"
        "from vggt_addon.weights.catalogue import find_entry\n"
        "download(find_entry('vggt-1b'), Store(Path(sys.argv[1])), endpoint=sys.argv[2])"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), hub.address], cwd=REPOSITORY)
    assert hub.stalled.wait(60)
    store = Store(tmp_path)
    wait_until(lambda: any(path.stat().st_size >= 4096 for path in tmp_path.glob(".*.part")))
    process.kill()
    process.wait()
    begun = part(store).stat().st_size
    hub.stalled, hub.requests = None, []
    fetched(hub, store)
    assert [request.begin for request in hub.asked("GET") if request.content_host] == [begun]


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came to that")


def test_a_beginning_that_was_spoilt_is_noticed_and_fetched_again(hub: Any, content: bytes, tmp_path: Path) -> None:
    store = Store(tmp_path)
    hub.cuts = [len(content) // 2] + [0] * 20
    refused(hub, store)
    spoilt = part(store)
    spoilt.write_bytes(b"\0" * spoilt.stat().st_size)
    hub.cuts = []
    said = refused(hub, store)
    assert "is not what https://huggingface.co/facebook/VGGT-1B promises, and was deleted" in said
    assert names(tmp_path) == []
    fetched(hub, store)


def test_a_beginning_longer_than_the_file_is_no_beginning(hub: Any, content: bytes, tmp_path: Path) -> None:
    store = Store(tmp_path)
    hub.cuts = [len(content) // 2] + [0] * 20
    refused(hub, store)
    with part(store).open("ab") as file:
        file.write(content)
    hub.cuts = []
    fetched(hub, store)


def test_wrong_content_is_deleted(hub: Any, tmp_path: Path) -> None:
    hub.sha256 = "ab" * 32
    assert "promises, and was deleted: download it again" in refused(hub, Store(tmp_path))
    assert names(tmp_path) == []
    hub.sha256 = ""
    fetched(hub, Store(tmp_path))


@pytest.mark.parametrize("more", [-5000, 5000])
def test_wrong_length_is_no_hubs_answer(hub: Any, content: bytes, tmp_path: Path, more: int) -> None:
    hub.size = len(content) + more
    said = refused(hub, Store(tmp_path))
    assert "does not answer as the hub does" in said or "the connection broke" in said
    assert names(tmp_path) in ([], [part(Store(tmp_path)).name])


def test_another_file_than_the_known_one_is_not_fetched(hub: Any, tmp_path: Path) -> None:
    said = refused(hub, Store(tmp_path), entry=replace(VGGT, sha256="ab" * 32))
    assert "offers another file than the one known as vggt-1b" in said
    assert not hub.asked("GET")


def test_a_begun_download_of_an_older_revision_goes_away(hub: Any, tmp_path: Path) -> None:
    store = Store(tmp_path)
    older = store.part(VGGT, "ab" * 32)
    other = store.part(COMMERCIAL, "ab" * 32)
    older.write_bytes(b"older")
    other.write_bytes(b"other")
    fetched(hub, store)
    assert names(tmp_path) == [other.name, "vggt-1b.safetensors"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_nothing_is_written_through_a_link_in_the_folder(hub: Any, content: bytes, tmp_path: Path) -> None:
    store, precious = Store(tmp_path / "store"), tmp_path / "precious"
    store.folder.mkdir()
    precious.write_bytes(b"precious")
    store.part(VGGT, hashlib.sha256(content).hexdigest()).symlink_to(precious)
    fetched(hub, store)
    assert precious.read_bytes() == b"precious"
    assert names(store.folder) == ["vggt-1b.safetensors"]


@pytest.mark.parametrize("make", ["make_dust3r", "nothing"])
def test_other_weights_than_promised_are_deleted(
    small: ModuleType, hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: str
) -> None:
    if make == "nothing":
        hub.content = b"<html>log in</html>"
    else:
        monkeypatch.setattr("vggt_addon.engines.dust3r.network.DUSt3R", small.make_dust3r)
        hub.content = small.write(tmp_path / "dust3r.pt", small.weights(small.make_dust3r())).read_bytes()
    said = refused(hub, Store(tmp_path / "store"))
    assert "is not vggt-1b but DUSt3R" in said if make == "make_dust3r" else "is a web page" in said
    assert names(tmp_path / "store") == []


def test_no_network_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"127.0.0.1:9 cannot be reached.*check the network"):
        download(VGGT, Store(tmp_path), endpoint="http://127.0.0.1:9")


def test_switched_off_is_a_sentence(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "take HF_HUB_OFFLINE out of the environment" in refused(hub, Store(tmp_path))


def test_no_hub_is_a_sentence(hub: Any, tmp_path: Path) -> None:
    hub.anonymous = True
    assert "does not answer as the hub does: perhaps the network wants a login first" in refused(hub, Store(tmp_path))


@pytest.mark.parametrize(
    ("status", "error", "token", "said"),
    [
        (
            401,
            "GatedRepo",
            None,
            "accept the terms at https://huggingface.co/facebook/VGGT-1B-Commercial, make a token",
        ),
        (
            403,
            "GatedRepo",
            None,
            "accept the terms at https://huggingface.co/facebook/VGGT-1B-Commercial, make a token",
        ),
        (401, "", TOKEN, "does not know the token: make a new one at https://huggingface.co/settings/tokens"),
        (403, "GatedRepo", TOKEN, "knows the token, but its account has no access to vggt-1b-commercial: accept the"),
        (403, "", TOKEN, "knows the token, but its account has no access"),
        (404, "RepoNotFound", TOKEN, "no longer has vggt_1B_commercial.pt"),
        (404, "EntryNotFound", TOKEN, "no longer has vggt_1B_commercial.pt"),
        (503, "", TOKEN, "is too busy or out of order (answer 503)"),
        (418, "", TOKEN, "refused the download with the answer 418"),
    ],
)
def test_each_refusal_has_its_sentence(
    hub: Any, tmp_path: Path, status: int, error: str, token: str | None, said: str
) -> None:
    hub.status, hub.error = status, error
    assert said in refused(hub, Store(tmp_path), entry=COMMERCIAL, token=token)
    assert names(tmp_path) == []


def test_the_token_goes_to_the_hub_alone(hub: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)  # as the command line's log has it
    hub.token = TOKEN
    fetched(hub, Store(tmp_path), entry=COMMERCIAL, token=TOKEN)
    for request in hub.requests:
        assert request.token == (None if request.content_host else f"Bearer {TOKEN}")
    assert TOKEN not in caplog.text and "signature=secret" not in caplog.text


def test_a_gated_file_without_and_with_a_wrong_token(hub: Any, tmp_path: Path) -> None:
    hub.token = TOKEN
    assert "make a token" in refused(hub, Store(tmp_path), entry=COMMERCIAL)
    assert "does not know the token" in refused(hub, Store(tmp_path), entry=COMMERCIAL, token="hf_wrong")


def test_where_the_token_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "nothing"))
    assert find_token(None) is None
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert find_token(None) == TOKEN
    (tmp_path / "token").write_text(" hf_file\n")
    assert find_token(tmp_path / "token") == "hf_file"
    for content in (b"", b"two\nlines", b"\xff\xfe", b"a" * 5000, b"Bearer x", "ключ".encode()):
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            find_token(tmp_path / "token")
        assert caught.value.sentence.startswith(f"{tmp_path / 'token'} does not hold a token")
    monkeypatch.setenv("HF_TOKEN", "two words")
    with pytest.raises(WeightsError, match=r"HF_TOKEN, or what .* does not hold a token") as caught:
        find_token(None)
    assert "two words" not in caught.value.sentence
    with pytest.raises(WeightsError, match="The token could not be read from"):
        find_token(tmp_path)


def test_cancel_is_answered_though_nothing_arrives(hub: Any, content: bytes, tmp_path: Path) -> None:
    hub.stalled = threading.Event()
    begun = 0.0

    def cancel() -> bool:
        nonlocal begun
        if hub.stalled is not None and hub.stalled.is_set():
            begun = begun or time.monotonic()
            return True
        return False

    store = Store(tmp_path)
    with pytest.raises(Cancelled):
        fetched(hub, store, cancel=cancel)
    assert time.monotonic() - begun < 1
    hub.leave.set()
    assert 0 < part(store).stat().st_size < len(content)
    hub.stalled = None
    fetched(hub, store)


@pytest.mark.parametrize("stage", ["Asking the hub", "Downloading", "Checking the file", "Writing the weights"])
def test_cancel_in_each_stage(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    monkeypatch.setattr("vggt_addon.weights.disk.BLOCK", 1000)
    monkeypatch.setattr("vggt_addon.weights.background.LOOK", 0.0001)
    seen = False

    def tell(told: str, _: float) -> None:
        nonlocal seen
        seen = seen or told.startswith(stage)

    store = Store(tmp_path)
    with pytest.raises(Cancelled):
        fetched(hub, store, progress=tell, cancel=lambda: seen)
    assert not [name for name in names(tmp_path) if not name.endswith(".part")]
    asked = len(hub.asked("GET"))
    fetched(hub, store)
    if stage in ("Checking the file", "Writing the weights"):
        assert len(hub.asked("GET")) == asked  # all of it was there


def test_too_little_space_is_said_before_the_download(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100_000))
    assert "free some space, or choose a folder on another disk" in refused(hub, Store(tmp_path))
    assert not hub.asked("GET")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_fills_up(hub: Any, content: bytes, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, before[1]))
    try:
        assert refused(hub, Store(tmp_path)).startswith("The disk is full, so ")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    fetched(hub, Store(tmp_path))
    assert names(tmp_path) == ["vggt-1b.safetensors"]


def test_two_at_once_fetch_it_once(hub: Any, tmp_path: Path) -> None:
    store, results = Store(tmp_path), []
    threads = [threading.Thread(target=lambda: results.append(fetched(hub, store))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2 and results[0] == results[1]
    assert len(hub.asked("HEAD")) == 1


def test_without_the_library_it_says_what_to_do(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    said = refused(hub, Store(tmp_path))
    assert "install it, or download model.safetensors from https://huggingface.co/facebook/VGGT-1B by hand" in said


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    program = "import sys, vggt_addon.weights.download; sys.exit('huggingface_hub' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True, env=os.environ)
