"""The camera solver's own process: one attempt of the ladder with pycolmap.

Run as `python -m vggt_addon.engines.sfm.colmap_process JOB.json`. It has a process to itself because COLMAP can abort
it, because pycolmap and Pillow corrupt the heap when they meet, and so that a cancel is a kill. It prints progress as
JSON lines on stdout and leaves the solution in the job's folder; it ends by itself when its parent's pipe closes.
This module imports nothing beyond the standard library, numpy and pycolmap; never Pillow.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pycolmap

from .colmap_log import LOG_NAME, watched
from .colmap_summary import summarize
from .ladder import FEW_PHOTOS, Attempt
from .pairing import pairs_in_time
from .solution import Solution, write_solution

FOCAL_WITHOUT_PRIOR = 0.85  # of the long side: a 31 mm lens on 35 mm film, between phones and COLMAP's 1.2

# With more, the order in which threads finish decides ties, and the same photos give other cameras now and then (2 of
# 14 runs of three photos). One thread is no loss either: eleven photos take 50 instead of 64 processor seconds.
MAPPER_THREADS = 1
Report = Callable[[str, float], None]


def main() -> None:
    """Read the job, solve, write the solution."""
    out = _private_stdout()
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def report(stage: str, fraction: float) -> None:
        out.write(json.dumps({"stage": stage, "fraction": fraction}) + "\n")
        out.flush()

    folder = Path(sys.argv[1]).parent
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    write_solution(solve(job, folder, report), folder)


def _private_stdout() -> Any:
    """Keep the pipe to the parent for ourselves and send what libraries print to stderr, which goes to the log."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _end_with_parent() -> None:
    """The parent holds our stdin open and writes nothing; end-of-file means that it is gone."""
    while os.read(0, 4096):  # not sys.stdin: Python aborts at exit if a thread waits inside its buffered readers
        continue
    os._exit(3)


def solve(job: dict[str, Any], folder: Path, report: Report) -> Solution:
    """Features, matches (both kept in the job's database for later attempts) and mapping."""
    attempt = Attempt(**job["attempt"])
    database, images = Path(job["database"]), Path(job["images"])
    lenses: dict[str, dict[str, Any]] = {lens["folder"]: lens for lens in job["lenses"]}
    names = [name for lens in job["lenses"] for name in lens["names"]]
    pycolmap.set_random_seed(job["seed"])
    if not database.exists():
        log = folder / LOG_NAME
        with watched(log, lambda done: report("Finding details", 0.4 * done)):
            _extract(database, images, job["masks"], names, attempt, job["threads"])
        _set_cameras(database, lenses, attempt)
        with watched(log, lambda done: report("Comparing photos", 0.4 + 0.3 * done)):
            _match(database, names, folder, job)
    _set_cameras(database, lenses, attempt)
    models = _map(database, images, folder, attempt, len(names), job, report)
    report("Placing cameras", 1.0)
    return summarize(models, database, lenses, attempt)


def _extract(database: Path, images: Path, masks: str | None, names: list[str], attempt: Attempt, threads: int) -> None:
    reader = pycolmap.ImageReaderOptions()
    if masks is not None:
        reader.mask_path = masks
    reader.camera_model = attempt.camera_model
    reader.default_focal_length_factor = FOCAL_WITHOUT_PRIOR
    # Registered one after the other first: extraction numbers photos in the order in which its threads finish, and that
    # number decides ties all the way to the solved cameras.
    pycolmap.Database.open(database).close()
    pycolmap.import_images(
        database, images, camera_mode=pycolmap.CameraMode.PER_FOLDER, image_names=names, options=reader
    )
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = threads
    options.use_gpu = False
    options.max_image_size = attempt.copy_size
    options.sift.estimate_affine_shape = options.sift.domain_size_pooling = attempt.features == "affine"
    pycolmap.extract_features(
        database,
        images,
        image_names=names,
        camera_mode=pycolmap.CameraMode.PER_FOLDER,
        reader_options=reader,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )


