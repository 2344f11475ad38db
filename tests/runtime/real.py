"""The private runtime with the real packages, from the first click to Remove; `make test-runtime` runs it.

    python tests/runtime/real.py [--kills 20] [--seed 0] [--keep FOLDER]

Made from an older list of packages, used by a VGGT job (reduced network, the recipe's weights), brought up to date,
damaged, repaired, killed at random moments, removed, and made once more from an archive with the network cut. The
profile has a name with spaces and umlauts. Needs a package index, and on Linux `unshare` for the cut.
"""

import argparse
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

import torch  # noqa: E402 - the path comes first

from tests.engines.networks import weights  # noqa: E402
from vggt_addon.jobs.launch import Launch, worker_launch  # noqa: E402
from vggt_addon.jobs.protocol import Run  # noqa: E402
from vggt_addon.jobs.runner import JobRunner, JobState, JobStatus  # noqa: E402
from vggt_addon.reconstruction import Reconstruction  # noqa: E402
from vggt_addon.runtime.layout import packages_of  # noqa: E402
from vggt_addon.runtime.locked import load_lock  # noqa: E402
from vggt_addon.runtime.state import Condition, RuntimeState, runtime_state  # noqa: E402
from vggt_addon.runtime.task import RuntimeTask, runtime_launch  # noqa: E402
from vggt_addon.settings import EngineSettings, NetworkSettings, RunSettings  # noqa: E402

REDUCED = REPOSITORY / "tests" / "ui" / "reduced_python.py"
PHOTOS = tuple(str(path) for path in sorted((REPOSITORY / "examples/courtyard/photos").iterdir())[:3])
PATIENCE = 1200.0  # seconds for an installation on a loaded machine
DONE = "done"  # of what was to be killed and was over before
SETTINGS = RunSettings(
    engine="vggt",
    engine_settings=EngineSettings(
        depth_size=140, network=NetworkSettings(device="cpu", precision="float32", input_size=140)
    ),
    point_budget=20_000,
)


class Profile:
    """One user's folders, and what is done in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "Jörg's Profil ü"
        self.runtime = self.folder / "extensions" / "vggt_addon" / "runtime"
        self.log = self.folder / "log.txt"
        self.folder.mkdir()

    def launch(self, action: str, **more: object) -> Launch:
        """As Blender's preferences start it."""
        values = {"online": True, "log": self.log, **more}
        return runtime_launch(Path(sys.executable), self.runtime, action, **values)  # type: ignore[arg-type]

    def do(self, action: str, **more: object) -> float:
        """One action to its good end; returns its seconds."""
        started = time.monotonic()
        task = RuntimeTask(self.launch(action, **more), action)
        while not task.status().state.ended:
            assert time.monotonic() - started < PATIENCE, task.status()
            time.sleep(0.02)
        assert task.status().state is JobState.DONE, task.status()
        return time.monotonic() - started

    def state(self) -> RuntimeState:
        """Of the runtime, now."""
        return runtime_state(self.runtime)

    def site(self) -> Path:
        """Where its packages are."""
        state = self.state()
        assert state.record is not None
        site = packages_of(self.runtime / state.record.environment)
        assert site is not None
        return site

    def run_vggt(self) -> float:
        """A VGGT job by the runtime's Python; returns its seconds."""
        python = self.state().python
        assert python is not None, self.state()
        store = self.folder / "weights"
        launch = worker_launch(python, 60.0, self.log, weights_folder=str(store))
        launch = Launch((str(python), str(REDUCED), *launch.command[1:]), launch.environment, self.log)
        if not store.exists():
            torch.save(dict(weights("vggt")), self.folder / "recipe.pt")
            self._convert(python, store, launch)
        started = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            runner = JobRunner(launch)
            try:
                runner.submit(Run("1", folder, PHOTOS, SETTINGS))
                ends: list[JobStatus] = []
                while runner.busy:
                    ends += [news for news in runner.updates() if isinstance(news, JobStatus) and news.state.ended]
                    time.sleep(0.02)
                assert [end.state for end in ends] == [JobState.DONE], ends
                capture = Reconstruction.load(Path(folder) / "capture")
                assert capture.engine == "vggt"
                assert len(capture.views) == len(PHOTOS)
            finally:
                runner.stop()
        return time.monotonic() - started

    def _convert(self, python: Path, store: Path, launch: Launch) -> None:
        command = [str(python), str(REDUCED), "-m", "vggt_addon", "weights", "convert", str(self.folder / "recipe.pt")]
        command += ["--as", "vggt-1b", "--weights-folder", str(store)]
        subprocess.run(command, env=dict(launch.environment), cwd=self.folder, check=True, capture_output=True)

    def kill_at(self, moment: float, **more: object) -> str:
        """An installation whose process is killed after `moment` seconds; returns the stage that it was in."""
        task = RuntimeTask(self.launch("install", **more))
        due = time.monotonic() + moment
        while time.monotonic() < due and not task.status().state.ended:
            time.sleep(0.005)
        stage = task.status().stage or (DONE if task.status().state.ended else "starting")
        for number in _installers():
            os.kill(number, signal.SIGKILL)
        task.stop()
        assert not _processes(str(self.runtime)), _processes(str(self.runtime))
        assert self.state().condition in (Condition.NONE, Condition.READY), self.state()
        return stage


