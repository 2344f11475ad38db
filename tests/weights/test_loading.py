"""Tensors into a network: all or none, no copies, the same outputs as the network that was saved."""

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vggt_addon.errors import WeightsError
from vggt_addon.weights.checkpoint import Checkpoint, open_checkpoint
from vggt_addon.weights.loading import CheckpointRules, load_weights
from vggt_addon.weights.saving import save_checkpoint

Plain = Callable[[WeightsError, Path], str]


class Scratch(nn.Module):
    """A layer under two names, as DUSt3R's heads have four."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1_rn = nn.Conv2d(3, 4, 1, bias=False)
        self.layer_rn = nn.ModuleList([self.layer1_rn])


class Twins(nn.Module):
    """A network with such a layer and two decoders alike."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Scratch()
        self.dec_blocks = nn.ModuleList([nn.Linear(4, 4)])
        self.dec_blocks2 = nn.ModuleList([nn.Linear(4, 4)])

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        features = self.scratch.layer1_rn(picture).mean((-1, -2))
        return torch.as_tensor(self.dec_blocks[0](features) + self.dec_blocks2[0](features))


class Heads(nn.Module):
    def __init__(self, tracks: bool) -> None:
        super().__init__()
        self.camera_head = nn.Linear(3, 2)
        if tracks:
            self.track_head = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))


class Tied(nn.Module):
    """One parameter in two modules, a buffer that is stored, one that is not, and one of whole numbers."""

    def __init__(self, counting: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("scratch", torch.ones(2), persistent=False)
        if counting:
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))


NO_RULES = CheckpointRules()
TWINS = CheckpointRules(
    ignored_prefixes=("prediction_head.", "enc_pos_embed"),
    aliases={"scratch.layer_rn.0.weight": "scratch.layer1_rn.weight"},
    copies={"dec_blocks2.": "dec_blocks."},
)
HEADS = CheckpointRules(optional_parts={"track_head.": "point tracks", "point_head.": "point maps"})


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make()


def saved(path: Path, tensors: Mapping[str, object]) -> Checkpoint:
    torch.save(dict(tensors), path)
    return open_checkpoint(path)


def state(network: nn.Module) -> dict[str, tuple[int, torch.device]]:
    """What must be as before after a refusal: every parameter and buffer is the same object."""
    return {name: (id(tensor), tensor.device) for name, tensor in network.state_dict(keep_vars=True).items()}


