import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.geometry.planes import Plane, fit_plane, height_above, planes_through, spread_in_plane
from vggt_addon.geometry.rotations import unit


def points_on(normal: NDArray[np.float64], offset: float, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    flat = rng.normal(size=(count, 3))
    return np.asarray(flat - np.outer(flat @ normal - offset, normal))


@pytest.mark.parametrize("seed", range(5))
def test_a_known_plane_is_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal, offset = unit(rng.normal(size=3)), float(rng.normal())
    fitted = fit_plane(points_on(normal, offset, 50, rng))
    sign = np.sign(fitted.normal @ normal)
    np.testing.assert_allclose(sign * fitted.normal, normal, atol=1e-12)
    assert sign * fitted.offset == pytest.approx(offset, abs=1e-12)


def test_heights_are_signed() -> None:
    plane = Plane(np.array([0.0, 0, 1]), 2.0)
    np.testing.assert_allclose(height_above(plane, np.array([[9.0, 9, 5], [0, 0, 2], [1, 1, -1]])), [3, 0, -3])


def test_planes_through_triples() -> None:
    rng = np.random.default_rng(3)
    triples = rng.normal(size=(20, 3, 3))
    normals, offsets = planes_through(triples)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", triples, normals), np.repeat(offsets[:, None], 3, 1), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)


def test_three_points_in_a_line_make_no_plane() -> None:
    normals, _ = planes_through(np.array([[[0.0, 0, 0], [1, 1, 1], [2, 2, 2]]]))
    assert np.isnan(normals).all()


def test_spread_of_a_strip() -> None:
    rng = np.random.default_rng(4)
    large, small = spread_in_plane(rng.normal(size=(4000, 3)) * [0.0, 5.0, 1.0])
    assert large == pytest.approx(5, rel=0.05) and small == pytest.approx(1, rel=0.05)
