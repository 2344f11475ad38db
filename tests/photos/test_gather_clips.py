"""Clips among the photos of one run."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from vggt_addon.errors import PhotoError
from vggt_addon.photos.clip import Clip
from vggt_addon.photos.files import find_photos
from vggt_addon.photos.gather import UnreadablePhoto, gather, probe_all
from vggt_addon.photos.masks import mask
from vggt_addon.photos.thumbnail import write_clip_thumbnail


def _noise(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)).save(path)


@pytest.fixture
def folder(clips: ModuleType, tmp_path: Path) -> Path:
    """A photo before and a photo after a clip of ten frames."""
    folder = tmp_path / "photos"
    folder.mkdir()
    _noise(folder / "a.png", 1)
    clips.write_clip(folder / "b.mp4", clips.walk(10))
    _noise(folder / "c.png", 2)
    return folder


def test_a_clips_frames_stand_where_the_clip_does(folder: Path, tmp_path: Path) -> None:
    told: list[float] = []
    made = gather([folder], lambda stage, part: told.append(part), frames_per_clip=4, folder=tmp_path / "frames")
    names = [photo.name for photo in made.photos]
    assert names[0] == "a.png" and names[-1] == "c.png" and 4 <= len(names) <= 6
    assert all(name.startswith("b_00-00.") for name in names[1:-1])
    assert all(photo.path.is_file() for photo in made.photos) and not made.left_out
    assert [clip["frames_used"] for clip in made.clips] == [len(names) - 2]
    assert told == sorted(told) and told[-1] == 1.0


def test_a_plan_counts_frames_without_choosing_them(folder: Path, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    assert len(gather([folder], frames_per_clip=4).photos) == 6
    assert len(gather([folder]).photos) == 12
    assert set(tmp_path.rglob("*")) == before


def test_a_clip_is_probed_like_a_photo(folder: Path) -> None:
    told = list(probe_all(find_photos([folder])))
    assert [type(one).__name__ for one in told] == ["Photo", "Clip", "Photo"]
    assert isinstance(told[1], Clip) and told[1].frames == 10


def test_a_clips_mask_holds_for_all_its_frames(folder: Path, tmp_path: Path) -> None:
    with Image.open(gather([folder / "b.mp4"], folder=tmp_path / "first").photos[0].path) as frame:
        size = frame.size
    drawn = Image.new("L", size, 255)
    drawn.paste(0, (0, 0, size[0] // 2, size[1]))
    drawn.save(folder / "b.mask.png")
    made = gather([folder], frames_per_clip=4, folder=tmp_path / "frames")
    frames = [photo for photo in made.photos if photo.frame is not None]
    assert len(frames) >= 2 and not made.warnings
    for frame_photo in frames:
        used = mask(frame_photo)
        assert used is not None and used.mean() == pytest.approx(127.5, abs=2)
    Image.new("L", (10 * size[0], size[1])).save(folder / "b.mask.png")
    (warning,) = gather([folder], frames_per_clip=4, folder=tmp_path / "again").warnings
    assert warning.startswith("b.mp4 is used without its mask.")


def test_copies_are_told(folder: Path, tmp_path: Path) -> None:
    (folder / "bb.mp4").write_bytes((folder / "b.mp4").read_bytes())
    made = gather([folder], frames_per_clip=2, folder=tmp_path / "frames")
    assert [(photo.name, photo.reason) for photo in made.left_out] == [("bb.mp4", "It is the same file as b.mp4.")]


def test_names_stay_unique(clips: ModuleType, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    clips.write_clip(other / "b.mp4", clips.walk(10, seed=5))
    first = gather([folder / "b.mp4"], folder=tmp_path / "frames").photos[0]
    (folder / first.name).write_bytes(first.path.read_bytes())
    made = gather([folder, other], frames_per_clip=99, folder=tmp_path / "more")
    names = [photo.name.casefold() for photo in made.photos]
    assert len(set(names)) == len(names) == 23
    assert len({photo.path for photo in made.photos}) == 23


def test_a_clip_that_cannot_be_used_keeps_no_photo_from_it(clips: ModuleType, folder: Path, tmp_path: Path) -> None:
    clips.write_sound(folder / "d.mp4")
    (folder / "e.mov").write_bytes(b"")
    made = gather([folder], frames_per_clip=2, folder=tmp_path / "frames")
    assert [photo.name for photo in made.left_out] == ["d.mp4", "e.mov"]
    assert "holds no moving picture" in made.left_out[0].reason and len(made.photos) >= 3


def test_without_the_library_clips_are_left_out_with_a_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for name in [name for name in sys.modules if name.startswith("vggt_addon.photos.clip_")]:
        monkeypatch.delitem(sys.modules, name)
    made = gather([folder], folder=tmp_path / "frames")
    assert [photo.name for photo in made.photos] == ["a.png", "c.png"]
    (left_out,) = made.left_out
    assert left_out.name == "b.mp4" and "PyAV" in left_out.reason and "give photos" in left_out.reason
    (told,) = [one for one in probe_all(find_photos([folder])) if isinstance(one, UnreadablePhoto)]
    assert told.sentence == left_out.reason
    with pytest.raises(PhotoError, match=r"b\.mp4 is a clip"):
        gather([folder / "b.mp4"])


def test_a_thumbnail_is_the_first_frame_upright(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", [clips.corners(640, 480)] * 2)
    clips.set_display_matrix(path, clips.TURNED_RIGHT)
    (clip,) = probe_all([path])
    assert isinstance(clip, Clip)
    write_clip_thumbnail(clip, tmp_path / "a.png", 128)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (96, 128)
        pixels = np.asarray(image, int)
    assert np.abs(pixels[32, 72] - (255, 0, 0)).max() < 12, "red, which was top left, is top right"
    assert np.abs(pixels[32, 24] - (0, 0, 255)).max() < 12
