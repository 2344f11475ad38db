"""VGGT's weights from the store: which file is taken, in which precision the network stands, and what stays mapped."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from vggt_addon.engines.layers.chunks import Chunks, no_step
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.stored_weights import find_weights
from vggt_addon.engines.vggt import load as load_module
from vggt_addon.engines.vggt.load import HEADS, Loaded, load, weights_memory
from vggt_addon.engines.vggt.network import VGGT
from vggt_addon.errors import WeightsError
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.checkpoint import open_checkpoint
from vggt_addon.weights.convert import derive, write_source
from vggt_addon.weights.saving import save_checkpoint
from vggt_addon.weights.store import Store, StoredWeights, default_folder

PROCESSOR = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
CHUNKS = Chunks()
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
Put = Callable[..., StoredWeights]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def put(store: Store, networks: ModuleType, tmp_path: Path) -> Put:
    """Store the reduced network's weights as `id`, as the converter does, in this dtype."""

    def write(id: str = "vggt-1b", dtype: str = "float32", sha256: str = "a" * 64) -> StoredWeights:
        tensors = {name: tensor.to(DTYPES[dtype]) for name, tensor in networks.weights("vggt").items()}
        file = tmp_path / f"{id}.{dtype}.safetensors"
        save_checkpoint(file, tensors, {"format": "pt"})
        entry = find_entry(id)
        store.folder.mkdir(exist_ok=True)
        write_source(open_checkpoint(file), store, entry, "a test", sha256, lambda *_: None, lambda: False)
        return store.require(id)

    return write


@pytest.fixture
def stand(networks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[StoredWeights, str], VGGT]:
    """The network that `load` makes, with the reduced sizes."""
    made: list[VGGT] = []

    class Kept(VGGT):
        def to(self, *arguments: object, **options: object) -> "Kept":
            made.append(self)
            return self

    def stand(stored: StoredWeights, dtype: str) -> VGGT:
        with monkeypatch.context() as patch:
            patch.setattr(load_module, "VGGT", Kept)
            load(stored, PROCESSOR, DTYPES[dtype], networks.VGGT_SMALL)
        return made[-1]

    return stand


# --- which file


def find(store: Store, weights: str = "", dtype: str = "float32") -> Path:
    return find_weights("vggt", weights, str(store.folder), DTYPES[dtype]).path


def test_weights_are_found_by_their_id_or_in_the_catalogues_order(store: Store, put: Put) -> None:
    commercial = put("vggt-1b-commercial")
    assert find(store) == commercial.path
    first = put("vggt-1b")
    assert find(store) == first.path
    assert find(store, "vggt-1b-commercial") == commercial.path


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_a_half_precision_file_is_taken_where_the_blocks_compute_in_it(store: Store, put: Put, half: str) -> None:
    source = put("vggt-1b")
    assert find(store, dtype=half) == source.path, "the source serves where there is no such file"
    derived = derive(store, "vggt-1b", half)  # type: ignore[arg-type]
    assert find(store, dtype=half) == derived.path != source.path
    assert find(store, "vggt-1b", half) == derived.path
    assert find(store) == source.path
    assert find(store, dtype={"bfloat16": "float16", "float16": "bfloat16"}[half]) == source.path


def test_half_precision_of_the_first_comes_before_the_source_of_the_second(store: Store, put: Put) -> None:
    put("vggt-1b-commercial")
    derive(store, "vggt-1b-commercial", "bfloat16")
    first = put("vggt-1b")
    assert find(store, dtype="bfloat16") == first.path


def test_weights_that_are_not_there_are_told_with_how_to_get_them(store: Store, put: Put) -> None:
    with pytest.raises(WeightsError) as caught:
        find(store)
    sentence = caught.value.sentence
    assert str(store.folder) in sentence
    assert "`weights download vggt-1b`" in sentence and "`weights convert`" in sentence
    put("vggt-1b")
    with pytest.raises(WeightsError, match=r"vggt-1b-commercial is not in .*`weights download vggt-1b-commercial`"):
        find(store, "vggt-1b-commercial")
    with pytest.raises(WeightsError, match="no weights called mine: choose one of"):
        find(store, "mine")


def test_weights_of_another_network_are_told(store: Store, put: Put) -> None:
    with pytest.raises(WeightsError, match="dust3r-512-dpt are weights of another network"):
        find(store, "dust3r-512-dpt")  # and not how to download what is of no use here
    put("dust3r-512-dpt")
    with pytest.raises(WeightsError, match="dust3r-512-dpt are weights of another network"):
        find(store, "dust3r-512-dpt")
    with pytest.raises(WeightsError, match="VGGT's weights are not in"):
        find(store)


def test_the_folder_is_the_users_unless_another_is_named(
    store: Store, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = put("vggt-1b")
    monkeypatch.setenv("VGGT_ADDON_WEIGHTS", str(store.folder))
    assert default_folder() == store.folder
    assert find_weights("vggt", "", "", torch.float32).path == stored.path


# --- what becomes of them


def mapped(path: Path, tensor: Tensor) -> bool:
    """Whether the tensor's numbers lie in the mapped file."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if line.endswith(str(path)):
            first, end = (int(address, 16) for address in line.split()[0].split("-"))
            if first <= tensor.data_ptr() < end:
                return True
    return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux lists what is mapped")


def expected_dtypes(networks: ModuleType, dtype: str) -> dict[str, torch.dtype]:
    """By the rule itself: encoder and blocks' linear layers, with their biases, in half precision; all else float32."""
    layers = networks.make_vggt(heads=HEADS).named_modules()
    halved = [name for name, layer in layers if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)]
    inside = tuple(f"{name}." for name in halved if name.startswith("aggregator."))
    names = networks.make_vggt(heads=HEADS).state_dict()
    return {name: DTYPES[dtype] if name.startswith(inside) else torch.float32 for name in names}


