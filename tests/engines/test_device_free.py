"""No device is named in the networks, nothing waits for one, and shapes are found without any number being computed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vggt_addon.engines.dust3r.network import DUSt3R
from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.vggt.network import ALL_HEADS, VGGT

ENGINES = Path(__file__).parents[2] / "vggt_addon" / "engines"


def network_files() -> Iterator[Path]:
    """The networks and all modules that they import."""
    waiting = [ENGINES / "vggt" / "network.py", ENGINES / "dust3r" / "network.py"]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        yield path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level and node.module:
                folder = path.parents[node.level - 1]
                found = folder / (node.module.replace(".", "/") + ".py")
                if found.exists():
                    waiting.append(found)


FILES = sorted(network_files())
# Calls that wait for a device, or go to one by name.
WAITING = {"item", "cpu", "cuda", "mps", "tolist", "numpy", "nonzero", "unique", "synchronize", "is_cuda", "is_mps"}
DEVICE = re.compile(r"(cpu|cuda|mps|xpu|meta)(:\d+)?")


def complaints(tree: ast.AST) -> list[str]:
    found = []
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in WAITING:
            found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            if DEVICE.fullmatch(node.value):
                found.append(f"line {node.lineno}: {node.value!r}")
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "int", "bool")
        ):
            found.append(f"line {node.lineno}: {node.func.id}() of what may be a tensor")
    return found


def test_the_files_are_those_of_the_networks() -> None:
    names = {path.relative_to(ENGINES).as_posix() for path in FILES}
    assert {"vggt/aggregator.py", "vggt/track_embedding.py", "dust3r/dense_head.py", "layers/rotary.py"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_device_is_named_or_waited_for(path: Path) -> None:
    assert complaints(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "x.item()",
        "x.cuda()",
        "x.to('cuda')",
        "torch.zeros(3, device='cpu')",
        "x.to('cuda:1')",
        "int(x.max())",
        "x.cpu()",
    ],
)
def test_the_check_bites(line: str) -> None:
    assert complaints(ast.parse(line))


def test_vggt_of_published_size_without_numbers() -> None:
    """On the meta device whatever asks for a value raises."""
    with torch.device("meta"):
        network = VGGT(heads=ALL_HEADS)
    network.halve_blocks(torch.bfloat16)
    images = torch.empty(1, 3, 3, 392, 518, dtype=torch.uint8, device="meta")
    output = network(images, torch.empty(1, 4, 2, device="meta"), Chunks(frames=3, tokens=2000, rows=200))
    assert output.tracks is not None
    shapes = {
        output.pose_encoding: (4, 1, 3, 9),
        output.depth: (1, 3, 392, 518),
        output.depth_confidence: (1, 3, 392, 518),
        output.points: (1, 3, 392, 518, 3),
        output.points_confidence: (1, 3, 392, 518),
        output.tracks.positions: (4, 1, 3, 4, 2),
        output.tracks.visibility: (1, 3, 4),
        output.tracks.confidence: (1, 3, 4),
    }
    for tensor, shape in shapes.items():
        assert tensor is not None
        assert (tuple(tensor.shape), tensor.dtype, tensor.device.type) == (shape, torch.float32, "meta")


def test_dust3r_of_published_size_without_numbers() -> None:
    with torch.device("meta"):
        network = DUSt3R()
    network.halve_blocks(torch.bfloat16)
    pictures = (torch.empty(2, 3, *size, device="meta") for size in ((384, 512), (512, 336)))
    output = network(*pictures, Chunks(frames=2, tokens=500, rows=100))
    for map_, size in ((output.first, (384, 512)), (output.second, (512, 336))):
        assert (tuple(map_.points.shape), map_.points.dtype) == ((2, *size, 3), torch.float32)
        assert (tuple(map_.confidence.shape), map_.confidence.dtype) == ((2, *size), torch.float32)


def test_networks_live_where_the_process_has_its_default_device(networks: ModuleType) -> None:
    """torch.set_default_device moves what is made without a device; all of it must then be there."""
    with torch.device("meta"):
        vggt, dust3r = VGGT(networks.VGGT_SMALL, ALL_HEADS), DUSt3R(networks.DUST3R_SMALL)
        depth = vggt(torch.empty(1, 2, 3, 28, 42), torch.empty(1, 3, 2), Chunks(1, 5, 7, 2)).depth
        points = dust3r(torch.empty(1, 3, 32, 48), torch.empty(1, 3, 48, 16), Chunks(1, 3, 5)).second.points
    assert depth is not None and depth.is_meta and points.is_meta
