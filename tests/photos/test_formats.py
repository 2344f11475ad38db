"""HEIC, AVIF, and the rarer kinds of the older formats: upright, in 8-bit sRGB, or one sentence."""

import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from vggt_addon.errors import PhotoError
from vggt_addon.photos import opening
from vggt_addon.photos.gather import gather
from vggt_addon.photos.icc_profile import ADOBE_RGB, DISPLAY_P3, is_srgb, make_profile
from vggt_addon.photos.read import decode, opacity, probe

pillow_heif.register_heif_opener()
Pixels = NDArray[np.uint8]
EXACT: dict[str, dict[str, Any]] = {
    "heic": {"quality": -1, "chroma": 444},
    "avif": {"quality": 100, "subsampling": "4:4:4"},
    "png": {},
    "tif": {},
    "webp": {"lossless": True},
    "jpg": {"quality": 100, "subsampling": 0},
}
OFF = {"heic": 2, "avif": 3, "png": 0, "tif": 0, "webp": 0, "jpg": 4}  # of 255: what the format itself costs


def blocks(seed: int = 3) -> Pixels:
    """(48, 96, 3) with a colour of its own, inside every gamut, in each of 6 x 3 blocks."""
    colors = np.random.default_rng(seed).integers(30, 225, (3, 6, 3), np.uint8)
    return colors.repeat(16, axis=0).repeat(16, axis=1)


def save(path: Path, picture: Image.Image | NDArray[Any], **options: Any) -> Path:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, **{**EXACT.get(path.suffix[1:], {}), **options})
    return path


def off(path: Path, expected: Pixels) -> int:
    return int(np.abs(decode(probe(path)).astype(int) - expected).max())


# HEIC and AVIF


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_upright_in_every_orientation_and_turned_once(
    tmp_path: Path, kind: str, orientation: int, every_kind: ModuleType
) -> None:
    stored = every_kind.STORED[orientation](blocks())
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = save(tmp_path / f"a.{kind}", np.ascontiguousarray(stored), exif=exif.tobytes())
    photo = probe(path)
    assert (photo.width, photo.height) == (96, 48)
    assert not photo.shown_as_is  # Blender reads neither
    assert off(path, blocks()) <= OFF[kind]


