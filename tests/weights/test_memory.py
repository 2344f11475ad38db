"""What loading costs: the file's pages, which the system may drop at any time, and next to nothing of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vggt_addon.weights.saving import save_checkpoint

LAYERS, SIDE = 50, 1024
SCRIPT = f"""
import re, sys
from pathlib import Path
import torch
from vggt_addon.weights.checkpoint import open_checkpoint
from vggt_addon.weights.loading import load_weights

def own():  # bytes that belong to this process alone, not to a file
    return 1024 * int(re.search(r"^Anonymous: *(\\d+)", Path("/proc/self/smaps_rollup").read_text(), re.M)[1])

torch.set_num_threads(1)
torch.ones({SIDE}, {SIDE}).sum()
for path in sys.argv[1:]:
    with torch.device("meta"):
        network = torch.nn.ModuleList([torch.nn.Linear({SIDE}, {SIDE}, bias=False) for _ in range({LAYERS})])
    before = own()
    report = load_weights(network, open_checkpoint(Path(path)))
    loaded = own()
    total = sum(float(parameter.sum()) for parameter in network.parameters())  # every page is read
    print(report.parameters, loaded - before, own() - before, total)
"""


@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="this system does not tell a process's own memory from files'"
)
def test_loading_takes_no_memory_of_its_own(tmp_path: Path) -> None:
    """200 MB of weights in either format: less than 20 MB of their own, also when all of them have been used."""
    tensors = {f"{index}.weight": torch.full((SIDE, SIDE), float(index)) for index in range(LAYERS)}
    torch.save(tensors, tmp_path / "model.pt")
    save_checkpoint(tmp_path / "model.safetensors", tensors, {})
    paths = [tmp_path / "model.pt", tmp_path / "model.safetensors"]
    assert all(path.stat().st_size > 200_000_000 for path in paths)
    command = [sys.executable, "-c", SCRIPT, *map(str, paths)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    for line in ended.stdout.splitlines():
        parameters, loaded, used, total = map(float, line.split())
        assert parameters == LAYERS * SIDE * SIDE
        assert total == SIDE * SIDE * LAYERS * (LAYERS - 1) / 2
        assert loaded < 20_000_000 and used < 20_000_000
    assert len(ended.stdout.splitlines()) == 2
