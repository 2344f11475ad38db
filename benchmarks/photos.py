"""What huge photos cost: python benchmarks/photos.py [--photos 60] [--others 6] [--at-once 2] [--kinds jpeg turned ...]

Photos of 48 megapixels (8064 x 6048) are made in a temporary folder, of a few pictures, no two files alike: --photos of
each kind of JPEG, --others of each other kind. Every step reads all of them in a process of its own, --at-once side by
side. Told are that process's peak of resident memory, its libraries included, and how many photos it reads in the time
that the first step takes for one, which is Pillow decoding one by one, and no more than that. Needs Linux's /proc.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import ExifTags, Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from vggt_addon.photos.gather import gather  # noqa: E402 - needs the path
from vggt_addon.photos.icc_profile import DISPLAY_P3, make_profile  # noqa: E402
from vggt_addon.photos.photo import Photo  # noqa: E402
from vggt_addon.progress import never, no_progress  # noqa: E402

SIZE = (8064, 6048)
PICTURES = 3  # that differ: making them takes longest
LIMIT = 1500  # MB
WORKING_SIZE, DEPTH_SIZE, TEXTURE_SIZE = 1600, 512, 4096  # pixels
SUFFIXES = {
    "jpeg": ".jpg", "turned": ".jpg", "turned p3": ".jpg", "masked": ".jpg", "png": ".png", "cut out": ".png",
    "tiff": ".tif", "webp": ".webp", "heic": ".heic", "avif": ".avif", "16 bit": ".png",
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 90}, ".png": {"compress_level": 1}, ".tif": {"compression": "tiff_lzw"},
    ".webp": {"quality": 80, "method": 0}, ".heic": {"quality": 30, "enc_params": {"preset": "ultrafast"}},
    ".avif": {"quality": 80, "speed": 10},
}  # fmt: skip


def make(kind: str, picture: int, path: Path) -> bytes:
    """One of the example's photos enlarged, with a sensor's noise, so that the file is as long as a phone's."""
    source = sorted((REPOSITORY / "examples" / "courtyard" / "photos").iterdir())[picture]
    with Image.open(source) as small:
        image = small.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC)
    image = Image.blend(image, Image.effect_noise(SIZE, 60).convert("RGB"), 0.1)
    exif, options = Image.Exif(), dict(OPTIONS[path.suffix])
    if kind.startswith("turned"):
        exif[ExifTags.Base.Orientation] = 6
    if kind in ("turned p3", "heic"):
        options["icc_profile"] = make_profile(DISPLAY_P3, 2.2)
    if kind == "cut out":
        image.putalpha(Image.radial_gradient("L").resize(SIZE))
    if kind == "16 bit":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * np.uint16(257))
    image.save(path, exif=exif, **options)
    if kind == "masked":
        Image.radial_gradient("L").resize(SIZE).convert("RGBA").save(path.with_suffix(".mask.png"), compress_level=1)
    return path.read_bytes()


def make_all(kind: str, count: int, folder: Path) -> None:
    """Files that differ by what stands behind their pictures, which no reader looks at."""
    suffix = SUFFIXES[kind]
    for picture in range(min(PICTURES, count)):
        content = make(kind, picture, folder / f"{picture}{suffix}")
        mask = folder / f"{picture}.mask.png"
        for number in range(picture + PICTURES, count, PICTURES):
            (folder / f"{number}{suffix}").write_bytes(content + number.to_bytes(4))
            if mask.exists():
                mask.with_name(f"{number}.mask.png").hardlink_to(mask)


def pillow(photos: Sequence[Photo], at_once: int, folder: Path) -> None:
    """Decoded one by one, nothing else."""
    pillow_heif.register_heif_opener()
    for photo in photos:
        with Image.open(photo.path) as image:
            image.load()


def working_copies(photos: Sequence[Photo], at_once: int, folder: Path) -> None:
    """What the embedded engine's solver looks at."""
    from vggt_addon.engines.sfm.working_copies import plan_copies, write_copies

    write_copies(photos, plan_copies(photos, WORKING_SIZE), folder / "copies", at_once, no_progress, never)


