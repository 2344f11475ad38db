"""benchmarks/parity.py: the networks equal the published ones on every golden, and a golden that is missed is said."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from vggt_addon.engines.layers.chunks import Chunks

Shared = Callable[[str], Path]
REPOSITORY = Path(__file__).parents[2]
GOLDENS = sorted((REPOSITORY / "tests" / "goldens").glob("*_small_*.npz"))
CHUNKS = [Chunks(1, 1, 1, 1), Chunks(2, 37, 9, 3), Chunks(100, 100_000, 1000, 1000)]
FULL_SIZE_NEEDS = 9 * 2**20  # kilobytes of memory for the golden of the full network


@pytest.fixture(scope="module")
def parity() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_parity", REPOSITORY / "benchmarks" / "parity.py")
    assert spec is not None and spec.loader is not None
    before = list(sys.path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def lines(text: str) -> dict[str, tuple[float, float]]:
    """Error and tolerance of each array, as printed."""
    rows = [line.split() for line in text.splitlines() if line.startswith("  ")]
    return {name: (float(off), float(tolerance)) for name, _, off, _, tolerance, *_ in rows}


def changed(golden: Path, target: Path, meta: dict[str, Any], **arrays: Any) -> Path:
    """A copy of the golden with other entries of its meta (None: none at all) and other arrays."""
    with np.load(golden) as file:
        kept = {name: file[name] for name in file.files}
    kept |= arrays
    entries = json.loads(str(kept["meta"])) | meta
    kept["meta"] = np.array(json.dumps({key: value for key, value in entries.items() if value is not None}))
    np.savez(target, **kept)
    return target


def test_there_are_goldens_of_both_networks() -> None:
    assert [path.stem for path in GOLDENS] == [
        "dust3r_small_pair_a",
        "dust3r_small_pair_b",
        "vggt_small_a",
        "vggt_small_b",
        "vggt_small_c",
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_equal_to_the_golden(
    parity: ModuleType, capsys: pytest.CaptureFixture[str], path: Path, dtype: torch.dtype
) -> None:
    assert parity.compare(path, dtype, torch.device("cpu"), Chunks())
    compared = lines(capsys.readouterr().out)
    stated = parity.read(path).meta[f"tolerance_{str(dtype).removeprefix('torch.')}"]
    assert set(compared) == set(stated)  # no array is left out
    assert all(off <= tolerance == stated[name] for name, (off, tolerance) in compared.items())
    if dtype == torch.float64 and path.stem.startswith("vggt"):
        assert compared["pose_enc_iters"][0] < 4e-7  # the modulated norm's own eps shows at 1.3e-6, below the tolerance


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("path", GOLDENS[1:3], ids=lambda path: path.stem)
def test_equal_to_the_golden_in_any_pieces(parity: ModuleType, path: Path, chunks: Chunks) -> None:
    assert parity.compare(path, torch.float32, torch.device("cpu"), chunks)


def test_all_goldens_by_one_command(parity: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [path for path in GOLDENS if path.stem in ("vggt_small_c", "dust3r_small_pair_b")]
    assert parity.main([*map(str, chosen), "--dtype", "float64", "--rows", "5"]) == 0
    printed = capsys.readouterr().out
    assert "vggt_small_c.npz: vggt, reduced, torch.float64, cpu" in printed and "dust3r_small_pair_b.npz" in printed
    assert {"depth", "pts3d_1"} <= set(lines(printed))


def test_a_tighter_tolerance_is_exceeded(
    parity: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    golden = next(path for path in GOLDENS if path.stem == "vggt_small_c")
    tight = changed(golden, tmp_path / "tight.npz", {"tolerance_float32": {"depth": 1e-9, "depth_conf": 1e-4}})
    assert parity.main([str(golden), str(tight), str(golden)]) == 1  # one in the middle counts
    verdicts = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "TOO FAR" in line]
    assert verdicts == ["depth"]


@pytest.mark.parametrize("name", ["vggt_small_c", "dust3r_small_pair_b"])
def test_one_wrong_weight_is_seen(
    parity: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    right = parity.recipe_weights
    wrong = {
        "vggt_small_c": "aggregator.patch_embed.blocks.0.norm1.weight",
        "dust3r_small_pair_b": "enc_blocks.0.norm1.weight",
    }[name]

    def recipe_weights(shapes: dict[str, Any], seed: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        values: dict[str, torch.Tensor] = right(shapes, seed, dtype)
        if wrong in values:
            values[wrong][0] *= 1.01
        return values

    monkeypatch.setattr(parity, "recipe_weights", recipe_weights)
    golden = next(path for path in GOLDENS if path.stem == name)
    assert parity.main([str(golden), "--dtype", "float64"]) == 1
    assert "TOO FAR" in capsys.readouterr().out


def test_another_seed_is_seen(parity: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    golden = next(path for path in GOLDENS if path.stem == "dust3r_small_pair_b")
    assert parity.main([str(changed(golden, tmp_path / "other.npz", {"seed": 1}))]) == 1
    assert "TOO FAR" in capsys.readouterr().out


def test_no_number_is_too_far(
    parity: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = parity.dust3r_outputs

    def outputs(*given: Any) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = right(*given)
        found["conf_2"] = torch.full_like(found["conf_2"], torch.nan)
        return found

    monkeypatch.setitem(parity.OUTPUTS, "dust3r", outputs)
    assert parity.main([str(next(path for path in GOLDENS if path.stem == "dust3r_small_pair_b"))]) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if "TOO FAR" in line] == ["conf_2"]


REFUSED = {
    "absent": "No such file",
    "empty": "is not a golden file",
    "text": "is not a golden file",
    "cut": "is not a golden file",
    "no meta": "is not a golden file",
    "another network": "no network named 'mast3r'",
    "no tolerance": "states no tolerance for torch.float64",
    "no sizes": "is not a golden file",
    "no pictures": "is not a golden file",
}


def refused_file(kind: str, folder: Path) -> Path:
    golden, path = GOLDENS[1], folder / "given.npz"
    if kind in ("empty", "text"):
        path.write_bytes(b"" if kind == "empty" else b"depth = 1\n")
    elif kind == "cut":
        path.write_bytes(golden.read_bytes()[:-1000])
    elif kind == "no meta":
        np.savez(path, image1_u8=np.zeros(3))
    elif kind == "no pictures":
        with np.load(golden) as file:
            np.savez(path, meta=file["meta"])
    elif kind != "absent":
        metas: dict[str, dict[str, Any]] = {
            "another network": {"network": "mast3r"},
            "no tolerance": {"tolerance_float64": {}},
            "no sizes": {"reduced": {}},
        }
        changed(golden, path, metas[kind])
    return path


@pytest.mark.parametrize("kind", REFUSED)
def test_other_files_are_refused_in_one_line(parity: ModuleType, tmp_path: Path, kind: str) -> None:
    path = refused_file(kind, tmp_path)
    with pytest.raises(SystemExit) as caught:
        parity.main([str(path), "--dtype", "float64"])
    said = str(caught.value.code)
    assert REFUSED[kind] in said and path.name in said and "\n" not in said
    assert caught.value.code not in (0, None)


def test_the_command_itself(tmp_path: Path) -> None:
    """As a developer runs it: the exit status is what a script sees."""

    golden = next(path for path in GOLDENS if path.stem == "vggt_small_c")
    tight = changed(golden, tmp_path / "tight.npz", {"tolerance_float32": {"depth": 1e-9}})
    program = [sys.executable, str(REPOSITORY / "benchmarks" / "parity.py"), str(tight)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    failed = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (failed.returncode, failed.stderr) == (1, "") and "TOO FAR" in failed.stdout


def available_memory() -> int:
    """Kilobytes, 0 where the system does not say."""
    path = Path("/proc/meminfo")
    entries = path.read_text().splitlines() if path.exists() else []
    return next((int(entry.split()[1]) for entry in entries if entry.startswith("MemAvailable:")), 0)


def test_the_full_network(shared: Shared) -> None:
    """In a process of its own, which gives its 6 GB back."""
    golden = shared("reference/vggt/full_a.npz")
    if available_memory() < FULL_SIZE_NEEDS:
        pytest.skip("the full network needs 9 GB of free memory")
    program = [sys.executable, str(REPOSITORY / "benchmarks" / "parity.py"), str(golden), "--dtype", "float32"]
    done = subprocess.run(program, capture_output=True, text=True)
    compared = lines(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"token_samples", "pose_enc_iters", "depth", "world_points", "track_iters"} <= set(compared)
    assert all(off <= tolerance for off, tolerance in compared.values())
