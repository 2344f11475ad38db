"""The focal prior: from the 35 mm equivalent, from the sensor's resolution, or none."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from vggt_addon.photos.read import probe
from vggt_addon.photos.sensors import sensor_width

BASE = ExifTags.Base


def _photo(
    tmp_path: Path, camera: Mapping[Any, Any], main: Mapping[Any, Any] | None = None, size: tuple[int, int] = (360, 240)
) -> Path:
    exif = Image.Exif()
    for tag, value in (main or {}).items():
        exif[tag] = value
    exif.get_ifd(ExifTags.IFD.Exif).update(camera)
    Image.new("RGB", size).save(tmp_path / "photo.jpg", exif=exif)
    return tmp_path / "photo.jpg"


def test_35_mm_equivalent_refers_to_the_long_side(tmp_path: Path) -> None:
    for size in ((360, 240), (240, 360)):
        prior = probe(_photo(tmp_path, {BASE.FocalLengthIn35mmFilm: 28}, size=size)).focal_prior
        assert prior is not None
        assert prior.pixels == pytest.approx(28 / 36 * 360)


def test_turned_photo_keeps_its_prior(tmp_path: Path) -> None:
    photo = probe(_photo(tmp_path, {BASE.FocalLengthIn35mmFilm: 28}, {BASE.Orientation: 6}))
    assert (photo.width, photo.height) == (240, 360)
    assert photo.focal_prior is not None and photo.focal_prior.pixels == pytest.approx(280)


def test_sensor_resolution(tmp_path: Path) -> None:
    camera = {
        BASE.FocalLength: 50.0,
        BASE.FocalPlaneXResolution: 6000 / 36 * 25.4,  # pixels per inch of a 36 mm wide sensor with 6000 columns
        BASE.FocalPlaneResolutionUnit: 2,
        BASE.ExifImageWidth: 6000,
        BASE.ExifImageHeight: 4000,
    }
    prior = probe(_photo(tmp_path, camera)).focal_prior
    assert prior is not None
    assert prior.pixels == pytest.approx(50 / 36 * 360, rel=1e-3)


def _pixels(path: Path) -> float | None:
    prior = probe(path).focal_prior
    return None if prior is None else prior.pixels


def test_digital_zoom_lengthens_what_does_not_have_it_in_it(tmp_path: Path) -> None:
    zoomed = {BASE.DigitalZoomRatio: 2.0}
    plane = {BASE.FocalLength: 50.0, BASE.FocalPlaneXResolution: 360 / 36 * 25.4}
    assert _pixels(_photo(tmp_path, plane)) == pytest.approx(500)
    assert _pixels(_photo(tmp_path, plane | zoomed)) == pytest.approx(1000)
    # Phones that zoom into the middle of the sensor give the equivalent of what is left.
    phone = {BASE.FocalLength: 4.25, BASE.FocalLengthIn35mmFilm: 52}
    assert _pixels(_photo(tmp_path, phone | zoomed)) == pytest.approx(520)
    # A camera whose sensor is known, and whose equivalent is that of the whole of it.
    nikon = {BASE.Make: "NIKON CORPORATION", BASE.Model: "NIKON D90"}
    whole = {BASE.FocalLength: 24.0, BASE.FocalLengthIn35mmFilm: 36}
    assert _pixels(_photo(tmp_path, whole | zoomed, nikon)) == pytest.approx(720)
    assert _pixels(_photo(tmp_path, whole | {BASE.DigitalZoomRatio: 0}, nikon)) == pytest.approx(360)


@pytest.mark.parametrize(
    ("maker", "model", "focal", "equivalent"),
    [
        ("Canon", "Canon EOS 5D Mark II", 50, 50.1),
        ("Canon", "Canon EOS 550D", 50, 80.7),
        ("Canon", "Canon EOS R7", 50, 80.7),
        ("Canon", "Canon EOS R5", 50, 50.1),
        ("NIKON CORPORATION", "NIKON D850", 50, 50.1),
        ("NIKON CORPORATION", "NIKON D5000", 50, 76.3),
        ("NIKON CORPORATION", "NIKON Z 6_2", 50, 50.1),
        ("SONY", "ILCE-7M3", 50, 50.1),
        ("SONY", "ILCE-6000", 50, 76.6),
        ("SONY", "DSC-RX100M3", 8.8, 24),
        ("FUJIFILM", "X-T3", 23, 35.1),
        ("OLYMPUS IMAGING CORP.", "E-M5", 25, 52),
        ("Panasonic", "DMC-GH4", 25, 52),
        ("DJI", "FC6310", 8.8, 24),
        ("DJI", "FC300X", 3.61, 21),
        ("Apple", "iPhone 4\x00", 3.85, 30.8),
    ],
)
def test_cameras_that_state_only_millimetres(
    tmp_path: Path, maker: str, model: str, focal: float, equivalent: float
) -> None:
    path = _photo(tmp_path, {BASE.FocalLength: focal}, {BASE.Make: maker, BASE.Model: model})
    assert _pixels(path) == pytest.approx(equivalent * 10, rel=0.015)
    prior = probe(path).focal_prior
    assert prior is not None and prior.source == "exif focal length, sensor by model"


@pytest.mark.parametrize("model", ["iPhone 15 Pro", "EOS", "", "COOLPIX P900"])
def test_cameras_that_are_not_listed(tmp_path: Path, model: str) -> None:
    assert _pixels(_photo(tmp_path, {BASE.FocalLength: 4.3}, {BASE.Make: "Apple", BASE.Model: model})) is None


@pytest.mark.parametrize(
    "camera",
    [
        {},
        {BASE.FocalLengthIn35mmFilm: 0},
        {BASE.FocalLengthIn35mmFilm: 60000},
        {BASE.FocalLength: 4.3},
        {BASE.FocalLength: 50.0, BASE.FocalPlaneXResolution: 100.0, BASE.FocalPlaneResolutionUnit: 99},
    ],
    ids=["none", "zero", "absurd", "no sensor", "unknown unit"],
)
def test_senseless_values_are_no_prior(tmp_path: Path, camera: Mapping[Any, Any]) -> None:
    assert probe(_photo(tmp_path, camera)).focal_prior is None


def test_lens_tells_cameras_and_focal_lengths_apart(tmp_path: Path) -> None:
    main = {BASE.Make: "Maker", BASE.Model: "M1"}
    wide = probe(_photo(tmp_path, {BASE.FocalLength: 24.0, BASE.LensModel: "Zoom"}, main)).lens
    long = probe(_photo(tmp_path, {BASE.FocalLength: 70.0, BASE.LensModel: "Zoom"}, main)).lens
    assert wide == "Maker M1 Zoom 24 mm"
    assert wide != long


def test_damaged_exif_is_no_damaged_photo(tmp_path: Path) -> None:
    path = tmp_path / "odd.jpg"
    Image.new("RGB", (64, 48), (200, 10, 10)).save(path, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff garbage")
    photo = probe(path)
    assert (photo.width, photo.height, photo.orientation, photo.focal_prior) == (64, 48, 1, None)


def _png(path: Path, kind: bytes = b"", content: bytes = b"") -> Path:
    """A PNG with that chunk, if any, behind its pixels."""
    Image.new("RGB", (360, 240)).save(path)
    if kind:
        data = path.read_bytes()
        chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        path.write_bytes(data[:-12] + chunk + data[-12:])
    return path


def test_a_pngs_pixels_are_not_decoded_to_look_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Pillow does where it finds no EXIF before them: seconds and gigabytes for a folder of large ones."""
    plain = _png(tmp_path / "a.png")
    dated = _png(tmp_path / "b.png", b"tEXt", b"date:create\x002026-11-21")  # as ImageMagick writes
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda image: pytest.fail("decoded"))
    for path in (plain, dated):
        photo = probe(path)
        assert (photo.orientation, photo.shown_as_is) == (1, True)