def pictures(distortion: float, longest: int) -> Callable[[Sequence[Photo], int, Path], None]:
    """What the embedded engine shows, straightened where there is a distortion."""

    def step(photos: Sequence[Photo], at_once: int, folder: Path) -> None:
        from vggt_addon.engines.sfm.cameras import PlacedPhoto, PlacedPhotos
        from vggt_addon.engines.sfm.engine import _pictures
        from vggt_addon.engines.sfm.undistort import corner_displacement
        from vggt_addon.reconstruction import Lens, SolveReport
        from vggt_addon.settings import EngineSettings

        def place(photo: Photo) -> PlacedPhoto:
            focal = 0.9 * photo.long_side
            camera = np.array([[focal, 0, photo.width / 2], [0, focal, photo.height / 2], [0, 0, 1]])
            lens = Lens("SIMPLE_RADIAL", (), corner_displacement(photo.width, photo.height, camera, distortion))
            return PlacedPhoto(photo, camera, np.eye(4), distortion, lens, SolveReport(), np.zeros(0, np.int64))

        settings = EngineSettings(depth_size=DEPTH_SIZE, texture_size=longest, threads=at_once)
        cameras = PlacedPhotos(tuple(map(place, photos)), (), np.zeros((0, 3)), (), {})
        _pictures(cameras, settings, folder / "photos", no_progress, never)

    return step


def vggt(photos: Sequence[Photo], at_once: int, folder: Path) -> None:
    """The network's inputs."""
    from vggt_addon.engines.vggt.framing import frame_photos
    from vggt_addon.engines.vggt.preprocess import load_inputs

    framings = frame_photos([(photo.width, photo.height) for photo in photos], "whole")
    load_inputs(photos, framings, at_once=at_once)


def dust3r(photos: Sequence[Photo], at_once: int, folder: Path) -> None:
    """Likewise; torch is loaded, too."""
    from vggt_addon.engines.dust3r.framing import frame_photo
    from vggt_addon.engines.dust3r.inputs import load_photos

    load_photos(photos, [frame_photo(photo.width, photo.height) for photo in photos], no_progress, never, at_once)


STEPS: dict[str, Callable[[Sequence[Photo], int, Path], None]] = {
    "Pillow, one by one": pillow,
    "probe and hash": lambda photos, at_once, folder: None,  # which every step begins with
    "working copies": working_copies,
    "pictures": pictures(0.0, 0),
    "pictures, capped": pictures(0.0, TEXTURE_SIZE),
    "pictures, straightened": pictures(0.02, 0),
    "VGGT's inputs": vggt,
    "DUSt3R's inputs": dust3r,
}


def child(step: str, folder: Path, at_once: int) -> None:
    """Print the seconds that the step takes, and the peak of this process's memory in MB."""
    start = time.perf_counter()
    photos = gather([folder / "in"], at_once=at_once).photos
    if step != "probe and hash":
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=folder) as work:
            STEPS[step](photos, at_once, Path(work))
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(seconds, int(peak.split()[1]) * 1024 / 1e6)


def measure(kind: str, count: int, at_once: int, steps: Sequence[str]) -> float:
    """Print a line for each step; the highest peak of them, in MB."""
    peaks, alone = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in").mkdir()
        make_all(kind, count, Path(folder) / "in")
        for step in steps:
            command = [sys.executable, __file__, "--child", step, folder, "--at-once", str(at_once)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, peak = map(float, done.stdout.split())
            alone = alone or seconds
            peaks.append(peak)
            print(
                f"{kind:10} {step:24} {peak:6.0f} MB {seconds / count:7.2f} s a photo {alone / seconds:6.1f}",
                flush=True,
            )
    return max(peaks)


def main() -> int:
    """Measure and tell; exit status 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--others", type=int, default=6)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", choices=SUFFIXES, default=list(SUFFIXES))
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--child", nargs=2)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]), options.at_once)
        return 0
    pillow_heif.register_heif_opener()
    highest = 0.0
    for kind in options.kinds:
        count = options.photos if SUFFIXES[kind] == ".jpg" else options.others
        highest = max(highest, measure(kind, count, options.at_once, options.steps))
    print(f"highest peak: {highest:.0f} MB of {LIMIT}")
    return int(highest > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