def _set_cameras(database: Path, lenses: dict[str, dict[str, Any]], attempt: Attempt) -> None:
    """Give every lens the attempt's camera model and its prior: COLMAP cannot read EXIF from our copies."""
    with pycolmap.Database.open(database) as db:
        folders = {image.camera_id: image.name.split("/")[0] for image in db.read_all_images()}
        for camera in db.read_all_cameras():
            prior = lenses[folders[camera.camera_id]]["prior"]
            focal = prior or FOCAL_WITHOUT_PRIOR * max(camera.width, camera.height)
            started = pycolmap.Camera.create_from_model_name(
                camera.camera_id, attempt.camera_model, focal, camera.width, camera.height
            )
            started.has_prior_focal_length = prior is not None
            db.update_camera(started)


def _match(database: Path, names: list[str], folder: Path, job: dict[str, Any]) -> None:
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads = job["threads"]
    matching.use_gpu = False
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = job["seed"]
    device = pycolmap.Device.cpu
    if job["sequence"]:
        pairs = pairs_in_time(names)
        listed = pycolmap.ImportedPairingOptions()
        listed.match_list_path = folder / "pairs.txt"
        listed.match_list_path.write_text("".join(f"{first} {second}\n" for first, second in pairs), encoding="ascii")
        listed.block_size = max(50, -(-len(pairs) // 10))  # a block is what the progress bar sees
        pycolmap.match_image_pairs(
            database,
            matching_options=matching,
            pairing_options=listed,
            verification_options=verification,
            device=device,
        )
        return
    pairing = pycolmap.ExhaustivePairingOptions()
    # Likewise; every block prepares its photos' features anew: in blocks of 2, matching 11 photos takes twice as long.
    pairing.block_size = min(50, max(6, -(-len(names) // 3)))
    pycolmap.match_exhaustive(
        database,
        matching_options=matching,
        pairing_options=pairing,
        verification_options=verification,
        device=device,
    )


def _map(
    database: Path, images: Path, folder: Path, attempt: Attempt, count: int, job: dict[str, Any], report: Report
) -> list[Any]:
    """All models that the attempt's mapper finds, as pycolmap reconstructions."""
    held = attempt.hold_focal and all(lens["prior"] is not None for lens in job["lenses"])
    report("Placing cameras", 0.7)
    output = folder / "models"
    output.mkdir()
    if attempt.mapper == "global":
        options = _global_options(held, job)
        if not held:
            calibration = pycolmap.ViewGraphCalibrationOptions()
            calibration.random_seed = job["seed"]
            pycolmap.calibrate_view_graph(database, calibration)
        return list(pycolmap.global_mapping(database, images, output, options).values())
    placed = 0

    def next_image() -> None:
        nonlocal placed
        placed += 1
        report("Placing cameras", 0.7 + 0.3 * min(placed / count, 1.0))

    options = _incremental_options(attempt, count, held, job)
    return list(
        pycolmap.incremental_mapping(database, images, output, options, next_image_callback=next_image).values()
    )


def _incremental_options(attempt: Attempt, count: int, held: bool, job: dict[str, Any]) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.min_model_size = 2  # the default of 10 drops small sets
    options.extract_colors = False
    options.num_threads = MAPPER_THREADS
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = job["seed"]
    options.ba_refine_focal_length = options.mapper.abs_pose_refine_focal_length = not held
    if attempt.relaxed or count <= FEW_PHOTOS:
        options.mapper.init_min_tri_angle = 4.0
    if attempt.relaxed:
        options.mapper.init_max_forward_motion = 1.0
    if count <= FEW_PHOTOS:
        options.mapper.init_min_num_inliers = 50
        options.triangulation.ignore_two_view_tracks = False
    return options


def _global_options(held: bool, job: dict[str, Any]) -> Any:
    options = pycolmap.GlobalPipelineOptions()
    options.min_model_size = 2
    options.num_threads = options.mapper.num_threads = MAPPER_THREADS
    options.random_seed = options.mapper.random_seed = job["seed"]
    options.mapper.rotation_averaging.random_seed = options.mapper.global_positioning.random_seed = job["seed"]
    options.mapper.retriangulation.random_seed = job["seed"]
    options.mapper.global_positioning.use_gpu = options.mapper.bundle_adjustment.ceres.use_gpu = False
    options.mapper.bundle_adjustment.refine_focal_length = not held
    return options


if __name__ == "__main__":
    main()
