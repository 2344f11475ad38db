"""What VGGT says of a set of photos: one record, with axes, dtype, unit and frame at every field.

This module imports torch.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Tracks:
    """Where the query points of the first frame are in every frame."""

    positions: Tensor  # (iterations, B, S, N, 2) float32: x, y in pixels of the network's input; the last one counts
    visibility: Tensor  # (B, S, N) float32 in [0, 1]: how likely the point is seen in that frame
    confidence: Tensor  # (B, S, N) float32 in [0, 1]: how far the position is trusted


@dataclass(frozen=True)
class VggtOutput:
    """B scenes of S frames of H x W pixels. A field is None where its head was not built, and `tracks` also
    where no query points were given."""

    pose_encoding: Tensor | None  # (iterations, B, S, 9) float32: translation, quaternion x y z w, fields of view
    #   vertical and horizontal in radians; camera from world, OpenCV axes; the last iteration counts (see cameras.py)
    depth: Tensor | None  # (B, S, H, W) float32: along the optical axis, in units of the learned world
    depth_confidence: Tensor | None  # (B, S, H, W) float32, from 1 up
    points: Tensor | None  # (B, S, H, W, 3) float32: in the world frame, which is close to the first camera's
    points_confidence: Tensor | None  # (B, S, H, W) float32, from 1 up
    tracks: Tracks | None
