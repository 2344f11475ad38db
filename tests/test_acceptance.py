"""Real photos and the example, end to end, judged from outside: measured cameras, points and rendered truth.

The longest tests of the suite: about four minutes on two idle cores. Bounds are the product's promises, not today's
figures.
"""

import importlib.util
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vggt_addon.__main__ import main
from vggt_addon.reconstruction import Reconstruction

REPOSITORY = Path(__file__).parent.parent
SharedPath = Callable[[str], Path]


@pytest.fixture(scope="module")
def judge(shared: SharedPath) -> ModuleType:
    """The scoring tool, which knows nothing of this project."""
    spec = importlib.util.spec_from_file_location("score_cameras", shared("tools/score_cameras.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reconstruct(photos: list[Path], folder: Path) -> Reconstruction:
    assert main(["reconstruct", *map(str, photos), "-o", str(folder)]) == 0
    return Reconstruction.load(folder)


def score(judge: ModuleType, capture: Path, truth: dict[str, Any], reference: Any = None) -> dict[str, float]:
    exported = capture.with_suffix(".json")
    assert main(["export", str(capture), "--format", "cameras-json", "-o", str(exported)]) == 0
    figures: dict[str, float] = judge.score(judge.load(str(exported)), truth, ref=reference)
    print(json.dumps(figures), file=sys.stderr)
    return figures


def cpu_seconds() -> float:
    """Of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured_share(capture: Reconstruction) -> float:
    return float(np.mean([(view.depth > 0).mean() for view in capture.views if view.depth is not None]))


def test_fountain(shared: SharedPath, judge: ModuleType, tmp_path: Path, record_property: Callable[..., None]) -> None:
    folder = shared("datasets/fountain_p11")
    before = cpu_seconds()
    capture = reconstruct([folder / "images"], tmp_path / "fountain")
    record_property("cpu_seconds", cpu_seconds() - before)  # its bound is kept by benchmarks/, not by a timed test
    reference = np.load(folder / "points_ref.npz")
    figures = score(judge, tmp_path / "fountain", judge.load(str(folder / "cameras_gt.json")), reference)
    assert figures["images_pred"] == 11
    assert figures["AUC@3"] >= 98
    assert figures["focal_err_pct"] <= 0.2
    assert figures["centre_err_pct_of_extent"] <= 0.3
    assert figures["ref_depth_completeness_pct"] >= 97
    assert figures["ref_depth_within_1pct"] >= 98
    assert figures["ref_depth_median_pct"] <= 0.2
    assert measured_share(capture) >= 0.70
    assert capture.report["attempt"] == "plain"


@pytest.mark.parametrize("chosen", [(4, 5, 6), (0, 1, 2, 3)])
def test_few_neighbours(shared: SharedPath, judge: ModuleType, tmp_path: Path, chosen: tuple[int, ...]) -> None:
    folder = shared("datasets/fountain_p11")
    photos = [folder / "images" / f"{number:04d}.jpg" for number in chosen]
    capture = reconstruct(photos, tmp_path / "few")
    truth = judge.load(str(folder / "cameras_gt.json"))
    figures = score(judge, tmp_path / "few", {f"{number:04d}": truth[f"{number:04d}"] for number in chosen})
    assert figures["AUC@3"] == 100
    assert figures["focal_err_pct"] <= 1
    assert not any(view.report.focal_uncertain for view in capture.views)


def test_two_photos(shared: SharedPath, judge: ModuleType, tmp_path: Path) -> None:
    folder = shared("datasets/fountain_p11")
    capture = reconstruct([folder / "images" / "0005.jpg", folder / "images" / "0006.jpg"], tmp_path / "two")
    truth = judge.load(str(folder / "cameras_gt.json"))
    figures = score(judge, tmp_path / "two", {name: truth[name] for name in ("0005", "0006")})
    assert figures["AUC@30"] >= 95
    assert all(view.report.focal_uncertain for view in capture.views)
    assert any("Two photos" in warning for warning in capture.warnings)


@pytest.mark.parametrize(
    ("name", "count", "focal_bound"), [("banana", 16, 0.05), ("berlin_3", 3, 0.10), ("dog_4", 4, None)]
)
def test_photos_without_measured_cameras(
    shared: SharedPath, tmp_path: Path, name: str, count: int, focal_bound: float | None
) -> None:
    capture = reconstruct([shared(f"datasets/{name}/images")], tmp_path / name)
    assert len(capture.views) == count
    for view in capture.views:
        assert view.report.reprojection_error is not None and view.report.reprojection_error < 1
        assert view.report.focal_source == "solved"
        if focal_bound is not None:
            assert view.report.focal_prior is not None
            assert abs(view.intrinsics[0, 0] / view.report.focal_prior - 1) <= focal_bound


def test_example(tmp_path: Path) -> None:
    """Needs nothing from outside: the example's truth is its own."""
    example = REPOSITORY / "examples" / "courtyard"
    spec = importlib.util.spec_from_file_location("compare", REPOSITORY / "examples" / "compare_with_truth.py")
    assert spec is not None and spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    capture = reconstruct([example / "photos"], tmp_path / "courtyard")
    truth = json.loads((example / "cameras.json").read_text())["images"]
    assert len(capture.views) == len(truth)
    poses = {Path(view.name).stem: view.camera_from_world for view in capture.views}
    true_poses = {Path(image["name"]).stem: np.array(image["cam_from_world"], np.float64) for image in truth}
    errors = compare.pair_errors(poses, true_poses)
    assert np.mean([(errors < degrees).mean() for degrees in (1, 2, 3)]) >= 0.97
    focal = {Path(image["name"]).stem: image["K"][0][0] for image in truth}
    for view in capture.views:
        assert abs(view.intrinsics[0, 0] / focal[Path(view.name).stem] - 1) < 0.005
    print("\n".join(compare.compare(capture, example / "cameras.json")), file=sys.stderr)
