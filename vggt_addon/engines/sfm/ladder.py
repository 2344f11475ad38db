"""The attempts at the cameras, from quick to patient, and the judgement of each.

Each rung helps where the one before it fails: plain features where photos overlap well; affine-invariant ones where
they are far apart; a lens without distortion and with EXIF's focal length held where forward motion leaves the lens
open; global mapping where no good pair exists to start from.
This module imports nothing beyond the standard library and numpy.
"""

from dataclasses import dataclass

from .solution import Solution

FEW_PHOTOS = 4  # up to here a set may lack what the usual thresholds ask for
PATIENT_PHOTOS = 20  # up to here every photo is worth 3.5 times the extraction time
FOCAL_RANGE = (0.4, 3.0)  # of the photo's long side: from a 14 mm to a 108 mm lens on 35 mm film
FOCAL_AGAINST_EXIF = (0.5, 2.2)  # solved / EXIF; a crop may double it, nothing honest does more
LARGEST_DISTORTION = 0.5  # |k|: beyond it the corner moves by half its distance, which no lens without a name does


@dataclass(frozen=True)
class Attempt:
    """One rung."""

    name: str
    features: str  # "plain" SIFT, or "affine": affine shape and domain-size pooling
    copy_size: int  # pixels: long side of the working copies
    camera_model: str  # COLMAP's name
    mapper: str  # "incremental" or "global"
    relaxed: bool = False  # accept a starting pair with little parallax or forward motion
    hold_focal: bool = False  # keep EXIF's focal length where there is one

    @property
    def features_key(self) -> str:
        """Attempts with equal keys share their features and matches."""
        return f"{self.features}_{self.copy_size}"


def attempts(photo_count: int) -> tuple[Attempt, ...]:
    """The ladder for so many photos, quickest first."""
    plain = Attempt("plain", "plain", 1000, "SIMPLE_RADIAL", "incremental")
    affine = Attempt("affine", "affine", 1600, "SIMPLE_RADIAL", "incremental")
    base = affine if photo_count <= PATIENT_PHOTOS else plain
    pinhole = Attempt(
        "pinhole", base.features, base.copy_size, "SIMPLE_PINHOLE", "incremental", relaxed=True, hold_focal=True
    )
    global_ = Attempt("global", base.features, base.copy_size, "SIMPLE_PINHOLE", "global", hold_focal=True)
    return (plain, affine, pinhole, global_) if base is affine else (plain, pinhole, global_)


def is_sane(solution: Solution) -> bool:
    """Whether every lens of the solution could exist: focal length and distortion within reason."""
    for lens in solution.lenses:
        focal = lens.focal / max(lens.width, lens.height)
        if not FOCAL_RANGE[0] <= focal <= FOCAL_RANGE[1] or abs(lens.distortion) > LARGEST_DISTORTION:
            return False
        if lens.prior is not None and not FOCAL_AGAINST_EXIF[0] <= lens.focal / lens.prior <= FOCAL_AGAINST_EXIF[1]:
            return False
    return True


def is_complete(solution: Solution, photo_count: int) -> bool:
    """Nothing is left to be gained by another attempt."""
    return len(solution.images) == photo_count and is_sane(solution)


def best(solutions: list[Solution]) -> Solution | None:
    """Most photos among the sane ones; the earlier attempt where equal, since it solved more of the lens."""
    sane = [solution for solution in solutions if solution.images and is_sane(solution)]
    return max(sane, key=lambda solution: len(solution.images), default=None)
