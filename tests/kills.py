"""The command line is killed at random moments while it replaces what an earlier run made; `make test-faults` runs it.

    python tests/kills.py [--kills 200] [--seed 0]

Each time: the scene and its capture are both the old ones or both the new ones, byte by byte or whole, and the next run
works. Half of the kills are in the last quarter of a run, where it writes.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from vggt_addon.reconstruction import Reconstruction  # noqa: E402 - the path comes first

OPTIONS = ("--engine", "sfm", "--depth-size", "96", "--points", "20000", "--texture-size", "200", "--force")
State = tuple[str, str]  # of the scene, "" where there is none, and of the capture: hashes


class Output:
    """What one command makes in a folder of its own, again and again."""

    def __init__(self, command: str, folder: Path, photos: Path) -> None:
        self._folder = folder
        folder.mkdir()
        name = "scene.blend" if command == "import" else "scene.capture"
        self._scene, self._capture = folder / "scene.blend", folder / "scene.capture"
        program = [sys.executable, "-W", "ignore", "-m", "vggt_addon", command, str(photos), "-o", str(folder / name)]
        self._command = [*program, *OPTIONS, "--log", str(folder.parent / f"{command}.log")]

    def whole_run(self) -> float:
        """A run that nobody disturbs; returns its seconds."""
        started = time.monotonic()
        done = subprocess.run(self._command, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert len(Reconstruction.load(self._capture).views) == 3
        return time.monotonic() - started

    def killed_run(self, moment: float) -> str:
        """A run that is killed `moment` seconds after its beginning; what was there then: "old" or "new"."""
        before = self._state()
        process = subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        after = self._state()
        assert len(Reconstruction.load(self._capture).views) == 3
        changed = [old != new for old, new in zip(before, after, strict=True) if old]
        assert all(changed) or not any(changed), f"a mixture: {before} {after}"
        for left in self._folder.glob(".*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        return "new" if all(changed) else "old"

    def _state(self) -> State:
        scene = hashlib.sha256(self._scene.read_bytes()).hexdigest() if self._scene.exists() else ""
        digest = hashlib.sha256()
        for file in sorted(path for path in self._capture.rglob("*") if path.is_file()):
            digest.update(file.relative_to(self._capture).as_posix().encode() + file.read_bytes())
        return scene, digest.hexdigest()


def _small_photos(folder: Path) -> Path:
    folder.mkdir()
    for number in (1, 2, 3):
        with Image.open(REPOSITORY / f"examples/courtyard/photos/courtyard_{number:02d}.jpg") as image:
            image.resize((360, 240)).save(folder / f"{number}.jpg", exif=image.info["exif"], quality=92)
    return folder


def main() -> None:
    """Kill, look, and say what was seen."""
    parser = argparse.ArgumentParser(description="Kills the command line while it writes.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    started = time.monotonic()
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = _small_photos(folder / "photos")
        outputs = {command: Output(command, folder / command, photos) for command in ("import", "reconstruct")}
        taken = {command: output.whole_run() for command, output in outputs.items()}
        for number in range(options.kills):
            command = ("import", "reconstruct")[number % 2]
            late = number % 4 < 2
            moment = taken[command] * (chance.uniform(0.75, 1.02) if late else chance.uniform(0.0, 0.75))
            seen[f"{command}: {outputs[command].killed_run(moment)}"] += 1
        for output in outputs.values():
            output.whole_run()
    print(
        f"{options.kills} runs killed in {time.monotonic() - started:.0f} s, each time one or the other: {dict(seen)}"
    )


if __name__ == "__main__":
    main()
