import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.geometry.projection import transform
from vggt_addon.geometry.rotations import rotation_about
from vggt_addon.geometry.similarity import decompose, inverse_similarity, similarity


@pytest.mark.parametrize("seed", range(4))
def test_a_known_similarity_is_taken_apart_and_undone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale, rotation = float(rng.uniform(1e-3, 1e3)), rotation_about(rng.normal(size=3), 2.0)
    translation, points = rng.normal(size=3), rng.normal(size=(7, 3))
    matrix = similarity(scale, rotation, translation)
    np.testing.assert_allclose(transform(matrix, points), scale * points @ rotation.T + translation, rtol=1e-12)
    found_scale, found_rotation, found_translation = decompose(matrix)
    assert found_scale == pytest.approx(scale)
    np.testing.assert_allclose(found_rotation, rotation, atol=1e-12)
    np.testing.assert_allclose(found_translation, translation)
    np.testing.assert_allclose(transform(inverse_similarity(matrix), transform(matrix, points)), points, atol=1e-12)


@pytest.mark.parametrize("matrix", [np.diag([1.0, 1, -1, 1]), np.diag([1.0, 1, 2, 1]), np.zeros((4, 4))])
def test_what_is_no_similarity_is_refused(matrix: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError):
        decompose(matrix)