def test_in_heic_only_the_pictures_own_turn_counts(tmp_path: Path) -> None:
    """EXIF's is a left-over there (ISO/IEC 23008-12); phones write both, and who follows both turns twice."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = save(tmp_path / "a.heic", blocks(), exif=exif)  # given like this, pillow-heif writes EXIF alone
    assert b"irot" not in path.read_bytes()
    assert off(path, blocks()) <= OFF["heic"]


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_what_is_transparent_is_white_in_the_new_formats(tmp_path: Path, kind: str) -> None:
    cut_out = np.dstack([blocks(), np.zeros((48, 96), np.uint8)])
    cut_out[:, 48:, 3] = 255
    path = save(tmp_path / f"a.{kind}", cut_out)
    opaque = opacity(probe(path))
    assert opaque is not None
    np.testing.assert_array_equal(opaque, cut_out[..., 3])
    expected = blocks()
    expected[:, :48] = 255
    assert off(path, expected) <= OFF[kind]


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_grey_in_the_new_formats(tmp_path: Path, kind: str) -> None:
    grey = blocks()[..., 0]
    options: dict[str, Any] = {"chroma": None, "subsampling": "4:0:0"}
    path = save(tmp_path / f"a.{kind}", grey, **options)
    assert off(path, grey[..., None].repeat(3, axis=2)) <= OFF[kind]


def test_ten_bit_heic_keeps_its_colours(tmp_path: Path) -> None:
    deep = blocks().astype(np.uint16) * 257
    heif = pillow_heif.from_bytes("RGB;16", (96, 48), deep.tobytes())
    heif.save(tmp_path / "a.heic", quality=-1, chroma=444)
    with Image.open(tmp_path / "a.heic") as image:
        assert image.info["bit_depth"] == 10
    assert off(tmp_path / "a.heic", blocks()) <= 2


@pytest.mark.parametrize("kind", ["heic", "avif", "png", "tif", "webp"])
def test_of_several_pictures_the_first_is_used_and_it_is_said(tmp_path: Path, kind: str) -> None:
    more = [Image.fromarray(blocks(seed)) for seed in (4, 5)]
    path = save(tmp_path / f"a.{kind}", blocks(), save_all=True, append_images=more)
    photo = probe(path)
    assert photo.remark == f"a.{kind} holds 3 pictures: only the first was used."
    assert not photo.shown_as_is
    assert off(path, blocks()) <= OFF[kind]
    assert gather([path]).warnings == (photo.remark,)
    assert probe(save(tmp_path / f"b.{kind}", blocks())).remark == ""


def test_without_its_library_a_heic_is_a_sentence_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a.heic", blocks())
    save(tmp_path / "b.png", blocks())
    opening._import_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    photos = gather([tmp_path])
    assert [photo.name for photo in photos.photos] == ["b.png"]
    assert "pillow-heif" in photos.left_out[0].reason and "JPEG" in photos.left_out[0].reason


# Colour spaces


def p3(truth: ModuleType) -> bytes:
    return make_profile(DISPLAY_P3, truth.srgb_light(np.linspace(0, 1, 1024)))


@pytest.mark.parametrize("kind", ["heic", "avif", "png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("space", ["Display P3", "Adobe RGB"])
def test_wide_gamuts_become_srgb(tmp_path: Path, truth: ModuleType, space: str, kind: str) -> None:
    encode = truth.srgb_code if space == "Display P3" else truth.adobe_code
    profile = p3(truth) if space == "Display P3" else make_profile(ADOBE_RGB, 563 / 256)
    stored = truth.stored_as(space, blocks(), encode)
    assert np.abs(stored.astype(int) - blocks()).max() > 20
    path = save(tmp_path / f"a.{kind}", stored, icc_profile=profile)
    assert not probe(path).shown_as_is
    assert off(path, blocks()) <= (4 if kind == "avif" else 3)  # its own loss is 3


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_wide_gamuts_of_palettes_and_with_alpha(tmp_path: Path, truth: ModuleType, mode: str) -> None:
    image = Image.fromarray(truth.stored_as("Display P3", blocks(), truth.srgb_code))
    image = image.quantize(18) if mode == "P" else image.convert(mode)
    path = save(tmp_path / "a.png", image, icc_profile=p3(truth))
    assert off(path, blocks()) <= 3


def test_code_points_of_heic_are_honoured(tmp_path: Path, truth: ModuleType) -> None:
    stored = truth.stored_as("Display P3", blocks(), truth.srgb_code)
    path = save(tmp_path / "a.heic", stored, color_primaries=12, transfer_characteristics=13, full_range_flag=1)
    assert off(path, blocks()) <= 3
    stored = truth.stored_as("BT.2020", blocks(), truth.srgb_code)
    path = save(tmp_path / "a.heic", stored, color_primaries=9, transfer_characteristics=1, full_range_flag=1)
    assert off(path, blocks()) <= 4  # a step of BT.2020 is two of sRGB


def test_code_points_of_avif_are_honoured(tmp_path: Path, truth: ModuleType) -> None:
    """Pillow writes BT.709's and the curve of sRGB; another program would have written Display P3's."""
    path = save(tmp_path / "a.avif", truth.stored_as("Display P3", blocks(), truth.srgb_code))
    whole = path.read_bytes()
    place = whole.index(b"nclx") + 4
    assert whole[place : place + 4] == struct.pack(">HH", 1, 13)
    assert off(path, blocks()) > 20
    path.write_bytes(whole[:place] + struct.pack(">HH", 12, 13) + whole[place + 4 :])
    assert off(path, blocks()) <= 4


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_stills_keep_white_and_say_so(tmp_path: Path, truth: ModuleType, transfer: int, name: str) -> None:
    """Reference white, 203 cd/m2, is code 0.58 of PQ and 0.75 of HLG; a quarter of its light is 49 cd/m2."""
    white, quarter = {"PQ": (0.5807, 0.4357), "HLG": (0.75, (3 * 0.26496 * 0.25 ** (1 / 1.2)) ** 0.5)}[name]
    codes = np.repeat(np.uint8(np.round(np.array([white, quarter, 0.95]) * 255)), 32)
    stored = np.broadcast_to(codes[None, :, None], (48, 96, 3))
    path = save(tmp_path / "a.heic", np.ascontiguousarray(stored), color_primaries=9, transfer_characteristics=transfer)
    photo = probe(path)
    assert photo.remark == f"a.heic is HDR ({name}): it was brought to sRGB, its brightest parts are cut."
    found = decode(photo)[24, [16, 48, 80], 0].astype(int)
    expected = 255 * truth.srgb_code(np.array([1.0, 0.25, 1.0]))
    assert np.abs(found - expected).max() <= 4


def test_adobe_rgb_that_only_exif_tells_of(tmp_path: Path, truth: ModuleType) -> None:
    """Cameras set to Adobe RGB write no profile, but Interoperability R03."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = 0xFFFF
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: "R03"}
    path = save(tmp_path / "_DSC0001.jpg", truth.stored_as("Adobe RGB", blocks(), truth.adobe_code), exif=exif)
    assert not probe(path).shown_as_is
    assert off(path, blocks()) <= 4


def test_profiles_are_known_by_what_they_say_not_by_their_name(truth: ModuleType) -> None:
    corners = truth.SPACES["sRGB"]
    assert is_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert is_srgb(make_profile(corners, truth.srgb_light(np.linspace(0, 1, 1024))))
    linear = make_profile(corners, 1.0).replace(b"RGB\0\0\0\0\0", b"sRGB\0\0\0\0")
    assert not is_srgb(linear)
    assert not is_srgb(p3(truth))


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 200, b""])
def test_a_damaged_profile_changes_nothing(tmp_path: Path, profile: bytes) -> None:
    path = save(tmp_path / "a.png", blocks(), icc_profile=profile)
    assert probe(path).shown_as_is
    assert off(path, blocks()) == 0


