import numpy as np
import pytest

from vggt_addon.geometry.projection import transform
from vggt_addon.geometry.rotations import upright_rotation
from vggt_addon.geometry.similarity import similarity


@pytest.mark.parametrize("seed", range(4))
def test_points_are_scaled_turned_and_moved_in_that_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale, rotation = float(rng.uniform(1e-3, 1e3)), upright_rotation(rng.normal(size=3), rng.normal(size=3))
    translation, points = rng.normal(size=3), rng.normal(size=(7, 3))
    matrix = similarity(scale, rotation, translation)
    np.testing.assert_allclose(transform(matrix, points), scale * points @ rotation.T + translation, rtol=1e-9)
    np.testing.assert_array_equal(matrix[3], [0, 0, 0, 1])