def test_what_a_png_says_behind_its_pixels_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[BASE.Orientation] = 6
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    raw = b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    for kind, content in {
        b"eXIf": block,
        b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0" + xmp,
        b"tEXt": b"Raw profile type exif\0" + raw,
    }.items():
        assert probe(_png(tmp_path / "a.png", kind, content)).orientation == 6, kind


@pytest.mark.parametrize(
    ("maker", "model", "width"),
    [
        ("Canon", "Canon EOS 5D Mark III", 35.9),
        ("Canon", "Canon EOS 5DS R", 35.9),
        ("Canon", "Canon EOS-1D C", 35.9),
        ("Canon", "Canon EOS-1D Mark III", 28.1),
        ("Canon", "Canon EOS 50D", 22.3),
        ("Canon", "Canon EOS R7", 22.3),
        ("Canon", "Canon EOS R6m2", 35.9),
        ("NIKON CORPORATION", "NIKON D750", 35.9),
        ("NIKON CORPORATION", "NIKON D7500", 23.6),
        ("NIKON CORPORATION", "NIKON Z 50", 23.5),
        ("NIKON CORPORATION", "NIKON Z 5", 35.9),
        ("SONY", "ILCE-6400", 23.5),
        ("SONY", "ILCA-77M2", 23.5),
        ("SONY", "ILCA-99M2", 35.9),
        ("SONY", "DSC-RX100M3", 13.2),
        ("SONY", "DSC-RX1RM3", 35.9),
        ("FUJIFILM", "X-S10", 23.6),
        ("FUJIFILM", "X-S1", 8.8),  # a superzoom of 2011
        ("FUJIFILM", "XF1", 8.8),
        ("FUJIFILM", "XF10", 23.6),
        ("FUJIFILM", "X-HF1", 11.7),
        ("RICOH IMAGING COMPANY, LTD.", "PENTAX K-1 Mark II", 35.9),
        ("RICOH IMAGING COMPANY, LTD.", "PENTAX KF", 23.5),
        ("OLYMPUS CORPORATION", "E-M10MarkII", 17.3),
        ("OLYMPUS OPTICAL CO.,LTD", "E-10", None),  # a fixed lens before a sensor of another kind
        ("Hasselblad", "L1D-20c", 13.2),  # as DJI's Mavic 2 Pro calls itself
        ("DJI", "FC7303", 6.2),
        ("samsung", "Galaxy Nexus", 3.6),
        ("samsung", "GT-I9300", 4.5),
        ("Canon", "Canon PowerShot G5 X", None),
    ],
)
def test_sensors_by_model(maker: str, model: str, width: float | None) -> None:
    assert sensor_width(maker, model) == width
