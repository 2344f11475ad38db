"""The ladder's judgement."""

import pytest

from vggt_addon.engines.sfm.ladder import PATIENT_PHOTOS, attempts, best, is_complete, is_sane
from vggt_addon.engines.sfm.solution import Solution, SolvedImage, SolvedLens

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def solution(
    name: str, placed: int, focal: float = 900.0, distortion: float = 0.0, prior: float | None = None
) -> Solution:
    lens = SolvedLens("lens_000", "SIMPLE_RADIAL", 1000, 750, (focal, 500.0, 375.0, distortion), prior, False)
    images = tuple(SolvedImage(f"lens_000/{i:05d}.png", 0, IDENTITY, 0.5, 100) for i in range(placed))
    return Solution(name, images=images, lenses=(lens,))


def test_quick_first_and_no_patience_for_many_photos() -> None:
    few = attempts(8)
    assert [attempt.name for attempt in few] == ["plain", "affine", "pinhole", "global"]
    assert few[0].copy_size < few[1].copy_size
    many = attempts(PATIENT_PHOTOS + 1)
    assert all(attempt.features == "plain" for attempt in many)
    assert len({attempt.features_key for attempt in many}) == 1, "features are computed once"


@pytest.mark.parametrize(
    ("candidate", "sane"),
    [
        (solution("a", 3), True),
        (solution("a", 3, focal=390.0), False),
        (solution("a", 3, focal=3100.0), False),
        (solution("a", 3, distortion=-0.6), False),
        (solution("a", 3, focal=900.0, prior=1000.0), True),
        (solution("a", 3, focal=900.0, prior=2000.0), False),
    ],
)
def test_sanity(candidate: Solution, sane: bool) -> None:
    assert is_sane(candidate) is sane


def test_most_photos_win_among_the_sane() -> None:
    runaway = solution("plain", 9, distortion=1.2)
    seven, eight, also_eight = solution("affine", 7), solution("pinhole", 8), solution("global", 8)
    assert best([runaway, seven, eight, also_eight]) is eight
    assert best([runaway]) is None
    assert best([Solution("plain")]) is None
    assert not is_complete(runaway, 9)
    assert is_complete(eight, 8)
    assert not is_complete(eight, 9)
