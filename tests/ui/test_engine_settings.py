"""The settings' panels show what the chosen engine takes, and nothing else is asked of it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from vggt_addon.settings import NetworkSettings
from vggt_addon.ui import asking

pytestmark = pytest.mark.usefixtures("enabled")
EVERY = {"focal", "device", "precision", "input_size", "memory_limit"}


class Fields:
    """A layout that remembers which properties were put into it."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def prop(self, group: Any, name: str) -> None:
        assert name in group.bl_rna.properties
        self.names.append(name)


def shown(panel: str) -> set[str]:
    """The properties on it, as it would be drawn now; none where it is not there."""
    kind, fields = getattr(bpy.types, panel), Fields()
    if not kind.poll(bpy.context):
        return set()
    kind.draw(SimpleNamespace(layout=fields), bpy.context)
    assert len(fields.names) == len(set(fields.names))
    return set(fields.names)


def set_everything(properties: Any) -> None:
    """Every setting of the learned engines away from its default."""
    properties.device, properties.precision, properties.input_size = "cpu", "bfloat16", 300
    properties.framing, properties.points_from, properties.clean = "crop", "head", True
    properties.focal, properties.memory_limit, properties.sequence = "shared", 3.0, True


@pytest.mark.parametrize(
    ("engine", "general", "network"),
    [
        ("sfm", {"depth_size", "sequence"}, set()),
        ("vggt", set(), EVERY | {"framing", "points_from"}),
        ("dust3r", {"sequence"}, EVERY | {"clean"}),
        ("auto", {"depth_size", "sequence"}, EVERY | {"framing", "points_from"}),
    ],
)
def test_what_the_engine_takes_is_shown(listed: list[Path], engine: str, general: set[str], network: set[str]) -> None:
    bpy.context.scene.vggt.engine = engine
    assert shown("VGGT_PT_settings") == {"point_budget", "frames_per_clip"} | general
    assert shown("VGGT_PT_network") == network


def test_without_photos_there_are_no_settings() -> None:
    bpy.context.scene.vggt.engine = "vggt"
    assert not shown("VGGT_PT_settings") and not shown("VGGT_PT_network")


@pytest.mark.parametrize("engine", ["sfm", "vggt", "dust3r", "auto"])
def test_what_is_shown_is_asked_for_and_nothing_else(listed: list[Path], engine: str) -> None:
    properties = bpy.context.scene.vggt
    set_everything(properties)
    properties.engine = engine
    asked, untouched = asking.run_settings(properties).engine_settings.network, NetworkSettings()
    changed = {name for name in vars(asked) if getattr(asked, name) != getattr(untouched, name)}
    assert changed == shown("VGGT_PT_network")
    assert asking.run_settings(properties).engine_settings.sequence == ("sequence" in shown("VGGT_PT_settings"))


@pytest.mark.parametrize(("engine", "size"), [("vggt", 504), ("auto", 504), ("dust3r", 512)])
def test_the_input_is_of_the_engines_own_patches(listed: list[Path], engine: str, size: int) -> None:
    properties = bpy.context.scene.vggt
    properties.engine, properties.input_size = engine, 512
    assert asking.run_settings(properties).engine_settings.network.input_size == size


def test_dust3r_takes_what_is_left_from_vggt(listed: list[Path], tmp_path: Path) -> None:
    """Settings that it refuses do not come back as a message about something that the panel does not show."""
    pytest.importorskip("torch")
    from vggt_addon.engines.dust3r.engine import prepare
    from vggt_addon.errors import EngineError
    from vggt_addon.photos.gather import gather

    properties = bpy.context.scene.vggt
    set_everything(properties)
    photos = gather(listed).photos
    properties.engine = "vggt"
    with pytest.raises(EngineError, match="DUSt3R takes photos whole"):
        prepare(photos, asking.run_settings(properties).engine_settings)
    properties.engine = "dust3r"
    prepared = prepare(photos, asking.run_settings(properties).engine_settings)
    assert all(max(size) == 288 for size in prepared.request.sizes)
