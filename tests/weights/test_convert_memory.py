"""What converting costs: a slice of the weights in memory at a time, whatever their number."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import re, sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]) / "tests" / "weights")]
import small, torch
from vggt_addon.weights.convert import convert_file, derive
from vggt_addon.weights.store import Store

def own():  # bytes that belong to this process alone, not to a file
    return 1024 * int(re.search(r"^Anonymous: *(\\d+)", Path("/proc/self/smaps_rollup").read_text(), re.M)[1])

torch.set_num_threads(1)
folder = Path(sys.argv[2])
small.SMALL_VGGT = replace(small.SMALL_VGGT, encoder=replace(small.SMALL_VGGT.encoder, width=512, blocks=8))
small.shrink()
path = small.write(folder / "model.pt", small.weights(small.make_vggt()))
before, peak = own(), 0

def tell(stage, fraction):
    global peak
    peak = max(peak, own() - before)

store = Store(folder / "store")
print(convert_file(path, store, progress=tell).size, peak)
peak = 0
print(derive(store, "vggt-1b", "bfloat16", progress=tell).size, peak)
"""


@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="this system does not tell a process's own memory from files'"
)
def test_converting_takes_a_slice_of_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(Path(__file__).parents[2]), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    (size, peak), (half_size, half_peak) = (map(int, line.split()) for line in ended.stdout.splitlines())
    assert size > 100_000_000 > half_size
    assert peak < 30_000_000 and half_peak < 40_000_000, (peak, half_peak)
