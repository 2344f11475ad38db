"""What VGGT accepts of a checkpoint that does not hold exactly its own names.

This module imports the weights room alone, and with it torch.
"""

from ...weights.loading import CheckpointRules

RULES = CheckpointRules(
    # A head that was not built is not loaded. Some published files lack the heads for tracks and points.
    optional_parts={
        "camera_head.": "cameras",
        "depth_head.": "depth",
        "point_head.": "the point map",
        "track_head.": "point tracks",
    },
)
