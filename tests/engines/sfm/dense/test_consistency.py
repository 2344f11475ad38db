"""What is kept, what is rejected, and the confidence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.consistency import Agreement, compare, keep
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


def test_confidence_falls_with_appearance_and_agreement() -> None:
    score = np.array([[0.9, 0.95, 0.6, 0.31, 0.3, 0.95, 0.95]], np.float32)
    agreeing = np.array([[4, 4, 4, 4, 4, 2, 1]], np.int32)
    inverse_depth = np.full(score.shape, 0.25, np.float32)
    found = keep(Guess(inverse_depth, 0.01, score), Agreement(agreeing, inverse_depth), 11, SETTINGS)
    np.testing.assert_allclose(found.depth, [[4, 4, 4, 4, 0, 4, 0]])
    np.testing.assert_array_equal(found.confidence == 0, found.depth == 0)
    confidence = found.confidence[0]
    assert confidence[0] == confidence[1] == 1 > confidence[2] > confidence[3] > 0
    assert confidence[5] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("photos", "kept"), [(2, True), (4, True), (5, False)])
def test_few_photos_need_one_other(photos: int, kept: bool) -> None:
    one = np.ones((1, 1), np.float32)
    found = keep(Guess(one, 0.01, one), Agreement(one.astype(np.int32), one), photos, SETTINGS)
    assert (found.depth[0, 0] > 0) == kept
