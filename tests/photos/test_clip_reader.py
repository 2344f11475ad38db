"""What a clip holds: times to the millisecond, upright size, and what is said of files that are none."""

import os
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vggt_addon.errors import PhotoError
from vggt_addon.photos import clip_reader
from vggt_addon.photos.clip import frame_name, planned_photos
from vggt_addon.photos.clip_frames import take_frames
from vggt_addon.photos.clip_reader import Reading, opened, probe_clip

MILLISECOND = 0.001


def _times(path: Path) -> list[float]:
    return [time for time, _ in Reading(path)]


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "ts"])
@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25), Fraction(240)])
def test_times_are_exact(container: str, rate: Fraction, clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / f"a.{container}", clips.walk(40), time_base=1 / rate, rate=rate)
    assert _times(path) == pytest.approx([number / float(rate) for number in range(40)], abs=MILLISECOND)


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "webm", "ts"])
def test_a_variable_rate_and_the_first_offset_are_kept(container: str, clips: ModuleType, tmp_path: Path) -> None:
    milliseconds = [100, 133, 170, 600, 601, 1300, 2100]
    path = clips.write_clip(
        tmp_path / f"a.{container}",
        clips.walk(7),
        times=milliseconds,
        time_base=Fraction(1, 1000),
        codec="libvpx-vp9" if container == "webm" else "libx264",
    )
    assert _times(path) == pytest.approx([time / 1000 for time in milliseconds], abs=MILLISECOND)
    assert probe_clip(path).first == pytest.approx(0.1, abs=MILLISECOND)


def test_frames_come_in_the_order_in_which_they_are_shown(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(30), options={"bf": "3"})
    assert _times(path) == pytest.approx([number / 30 for number in range(30)], abs=MILLISECOND)


def test_an_avi_has_times_too(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.avi", clips.walk(10), codec="mpeg4")
    assert _times(path) == pytest.approx([number / 30 for number in range(10)], abs=MILLISECOND)


def test_key_frames_alone(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(40))
    assert [time for time, _ in Reading(path, key_frames_only=True)] == pytest.approx([0, 0.4, 0.8, 1.2], abs=1e-3)
    assert probe_clip(path).key_frames == 4


@pytest.mark.parametrize(
    ("matrix", "orientation"),
    [
        ((1, 0, 0, 1), 1),
        ((-1, 0, 0, 1), 2),
        ((-1, 0, 0, -1), 3),
        ((1, 0, 0, -1), 4),
        ((0, 1, 1, 0), 5),
        ((0, 1, -1, 0), 6),
        ((0, -1, -1, 0), 7),
        ((0, -1, 1, 0), 8),
    ],
)
def test_rotation(matrix: tuple[int, int, int, int], orientation: int, clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3))
    clips.set_display_matrix(path, matrix)
    clip = probe_clip(path)
    assert clip.orientation == orientation
    assert (clip.width, clip.height) == ((320, 240) if orientation < 5 else (240, 320))


@pytest.mark.parametrize(
    ("pixel", "size"),
    [(Fraction(4, 3), (427, 240)), (Fraction(8, 9), (320, 270)), (Fraction(1), (320, 240)), (Fraction(99), (320, 240))],
)
def test_square_pixels(pixel: Fraction, size: tuple[int, int], clips: ModuleType, tmp_path: Path) -> None:
    clip = probe_clip(clips.write_clip(tmp_path / "a.mp4", clips.walk(3), pixel=pixel))
    assert (clip.width, clip.height) == size


def test_a_turned_clip_with_wide_pixels_is_higher(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3), pixel=Fraction(4, 3))
    clips.set_display_matrix(path, clips.TURNED_RIGHT)
    clip = probe_clip(path)
    assert (clip.width, clip.height, clip.stretched) == (240, 427, (427, 240))


def test_length_and_count(clips: ModuleType, tmp_path: Path) -> None:
    clip = probe_clip(clips.write_clip(tmp_path / "a.mp4", clips.walk(45)))
    assert (clip.frames, clip.hdr, clip.interlaced, clip.timecode) == (45, "", False, "")
    assert clip.duration == pytest.approx(1.5, abs=MILLISECOND)
    single = probe_clip(clips.write_clip(tmp_path / "b.mp4", clips.walk(1)))
    assert single.frames == 1 and 0 < single.duration < 0.1


def test_a_recording_that_does_not_say_how_long_it_is(clips: ModuleType, tmp_path: Path) -> None:
    """As browsers write them: a Matroska file without duration and index."""
    path = clips.write_clip(tmp_path / "a.webm", clips.walk(45), codec="libvpx-vp9", container_options={"live": "1"})
    clip = probe_clip(path)
    assert clip.frames == 45 and clip.duration == pytest.approx(1.5, abs=0.002)


def test_the_timecode_is_kept(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mov", clips.walk(3), rate=Fraction(25), timecode="01:02:03:04")
    assert probe_clip(path).timecode == "01:02:03:04"


def test_interlaced_clips_are_told(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3), options={"x264-params": "interlaced=1"})
    assert probe_clip(path).interlaced


def test_a_file_is_looked_at_once_until_it_changes(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3))
    first = probe_clip(path)
    assert probe_clip(path) is first
    clips.write_clip(path, clips.walk(6))
    assert probe_clip(path).frames == 6