@linux
def test_what_has_its_dtype_already_stays_in_the_file(
    put: Put, stand: Callable[[StoredWeights, str], VGGT], networks: ModuleType
) -> None:
    stored = put()
    network = stand(stored, "float32")
    tensors = network.state_dict()
    assert tensors.keys() == networks.make_vggt(heads=HEADS).state_dict().keys(), "no heads that nobody asked for"
    for name, tensor in tensors.items():
        assert tensor.dtype == torch.float32 and mapped(stored.path, tensor), name
        assert torch.equal(tensor, networks.weights("vggt")[name])


@linux
@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_a_half_precision_file_stays_mapped_too(
    store: Store, put: Put, stand: Callable[[StoredWeights, str], VGGT], networks: ModuleType, half: str
) -> None:
    put()
    stored = derive(store, "vggt-1b", half)  # type: ignore[arg-type]
    tensors = stand(stored, half).state_dict()
    wanted = expected_dtypes(networks, half)
    assert {name: tensor.dtype for name, tensor in tensors.items()} == wanted
    assert len(set(wanted.values())) == 2
    assert all(mapped(stored.path, tensor) for tensor in tensors.values())


@pytest.mark.parametrize("stored_in", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("half", ["bfloat16", "float16", "float32"])
def test_from_any_source_the_blocks_are_in_the_dtype_that_was_asked_for(
    put: Put, stand: Callable[[StoredWeights, str], VGGT], networks: ModuleType, stored_in: str, half: str
) -> None:
    """A source in half precision is widened where the network computes in float32: its numbers stay what they are."""
    network = stand(put(dtype=stored_in), half)
    wanted = expected_dtypes(networks, half)
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == wanted[name], name
        source = networks.weights("vggt")[name].to(DTYPES[stored_in])
        assert torch.equal(tensor, source.to(wanted[name])), name
    assert not any(parameter.requires_grad for parameter in network.parameters())


@linux
def test_what_must_be_cast_is_all_that_is_copied(
    put: Put, stand: Callable[[StoredWeights, str], VGGT], networks: ModuleType
) -> None:
    stored = put()
    wanted = expected_dtypes(networks, "bfloat16")
    for name, tensor in stand(stored, "bfloat16").state_dict().items():
        assert mapped(stored.path, tensor) == (wanted[name] == torch.float32), name


def test_it_runs_and_says_whose_weights_it_has(put: Put, networks: ModuleType) -> None:
    loaded: Loaded = load(put(sha256="c" * 64), PROCESSOR, torch.float32, networks.VGGT_SMALL)
    assert loaded.record == {"name": "vggt-1b", "sha256": "c" * 64, "licence": "CC BY-NC 4.0"}
    images = networks.pictures((1, 2, 3, 28, 42))
    calls: list[int] = []
    output = loaded.network(images, CHUNKS, lambda: calls.append(1))
    direct = networks.make_vggt(heads=HEADS)(images, None, CHUNKS, no_step)
    assert output.depth is not None and output.pose_encoding is not None and output.points is None
    assert torch.equal(output.depth, direct.depth) and torch.equal(output.pose_encoding, direct.pose_encoding)
    assert calls


@pytest.mark.parametrize(("device", "times"), [("cpu", 1), ("meta", 0)])
def test_freed_memory_is_given_back_where_the_network_runs_in_main_memory(
    put: Put, networks: ModuleType, monkeypatch: pytest.MonkeyPatch, device: str, times: int
) -> None:
    asked: list[None] = []
    monkeypatch.setattr(load_module, "return_freed_memory", lambda: asked.append(None))
    place = Device(torch.device(device), "a device", 10**12, torch.float32)
    load(put(), place, torch.float32, networks.VGGT_SMALL)
    assert len(asked) == times


def test_weights_of_another_size_are_refused(put: Put) -> None:
    stored = put()
    with pytest.raises(WeightsError, match="does not hold the weights of VGGT") as caught:
        load(stored, PROCESSOR, torch.float32)
    assert str(stored.path) in caught.value.sentence


def test_the_memory_of_the_weights_is_told_before_they_are_there(networks: ModuleType) -> None:
    numbers = sum(tensor.numel() for tensor in networks.make_vggt(heads=HEADS).state_dict().values())
    assert weights_memory(torch.float32, networks.VGGT_SMALL) == 4 * numbers
    wanted = expected_dtypes(networks, "bfloat16")
    tensors = networks.make_vggt(heads=HEADS).state_dict()
    halved = sum(tensor.numel() * wanted[name].itemsize for name, tensor in tensors.items())
    assert weights_memory(torch.bfloat16, networks.VGGT_SMALL) == halved
    assert weights_memory(torch.float32) == pytest.approx(4.64e9, rel=0.02)
    assert weights_memory(torch.bfloat16) < 0.65 * weights_memory(torch.float32)
