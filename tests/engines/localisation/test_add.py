"""Photos added to a capture whose cameras and depth are true."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vggt_addon.engines.localisation.add import add_photos
from vggt_addon.errors import Cancelled, EngineError
from vggt_addon.geometry.projection import camera_center
from vggt_addon.photos.gather import gather
from vggt_addon.progress import never
from vggt_addon.reconstruction import LeftOut, Reconstruction, View
from vggt_addon.settings import EngineSettings

Added = tuple[tuple[View, ...], tuple[LeftOut, ...]]
SETTINGS = EngineSettings(threads=2)
EXTENT = 5.27  # metres: of the ten cameras


def _add(capture: Reconstruction, files: list[Path], folder: Path, told: list[float] | None = None) -> Added:
    shares = [] if told is None else told
    photos = gather(files).photos
    folder.mkdir(exist_ok=True)
    return add_photos(capture, photos, folder, SETTINGS, lambda stage, fraction: shares.append(fraction), never)


def _off(view: View, true: View) -> tuple[float, float]:
    """Degrees, and the share of the cameras' extent."""
    turn = cv2.Rodrigues(view.camera_from_world[:3, :3] @ true.camera_from_world[:3, :3].T)[0]
    shift = camera_center(view.camera_from_world) - camera_center(true.camera_from_world)
    return float(np.degrees(np.linalg.norm(turn))), float(np.linalg.norm(shift)) / EXTENT


def test_a_photo_stands_where_it_was_taken_and_has_its_depth(
    yard: Callable[..., Reconstruction],
    truth: Callable[[int], View],
    yard_photo: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    """Photo 4 is a portrait, turned by EXIF, of which the capture has none; photo 2 is like the others."""
    told: list[float] = []
    views, left_out = _add(yard(1, 3, 5, 6), [yard_photo(2), yard_photo(4)], tmp_path / "made", told)
    assert not left_out and told == sorted(told) and told[-1] == 1.0
    for view, number in zip(views, (2, 4), strict=True):
        true = truth(number)
        degrees, share = _off(view, true)
        assert degrees < 0.1 and share < 0.002
        assert view.identity == true.identity and (view.width, view.height) == (true.width, true.height)
        assert view.depth is not None and true.depth is not None and view.depth.shape == true.depth.shape
        both = (view.depth > 0) & (true.depth > 0)
        assert both.mean() > 0.4
        assert np.median(np.abs(view.depth[both] / true.depth[both] - 1)) < 0.003
    assert views[0].photo == yard_photo(2)  # shown as it is
    assert views[1].photo.is_relative_to(tmp_path / "made")  # an upright copy


def test_a_photo_without_exif_of_another_size(
    yard: Callable[..., Reconstruction],
    truth: Callable[[int], View],
    yard_photo: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    with Image.open(yard_photo(3)) as image:
        image.resize((900, 600)).save(tmp_path / "small.png")
    ((view,), _) = _add(yard(1, 2, 5), [tmp_path / "small.png"], tmp_path / "made")
    degrees, share = _off(view, truth(3))
    assert degrees < 0.2 and share < 0.005
    assert view.intrinsics[0, 0] == pytest.approx(750, rel=0.01)


def test_a_photo_that_overlaps_only_with_another_new_one_comes_after_that(
    yard: Callable[..., Reconstruction], yard_photo: Callable[[int], Path], tmp_path: Path
) -> None:
    """Of the capture's depth only the left half is known, so that photo 9 shows nothing of it, and photo 5 does."""
    capture = yard(1)
    (view,) = capture.views
    assert view.depth is not None and view.confidence is not None
    left = np.arange(view.depth.shape[1]) < 150
    first = dataclasses.replace(view, depth=view.depth * left, confidence=view.confidence * left)
    capture = capture.replace(views=(first,))
    alone, refused = _add(capture, [yard_photo(9)], tmp_path / "alone")
    assert not alone and "9.jpg" in refused[0].reason
    views, left_out = _add(capture, [yard_photo(9), yard_photo(5)], tmp_path / "made")
    assert not left_out and [view.name[-6:] for view in views] == ["05.jpg", "09.jpg"]


def test_what_shows_something_else_is_left_out_with_a_sentence(
    yard: Callable[..., Reconstruction], yard_photo: Callable[[int], Path], tmp_path: Path
) -> None:
    Image.new("RGB", (600, 400)).save(tmp_path / "black.png")
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    Image.fromarray(noise).resize((900, 600)).save(tmp_path / "noise.png")
    views, left_out = _add(yard(1, 2), [tmp_path / "black.png", tmp_path / "noise.png"], tmp_path / "made")
    assert not views and [photo.name for photo in left_out] == ["black.png", "noise.png"]
    assert all(f"{photo.name} shows nothing that the capture's" in photo.reason for photo in left_out)


def test_a_capture_without_depth_or_its_own_pictures_is_told(
    yard: Callable[..., Reconstruction], yard_photo: Callable[[int], Path], tmp_path: Path
) -> None:
    """The picture of photo 4 stands upright, that of photo 1 does not."""
    nothing = dict.fromkeys(("depth", "confidence", "color"))
    gone, another = yard(1, photo=tmp_path / "gone.jpg"), yard(1, photo=yard_photo(4))
    for capture in (yard(1, **nothing), gone, another):
        with pytest.raises(EngineError, match=r"None of the capture's photos can be compared with: put them back"):
            _add(capture, [yard_photo(2)], tmp_path / "made")
    half = yard(3).replace(views=(*yard(3).views, *gone.views))
    assert len(_add(half, [yard_photo(2)], tmp_path / "more")[0]) == 1


def test_cancel(yard: Callable[..., Reconstruction], yard_photo: Callable[[int], Path], tmp_path: Path) -> None:
    photos = gather([yard_photo(2)]).photos
    for allowed in (0, 2, 6):
        asked = iter(range(100_000))
        with pytest.raises(Cancelled):
            add_photos(
                yard(1, 3),
                photos,
                tmp_path,
                SETTINGS,
                lambda *told: None,
                lambda: next(asked) >= allowed,  # noqa: B023
            )
