"""The choice of frames, on sequences of which the right choice is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.photos.frame_choice import (
    SAME,
    TINY,
    Candidate,
    choose,
    correlation,
    cuts,
    difference,
    sharpness,
    tiny_picture,
)

Grey = NDArray[np.float32]
RNG = np.random.default_rng(0)
WALL = np.kron(RNG.integers(0, 256, (9, 2000)), np.ones((3, 6))).astype(np.float32)  # (27, 12000)


def _tiny(place: float) -> Grey:
    """What is seen after `place` steps along the wall."""
    start = round(place)
    return WALL[:, start : start + TINY[0]]


def _walk(places: list[float], sharp: list[float] | None = None) -> list[Candidate]:
    """Candidates a second apart."""
    return [
        Candidate(float(number), 1.0 if sharp is None else sharp[number], _tiny(place))
        for number, place in enumerate(places)
    ]


def test_a_steady_walk_gives_frames_evenly() -> None:
    chosen = choose(_walk([2.0 * number for number in range(90)]), 30)
    assert len(chosen) == 30 and chosen == sorted(chosen)
    assert set(np.diff(chosen)) <= {2, 3, 4}


def test_where_the_camera_stands_still_there_are_few() -> None:
    places = [2.0 * min(number, 30) + 2.0 * max(number - 60, 0) for number in range(90)]
    chosen = np.array(choose(_walk(places), 30))
    standing = ((chosen > 31) & (chosen < 60)).sum()
    assert standing <= 2 and len(chosen) >= 20


def test_a_slow_part_gives_fewer_frames_than_a_quick_one() -> None:
    places = [0.5 * min(number, 45) + 4.0 * max(number - 45, 0) for number in range(90)]
    chosen = np.array(choose(_walk(places), 30))
    assert (chosen < 45).sum() * 2 < (chosen >= 45).sum()


def test_the_sharp_ones_are_taken() -> None:
    sharp = [100.0 if number % 3 == 1 else 10.0 for number in range(90)]
    chosen = choose(_walk([2.0 * number for number in range(90)], sharp), 30)
    assert all(number % 3 == 1 for number in chosen)


def test_a_clip_without_motion_gives_one_frame() -> None:
    noise = [Candidate(float(n), 1.0, _tiny(0) + RNG.normal(0, 0.5, TINY[::-1]).astype(np.float32)) for n in range(90)]
    assert len(choose(noise, 30)) == len(choose(noise[:10], 30)) == 1


def test_fewer_candidates_than_the_budget_are_all_taken() -> None:
    assert choose(_walk([3.0 * number for number in range(7)]), 32) == list(range(7))
    assert choose(_walk([0.0]), 32) == [0] and choose([], 32) == []


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 89])
def test_the_budget_is_kept(budget: int) -> None:
    places = list(np.cumsum(np.abs(np.random.default_rng(budget).normal(0, 5, 90))))
    chosen = choose(_walk(places), budget)
    assert 1 <= len(chosen) <= budget and chosen == choose(_walk(places), budget)


# --- measures


def test_blur_is_less_sharp() -> None:
    grey = RNG.integers(0, 256, (120, 160)).astype(np.float32)
    along = (grey + np.roll(grey, 1, 1) + np.roll(grey, 2, 1)) / 3
    assert sharpness(along) < 0.5 * sharpness(grey)
    assert sharpness(np.full((120, 160), 7, np.float32)) == 0
    assert sharpness(np.zeros((2, 2), np.float32)) == 0


def test_difference_knows_motion_from_brightness_and_noise() -> None:
    first = _tiny(0)
    assert difference(first, first) == 0
    assert difference(first, first + 20) < 1e-6
    assert difference(first, first + RNG.normal(0, 1, first.shape).astype(np.float32)) < SAME
    assert SAME < difference(first, _tiny(1)) < difference(first, _tiny(3)) < difference(first, _tiny(600))
    flat = np.full_like(first, 100)
    assert difference(flat, flat + RNG.normal(0, 0.1, flat.shape).astype(np.float32)) < SAME


@pytest.mark.parametrize("shape", [(27, 48), (540, 960), (720, 960), (37, 53), (10, 960), (1, 1)])
def test_tiny_pictures_are_averages(shape: tuple[int, int]) -> None:
    grey = RNG.uniform(0, 255, shape).astype(np.float32)
    tiny = tiny_picture(grey)
    assert tiny.shape == (27, 48) and tiny.dtype == np.float32
    assert grey.min() - 0.01 <= tiny.min() and tiny.max() <= grey.max() + 0.01
    assert np.allclose(tiny_picture(np.full(shape, 9, np.float32)), 9)
    if shape == (540, 960):
        assert np.allclose(tiny, grey.reshape(27, 20, 48, 20).mean(axis=(1, 3)), atol=0.01)


def test_cuts_are_found_in_a_smooth_clip_only() -> None:
    assert correlation(_tiny(0), _tiny(0)) == pytest.approx(1)
    assert abs(correlation(_tiny(0), _tiny(3000))) < 0.25
    assert correlation(np.zeros((27, 48), np.float32), np.ones((27, 48), np.float32)) == 1
    smooth = [0.95, 0.97, 0.1, 0.96, 0.94]
    assert cuts([0, 1, 2, 3, 4, 5], smooth) == [3]
    assert cuts([0, 1, 2, 3, 4, 5], [0.4, 0.6, 0.1, 0.5, 0.3]) == [], "photos put one after another"
    assert cuts([0], []) == []
