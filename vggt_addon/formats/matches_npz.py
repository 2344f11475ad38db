"""Matches between photos as one .npz file, which numpy reads: for programs that refine cameras.

    name (n,) text, view (m, 2) int32 into these names, pixel (m, 2, 2) float32, confidence (m,) float32

Pixels are x, y of the upright original photos with centres at +0.5, as COLMAP has them.
This module imports nothing beyond the standard library and numpy.
"""

from pathlib import Path

import numpy as np

from ..errors import UserError
from ..reconstruction import Reconstruction
from .whole_file import whole_file


def write_matches_npz(reconstruction: Reconstruction, path: Path | str) -> Path:
    """Write the matches to `path`, under a temporary name that is then renamed. Returns the absolute path.

    Raises UserError where the capture has no matches or the disk refuses.
    """
    path, matches = Path(path).absolute(), reconstruction.matches
    if matches is None or not len(matches.view):
        raise UserError("This capture has no matches to export: reconstruct its photos with --engine dust3r --matches.")
    names = np.array([view.name for view in reconstruction.views], np.str_)
    with whole_file(path, "matches") as file:
        np.savez(file, name=names, view=matches.view, pixel=matches.pixel, confidence=matches.confidence)
    return path
