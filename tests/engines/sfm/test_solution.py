"""The hand-over between the two processes."""

from pathlib import Path

import numpy as np

from vggt_addon.engines.sfm.solution import (
    MatchedPair,
    Solution,
    SolvedImage,
    SolvedLens,
    read_solution,
    write_solution,
)


def test_round_trip(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pose = tuple(tuple(float(value) for value in row) for row in random.normal(size=(4, 4)))
    written = Solution(
        attempt="affine",
        images=(SolvedImage("lens_000/00000.png", 0, pose, 0.25, 12),),
        lenses=(SolvedLens("lens_000", "SIMPLE_RADIAL", 1000, 667, (900.1, 500.0, 333.5, -0.01), None, False),),
        pairs=(MatchedPair("lens_000/00000.png", "lens_000/00001.png", "PLANAR", 55, 0.1),),
        other_models=(("lens_000/00007.png",),),
        reprojection_error=0.31,
        median_triangulation_angle=8.5,
        points=random.normal(size=(5, 3)),
        observation_image=np.array([0, 0, 0], np.int64),
        observation_point=np.array([0, 3, 4], np.int64),
    )
    write_solution(written, tmp_path)
    read = read_solution(tmp_path)
    for name, value in vars(written).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(getattr(read, name), value)
        else:
            assert getattr(read, name) == value
