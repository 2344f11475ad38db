"""Everything between an engine's result and the scene, re-runnable on a saved Reconstruction.

Only what was measured is read (cameras, depth, confidence, color), and only what follows from it is replaced
(relief_depth, depth_edge, points, scene_from_world, report["postprocess"]), so running it twice changes nothing.
Points that an engine handed over are thinned, not gathered anew; what is thinned away does not come back.
This module imports nothing beyond the standard library and numpy.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..progress import Cancel, Progress, check, never, no_progress, span
from ..reconstruction import POINTS_GIVEN, Json, PointCloud, Reconstruction, View
from ..settings import POINT_BUDGET
from .depth_edges import STEP, depth_edges
from .fill import fill_depth
from .placement import EXTENT, place
from .points import CONFIDENCE_FLOOR, GatheredPoints, gather_points, sample_points, thin_points
from .upright import find_up


@dataclass(frozen=True)
class PostprocessSettings:
    """What an artist may ask for."""

    point_budget: int = POINT_BUDGET  # points kept at most
    confidence_floor: float = CONFIDENCE_FLOOR  # a point needs more than this
    edge_step: float = STEP  # the smallest jump that counts as a silhouette, as a share of the depth
    extent: float = EXTENT  # scene units that what is seen near the cameras spans
    seed: int = 0  # of the search for the ground

    def __post_init__(self) -> None:
        if self.point_budget < 1 or not self.extent > 0 or not self.edge_step > 0:
            raise ValueError("point_budget, extent and edge_step must be positive")


def postprocess(
    reconstruction: Reconstruction,
    settings: PostprocessSettings = PostprocessSettings(),
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> Reconstruction:
    """`reconstruction` with relief_depth, depth_edge, points and scene_from_world made anew; nothing measured changes.

    Without views it is returned as it is. Raises Cancelled.
    """
    if not reconstruction.views:
        return reconstruction
    views = with_reliefs(
        reconstruction.views, typical_depth(reconstruction.views), settings, span(progress, 0.0, 0.5), cancel
    )
    points = points_of(reconstruction, views, settings, span(progress, 0.5, 0.9), cancel)
    progress("Turning the scene upright", 0.9)
    cameras_from_world = np.array([view.camera_from_world for view in views])
    positions = sample_points(views, cancel=cancel)
    upright = find_up(cameras_from_world, positions, settings.seed, cancel)
    placement = place(upright, cameras_from_world, positions, reconstruction.reference, settings.extent)
    progress("Turning the scene upright", 1.0)
    figures = {
        **upright.figures(),
        **placement.figures(),
        "settings": dataclasses.asdict(settings),
        **figures_of(views, points),
    }
    cloud: PointCloud | None = points.cloud if points else None
    return reconstruction.replace(
        views=views,
        points=cloud,
        scene_from_world=placement.scene_from_world,
        report={**reconstruction.report, "postprocess": figures},
    )


def points_of(
    reconstruction: Reconstruction,
    views: tuple[View, ...],
    settings: PostprocessSettings,
    progress: Progress,
    cancel: Cancel,
) -> GatheredPoints | None:
    """The engine's own points, thinned, where it handed some over; else those that depth gives."""
    budget, floor = settings.point_budget, settings.confidence_floor
    if POINTS_GIVEN not in reconstruction.report:
        return gather_points(views, budget, floor, progress, cancel)
    if reconstruction.points is None:
        return None
    earlier = reconstruction.report.get("postprocess")
    voxel = earlier.get("voxel_size") if isinstance(earlier, Mapping) else 0.0
    voxel_before = float(voxel) if isinstance(voxel, int | float) else 0.0
    found = thin_points(reconstruction.points, views, budget, floor, voxel_before, progress, cancel)
    given = reconstruction.report[POINTS_GIVEN]
    return dataclasses.replace(found, before=given) if found and isinstance(given, int) else found


def with_reliefs(
    views: tuple[View, ...],
    fallback_depth: float,
    settings: PostprocessSettings,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> tuple[View, ...]:
    """The views with relief_depth and depth_edge; `fallback_depth` (world units) is for one without any depth."""
    done = []
    for index, view in enumerate(views):
        check(cancel)
        progress("Filling holes", index / len(views))
        if view.depth is not None and view.confidence is not None:
            relief_depth = fill_depth(view.depth, view.confidence, view.color, fallback_depth)
            edges = depth_edges(relief_depth, settings.edge_step)
            done.append(dataclasses.replace(view, relief_depth=relief_depth, depth_edge=edges))
        else:
            done.append(view)
    progress("Filling holes", 1.0)
    return tuple(done)


def typical_depth(views: tuple[View, ...]) -> float:
    """The median over the views of their median measured depth; 1 where nothing was measured."""
    measured = [view.depth[view.depth > 0] for view in views if view.depth is not None]
    medians = [float(np.median(depth)) for depth in measured if len(depth)]
    return float(np.median(medians)) if medians else 1.0


def _measured_share(views: tuple[View, ...]) -> float | None:
    shares = [float((view.depth > 0).mean()) for view in views if view.depth is not None]
    return round(float(np.mean(shares)), 4) if shares else None


def _edge_share(views: tuple[View, ...]) -> float | None:
    shares = [float(view.depth_edge.mean()) for view in views if view.depth_edge is not None and view.depth_edge.size]
    return round(float(np.mean(shares)), 4) if shares else None


def figures_of(views: tuple[View, ...], points: GatheredPoints | None) -> dict[str, Json]:
    """What the report says of reliefs and points."""
    return {
        **_point_figures(points),
        "measured_share": _measured_share(views),
        "depth_edge_share": _edge_share(views),
    }


def _point_figures(points: GatheredPoints | None) -> dict[str, Json]:
    if points is None:
        return {"points_before": 0, "points": 0, "voxel_size": 0.0, "spacing": None}
    cloud = points.cloud
    return {
        "points_before": points.before,
        "points": len(cloud.position),
        "voxel_size": points.voxel,
        "spacing": cloud.spacing,
    }
