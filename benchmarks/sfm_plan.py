"""What the embedded engine's plan predicts, beside what runs take: python benchmarks/sfm_plan.py PHOTOS... [options]

For each folder of photos a whole run, photos to the finished Reconstruction: seconds by the clock, predicted and
measured, and by stage with the processor seconds of both processes; the peak of their resident memory together. Where
the patient attempt came up, the prediction is that with it. Others who load the machine make the clock's ratio larger;
the processor seconds tell. Needs /proc.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from vggt_addon.engines.cost import pace  # noqa: E402 - needs the path
from vggt_addon.engines.sfm.engine import SfmEngine  # noqa: E402
from vggt_addon.engines.sfm.plan import cost  # noqa: E402
from vggt_addon.photos.gather import gather  # noqa: E402
from vggt_addon.postprocess.apply import postprocess  # noqa: E402
from vggt_addon.progress import never  # noqa: E402
from vggt_addon.settings import EngineSettings  # noqa: E402

TICK = 0.1  # seconds between two looks


class Watch:
    """Stage by stage: seconds by the clock and of processors, and the peak of memory, of this process and its child."""

    def __init__(self) -> None:
        self.clock: defaultdict[str, float] = defaultdict(float)
        self.processor: defaultdict[str, float] = defaultdict(float)
        self.peak: defaultdict[str, int] = defaultdict(int)
        self._stage = "Reading photos"
        self._child_seconds: defaultdict[int, float] = defaultdict(float)
        self._mark = time.monotonic(), self._processor_seconds()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def progress(self, stage: str, fraction: float) -> None:
        """To be called as `progress.Progress` is."""
        if stage == self._stage:
            return
        now = time.monotonic(), self._processor_seconds()
        self.clock[self._stage] += now[0] - self._mark[0]
        self.processor[self._stage] += now[1] - self._mark[1]
        self._mark, self._stage = now, stage

    def end(self) -> None:
        self.progress("", 1.0)
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(TICK):
            self._processor_seconds()
            held = sum(_resident(process) for process in (os.getpid(), *_children()))
            self.peak[self._stage] = max(self.peak[self._stage], held)

    def _processor_seconds(self) -> float:
        for child in _children():  # one that has ended is no longer asked; what it had taken stays
            self._child_seconds[child] = max(self._child_seconds[child], _seconds_of(child))
        return time.process_time() + sum(self._child_seconds.values())


def _children() -> list[int]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
        except OSError:
            continue  # the thread has ended meanwhile
    return found


def _seconds_of(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def measure(folder: Path, settings: EngineSettings) -> None:
    photos = gather([folder], at_once=settings.threads).photos
    predicted = cost(photos, settings)
    watch = Watch()
    gather([folder], at_once=settings.threads)
    with tempfile.TemporaryDirectory() as workspace:
        made = SfmEngine().reconstruct(photos, Path(workspace), settings, watch.progress, never)
        watch.progress("Postprocessing", 0.0)
        postprocess(made)
    watch.end()
    tried = [attempt["attempt"] for attempt in made.report["attempts"]]
    seconds = predicted.seconds + (predicted.seconds_more if "affine" in tried else 0.0)
    taken, peak = sum(watch.clock.values()), max(watch.peak.values())
    print(f"{folder}: {len(photos)} photos, attempts {', '.join(map(str, tried))}: predicted, measured, ratio")
    print(f"  {seconds:6.1f} s  {taken:6.1f} s  {seconds / taken:.2f}")
    print(f"  {predicted.memory / 1e6:5.0f} MB  {peak / 1e6:5.0f} MB  {predicted.memory / peak:.2f}")
    for stage in watch.clock:
        share = f"{watch.clock[stage]:6.1f} s, {watch.processor[stage]:6.1f} processor s"
        print(f"    {stage:20} {share}, {watch.peak[stage] / 1e6:5.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path, help="folders of photos, one run for each")
    parser.add_argument("--depth-size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--sequence", action="store_true")
    options = parser.parse_args()
    print(f"one core takes {pace():.2f} times as long as where the rates were measured")
    for folder in options.photos:
        settings = EngineSettings(depth_size=options.depth_size, threads=options.threads, sequence=options.sequence)
        measure(folder, settings)


if __name__ == "__main__":
    main()
