"""Views added to a finished Reconstruction: their reliefs and points, while all that stands stays where it is.

This module imports nothing beyond the standard library and numpy.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..progress import Cancel, Progress, never, no_progress, span
from ..reconstruction import POINTS_GIVEN, PointCloud, Reconstruction, View
from .apply import PostprocessSettings, figures_of, points_of, typical_depth, with_reliefs
from .points import gather_points


def extend(
    reconstruction: Reconstruction,
    added: tuple[View, ...],
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> Reconstruction:
    """`reconstruction`, postprocessed, with the views `added` behind its own, which are kept to the bit.

    The points are gathered from all views with the settings of before; scene_from_world stays: what is built of the
    capture is where it was. Raises ValueError where a name is taken, Cancelled.
    """
    settings = _settings(reconstruction)
    fallback_depth = typical_depth((*reconstruction.views, *added))
    new = with_reliefs(added, fallback_depth, settings, span(progress, 0.0, 0.3), cancel)
    views = (*reconstruction.views, *new)
    extended = _with_given_points(reconstruction, new).replace(views=views)
    points = points_of(extended, views, settings, span(progress, 0.3, 1.0), cancel)
    earlier = reconstruction.report.get("postprocess")
    figures = {**(earlier if isinstance(earlier, Mapping) else {}), **figures_of(views, points)}
    return extended.replace(points=points.cloud if points else None, report={**extended.report, "postprocess": figures})


def _with_given_points(reconstruction: Reconstruction, added: tuple[View, ...]) -> Reconstruction:
    """Where an engine handed its own points over, those that the new views' depth gives stand beside them."""
    given = reconstruction.report.get(POINTS_GIVEN)
    gathered = gather_points(added) if POINTS_GIVEN in reconstruction.report else None
    if gathered is None:
        return reconstruction
    more = dataclasses.replace(gathered.cloud, view=gathered.cloud.view + np.int32(len(reconstruction.views)))
    clouds = [more] if reconstruction.points is None else [reconstruction.points, more]
    names = ("position", "color", "confidence", "view")
    joined = PointCloud(
        **{name: np.concatenate([getattr(cloud, name) for cloud in clouds]) for name in names},
        spacing=clouds[0].spacing,
    )
    count = given + gathered.before if isinstance(given, int) else given
    # Only with its views do the points' indices exist.
    return reconstruction.replace(
        views=(*reconstruction.views, *added), points=joined, report={**reconstruction.report, POINTS_GIVEN: count}
    )


def _settings(reconstruction: Reconstruction) -> PostprocessSettings:
    """Those that the capture was postprocessed with; whoever wrote it: what is no setting counts as not said."""
    earlier = reconstruction.report.get("postprocess")
    said = earlier.get("settings") if isinstance(earlier, Mapping) else None
    if not isinstance(said, Mapping):
        return PostprocessSettings()
    default = PostprocessSettings()
    known = {
        name: said[name]
        for name, value in dataclasses.asdict(default).items()
        if isinstance(said.get(name), int | float) and type(said[name]) is type(value) and said[name] >= 0
    }
    try:
        return PostprocessSettings(**known)
    except ValueError:
        return default
