"""The numbers that the dense stage works with, each with its reason.

This module imports nothing beyond the standard library.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class DenseSettings:
    """Parameters of `estimate_depth`. Scores are ZNCC, [-1, 1]; matching costs are (1 - score) / 2, [0, 1]."""

    threads: int = 2  # photos worked on at the same time; the result does not depend on it

    # neighbours
    sweep_neighbours: int = 4  # photos that a photo is matched against
    check_neighbours: int = 6  # photos that its depth is compared with afterwards
    minimum_shared_points: int = 8  # sparse points that two photos must share before they are compared
    best_angle: float = 8.0  # degrees between two rays at a point: wide enough for precision, near enough to match
    angle_spread_below: float = 4.0  # degrees: how fast a pair loses worth when its angle is smaller than that
    angle_spread_above: float = 14.0  # degrees: the same for larger angles

    # depth range, from the sparse points that a photo sees
    range_percentile: float = 1.0  # of the points' depths, cut off at both ends as outliers
    range_near: float = 0.6  # the sweep starts at this multiple of the near end: ground before the first point
    range_far: float = 2.0  # and ends at this multiple of the far end: background behind the last one

    # window of the comparison of two pictures: a Gaussian, at the coarse and at the full size
    window_radius: int = 3  # pixels
    window_spread: float = 1.5  # pixels: smaller is sharper at silhouettes, larger finds weaker texture

    # coarse sweep
    sweep_scale: float = 0.5  # side of the sweep's pictures, as a share of the depth grid's
    minimum_planes: int = 48
    maximum_planes: int = 256  # bounds memory: a cost volume holds pixels x planes numbers of 2 bytes
    sweep_small_change: float = 0.01  # cost of moving by one plane between two pixels
    sweep_large_change: float = 0.12  # cost of any larger jump; less across an edge of the picture

    # surface-following refinement
    refine_steps: int = 6  # hypotheses on either side of the surface found so far
    refine_step: float = 0.3  # distance of two hypotheses, in planes of the coarse sweep
    refine_small_change: float = 0.004
    refine_large_change: float = 0.05

    # rounds led by what the photos agree on
    coarse_rounds: int = 1  # at the sweep's size: cheap
    fine_rounds: int = 1  # at full size: a second one adds 0.8 % of the pixels for a third more time
    guide_radii: tuple[int, ...] = (2, 4)  # coarse pixels (twice that at full size): how far surfaces are extended
    guide_gain: float = 0.02  # score by which a candidate must look better than the guess that stands

    # consistency between photos
    agree_pixels: float = 1.0  # largest distance after going to the other photo's surface and back
    agree_depth: float = 0.01  # largest relative difference of the two depths
    conflict_depth: float = 0.02  # relative: a surface farther behind than that contradicts
    trusted_score: float = 0.5  # only surfaces of at least this score contradict
    minimum_score: float = 0.3  # below this a pixel is unknown: bare walls, sky, reflections
    minimum_score_of_one: float = 0.45  # the same where only one other photo agrees
    largest_speckle: int = 20  # pixels: patches of up to that size, apart from others, are dropped as chance
    full_score: float = 0.9  # a score from which on appearance costs no confidence


DEFAULTS = DenseSettings()
