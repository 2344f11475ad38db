"""Stands in for the Python that runs the worker: `reduced_python.py -m MODULE ...` runs the module with the networks
reduced.

Only the sizes of the networks differ from a user's run; their weights come from a store, like a user's.
"""

import runpy
import sys
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.engines.networks import DUST3R_SMALL, VGGT_SMALL
from vggt_addon.engines.dust3r import load as dust3r_load
from vggt_addon.engines.dust3r import network as dust3r_network
from vggt_addon.engines.vggt import engine, load
from vggt_addon.engines.vggt import network as vggt_network
from vggt_addon.engines.vggt.config import VggtConfig

FULL_VGGT = vggt_network.VGGT
FULL_DUST3R = dust3r_network.DUSt3R


def reduced(config: VggtConfig | None = None, heads: Collection[vggt_network.Head] = vggt_network.ALL_HEADS) -> object:
    """The reduced network, whatever was asked for."""
    return FULL_VGGT(VGGT_SMALL, heads)


def reduced_dust3r(config: object = None) -> object:
    """Likewise."""
    return FULL_DUST3R(DUST3R_SMALL)


for module in (dust3r_load, dust3r_network):
    module.DUSt3R = reduced_dust3r  # type: ignore[attr-defined]
for module in (load, vggt_network):
    module.VGGT = reduced  # type: ignore[attr-defined]
engine.FULL = VGGT_SMALL  # type: ignore[attr-defined]
_, module_name, *arguments = sys.argv[1:]
sys.argv = [module_name, *arguments]
runpy.run_module(module_name, run_name="__main__", alter_sys=True)
