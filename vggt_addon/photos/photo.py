"""What is known of one photo file before its pixels are read.

This module imports nothing beyond the standard library.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FocalPrior:
    """A focal length that the file claims. A prior: photos may have been cropped, and makers round."""

    pixels: float  # of the upright photo, along its long side
    source: str  # "exif 35 mm equivalent", "exif focal plane resolution" or "exif focal length, sensor by model"


@dataclass(frozen=True)
class ClipFrame:
    """Which frame of a clip a photo is."""

    clip: Path  # absolute: the artist's file
    time: float  # seconds: its presentation stamp as the container counts, of which the first frame's need not be 0


@dataclass(frozen=True)
class Photo:
    """A photo file that can be read. Everything is said of the upright picture.

    A frame of a clip is one, too: `path` is then the picture that was made of it, and `sha256` the clip's.
    """

    path: Path  # absolute
    name: str  # the file's name, made unique among the photos of one run
    sha256: str  # of the artist's file's bytes, hex
    width: int  # pixels, upright
    height: int  # pixels, upright
    orientation: int  # EXIF 1..8: how the stored picture is to be turned; 1 where it is upright already
    focal_prior: FocalPrior | None
    lens: str  # camera, lens and focal length as EXIF names them; photos of one size and lens share intrinsics
    shown_as_is: bool  # the file itself is an upright 8-bit sRGB picture that Blender reads
    frame: ClipFrame | None = None  # None: a photo of its own
    stamp: tuple[int, int] | None = None  # the file's size and time of change (ns) when it was looked at
    mask: Path | None = None  # the picture beside it that says what of it is used; see photos.masks
    remark: str = ""  # for the artist: what of the file was not used; "" where all of it is

    @property
    def long_side(self) -> int:
        """Pixels along the longer side."""
        return max(self.width, self.height)

    @property
    def identity(self) -> str:
        """What stays the same wherever the file lies: its hash, and for a frame its time in seconds."""
        return self.sha256 if self.frame is None else f"{self.sha256}@{self.frame.time:.3f}"

    @property
    def original(self) -> Path:
        """The file that the artist gave."""
        return self.path if self.frame is None else self.frame.clip