def older_lock(folder: Path) -> Path:
    """What the add-on might have been made with a year ago: one package fewer, one in another version."""
    lock = load_lock()
    entries = lock.packages.replace("\\\n", "\\\0").splitlines()
    kept = [entry for entry in entries if not entry.startswith(("tqdm==", "pycolmap=="))]
    kept.append("tqdm==4.67.1 --hash=sha256:26445eca388f82e72884e0d580d5464cd801a3ea01e63e5601bdff9ba6a48de2")
    folder.mkdir()
    (folder / "packages.lock").write_text("\n".join(kept).replace("\0", "\n") + "\n", encoding="utf-8")
    (folder / "lock.json").write_text(json.dumps({"torch": lock.torch}), encoding="utf-8")
    return folder


def _installers() -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == os.getpid() and "runtime.process" in row[2]]


def _processes(text: str) -> list[str]:
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if text in line and not line.startswith("Z")]


def damage(profile: Profile) -> None:
    """A file that is gone, and a package in another version: both are seen and repaired."""
    (profile.site() / "torch" / "nn" / "modules" / "linear.py").unlink()
    (profile.site() / "numpy" / "version.py").write_text("version = '0.1'\n")
    profile.do("verify")
    assert profile.state().condition is Condition.DAMAGED, profile.state()
    record = profile.state().record
    assert record is not None
    assert record.damaged == ("numpy", "torch"), record.damaged
    print(f"damaged: {profile.state().sentence}")
    print(f"repaired in {profile.do('repair'):.0f} s, VGGT runs in {profile.run_vggt():.0f} s")
    (metadata,) = profile.site().glob("safetensors-*.dist-info")
    metadata.rename(metadata.with_name("safetensors-0.0.1.dist-info"))
    assert profile.state().condition is Condition.DAMAGED, profile.state()
    print(f"another version: {profile.state().sentence} Repaired in {profile.do('repair'):.0f} s")
    assert profile.state().condition is Condition.READY


def offline(profile: Profile, archive: Path) -> float:
    """From the archive, with the network cut; returns the seconds."""
    command = [sys.executable, "-m", "vggt_addon", "runtime", "install", "--runtime-folder", str(profile.runtime)]
    command += ["--archive", str(archive), "--json"]
    if shutil.which("unshare"):
        command = ["unshare", "-rn", *command]
    started = time.monotonic()
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return time.monotonic() - started


def main() -> None:
    """All of it, and what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())  # what is killed on purpose is logged
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        profile = Profile(Path(name))
        older = older_lock(Path(name) / "older")
        print(f"made from an older list in {profile.do('install', lock=older):.0f} s")
        assert profile.state().condition is Condition.OUTDATED, profile.state()
        print(f"{profile.state().sentence} VGGT runs in {profile.run_vggt():.0f} s")
        print(f"brought up to date in {profile.do('install'):.0f} s")
        assert profile.state().condition is Condition.READY, profile.state()
        damage(profile)
        version = ".".join(str(number) for number in sys.version_info[:2])
        archive = Path(name) / "archive.zip"
        command = [sys.executable, "-m", "vggt_addon", "runtime", "archive", "--for-python", version]
        subprocess.run([*command, "-o", str(archive)], cwd=REPOSITORY, check=True)
        profile.do("remove")
        assert not profile.runtime.exists()
        taken = offline(profile, archive)
        print(f"made from the archive with the network cut in {taken:.0f} s, VGGT runs in {profile.run_vggt():.0f} s")
        profile.do("remove")
        killed = 0
        while killed < options.kills:
            moment = taken * moments.random()
            more = {"archive": archive, "online": False} if killed % 2 else {}
            stage = profile.kill_at(moment, **more)
            if stage == DONE:
                taken = moment  # the machine has become quicker: there is nothing to kill later than that
            else:
                killed += 1
                print(f"killed after {moment:4.1f} s: {stage}", flush=True)
            if profile.state().condition is Condition.READY:
                profile.do("remove")
        print(f"and then made in {profile.do('install'):.0f} s, VGGT runs in {profile.run_vggt():.0f} s")
        profile.do("remove")
        left = sorted(path.name for path in profile.runtime.parent.iterdir())
        assert not left, left
        print("removed without a trace")


if __name__ == "__main__":
    main()
