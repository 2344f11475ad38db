import numpy as np
import pytest

from vggt_addon.postprocess.support import ENOUGH, neighbour_support


def test_it_is_the_share_of_neighbours_on_the_same_surface() -> None:
    """Counted anew, pixel by pixel."""
    rng = np.random.default_rng(0)
    depth = rng.choice(np.array([0, 2, 2.1, 3], np.float32), (9, 12))
    expected = np.zeros(depth.shape, np.float32)
    for row, column in np.ndindex(*depth.shape):
        rows, columns = slice(max(row - 3, 0), row + 4), slice(max(column - 3, 0), column + 4)
        window = depth[rows, columns]
        own = depth[row, column]
        if own > 0:
            at = np.mgrid[rows.start : rows.start + window.shape[0], columns.start : columns.start + window.shape[1]]
            distance = np.hypot(at[0] - row, at[1] - column)
            inverse = np.where(window > 0, 1 / np.where(window > 0, window, 1), 0)
            same = np.abs(inverse - 1 / own) < 0.03 * distance * np.minimum(inverse, 1 / own)
            expected[row, column] = same.sum() / (window.size - 1)
    np.testing.assert_allclose(neighbour_support(depth), expected, rtol=1e-5)


def test_a_surface_supports_itself_up_to_the_border_and_when_torn() -> None:
    rows, columns = np.mgrid[0:30, 0:40]
    depth = (1 / (0.5 - 0.004 * columns + 0.002 * rows)).astype(np.float32)
    assert (neighbour_support(depth) == 1).all()
    torn = np.where(np.random.default_rng(0).uniform(size=depth.shape) < 0.5, depth, 0)
    support = neighbour_support(torn)
    assert (support[torn > 0] >= ENOUGH).mean() > 0.99 and not support[torn == 0].any()


def test_the_ground_supports_itself_up_to_near_the_horizon() -> None:
    rows = np.arange(60) - 5.0
    depth = np.where(rows > 0, 100 / np.maximum(rows, 1), 0).astype(np.float32)[:, None].repeat(40, axis=1)
    assert (neighbour_support(depth)[depth > 0] >= ENOUGH).all()


def test_specks_are_alone() -> None:
    depth = np.full((30, 40), 5, np.float32)
    depth[10:12, 10:12] = 3
    depth[:, 20:] = 0
    depth[20, 30:33] = 4
    support = neighbour_support(depth)
    assert support[10:12, 10:12].max() < ENOUGH and support[20, 30:33].max() < ENOUGH
    assert support[5, 5] == 1 and support[0, 0] == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_small_grids(shape: tuple[int, int]) -> None:
    expected = 0 if shape == (1, 1) else 1
    np.testing.assert_array_equal(neighbour_support(np.ones(shape, np.float32)), np.full(shape, expected))
    assert not neighbour_support(np.zeros(shape, np.float32)).any()