def assert_refused(
    network: nn.Module, checkpoint: Checkpoint, plain: Plain, rules: CheckpointRules = NO_RULES
) -> tuple[str, str]:
    """The sentence (without the file) and the detail of a refusal that leaves the network as it was."""
    before, values = state(network), {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(network, checkpoint, rules)
    assert state(network) == before
    for name, tensor in network.state_dict().items():
        assert tensor.is_meta or torch.equal(tensor, values[name])
    return plain(caught.value, checkpoint.path), caught.value.detail


def random_network(seed: int) -> nn.Module:
    """Layers of random kinds and sizes, nested at random; every fourth has a layer under two names."""
    generator = random.Random(seed)
    layers: list[nn.Module] = []
    for _ in range(generator.randint(1, 6)):
        width = generator.randint(1, 6)
        kind = generator.choice(["linear", "convolution", "norm", "nested"])
        if kind == "linear":
            layers.append(nn.Linear(width, generator.randint(1, 5), bias=generator.random() < 0.5))
        elif kind == "convolution":
            layers.append(nn.Conv2d(width, 2, generator.randint(1, 3)))
        elif kind == "norm":
            layers.append(nn.LayerNorm(width))
        else:
            layers.append(nn.Sequential(nn.Linear(width, 2), nn.ModuleDict({"inner": nn.LayerNorm(2)})))
    if seed % 4 == 0:
        layers.append(layers[0])
    return nn.ModuleList(layers)


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
@pytest.mark.parametrize("seed", range(24))
def test_any_network_comes_back(tmp_path: Path, seed: int, kind: str) -> None:
    dtype = [torch.float32, torch.float16, torch.bfloat16][seed % 3]
    original = random_network(seed).to(dtype)
    path = tmp_path / "model"
    if kind == "torch":
        torch.save(original.state_dict(), path)
    else:
        save_checkpoint(path, original.state_dict(), {})
    network = on_meta(lambda: random_network(seed))
    checkpoint = open_checkpoint(path)
    report = load_weights(network, checkpoint)
    parameters = list(network.parameters())
    assert report.tensors == len(parameters) == len(list(original.parameters()))
    assert report.parameters == sum(parameter.numel() for parameter in parameters)
    assert report.dtypes == {str(dtype).removeprefix("torch."): len(parameters)}
    assert report.ignored == ()
    for name, tensor in original.state_dict().items():
        assert network.state_dict()[name].dtype == dtype and torch.equal(network.state_dict()[name], tensor)
    assert not any(parameter.requires_grad for parameter in parameters)
    places = {tensor.data_ptr() for tensor in checkpoint.tensors.values()}
    assert all(parameter.data_ptr() in places for parameter in parameters)  # assigned, not copied


@pytest.mark.parametrize("seed", range(24))
def test_any_network_refuses_what_is_not_its_own(tmp_path: Path, seed: int, assert_plain: Plain) -> None:
    generator = random.Random(seed)
    odd = seed + 1 - seed % 2  # every name stands for a tensor of its own
    tensors = dict(random_network(odd).state_dict())
    name = generator.choice(sorted(tensors))
    change = ["missing", "unknown", "unlike"][seed % 3]
    if change == "missing":
        del tensors[name]
        tensors["an.unknown.one"] = torch.zeros(2)  # so that no file is empty
    elif change == "unknown":
        tensors[f"{name}.more"] = torch.zeros(2)
    else:
        tensors[name] = torch.zeros((*tensors[name].shape, 2))
    for network in (random_network(odd), on_meta(lambda: random_network(odd))):
        said, detail = assert_refused(network, saved(tmp_path / "model.pt", tensors), assert_plain)
        assert "does not hold the weights of ModuleList: " in said
        assert change in detail and name in detail


def test_every_mismatch_is_counted_and_the_first_named(tmp_path: Path, assert_plain: Plain) -> None:
    tensors = Heads(tracks=True).state_dict()
    del tensors["camera_head.weight"], tensors["track_head.0.bias"]
    tensors |= {"camera_head.bias": torch.zeros(2, 3), "one": torch.zeros(1)}
    said, detail = assert_refused(Heads(tracks=True), saved(tmp_path / "model.pt", tensors), assert_plain, HEADS)
    assert said == (
        " does not hold the weights of Heads: 2 tensors are missing (first: camera_head.weight), "
        "1 tensor is unknown to it (first: one), "
        "1 tensor does not fit (first: camera_head.bias is 2 x 3 and should be 2). "
        "It may be for another model or version: choose another file, or download it again."
    )
    assert "track_head.0.bias" in detail


def test_without_an_optional_part(tmp_path: Path, assert_plain: Plain) -> None:
    tensors = Heads(tracks=False).state_dict()
    checkpoint = saved(tmp_path / "model.pt", tensors)
    assert load_weights(on_meta(lambda: Heads(tracks=False)), checkpoint, HEADS).tensors == 2
    said, detail = assert_refused(on_meta(lambda: Heads(tracks=True)), checkpoint, assert_plain, HEADS)
    assert said == " has no weights for point tracks: do without, or choose a file that has them."
    assert "track_head.1.weight" in detail
    said, _ = assert_refused(on_meta(lambda: Heads(tracks=True)), checkpoint, assert_plain)
    assert "4 tensors are missing" in said


def test_an_optional_part_that_is_not_asked_for(tmp_path: Path, assert_plain: Plain) -> None:
    checkpoint = saved(tmp_path / "model.pt", Heads(tracks=True).state_dict())
    report = load_weights(on_meta(lambda: Heads(tracks=False)), checkpoint, HEADS)
    assert (report.tensors, report.parameters) == (2, 8)
    assert report.ignored == tuple(f"track_head.{name}" for name in ("0.bias", "0.weight", "1.bias", "1.weight"))
    assert_refused(on_meta(lambda: Heads(tracks=False)), checkpoint, assert_plain)


def test_part_of_an_optional_part_is_not_enough(tmp_path: Path, assert_plain: Plain) -> None:
    tensors = Heads(tracks=True).state_dict()
    del tensors["track_head.1.bias"]
    said, _ = assert_refused(Heads(tracks=True), saved(tmp_path / "model.pt", tensors), assert_plain, HEADS)
    assert "1 tensor is missing (first: track_head.1.bias)" in said


@pytest.mark.parametrize("absent", ["scratch.layer_rn.0.weight", "scratch.layer1_rn.weight", None])
@pytest.mark.parametrize("rules", [TWINS, CheckpointRules()], ids=["named", "found in the network"])
def test_either_name_of_one_tensor(tmp_path: Path, absent: str | None, rules: CheckpointRules) -> None:
    original = Twins()
    tensors = {name: tensor.clone() for name, tensor in original.state_dict().items() if name != absent}
    network = on_meta(Twins)
    report = load_weights(network, saved(tmp_path / "model.pt", tensors), rules)
    assert report.tensors == 5 and set(report.substitutes) <= {"scratch.layer_rn.0.weight", "scratch.layer1_rn.weight"}
    assert isinstance(network, Twins)
    assert network.scratch.layer_rn[0] is network.scratch.layer1_rn
    picture = torch.randn(2, 3, 5, 4)
    assert torch.equal(network(picture), original(picture))


def test_an_alias_that_the_network_does_not_have(tmp_path: Path, assert_plain: Plain) -> None:
    rules = CheckpointRules(aliases={"old.weight": "0.weight", "elsewhere.a": "elsewhere.b"})
    linear = nn.Linear(2, 3, bias=False)
    checkpoint = saved(tmp_path / "model.pt", {"old.weight": linear.weight.detach()})
    network = on_meta(lambda: nn.Sequential(nn.Linear(2, 3, bias=False)))
    report = load_weights(network, checkpoint, rules)
    assert report.substitutes == {"0.weight": "old.weight"}
    assert torch.equal(network.state_dict()["0.weight"], linear.weight)
    stray = saved(tmp_path / "stray.pt", {"0.weight": torch.zeros(3, 2), "elsewhere.a": torch.zeros(1)})
    said, _ = assert_refused(network, stray, assert_plain, rules)
    assert "1 tensor is unknown to it (first: elsewhere.a)" in said


@pytest.mark.parametrize("other", [torch.ones(4, 3, 1, 1), torch.zeros(4, 3), torch.zeros(4, 3, 1, 1).half()], ids=str)
def test_two_names_of_one_tensor_must_agree(tmp_path: Path, assert_plain: Plain, other: torch.Tensor) -> None:
    tensors = Twins().state_dict()
    tensors |= {"scratch.layer1_rn.weight": torch.zeros(4, 3, 1, 1), "scratch.layer_rn.0.weight": other}
    said, detail = assert_refused(on_meta(Twins), saved(tmp_path / "model.pt", tensors), assert_plain, TWINS)
    assert "1 tensor is there twice and differs" in said
    assert "scratch.layer1_rn.weight" in detail and "scratch.layer_rn.0.weight" in detail


def test_two_names_agree_to_the_bit(tmp_path: Path) -> None:
    """Values that do not equal themselves are still the same bits."""
    tensors = {name: torch.full_like(tensor, torch.nan) for name, tensor in Twins().state_dict().items()}
    assert load_weights(on_meta(Twins), saved(tmp_path / "model.pt", tensors), TWINS).tensors == 5


def test_a_decoder_that_is_a_copy(tmp_path: Path, assert_plain: Plain) -> None:
    tensors = {name: tensor for name, tensor in Twins().state_dict().items() if not name.startswith("dec_blocks2.")}
    checkpoint, network = saved(tmp_path / "model.pt", tensors), on_meta(Twins)
    report = load_weights(network, checkpoint, TWINS)
    assert report.substitutes == {f"dec_blocks2.0.{name}": f"dec_blocks.0.{name}" for name in ("weight", "bias")}
    assert (report.tensors, report.parameters) == (5, 12 + 2 * 20)
    for name in ("weight", "bias"):
        loaded = network.state_dict()
        assert torch.equal(loaded[f"dec_blocks2.0.{name}"], tensors[f"dec_blocks.0.{name}"])
        assert loaded[f"dec_blocks2.0.{name}"].data_ptr() == loaded[f"dec_blocks.0.{name}"].data_ptr()  # no memory
    assert_refused(on_meta(Twins), checkpoint, assert_plain)
    half = saved(tmp_path / "half.pt", {**tensors, "dec_blocks2.0.bias": torch.zeros(4)})
    said, _ = assert_refused(on_meta(Twins), half, assert_plain, TWINS)
    assert "1 tensor is missing (first: dec_blocks2.0.weight)" in said


def test_names_that_are_ignored(tmp_path: Path, assert_plain: Plain) -> None:
    more = {"prediction_head.weight": torch.zeros(2), "enc_pos_embed": torch.zeros(2), "prediction": torch.zeros(2)}
    tensors = {**Twins().state_dict(), **more}
    said, _ = assert_refused(on_meta(Twins), saved(tmp_path / "model.pt", tensors), assert_plain, TWINS)
    assert "1 tensor is unknown to it (first: prediction)" in said
    del tensors["prediction"]
    report = load_weights(on_meta(Twins), saved(tmp_path / "model.pt", tensors), TWINS)
    assert report.ignored == ("enc_pos_embed", "prediction_head.weight")


def test_what_the_network_has_is_never_ignored(tmp_path: Path) -> None:
    network = on_meta(lambda: Heads(tracks=False))
    checkpoint = saved(tmp_path / "model.pt", Heads(tracks=False).state_dict())
    assert load_weights(network, checkpoint, CheckpointRules(ignored_prefixes=("camera_head.",))).ignored == ()


def test_one_parameter_in_two_modules_stays_one(tmp_path: Path) -> None:
    original = Tied()
    save_checkpoint(tmp_path / "model.safetensors", original.state_dict(), {})
    checkpoint = open_checkpoint(tmp_path / "model.safetensors")
    assert sorted(checkpoint.tensors) == ["first.bias", "first.weight", "mean"]
    network = Tied()
    report = load_weights(network, checkpoint)
    assert network.first.weight is network.second.weight
    assert torch.equal(network.first.weight, original.first.weight)
    assert isinstance(network.first.weight, nn.Parameter) and not isinstance(network.mean, nn.Parameter)
    assert network.mean is not checkpoint.tensors["mean"]  # which another network may be given too
    assert (report.tensors, report.substitutes) == (3, {"second.weight": "first.weight"})
    assert torch.equal(network.get_buffer("scratch"), torch.ones(2))


def test_whole_numbers_are_not_taken_from_others(tmp_path: Path, assert_plain: Plain) -> None:
    tensors = {**Tied().state_dict(), "count": torch.tensor(3.0)}
    said, _ = assert_refused(Tied(counting=True), saved(tmp_path / "model.pt", tensors), assert_plain)
    assert "1 tensor does not fit (first: count is float32 and should be int64)" in said


def test_a_single_number_is_no_row_of_one(tmp_path: Path, assert_plain: Plain) -> None:
    network = nn.Module()
    network.scale = nn.Parameter(torch.zeros(()))
    said, _ = assert_refused(network, saved(tmp_path / "model.pt", {"scale": torch.zeros(1)}), assert_plain)
    assert "scale is 1 and should be a single number" in said


def test_another_dtype_on_demand(tmp_path: Path) -> None:
    network = on_meta(Twins)
    tensors = {name: tensor.half() for name, tensor in Twins().state_dict().items()}
    tensors["dec_blocks.0.bias"] = torch.full((4,), 1e-3)
    report = load_weights(network, saved(tmp_path / "mixed.pt", tensors), TWINS)
    assert report.dtypes == {"float16": 4, "float32": 1}
    checkpoint = saved(tmp_path / "model.pt", tensors)
    report = load_weights(network, checkpoint, TWINS, dtype=torch.float32)
    assert report.dtypes == {"float32": 5}
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, tensors[name].float())


