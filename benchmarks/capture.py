"""What a whole reconstruction costs: python benchmarks/capture.py PHOTOS...

Runs the command line's `reconstruct` in a process of its own and prints processor seconds (its own and those of the
camera solver's processes) in all and per photo, wall time, and the peak memory of the largest process.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from vggt_addon.reconstruction import Reconstruction  # noqa: E402 - needs the path


def main() -> int:
    """Print the figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "capture"
        command = [sys.executable, "-m", "vggt_addon", "reconstruct", *sys.argv[1:], "-o", str(capture)]
        start = time.perf_counter()
        subprocess.run(command, check=True, env={"PYTHONPATH": str(REPOSITORY)})
        wall = time.perf_counter() - start
        placed = len(Reconstruction.load(capture).views)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime
    print(
        f"{placed} photos: {processor:.1f} CPU s ({processor / placed:.2f} a photo), {wall:.0f} s on the clock, ",
        end="",
    )
    print(f"peak {used.ru_maxrss / 1024:.0f} MB in the largest process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
