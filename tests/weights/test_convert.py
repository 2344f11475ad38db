"""Conversion: the weights as they were, in the place of what was there or not at all."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from vggt_addon.engines.dust3r import network as dust3r_network
from vggt_addon.engines.vggt import network as vggt_network
from vggt_addon.errors import Cancelled, OutputExistsError, WeightsError
from vggt_addon.progress import never, no_progress
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.checkpoint import open_checkpoint
from vggt_addon.weights.convert import convert_file, derive
from vggt_addon.weights.disk import hash_file
from vggt_addon.weights.loading import load_weights
from vggt_addon.weights.networks import halved_names, recognise, rules
from vggt_addon.weights.store import Precision, Store

REPOSITORY = Path(__file__).parents[2]
COMMERCIAL = find_entry("vggt-1b-commercial")
HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@pytest.fixture(scope="module")
def small(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("weights/small.py")


@pytest.fixture(autouse=True)
def _shrunk(small: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vggt_network, "VGGT", small.make_vggt)
    monkeypatch.setattr(dust3r_network, "DUSt3R", small.make_dust3r)


@pytest.fixture
def vggt_file(small: ModuleType, tmp_path: Path) -> Path:
    written: Path = small.write(tmp_path / "model.pt", small.weights(small.make_vggt()))
    return written


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
@pytest.mark.parametrize("make", ["make_vggt", "make_dust3r"])
def test_every_number_arrives_in_its_own_dtype(small: ModuleType, tmp_path: Path, ending: str, make: str) -> None:
    network = getattr(small, make)()
    tensors = small.weights(network)
    tensors |= {name: tensor.half() for name, tensor in tensors.items() if name.endswith("norm1.bias")}
    path = small.write(tmp_path / f"model.{ending}", tensors)
    stored = convert_file(path, Store(tmp_path / "store"))
    assert stored.sha256 == hash_file(path, no_progress, never)
    assert stored.source == f"the file model.{ending}"
    assert stored.licence == stored.entry.licence
    assert names(stored.path.parent) == [stored.path.name]
    with torch.device("meta"):
        loaded = getattr(small, make)()
    load_weights(loaded, open_checkpoint(stored.path), rules(stored.entry.network))
    found = loaded.state_dict()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype, name


def test_dust3rs_second_names_are_not_stored_twice(small: ModuleType, tmp_path: Path) -> None:
    network = small.make_dust3r()
    tensors = small.weights(network)
    stored = convert_file(small.write(tmp_path / "model.pt", tensors), Store(tmp_path))
    assert len(open_checkpoint(stored.path).tensors) == len(list(network.parameters())) < len(tensors)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("make", ["make_vggt", "make_dust3r"])
def test_half_precision_is_what_the_network_itself_would_cast(
    small: ModuleType, tmp_path: Path, precision: Precision, make: str
) -> None:
    tensors = small.weights(getattr(small, make)())
    store = Store(tmp_path / "store")
    first = convert_file(small.write(tmp_path / "model.pt", tensors), store)
    half = derive(store, first.entry.id, precision)
    assert half.record == first.record and half.precision == precision
    networks: list[nn.Module] = []
    for path in (first.path, half.path):
        with torch.device("meta"):
            networks.append(getattr(small, make)())
        load_weights(networks[-1], open_checkpoint(path), rules(first.entry.network))
    networks[0].halve_blocks(HALVES[precision])  # type: ignore[operator]
    wanted, found = (network.state_dict() for network in networks)
    assert all(torch.equal(found[name], wanted[name]) and found[name].dtype == wanted[name].dtype for name in wanted)
    dtypes = {tensor.dtype for tensor in found.values()}
    assert dtypes == {torch.float32, HALVES[precision]}
    modified = half.path.stat().st_mtime_ns
    assert derive(store, first.entry.id, precision).path.stat().st_mtime_ns == modified


def test_a_half_precision_source_gives_float32_where_the_blocks_are_not(small: ModuleType, tmp_path: Path) -> None:
    tensors = {name: tensor.half() for name, tensor in small.weights(small.make_vggt()).items()}
    store = Store(tmp_path)
    first = convert_file(small.write(tmp_path / "model.pt", tensors), store)
    halved = halved_names("vggt", torch.bfloat16)
    for name, tensor in open_checkpoint(derive(store, first.entry.id, "bfloat16").path).tensors.items():
        assert tensor.dtype == (torch.bfloat16 if name in halved else torch.float32)


def test_a_number_too_large_for_float16_is_no_infinity(small: ModuleType, tmp_path: Path) -> None:
    tensors = small.weights(small.make_vggt())
    name = next(name for name in sorted(halved_names("vggt", torch.float16)) if name.endswith("weight"))
    tensors[name][0] = 7e4
    store = Store(tmp_path / "store")
    convert_file(small.write(tmp_path / "model.pt", tensors), store)
    with pytest.raises(WeightsError, match="numbers that float16 cannot hold: take bfloat16 instead"):
        derive(store, "vggt-1b", "float16")
    assert names(store.folder) == ["vggt-1b.safetensors"]
    derive(store, "vggt-1b", "bfloat16")


@pytest.mark.parametrize(
    ("heads", "title"),
    [
        (("camera", "depth", "point", "track"), "VGGT"),
        (("camera", "depth", "point"), "VGGT without point tracks"),
        (("camera", "depth"), "VGGT without the point map and point tracks"),
    ],
)
def test_what_a_file_is_for(small: ModuleType, tmp_path: Path, heads: tuple[str, ...], title: str) -> None:
    path = small.write(tmp_path / "model.pt", small.weights(small.make_vggt(heads)))
    assert recognise(open_checkpoint(path)).title == title
    assert convert_file(path, Store(tmp_path)).entry.id == "vggt-1b"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tensors: tensors.pop("camera_head.token_norm.weight"), "1 tensor is missing"),
        (lambda tensors: tensors.update(more=torch.ones(2)), "1 tensor is unknown to it (first: more)"),
        (lambda tensors: tensors.pop("track_head.tracker.fmap_norm.weight"), "1 tensor is missing"),
        (lambda tensors: [tensors.pop(name) for name in list(tensors) if "depth_head" in name], "no weights for depth"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    small: ModuleType, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], object], sentence: str
) -> None:
    tensors = small.weights(small.make_vggt())
    change(tensors)
    with pytest.raises(WeightsError) as caught:
        convert_file(small.write(tmp_path / "model.pt", tensors), Store(tmp_path / "store"))
    assert sentence in caught.value.sentence and caught.value.sentence.startswith(str(tmp_path / "model.pt"))
    assert not (tmp_path / "store").exists()


def test_another_networks_file_is_refused(small: ModuleType, tmp_path: Path) -> None:
    path = small.write(tmp_path / "resnet.pt", {"layer1.weight": torch.ones(3, 3)})
    with pytest.raises(WeightsError, match=r"resnet.pt holds weights of another network than VGGT or DUSt3R"):
        convert_file(path, Store(tmp_path / "store"))
    path = small.write(tmp_path / "dust3r.pt", small.weights(small.make_dust3r()))
    with pytest.raises(WeightsError, match=r"dust3r.pt holds the weights of DUSt3R, not of vggt-1b-commercial"):
        convert_file(path, Store(tmp_path / "store"), COMMERCIAL)


def test_the_artist_says_which_it_is(vggt_file: Path, tmp_path: Path) -> None:
    stored = convert_file(vggt_file, Store(tmp_path / "store"), COMMERCIAL)
    assert stored.path.name == "vggt-1b-commercial.safetensors" and stored.licence == COMMERCIAL.licence


def test_the_same_file_again_changes_nothing(vggt_file: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    modified = convert_file(vggt_file, store).path.stat().st_mtime_ns
    assert convert_file(vggt_file, store).path.stat().st_mtime_ns == modified


def test_other_weights_only_when_that_is_wanted(small: ModuleType, vggt_file: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first = convert_file(vggt_file, store)
    derive(store, "vggt-1b", "bfloat16")
    other = small.write(tmp_path / "other.pt", small.weights(small.make_vggt(), seed=1))
    with pytest.raises(OutputExistsError, match=r"vggt-1b is already stored, from the file model.pt: say that it"):
        convert_file(other, store)
    assert store.require("vggt-1b") == first
    assert convert_file(other, store, replace=True).sha256 != first.sha256
    assert names(store.folder) == ["vggt-1b.safetensors"]  # the half-precision file was of the other weights
    derive(store, "vggt-1b", "bfloat16")


def test_a_file_of_the_store_is_not_converted_into_itself(vggt_file: Path, tmp_path: Path) -> None:
    stored = convert_file(vggt_file, Store(tmp_path / "store"))
    before = stored.path.read_bytes()
    with pytest.raises(WeightsError, match="is itself in the store"):
        convert_file(stored.path, Store(tmp_path / "store"), replace=True)
    assert stored.path.read_bytes() == before


def test_a_damaged_file_of_the_store_is_replaced(vggt_file: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    stored = convert_file(vggt_file, store)
    whole = stored.path.read_bytes()
    stored.path.write_bytes(whole[:-1])
    with pytest.raises(WeightsError, match="is damaged: delete it"):
        convert_file(vggt_file, store)
    convert_file(vggt_file, store, replace=True)
    assert stored.path.read_bytes() == whole


class Stop:
    """A cancel that says yes once `stage` was told."""

    def __init__(self, stage: str) -> None:
        self.stage, self.seen = stage, False

    def tell(self, stage: str, fraction: float) -> None:
        assert 0 <= fraction <= 1
        self.seen = self.seen or stage == self.stage

    def cancel(self) -> bool:
        return self.seen


@pytest.mark.parametrize("stage", ["Checking the file", "Writing the weights"])
def test_cancel_in_each_stage(
    small: ModuleType, vggt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr("vggt_addon.weights.disk.BLOCK", 1000)
    store, stop = Store(tmp_path / "store"), Stop(stage)
    with pytest.raises(Cancelled):
        convert_file(vggt_file, store, progress=stop.tell, cancel=stop.cancel)
    assert stop.seen and (not store.folder.exists() or names(store.folder) == [])
    convert_file(vggt_file, store)


def test_cancel_while_a_half_precision_file_is_made(vggt_file: Path, tmp_path: Path) -> None:
    store, stop = Store(tmp_path / "store"), Stop("Writing the weights")
    convert_file(vggt_file, store)
    with pytest.raises(Cancelled):
        derive(store, "vggt-1b", "bfloat16", progress=stop.tell, cancel=stop.cancel)
    assert names(store.folder) == ["vggt-1b.safetensors"]
    derive(store, "vggt-1b", "bfloat16")


@pytest.fixture
def limited() -> Iterator[Callable[[int], None]]:
    """Sets how long a file may become; what is beyond, the system refuses as on a full disk."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up(vggt_file: Path, tmp_path: Path, limited: Callable[[int], None]) -> None:
    store = Store(tmp_path / "store")
    size = vggt_file.stat().st_size
    limited(size // 2)
    with pytest.raises(WeightsError, match=r"^The disk is full, so .*vggt-1b.safetensors could not be written: free"):
        convert_file(vggt_file, store)
    assert names(store.folder) == []
    limited(2 * size)
    convert_file(vggt_file, store)
    limited(size // 4)
    with pytest.raises(WeightsError, match="The disk is full"):
        derive(store, "vggt-1b", "float16")
    assert names(store.folder) == ["vggt-1b.safetensors"]


def test_too_little_space_is_said_before_any_work(
    vggt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=50_000_000))
    with pytest.raises(WeightsError, match=r"GB are needed in .*store, and 0\.1 GB are free"):
        convert_file(vggt_file, Store(tmp_path / "store"))
    assert names(tmp_path / "store") == []


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_a_source_that_becomes_shorter_is_a_sentence(small: ModuleType, tmp_path: Path, ending: str) -> None:
    """As a network drive that is lost: through the map of the file, the system would end the process."""
    path = small.write(tmp_path / f"model.{ending}", small.weights(small.make_vggt()))
    store = Store(tmp_path / "store")

    def cut(stage: str, _: float) -> None:
        if stage == "Writing the weights":
            os.truncate(path, 8192)

    with pytest.raises(WeightsError, match=r"became shorter while it was read|changed while it was read"):
        convert_file(path, store, progress=cut)
    assert names(store.folder) == []


def test_a_source_that_changes_is_noticed(small: ModuleType, vggt_file: Path, tmp_path: Path) -> None:
    """What is recorded is the sha256 of what was stored."""

    def change(stage: str, fraction: float) -> None:
        if stage == "Checking the file" and fraction >= 0.2:
            small.write(vggt_file, small.weights(small.make_vggt(), seed=1))

    with pytest.raises(WeightsError, match="changed while it was read: try again"):
        convert_file(vggt_file, Store(tmp_path / "store"), progress=change)
    assert names(tmp_path / "store") == []


def test_a_source_that_goes_away_is_a_sentence(vggt_file: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model.pt cannot be read: No such file"):
        convert_file(
            vggt_file,
            Store(tmp_path / "store"),
            progress=lambda stage, _: vggt_file.unlink() if stage == "Checking the file" else None,
        )
    assert names(tmp_path / "store") == []


def test_a_store_that_goes_away_is_a_sentence(vggt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", gone)
    with pytest.raises(WeightsError, match=r"vggt-1b.safetensors could not be written: Input/output error"):
        convert_file(vggt_file, Store(tmp_path / "store"))
    assert names(tmp_path / "store") == []


# A process with everything loaded. Its children convert `new` over the store's file and say when they come to a step
# chosen at random; a random moment later they are killed.
KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]) / "tests" / "weights")]
import small, torch
from vggt_addon.weights import saving
from vggt_addon.weights.convert import convert_file
from vggt_addon.weights.store import Precision, Store
torch.set_num_threads(1)
small.shrink(small.make_medium_vggt)
saving.FLUSH = 1_000_000
folder = Path(sys.argv[2])
store = Store(folder / "store")
steps = []

