"""The command line's options of the learned engines: what they come to, and what is refused."""

import argparse
from pathlib import Path

import pytest

from vggt_addon.__main__ import _parser
from vggt_addon.engine_options import engine_settings
from vggt_addon.settings import EngineSettings, NetworkSettings


def settings(*options: str) -> EngineSettings:
    return engine_settings(_parser().parse_args(["reconstruct", "photos", "-o", "out", *options]))


def test_what_nobody_asks_for_is_the_default() -> None:
    assert settings() == EngineSettings()


@pytest.mark.parametrize("command", ["import", "reconstruct", "plan"])
def test_every_option_arrives(command: str, tmp_path: Path) -> None:
    options = [
        *("--seed", "7", "--depth-size", "640", "--sequence", "--threads", "3", "--texture-size", "2048"),
        *("--weights", "vggt-1b", "--weights-folder", str(tmp_path), "--device", "cuda", "--precision", "float16"),
        *("--memory-limit", "7.5", "--framing", "pad", "--input-size", "364", "--reference", "a b.jpg"),
        *("--focal", "shared", "--points-from", "head", "--clean", "--matches"),
    ]
    network = NetworkSettings(
        weights="vggt-1b",
        weights_folder=str(tmp_path),
        device="cuda",
        precision="float16",
        memory_limit=7.5,
        framing="pad",
        input_size=364,
        focal="shared",
        points_from="head",
        clean=True,
        matches=True,
    )
    output = [] if command == "plan" else ["-o", "out.blend"]
    parsed = _parser().parse_args([command, "photos", *output, *options])
    assert engine_settings(parsed) == EngineSettings(
        seed=7,
        depth_size=640,
        sequence=True,
        texture_size=2048,
        reference="a b.jpg",
        threads=3,
        network=network,
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--engine", "dust4r"),
        ("--device", "tpu"),
        ("--precision", "int8"),
        ("--framing", "fit"),
        *(("--focal", value) for value in ("long", "", "-3", "0x10", "1e3", "28 cm", "3200mm2", "inf")),
        ("--points-from", "sky"),
        ("--input-size", "many"),
        *(("--memory-limit", value) for value in ("0", "-3", "0.05", "nan", "inf", "1e9", "8 GB", "")),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        settings(option, value)
    assert caught.value.code == 2
    assert option in capsys.readouterr().err


@pytest.mark.parametrize("value", ["network", "shared", "exif", "3200", "3200.5", "28mm", "28 mm"])
def test_a_focal_length_is_a_word_or_a_number(value: str) -> None:
    assert settings("--focal", value).network.focal == value


def test_the_choices_are_those_that_the_engine_knows() -> None:
    pytest.importorskip("torch")
    from vggt_addon.engines.layers.devices import DEVICES, PRECISIONS
    from vggt_addon.engines.registry import ENGINES
    from vggt_addon.engines.vggt.engine import POINTS_FROM
    from vggt_addon.engines.vggt.framing import MODES

    options = {**_choices(_parser(), "reconstruct"), **_choices(_parser(), "import")}
    assert options["device"] == DEVICES
    assert options["precision"] == PRECISIONS
    assert options["framing"] == MODES
    assert options["points_from"] == POINTS_FROM
    assert sorted(options["engine"]) == sorted(["auto", *ENGINES])


def _choices(parser: argparse.ArgumentParser, command: str) -> dict[str, tuple[str, ...]]:
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {action.dest: tuple(action.choices) for action in commands.choices[command]._actions if action.choices}
