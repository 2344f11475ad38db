"""What is kept, what is rejected, and the confidence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.consistency import Agreement, compare, keep, sample_surface
from vggt_addon.engines.sfm.dense.pictures import picture
from vggt_addon.engines.sfm.dense.plane_sweep import Guess
from vggt_addon.engines.sfm.dense.settings import DenseSettings
from vggt_addon.progress import never

Array = NDArray[Any]
SETTINGS = DenseSettings()


def true_guess(depth: Array, factor: float = 1.0) -> Guess:
    inverse_depth = (1 / (np.maximum(depth, 1e-3) * factor)).astype(np.float32)
    return Guess(inverse_depth, 0.01, np.full(depth.shape, 0.95, np.float32))


@pytest.fixture(scope="module")
def wall(render_cards: Callable[..., Any], card: Callable[..., Any]) -> Any:
    return render_cards([card((-9, -9, 1), (18, 0, 0.5), (0, 18, 0))], count=3)


def agreement(scene: Any, factors: tuple[float, float, float]) -> Agreement:
    pictures = [picture(view) for view in scene.views]
    guesses = [true_guess(depth, factor) for depth, factor in zip(scene.depths, factors, strict=True)]
    others = list(zip(pictures[1:], guesses[1:], strict=True))
    return compare(pictures[0], guesses[0], others, SETTINGS, never)


INNER = (slice(20, -20), slice(40, -20))  # seen by all three cameras


def test_the_truth_agrees_with_itself(wall: Any) -> None:
    found = agreement(wall, (1, 1, 1))
    assert (found.agreeing[INNER] == 2).all()
    np.testing.assert_allclose(1 / found.inverse_depth[INNER], wall.depths[0][INNER], rtol=1e-3)


def test_a_photo_with_wrong_depth_is_outvoted(wall: Any) -> None:
    found = agreement(wall, (1, 1, 1.1))
    assert (found.agreeing[INNER] == 1).all()
    np.testing.assert_allclose(1 / found.inverse_depth[INNER], wall.depths[0][INNER], rtol=1e-3)
    assert (agreement(wall, (1.1, 1, 1)).agreeing[INNER] == 0).all()


def test_depths_that_agree_are_joined(wall: Any) -> None:
    found = agreement(wall, (1, 1.003, 1.003))
    np.testing.assert_allclose(1 / found.inverse_depth[INNER], wall.depths[0][INNER] * 1.002, rtol=5e-4)


def kept(score: float, agreeing: int, conflicting: int = 0, compared: int = 6) -> tuple[float, float]:
    """Depth and confidence of the pixels of a surface 4 units away, all alike."""
    one = np.ones((8, 8), np.int32)
    inverse_depth = np.full((8, 8), 0.25, np.float32)
    guess = Guess(inverse_depth, 0.01, np.full((8, 8), score, np.float32))
    found = keep(guess, Agreement(one * agreeing, one * conflicting, inverse_depth, compared), SETTINGS)
    return float(found.depth[0, 0]), float(found.confidence[0, 0])


def test_confidence_falls_with_appearance_and_agreement() -> None:
    assert kept(0.95, 4) == (4, 1)
    assert 1 > kept(0.6, 4)[1] > kept(0.35, 4)[1] > 0
    assert 1 > kept(0.95, 2)[1] > kept(0.95, 1)[1] > 0
    assert kept(0.95, 1, compared=1)[1] == 0.5  # of two photos, the other one agrees


@pytest.mark.parametrize(
    ("score", "agreeing", "conflicting"),
    [(0.3, 4, 0), (0.95, 0, 0), (0.95, 2, 2), (0.95, 1, 1), (0.4, 1, 0)],
    ids=["looks different", "nobody agrees", "as many contradict", "one against one", "one, and looks weak"],
)
def test_what_is_not_kept_has_neither_depth_nor_confidence(score: float, agreeing: int, conflicting: int) -> None:
    assert kept(score, agreeing, conflicting) == (0, 0)


def test_seeing_through_a_place_contradicts_it_and_hiding_it_does_not(wall: Any) -> None:
    floating = agreement(wall, (0.8, 1, 1))
    hidden = agreement(wall, (1.2, 1, 1))
    assert (floating.agreeing[INNER] == 0).all() and (floating.conflicting[INNER] == 2).all()
    assert (hidden.agreeing[INNER] == 0).all() and (hidden.conflicting[INNER] == 0).all()


def test_depth_is_not_averaged_across_a_jump() -> None:
    inverse_depth = np.repeat(np.array([[0.5, 0.505, 0.2, 0.2]], np.float32), 3, axis=0)
    x = np.array([[0.5, 1.4, 1.6]], np.float32)
    y = np.ones_like(x)
    np.testing.assert_allclose(sample_surface(inverse_depth, x, y), [[0.5025, 0.505, 0.2]], atol=1e-4)
