"""From the names of photos to a plan or a result: which engine is asked, and how it is made."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggt_addon.engines.base import EnginePlan
from vggt_addon.errors import Cancelled, EngineError, PhotoError
from vggt_addon.photos.photo import Photo
from vggt_addon.pipeline import RunPlan, plan, reconstruct
from vggt_addon.progress import Cancel, Progress, never
from vggt_addon.reconstruction import Reconstruction, View
from vggt_addon.settings import EngineSettings, RunSettings


class Recorder:
    """An engine that says what it was asked; its world is a plane before each camera."""

    name = "sfm"

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], EngineSettings]] = []

    def plan(self, photos: Sequence[Photo], settings: EngineSettings, cancel: Cancel) -> EnginePlan:
        self.asked.append(("plan", tuple(photo.name for photo in photos), settings))
        return EnginePlan("2 photos: about 1.0 GB.", 12.5, 10**9, 2 * 10**9, False)

    def reconstruct(
        self, photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
    ) -> Reconstruction:
        self.asked.append(("reconstruct", tuple(photo.name for photo in photos), settings))
        views = [
            View(
                name=photo.name,
                identity=photo.sha256,
                original=photo.path,
                photo=photo.path,
                width=photo.width,
                height=photo.height,
                intrinsics=np.array([[50.0, 0, 30], [0, 50.0, 20], [0, 0, 1]]),
                camera_from_world=np.eye(4),
                photo_from_grid=np.eye(3),
                depth=np.full((40, 60), 2, np.float32),
                confidence=np.full((40, 60), 0.5, np.float32),
            )
            for photo in photos
        ]
        return Reconstruction(tuple(views), engine=self.name)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (1, 2):
        noise = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    (folder / "3.png").write_bytes(b"nothing")
    return folder


SETTINGS = RunSettings(engine="sfm", engine_settings=EngineSettings(seed=7, threads=1), point_budget=100)


def test_a_plan_is_the_engines_for_the_photos_that_can_be_used(photos: Path) -> None:
    engine, names = Recorder(), []

    def create(name: str) -> Recorder:
        names.append(name)
        return engine

    made = plan([photos], SETTINGS, create=create)
    expected = RunPlan("sfm", "as asked for", 2, "2 photos: about 1.0 GB.", 12.5, 10**9, 2 * 10**9, False)
    assert made == expected and names == ["sfm"]
    assert engine.asked == [("plan", ("1.png", "2.png"), SETTINGS.engine_settings)]


def test_the_embedded_engine_is_planned_without_a_word_of_ours(photos: Path) -> None:
    made = plan([photos], dataclasses.replace(SETTINGS, engine="sfm"))
    assert made.fits and made.engine == "sfm" and made.seconds is not None and 0 < made.seconds < 60
    assert made.memory is not None and made.memory_free is not None and 10**8 < made.memory < made.memory_free
    assert made.sentence.startswith("2 photos: about 0.")


def test_who_keeps_an_engine_hands_it_out_for_every_run(photos: Path, tmp_path: Path) -> None:
    engine = Recorder()
    for number in (1, 2):
        workspace = tmp_path / str(number)
        workspace.mkdir()
        result = reconstruct([photos], workspace, SETTINGS, create=lambda name: engine)
        assert [view.name for view in result.views] == ["1.png", "2.png"]
        assert [photo.name for photo in result.left_out] == ["3.png"]
        assert result.points is not None and 0 < len(result.points.position) <= 100
    assert [asked[0] for asked in engine.asked] == ["reconstruct", "reconstruct"]


def test_the_reference_is_what_the_scene_opens_on_whatever_the_engine(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "2.png").write_bytes((photos / "2.png").read_bytes() + b"\0")
    engine = Recorder()

    def run(reference: str) -> tuple[str, str]:
        """What the engine was asked, and what the result opens on."""
        asked = dataclasses.replace(
            SETTINGS, engine_settings=dataclasses.replace(SETTINGS.engine_settings, reference=reference)
        )
        workspace = tmp_path / f"workspace {len(engine.asked)}"
        workspace.mkdir()
        result = reconstruct([photos, other], workspace, asked, create=lambda name: engine)
        return engine.asked[-1][2].reference, result.views[result.reference].name

    assert run("") == ("", "2.png")  # of the folder "other", the first in natural order
    assert run("1.png") == ("1.png", "1.png")
    assert run(str(photos / "2.png")) == ("photos_2.png", "photos_2.png")
    assert run(str(other / "2.png")) == ("2.png", "2.png")
    assert run(str(photos / "3.png")) == ("", "2.png"), "it was left out"
    with pytest.raises(EngineError, match=r"The reference 9\.png is not among the photos"):
        run("9.png")


def test_what_cannot_be_planned_is_told(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"3\.png is not a JPEG"):
        plan([photos / "3.png"], SETTINGS)
    with pytest.raises(EngineError, match="no engine called magic"):
        plan([photos], dataclasses.replace(SETTINGS, engine="magic"))
    with pytest.raises(Cancelled):
        plan([photos], SETTINGS, lambda: True)
    assert never() is False