def convert(name):
    convert_file(folder / name, store, replace=True, progress=lambda stage, fraction: steps.append(fraction))
    return (store.folder / "vggt-1b.safetensors").read_bytes()

new, old = convert("new.pt"), convert("old.pt")
count = len(steps) // 2
chance = random.Random(0)
for trial in range(10):
    chosen = int(count * (trial + chance.random()) / 10)
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        told = []
        def tell(stage, fraction):
            told.append(fraction)
            if len(told) == chosen + 1:
                os.write(writer, b"x")
        convert_file(folder / "new.pt", store, replace=True, progress=tell)
        os._exit(0)
    assert os.read(reader, 1) == b"x"
    time.sleep(0.002 * chance.random())
    os.kill(process, signal.SIGKILL)
    ended = os.waitpid(process, 0)[1]
    found = (store.folder / "vggt-1b.safetensors").read_bytes()
    left = sum(".safetensors-" in path.name for path in store.folder.iterdir())
    content = "old" if found == old else "new" if found == new else "BROKEN"
    print("killed" if os.WIFSIGNALED(ended) else "done", content, left)
    store.require("vggt-1b")
    assert convert("old.pt") == old
print(sorted(path.name for path in store.folder.iterdir()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_the_file_is_the_old_one_or_the_new(small: ModuleType, tmp_path: Path) -> None:
    for seed, name in enumerate(("old", "new")):
        small.write(tmp_path / f"{name}.pt", small.weights(small.make_medium_vggt(), seed))
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(REPOSITORY), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    *trials, last = ended.stdout.splitlines()
    assert len(trials) == 10 and not [trial for trial in trials if "BROKEN" in trial], trials
    assert trials.count("killed old 1") >= 3, trials  # in the midst of writing; the rest before, or just after
    assert last == "['.vggt-1b.lock', 'vggt-1b.safetensors']"
