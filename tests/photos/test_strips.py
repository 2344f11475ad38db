"""Pictures read strip by strip: the same as at once, in little memory; and how many are open side by side."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from vggt_addon.photos import strips
from vggt_addon.photos.icc_profile import DISPLAY_P3, make_profile
from vggt_addon.photos.masks import mask, with_mask
from vggt_addon.photos.read import decode, opacity, probe
from vggt_addon.photos.strips import PIXELS_AT_ONCE, open_at_once, threads

REPOSITORY = Path(__file__).parents[2]
PROFILE = make_profile(DISPLAY_P3, 2.2)


def noise(mode: str, width: int = 61, height: int = 40) -> Image.Image:
    """Of that mode; floats with what is no number and beyond white, as there may be."""
    random = np.random.default_rng(0)
    if mode == "F":
        values = random.uniform(0, 3, (height, width)).astype(np.float32)
        values[3, :3] = np.nan, np.inf, -np.inf
        return Image.fromarray(values)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width), np.uint16))
    image = Image.fromarray(random.integers(0, 256, (height, width, 4), np.uint8))
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def save(image: Image.Image, path: Path, orientation: int = 1, **options: Any) -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image.save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize(
    ("mode", "suffix", "options"),
    [
        ("RGB", "png", {"icc_profile": PROFILE}),
        ("RGBA", "png", {"icc_profile": PROFILE}),
        ("P", "png", {"transparency": 7}),
        ("L", "png", {}),
        ("1", "png", {}),
        ("I;16", "png", {}),
        ("F", "tif", {}),
        ("CMYK", "tif", {}),
        ("LAB", "tif", {}),
        ("RGB", "tif", {"compression": "tiff_lzw"}),
    ],
)
def test_strips_are_the_whole_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, suffix: str, options: dict[str, Any]
) -> None:
    for orientation in range(1, 9):
        photo = probe(save(noise(mode), tmp_path / f"{orientation}.{suffix}", orientation, **options))
        whole, opaque = decode(photo), opacity(photo)
        with monkeypatch.context() as patch:
            patch.setattr(strips, "_STRIP_PIXELS", 61 * 7)  # 40 rows: five strips and a piece
            np.testing.assert_array_equal(decode(photo), whole)
            found = opacity(photo)
        assert (found is None) == (opaque is None)
        assert found is None or opaque is None or np.array_equal(found, opaque)


def test_deep_masks_have_one_middle_for_all_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels of 0 and 1 are told from greys by all of the picture, whose first rows may be black or faint."""
    save(noise("RGB"), tmp_path / "a.png")
    monkeypatch.setattr(strips, "_STRIP_PIXELS", 61)
    for light, faint in ((1, 0), (65535, 1)):
        drawn = np.zeros((40, 61), np.uint16)
        drawn[:10], drawn[20:] = faint, light
        Image.fromarray(drawn).save(tmp_path / "a.mask.png")
        used = mask(with_mask(probe(tmp_path / "a.png")))
        assert used is not None and np.array_equal(used, np.uint8(255) * (drawn == light))


def test_fewer_are_open_at_once_where_photos_are_huge(tmp_path: Path) -> None:
    photo = probe(save(noise("RGB"), tmp_path / "a.png"))
    assert threads(3) == 3 and 1 <= threads() <= 8
    assert open_at_once([photo], 8) == 8 and open_at_once([], 8) == 8 and open_at_once([photo]) == threads()
    huge = replace(photo, width=8064, height=6048)
    assert open_at_once([photo, huge], 8) == PIXELS_AT_ONCE // (8064 * 6048) == 3
    assert open_at_once([replace(photo, width=20_000, height=20_000)], 8) == 1


MEMORY = """
import sys
from pathlib import Path
from vggt_addon.photos.masks import mask, with_mask
from vggt_addon.photos.read import decode, probe

def resident(field):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(field))

held = resident("VmRSS")
photo = with_mask(probe(Path(sys.argv[1])))
looked_at = resident("VmHWM")
decode(photo)
mask(photo)
print(looked_at - held, resident("VmHWM") - held)
"""


def cut_out(image: Image.Image, path: Path) -> None:
    image.putalpha(Image.radial_gradient("L").resize(image.size))
    image.save(path, compress_level=1)


def masked(image: Image.Image, path: Path) -> None:
    save(image, path)
    Image.radial_gradient("L").resize(image.size).convert("RGBA").save(path.with_suffix(".mask.png"), compress_level=1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        ("jpg", lambda image, path: save(image, path, 6, icc_profile=PROFILE)),
        ("png", cut_out),
        ("jpg", masked),
    ],
    ids=["turned, of another colour space", "cut out", "with a mask"],
)
def test_a_photo_is_read_in_eight_bytes_a_pixel(
    tmp_path: Path, suffix: str, write: Callable[[Image.Image, Path], object]
) -> None:
    """12 megapixels: Pillow's copy takes 4 bytes, the result 3; 15 MB are left for strips, profiles and libraries."""
    width, height = 4000, 3000
    path = tmp_path / f"a.{suffix}"
    write(Image.effect_noise((width, height), 30).convert("RGB"), path)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    looked_at, peak = map(int, done.stdout.split())
    print(f"{looked_at / 1e6:.0f} MB to look at it, {(peak - 15e6) / width / height:.1f} bytes a pixel to read it")
    assert looked_at < 15e6
    assert peak < 8 * width * height + 15e6
