"""DUSt3R by the command line, as a user types it: weights converted into a store, photos to a capture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.engines.networks import weights  # noqa: E402 - they need torch
from vggt_addon.reconstruction import Reconstruction  # noqa: E402

REDUCED = Path(__file__).parent / "ui" / "reduced_python.py"
PHOTOS = Path(__file__).parents[1] / "examples" / "courtyard" / "photos"


def command(*arguments: str | Path) -> str:
    """What it says; it must succeed."""
    told = subprocess.run(
        [sys.executable, REDUCED, "-m", "vggt_addon", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout + told.stderr


def test_weights_and_three_photos_come_to_a_capture(tmp_path: Path) -> None:
    """The weights are the recipe's, so what is found means nothing; that it is found and told is what counts."""
    torch.save(dict(weights("dust3r")), tmp_path / "recipe.pth")
    store = ("--weights-folder", tmp_path / "store")
    assert "dust3r-512-dpt" in command("weights", "convert", tmp_path / "recipe.pth", "--as", "dust3r-512-dpt", *store)
    photos = sorted(PHOTOS.glob("*.jpg"))[3:6]
    asked = (
        "--engine",
        "dust3r",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--input-size",
        "128",
        "--focal",
        "shared",
        "--clean",
        *store,
    )
    said = command("reconstruct", *photos, *asked, "-o", tmp_path / "capture")
    assert "Engine: dust3r" in said
    capture = Reconstruction.load(tmp_path / "capture")
    assert capture.engine == "dust3r" and capture.weights is not None
    assert capture.weights["name"] == "dust3r-512-dpt" and capture.weights["licence"] == "CC BY-NC-SA 4.0"
    assert capture.settings["network"]["clean"] is True
    assert len(capture.views) + len(capture.left_out) == 3
    assert all(view.depth is not None and np.isfinite(view.depth).all() for view in capture.views)
