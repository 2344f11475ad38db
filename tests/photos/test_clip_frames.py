"""From a clip to the pictures of its chosen frames."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.errors import Cancelled, PhotoError
from vggt_addon.photos.clip_frames import ClipFrames, take_frames
from vggt_addon.photos.clip_reader import probe_clip
from vggt_addon.photos.photo import Photo
from vggt_addon.photos.read import decode

REPOSITORY = Path(__file__).parents[2]


def _take(path: Path, budget: int, folder: Path) -> ClipFrames:
    return take_frames(probe_clip(path), budget, folder)


def _off(photo: Photo, pictures: Sequence[NDArray[np.uint8]]) -> float:
    """Mean difference in brightness between a frame of a clip of 30 a second and the picture that was put there.

    Of brightness, since colour is stored at half the size.
    """
    assert photo.frame
    truth = pictures[round(photo.frame.time * 30)]
    return float(np.abs(decode(photo).mean(axis=2) - truth.mean(axis=2)).mean())


def _times(frames: ClipFrames) -> list[float]:
    return [photo.frame.time for photo in frames.photos if photo.frame]


def test_frames_are_pictures_of_their_moments(clips: ModuleType, tmp_path: Path) -> None:
    pictures = clips.walk(60)
    path = clips.write_clip(tmp_path / "my wälk 🎥.mp4", pictures)
    made = _take(path, 8, tmp_path / "frames")
    assert 6 <= len(made.photos) <= 8 and made.warnings == ()
    assert sorted(tmp_path.glob("frames/*")) == [photo.path for photo in made.photos]
    for photo in made.photos:
        assert photo.frame and photo.original == path
        number = round(photo.frame.time * 30)
        assert photo.frame.time == pytest.approx(number / 30, abs=0.001)
        assert photo.name == photo.path.name == f"my wälk 🎥_00-{number / 30:06.3f}.jpg"
        assert photo.identity == f"{photo.sha256}@{number / 30:.3f}"
        assert _off(photo, pictures) < 2
    assert {photo.sha256 for photo in made.photos} == {probe_clip(path).sha256}
    assert len({photo.lens for photo in made.photos}) == 1
    assert made.report["frames"] == 60 and made.report["frames_used"] == len(made.photos)


def test_the_choice_is_repeatable_to_the_bit(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(60), options={"bf": "2"})
    made = [take_frames(probe_clip(path), 8, tmp_path / str(threads), threads=threads) for threads in (1, 1, 4)]
    assert _times(made[0]) == _times(made[1]) == _times(made[2])
    contents = [[photo.path.read_bytes() for photo in frames.photos] for frames in made]
    assert contents[0] == contents[1] == contents[2]


def test_blurred_frames_are_passed_over(clips: ModuleType, tmp_path: Path) -> None:
    pictures = clips.walk(72, step=4)
    blurred = [number for number in range(72) if number % 3]
    for number in blurred:
        wide = pictures[number].astype(float)
        pictures[number] = np.mean([np.roll(wide, shift, 1) for shift in range(7)], axis=0).astype(np.uint8)
    path = clips.write_clip(tmp_path / "a.mp4", pictures)
    numbers = [round(time * 30) for time in _times(_take(path, 8, tmp_path / "frames"))]
    assert len(numbers) >= 6 and not set(numbers) & set(blurred)


def test_a_camera_that_stands_gives_few_frames(clips: ModuleType, tmp_path: Path) -> None:
    pictures = clips.walk(30)
    path = clips.write_clip(tmp_path / "a.mp4", pictures[:15] + [pictures[15]] * 60 + pictures[15:])
    times = np.array(_times(_take(path, 10, tmp_path / "frames")))
    assert ((times > 16 / 30) & (times < 74 / 30)).sum() <= 1 and len(times) >= 5


def test_a_clip_without_motion_is_told(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(1) * 30)
    made = _take(path, 8, tmp_path / "frames")
    assert len(made.photos) == len(list(tmp_path.glob("frames/*"))) == 1
    assert made.warnings == ("a.mp4 hardly moves: all its frames show the same picture, and one of them was used.",)


def test_one_frame_is_one_frame(clips: ModuleType, tmp_path: Path) -> None:
    made = _take(clips.write_clip(tmp_path / "a.mp4", clips.walk(1)), 8, tmp_path / "frames")
    assert len(made.photos) == 1 and made.warnings == ()


def test_cuts_are_named(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(45, step=2) + clips.walk(45, step=2, seed=9))
    made = _take(path, 15, tmp_path / "frames")
    assert made.warnings == ("a.mp4 seems cut (at 0:01): takes of different places belong in files of their own.",)


def test_a_turned_clip_gives_upright_frames(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(10))
    clips.set_display_matrix(path, clips.TURNED_RIGHT)
    photo = _take(path, 2, tmp_path / "frames").photos[0]
    assert (photo.width, photo.height, photo.orientation) == (240, 320, 1)
    with Image.open(photo.path) as image:
        assert image.size == (240, 320)


def test_long_clips_are_read_by_their_key_frames(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(120, step=2), options={"g": "2", "keyint_min": "2"})
    made = _take(path, 8, tmp_path / "frames")
    numbers = [round(time * 30) for time in _times(made)]
    assert not any(number % 2 for number in numbers) and len(numbers) >= 6
    assert made.report["frames_looked_at"] <= 60 and made.warnings == ()


def test_a_header_that_lies_fills_no_disk(clips: ModuleType, tmp_path: Path) -> None:
    clip = probe_clip(clips.write_clip(tmp_path / "a.mp4", clips.walk(120)))
    most = 0

    def count(stage: str, fraction: float) -> None:
        nonlocal most
        most = max(most, len(list(tmp_path.glob("frames/*"))))

    made = take_frames(dataclasses.replace(clip, duration=0.01, frames=1), 2, tmp_path / "frames", count)
    assert most <= 12 and 1 <= len(made.photos) <= 2


# --- mishaps


@pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
def test_of_a_clip_that_was_cut_off_the_beginning_is_used(container: str, clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(
        tmp_path / f"a.{container}",
        clips.walk(60),
        container_options={"movflags": "faststart"} if container == "mp4" else {},
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    made = _take(path, 8, tmp_path / "frames")
    assert len(made.photos) >= 5 and max(_times(made)) < 1.3
    (warning,) = made.warnings
    assert f"a.{container}" in warning and ("up to 0:01 of 0:02 only" in warning or "damaged" in warning)


def test_smeared_frames_after_damage_are_not_used(clips: ModuleType, tmp_path: Path) -> None:
    pictures = clips.walk(60)
    path = clips.write_clip(tmp_path / "a.mp4", pictures, container_options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    start = len(content) // 3
    content[start : start + len(content) // 20] = np.random.default_rng(0).bytes(len(content) // 20)
    path.write_bytes(content)
    made = _take(path, 12, tmp_path / "frames")
    assert made.warnings == ("a.mp4 is damaged: only the frames that can be read were used.",)
    assert len(made.photos) >= 8
    for photo in made.photos:
        assert _off(photo, pictures) < 2


def test_a_clip_that_is_gone_in_the_middle(clips: ModuleType, tmp_path: Path) -> None:
    clip = probe_clip(clips.write_clip(tmp_path / "a.mp4", clips.walk(10)))
    clip.path.unlink()
    with pytest.raises(PhotoError, match="does not exist any more"):
        take_frames(clip, 8, tmp_path / "frames")
    clip.path.write_bytes(b"something else")
    with pytest.raises(PhotoError, match=r"a\.mp4 is not a clip"):
        take_frames(clip, 8, tmp_path / "frames")


def test_progress_and_cancel(clips: ModuleType, tmp_path: Path) -> None:
    clip = probe_clip(clips.write_clip(tmp_path / "a.mp4", clips.walk(30)))
    told: list[float] = []
    take_frames(clip, 8, tmp_path / "frames", lambda stage, fraction: told.append(fraction))
    assert told == sorted(told) and 0.9 < told[-1] <= 1
    answers = iter([False] * 5 + [True] * 100)
    with pytest.raises(Cancelled):
        take_frames(clip, 8, tmp_path / "other", cancel=lambda: next(answers))


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
def test_memory_does_not_grow_with_the_length(clips: ModuleType, tmp_path: Path) -> None:
    """Two clips of full HD, one six times as long: the same peak, below half a gigabyte."""
    peaks = []
    pictures = clips.walk(10, 1920, 1080)
    for count in (60, 360):
        path = clips.write_clip(
            tmp_path / f"{count}.mp4",
            [pictures[n % 10] for n in range(count)],
            options={"crf": "30", "preset": "ultrafast"},
        )
        program = (
            "import sys; from pathlib import Path\n"
            "from vggt_addon.photos.clip_reader import probe_clip\n"
            "from vggt_addon.photos.clip_frames import take_frames\n"
            "take_frames(probe_clip(Path(sys.argv[1])), 32, Path(sys.argv[2]), threads=2)\n"
            "print([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), str(tmp_path / f"frames{count}")],
            capture_output=True, text=True, check=True, cwd=REPOSITORY, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        peaks.append(int(done.stdout) / 1000)
    print(f"peaks in MB: {peaks}")
    assert max(peaks) < 500 and peaks[1] < 1.15 * peaks[0]
