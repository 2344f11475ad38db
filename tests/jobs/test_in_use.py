"""An environment is known to be in use as long as a process runs by it, however that ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vggt_addon import commands
from vggt_addon.__main__ import main
from vggt_addon.errors import UserError
from vggt_addon.jobs.in_use import FOLDER, hold, in_use
from vggt_addon.jobs.launch import worker_launch

HOLD = "import sys; from pathlib import Path; from vggt_addon.jobs.in_use import hold\n"
HOLD += "held = hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def holder(environment: Path) -> "subprocess.Popen[bytes]":
    """A process that says that it runs by it."""
    command = [sys.executable, "-c", HOLD, str(environment)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"held"
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def test_in_use_until_the_last_was_killed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    assert not in_use(tmp_path)
    processes = [holder(tmp_path) for _ in range(2)]
    for process in processes:
        assert in_use(tmp_path)
        end(process)
    assert not in_use(tmp_path)
    with hold(tmp_path):
        assert in_use(tmp_path)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["1", "2"]  # used again, not more and more


def test_nothing_is_written_into_an_environment_of_somebody_else(tmp_path: Path) -> None:
    with hold(tmp_path):
        assert not list(tmp_path.iterdir())
        assert not in_use(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="the environment's folders have other names")
def test_a_worker_says_what_it_runs_by(tmp_path: Path) -> None:
    place = tmp_path / "e1"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (site,) = place.glob("lib/python3*/site-packages")
    (site / "others.pth").write_text(str(Path(pytest.__file__).parents[1]))
    (place / FOLDER).mkdir()
    launch = worker_launch(place / "bin" / "python", 60.0, tmp_path / "log.txt")
    process = subprocess.Popen(
        launch.command,
        env=dict(launch.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline(), (tmp_path / "log.txt").read_text()
    assert in_use(place)
    process.communicate(timeout=10.0)  # nobody asks any more, so it leaves
    assert not in_use(place)


def test_the_command_line_says_what_it_runs_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = tmp_path / "e1"
    (environment / FOLDER).mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(environment))
    (tmp_path / "a.jpg").write_bytes(b"looked at by the pipeline alone")
    seen: list[bool] = []

    def solve(*arguments: object) -> None:
        seen.append(in_use(environment))
        raise UserError("No cameras today.")

    monkeypatch.setattr(commands, "reconstruct", solve)
    assert main(["reconstruct", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert seen == [True] and not in_use(environment)
