"""Failures become the sentence that fits."""

from dataclasses import replace

from vggt_addon.engines.sfm.solution import MatchedPair, Solution, SolvedImage
from vggt_addon.engines.sfm.verdict import explain_failure, explain_left_out

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
PAIR = MatchedPair("lens_000/00000.png", "lens_000/00001.png", "UNCALIBRATED", 200, 0.1)
TURNED = replace(PAIR, configuration="PANORAMIC")
SAME = replace(TURNED, median_shift=0.0001)


def test_no_overlap() -> None:
    assert "share no detail" in explain_failure([Solution("plain"), Solution("global")], 3)


def test_a_handful_of_chance_matches_is_no_overlap() -> None:
    assert "share no detail" in explain_failure([Solution("plain", pairs=(replace(PAIR, inliers=14),))], 3)


def test_same_picture() -> None:
    assert "same picture" in explain_failure([Solution("plain", pairs=(SAME,))], 2)


def test_only_turned() -> None:
    assert "only turned" in explain_failure([Solution("plain", pairs=(TURNED,))], 2)


def test_a_model_of_a_turning_camera_is_a_fake() -> None:
    images = tuple(SolvedImage(name, 0, IDENTITY, 0.1, 100) for name in (PAIR.first, PAIR.second))
    fake = Solution("plain", images=images, pairs=(TURNED,), median_triangulation_angle=1.7)
    assert fake.only_turned
    assert not replace(fake, median_triangulation_angle=11.0).only_turned, "a flat wall seen from two places"
    assert not replace(fake, pairs=(TURNED, PAIR)).only_turned


def test_left_out() -> None:
    third = "lens_000/00002.png"
    alone = Solution("plain", pairs=(PAIR,))
    assert "no recognisable detail" in explain_left_out(third, alone)
    joined = Solution("plain", pairs=(PAIR, replace(PAIR, second=third)))
    assert "too little" in explain_left_out(third, joined)
    other = replace(joined, other_models=((third, "lens_000/00003.png"),))
    assert "could not be joined" in explain_left_out(third, other)
    copy = Solution("plain", pairs=(replace(SAME, second=third),))
    assert "same picture" in explain_left_out(third, copy)