def test_loading_while_inference_is_on(tmp_path: Path) -> None:
    """The parameters are ordinary ones, so that the network can be moved and saved afterwards."""
    save_file(Heads(tracks=False).state_dict(), tmp_path / "model")
    network = on_meta(lambda: Heads(tracks=False))
    with torch.inference_mode():
        load_weights(network, open_checkpoint(tmp_path / "model"), dtype=torch.float64)
    assert not any(parameter.is_inference() for parameter in network.parameters())
    network.half()


def stand_in(shapes: Mapping[str, list[int]], same: Mapping[str, str]) -> nn.Module:
    """Modules nested as the names are, with nothing but parameters; the names in `same` are second ones."""
    network = nn.Module()
    for name in [*(name for name in shapes if name not in same), *same]:
        module = network
        *path, last = name.split(".")
        for part in path:
            if part not in dict(module.named_children()):
                module.add_module(part, nn.Module())
            module = module.get_submodule(part)
        first = network.get_parameter(same[name]) if name in same else nn.Parameter(torch.empty(shapes[name]))
        module.register_parameter(last, first)
    return network


def test_the_names_of_vggt(tmp_path: Path, shared: Callable[[str], Path], assert_plain: Plain) -> None:
    """All names and shapes of the reduced network, with and without its track head."""
    shapes: dict[str, list[int]] = json.loads(shared("reference/vggt/state_dict_small.json").read_text())
    tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
    lean = {name: shape for name, shape in shapes.items() if not name.startswith("track_head.")}
    assert 0 < len(lean) < len(shapes)
    whole = saved(tmp_path / "whole.pt", tensors)
    part = saved(tmp_path / "part.pt", {name: tensors[name] for name in lean})
    for checkpoint in (whole, part):
        report = load_weights(on_meta(lambda: stand_in(lean, {})), checkpoint, HEADS)
        assert report.tensors == len(lean)
        assert len(report.ignored) == len(checkpoint.tensors) - len(lean)
    assert load_weights(on_meta(lambda: stand_in(shapes, {})), whole, HEADS).parameters == 2_720_716
    said, _ = assert_refused(on_meta(lambda: stand_in(shapes, {})), part, assert_plain, HEADS)
    assert "no weights for point tracks" in said