def test_a_profile_cut_short_or_of_another_kind_of_picture_changes_nothing(tmp_path: Path, truth: ModuleType) -> None:
    whole = p3(truth)
    for length in (100, 200, len(whole) - 3000):
        assert off(save(tmp_path / f"{length}.png", blocks(), icc_profile=whole[:length]), blocks()) == 0
    cmyk = whole[:16] + b"CMYK" + whole[20:]
    assert off(save(tmp_path / "cmyk.png", blocks(), icc_profile=cmyk), blocks()) == 0


# Depth and kinds of pixels


def tiff16(path: Path, pixels: NDArray[np.uint16]) -> Path:
    """Colour of 16 bit, which Pillow reads but does not write, uncompressed, in one strip."""
    height, width, channels = pixels.shape
    data = pixels.astype("<u2").tobytes()
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, 8), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 16), (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(data))]
    begin = 16 + len(data)
    head = b"II*\0" + struct.pack("<I", begin) + struct.pack("<4H", *[16] * 4)
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(head + data + struct.pack("<H", len(tags)) + entries + bytes(4))
    return path


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_sixteen_bit_colour_is_scaled_not_clipped(tmp_path: Path, kind: str, every_kind: ModuleType) -> None:
    write = tiff16 if kind == "tif" else every_kind.write_png16
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)
    deep = np.stack([np.tile(ramp, (32, 1)), np.tile(ramp[::-1], (32, 1)), np.full((32, 256), 40000)], axis=2)
    path = write(tmp_path / "a", deep.astype(np.uint16))
    photo = probe(path)
    assert not photo.shown_as_is
    assert np.abs(decode(photo) - deep / 257).max() <= 1


def test_greys_without_a_range_are_not_clipped_and_usual_ones_not_brightened(tmp_path: Path) -> None:
    dark = np.linspace(0, 0.5, 64, dtype=np.float32)[None].repeat(32, axis=0)
    assert np.abs(decode(probe(save(tmp_path / "dark.tif", dark)))[..., 0] - dark * 255).max() <= 1
    bright = np.where(dark > 0.49, np.float32(np.inf), dark * 8)
    bright[0, :3] = np.nan, -np.inf, -1.0
    shown = decode(probe(save(tmp_path / "bright.tif", bright)))[..., 0]
    assert shown.max() == 255 and shown[0, :3].max() == 0 and len(np.unique(shown)) > 50
    large = np.linspace(0, 2**30, 64).astype(np.int32)[None].repeat(32, axis=0)
    assert len(np.unique(decode(probe(save(tmp_path / "large.tif", large)))[..., 0])) == 64


@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_print_colours_without_a_profile(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / f"a.{kind}", Image.fromarray(blocks()).convert("CMYK"))
    assert not probe(path).shown_as_is
    assert off(path, blocks()) <= OFF[kind]


def print_profile() -> bytes:
    """CMYK to L*a*b* by a table of its 16 corners: white is L 100, any ink at all takes its light away evenly."""
    table = b""
    for corner in range(16):
        inks = bin(corner).count("1")
        table += bytes([round(255 * (1 - inks / 4)), 128, 128])
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut += bytes(range(256)) * 4 + table + bytes(range(256)) * 3
    tags = {b"desc": b"desc" + struct.pack(">4xI", 4) + b"ink\0" + bytes(78), b"A2B0": lut, b"A2B1": lut}
    tags[b"wtpt"] = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    place, directory, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        directory += struct.pack(">4sII", name, place + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s28x", place + len(data), 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + data


@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_print_colours_by_their_profile(tmp_path: Path, kind: str) -> None:
    """Half of each ink is L* 50 by that profile, which is sRGB 119; without it, it would be 64."""
    inks = np.full((48, 96, 4), 128, np.uint8)
    inks[:, 48:] = 0
    path = save(tmp_path / f"a.{kind}", Image.fromarray(inks, "CMYK"), icc_profile=print_profile())
    expected = np.full((48, 96, 3), 119, np.uint8)
    expected[:, 48:] = 255
    assert off(path, expected) <= 3


def test_lab_pictures(tmp_path: Path) -> None:
    lab = ImageCms.profileToProfile(
        Image.fromarray(blocks()), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert off(save(tmp_path / "a.tif", lab), blocks()) <= 6  # 8 bit of L*a*b* are coarse


# What is not read


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.gif", b"GIF89a" + bytes(20), "a GIF"),
        ("a.jpg", b"BM" + bytes(40), "a BMP"),
        ("a.psd", b"8BPS" + bytes(40), "a Photoshop file"),
        ("a.jxl", b"\xff\x0a" + bytes(40), "a JPEG XL"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "a JPEG 2000"),
        ("IMG.CR2", b"II*\0" + bytes(40), "raw file"),
        ("DSC.NEF", b"MM\0*" + bytes(40), "raw file"),
    ],
)
def test_other_kinds_are_called_by_their_name(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PhotoError, match=f"^{name} is .*{said}.*export it as") as caught:
        probe(tmp_path / name)
    assert caught.value.sentence.count(". ") == 0
