"""Stands in for the Python that runs the worker: `reduced_python.py -m MODULE ...` runs the module with VGGT reduced.

Only the sizes of the network differ from a user's run; its weights come from a store, like a user's.
"""

import runpy
import sys
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.engines.networks import VGGT_SMALL
from vggt_addon.engines.vggt import engine, load
from vggt_addon.engines.vggt import network as vggt_network
from vggt_addon.engines.vggt.config import VggtConfig

FULL_VGGT = vggt_network.VGGT


def reduced(config: VggtConfig | None = None, heads: Collection[vggt_network.Head] = vggt_network.ALL_HEADS) -> object:
    """The reduced network, whatever was asked for."""
    return FULL_VGGT(VGGT_SMALL, heads)


for module in (load, vggt_network):
    module.VGGT = reduced  # type: ignore[attr-defined]
engine.FULL = VGGT_SMALL  # type: ignore[attr-defined]
_, module_name, *arguments = sys.argv[1:]
sys.argv = [module_name, *arguments]
runpy.run_module(module_name, run_name="__main__", alter_sys=True)