@pytest.mark.parametrize("stored", ["both names", "first names", "second names"])
@pytest.mark.parametrize("copied", [False, True])
def test_the_names_of_dust3r(tmp_path: Path, shared: Callable[[str], Path], stored: str, copied: bool) -> None:
    """All names, with sides of at most 2, each way in which a file may leave names out."""
    listed = json.loads(shared("reference/dust3r/state_dict.json").read_text())
    same: dict[str, str] = listed["same_tensor"]
    shapes = {name: [min(side, 2) for side in shape] for name, (shape, _) in listed["tensors"].items()}
    tensors = {name: torch.randn(shape) for name, shape in shapes.items() if name not in same}
    tensors |= {second: tensors[first] for second, first in same.items()}
    left_out = {"both names": [], "first names": list(same), "second names": list(same.values())}[stored]
    kept = {name: tensor.clone() for name, tensor in tensors.items() if name not in left_out}
    if copied:
        kept = {name: tensor for name, tensor in kept.items() if not name.startswith("dec_blocks2.")}
    kept["prediction_head.weight"] = torch.zeros(2)
    rules = CheckpointRules(("prediction_head.",), same, {"dec_blocks2.": "dec_blocks."})
    network = on_meta(lambda: stand_in(shapes, same))
    report = load_weights(network, saved(tmp_path / "dust3r.pth", {"model": kept}), rules)
    assert len(network.state_dict()) == listed["total_keys"] and report.tensors == listed["total_keys"] - len(same)
    assert report.ignored == ("prediction_head.weight",)
    for name, tensor in network.state_dict().items():
        source = name.replace("dec_blocks2.", "dec_blocks.") if copied else name
        assert torch.equal(tensor, tensors[source]), name
    for second, first in same.items():
        assert network.get_parameter(second) is network.get_parameter(first)