@pytest.mark.parametrize(
    "name", ["wíth späces ünd 🎥.mp4", "-dash.mp4", "file:colon.mp4", "50%d.mp4", "x" * 200 + ".mp4"]
)
def test_names(name: str, clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3)).rename(tmp_path / name)
    assert probe_clip(path).name == name


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_unicode(clips: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\xff.mp4")
    clips.write_clip(tmp_path / "a.mp4", clips.walk(3)).rename(path)
    assert probe_clip(path).frames == 3


# --- what is no clip


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(PhotoError, match=r"a\.mp4 is empty: copy it again"):
        probe_clip(tmp_path / "a.mp4")


def test_sound_alone(clips: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"a\.mp4 holds no moving picture"):
        probe_clip(clips.write_sound(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    "content",
    [
        b"no clip at all " * 100,
        np.random.default_rng(0).bytes(10_000),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile 'other.mp4'\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    ],
    ids=["text", "noise", "playlist", "list of files", "manifest"],
)
def test_what_is_no_clip_is_refused_even_where_it_names_one(content: bytes, clips: ModuleType, tmp_path: Path) -> None:
    clips.write_clip(tmp_path / "other.mp4", clips.walk(3))
    clips.write_clip(tmp_path / "other.ts", clips.walk(3))
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(PhotoError, match=r"a\.mp4 is not a clip that can be read"):
        probe_clip(tmp_path / "a.mp4")


def test_a_clip_whose_end_with_its_index_is_missing(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PhotoError, match=r"a\.mp4 is not a clip that can be read, or is damaged"):
        probe_clip(path)


def test_a_clip_of_which_no_frame_is_whole(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3), container_options={"movflags": "faststart"})
    content = path.read_bytes()
    start = content.index(b"mdat") + 4
    path.write_bytes(content[:start] + np.random.default_rng(0).bytes(len(content) - start))
    with pytest.raises(PhotoError, match=r"a\.mp4 holds no frame that can be read"):
        probe_clip(path)


def test_a_clip_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="cannot be read"):
        probe_clip(tmp_path / "a.mp4")
    with pytest.raises(PhotoError, match="does not exist any more"):
        list(Reading(tmp_path / "a.mp4"))


@pytest.mark.parametrize("kind", ["mkv", "webm"])
def test_a_clip_that_says_no_duration_and_whose_frames_have_one_time(
    kind: str, clips: ModuleType, tmp_path: Path
) -> None:
    path = clips.write_clip(
        tmp_path / f"a.{kind}",
        clips.walk(3),
        times=[0, 0, 0],
        time_base=Fraction(1, 1000),
        codec="libvpx-vp9",
        container_options={"live": "1"},
    )
    assert probe_clip(path).duration > 0
    frames = take_frames(probe_clip(path), 4, tmp_path / "frames")
    assert len(frames.photos) == 1


def test_a_clip_of_more_pixels_than_any_camera_has(
    clips: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3))
    clip = probe_clip(path)
    monkeypatch.setattr(clip_reader, "MOST_PIXELS", clip.width * clip.height - 1)
    with pytest.raises(PhotoError, match=r"a\.mp4 claims \d+ x \d+ pixels, more than any clip has"):
        list(Reading(path))


def test_large_frames_are_decoded_by_fewer_threads(
    clips: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3))
    clip = probe_clip(path)
    with opened(path) as (_, stream):
        assert clip_reader._threads(stream, 8) == 8
        monkeypatch.setattr(clip_reader, "PIXELS_AT_ONCE", clip.width * clip.height * 3)
        assert clip_reader._threads(stream, 8) == 3
        monkeypatch.setattr(clip_reader, "PIXELS_AT_ONCE", 1)
        assert clip_reader._threads(stream, 0) == 1


def test_a_tiny_clip(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.walk(3, width=320, height=8))
    with pytest.raises(PhotoError, match="only 320 x 8 pixels"):
        probe_clip(path)


# --- names


@pytest.mark.parametrize(
    ("time", "name"),
    [
        (0.0, "a_00-00.000.jpg"),
        (3.25, "a_00-03.250.jpg"),
        (63.2504, "a_01-03.250.jpg"),
        (59.9996, "a_01-00.000.jpg"),
        (7200.0, "a_120-00.000.jpg"),
        (-0.033, "a_-00-00.033.jpg"),
        (-0.0001, "a_00-00.000.jpg"),
    ],
)
def test_frame_names(time: float, name: str) -> None:
    assert frame_name("a.mp4", time) == name


def test_a_frames_name_is_one_on_every_disk() -> None:
    assert frame_name('a:b?"*c.mp4', 1.0) == "a_b___c_00-01.000.jpg"


def test_long_names_keep_their_time() -> None:
    name = frame_name("ü" * 200 + ".mp4", 3.25)
    assert name.endswith("_00-03.250.jpg") and len(os.fsencode(name)) < 220


def test_stand_ins_of_a_plan(clips: ModuleType, tmp_path: Path) -> None:
    clip = probe_clip(clips.write_clip(tmp_path / "a.mp4", clips.walk(20)))
    assert len(planned_photos(clip, 32)) == 20
    photos = planned_photos(clip, 4)
    assert len({photo.name for photo in photos}) == len({photo.identity for photo in photos}) == 4
    assert {(photo.width, photo.height, photo.lens) for photo in photos} == {(320, 240, photos[0].lens)}
    assert {photo.original for photo in photos} == {clip.path}
