"""What the worker found in photos, written to the lists of all scenes.

The worker is believed nothing: a figure that Blender's properties do not take is none.
This module imports bpy beyond the standard library.
"""

import math
from typing import TYPE_CHECKING

import bpy

from . import thumbnails, wording
from .session import Session

if TYPE_CHECKING:
    from ..jobs.protocol import ProbedPhoto

MOST_PIXELS = 1_000_000  # along a side; more is no photo
MOST_SECONDS, MOST_FRAMES = 1e6, 100_000_000  # of a clip; more is none


def fill_in(session: Session) -> None:
    """Write what `session` knows where it differs from what stands there, and load the small pictures."""
    for scene in bpy.data.scenes:
        if scene.library is None:
            for photo in scene.vggt.photos:
                fact = session.facts.get(photo.path)
                if fact is not None:
                    _fill_in(photo, fact)
    for path, picture in session.thumbnails.items():
        thumbnails.load(path, picture)


def _fill_in(photo: bpy.types.PropertyGroup, fact: "ProbedPhoto") -> None:
    known = {
        "width": fact.width if 0 <= fact.width <= MOST_PIXELS else 0,
        "height": fact.height if 0 <= fact.height <= MOST_PIXELS else 0,
        "frames": fact.frames if 0 <= fact.frames <= MOST_FRAMES else 0,
        "problem": wording.shown(fact.problem),
        "mask": wording.shown(fact.mask),
        "remark": wording.shown(fact.remark),
    }
    for name, value in known.items():
        if getattr(photo, name) != value:
            setattr(photo, name, value)
    figures = {
        "focal": fact.focal if fact.focal is not None and 0 < fact.focal <= 100.0 * MOST_PIXELS else 0.0,
        "seconds": fact.seconds if 0 <= fact.seconds <= MOST_SECONDS else 0.0,
    }
    for name, figure in figures.items():
        if not math.isclose(getattr(photo, name), figure, rel_tol=1e-5):  # Blender keeps 32 bits of it
            setattr(photo, name, figure)
