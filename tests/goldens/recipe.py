# SPDX-License-Identifier: GPL-3.0-or-later
"""Deterministic pseudo-random values for parity tests; imports numpy only.

Only the raw output of the PCG64 bit generator is used (numpy guarantees that
stream), so the values are bit-identical on every machine and numpy version.
"""

import math
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def unit(name: str, shape: Sequence[int], seed: int = 0) -> NDArray[np.float64]:
    """float64 values, uniform, mean 0, variance 1, fixed by `name` and `seed`."""
    n = math.prod(shape)
    raw = np.random.PCG64(zlib.crc32(name.encode("utf-8"), seed)).random_raw((n + 1) // 2)
    words = np.asarray(raw, dtype="<u8").view("<u4")[:n]
    return (((words >> 8).astype(np.float64) + 0.5) / 2.0**24 - 0.5).reshape(shape) * math.sqrt(12.0)


def value(key: str, shape: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    """float32 value of the parameter `key` with `shape`."""
    shape = tuple(shape)
    v = unit(key, shape, seed)
    parts = key.split(".")
    leaf, owner = parts[-1], parts[-2] if len(parts) > 1 else ""
    if leaf == "bias_mask":  # VGGT-Omega: no bias on keys
        v = np.repeat([1.0, 0.0, 1.0], shape[0] // 3)
    elif leaf == "periods":  # VGGT-Omega: a fixed table
        v = 100.0 ** (np.arange(shape[0]) / shape[0])
    elif leaf == "gamma":  # LayerScale
        v = 0.2 + 0.05 * v
    elif leaf == "weight" and len(shape) == 1:  # LayerNorm / GroupNorm scale
        v = (1.5 if owner in ("q_norm", "k_norm") else 1.0) + 0.1 * v
    elif key.endswith("pose_branch.fc2.bias"):  # keeps quaternion w and both fields of view positive
        v = np.array([0, 0, 0, 0, 0, 0, 0.3, 0.2, 0.2]) + 0.02 * v
    elif key.endswith("camera_branch.2.bias"):
        v = np.array([0, 0, 0, 0, 0, 0, 1.0, 0.8, 0.9]) + 0.02 * v
    elif leaf in ("bias", "in_proj_bias"):
        v = 0.1 * v
        if owner == "flow_head":  # tracks drift by pixels, not by noise
            v[:2] *= 15.0
    elif leaf in ("weight", "in_proj_weight"):
        transposed = ("resize_layers" in key and parts[-2] in ("0", "1")) or key.endswith(
            ("act_postprocess.0.1.weight", "act_postprocess.1.1.weight")
        )  # DUSt3R's names
        fan_in = shape[0] if transposed else math.prod(shape[1:])
        v = gain(key) * v / math.sqrt(fan_in)
    else:  # tokens, position tables
        v = 0.3 * v
    return v.astype(np.float32)


def gain(key: str) -> float:
    """What multiplies the weight `key` beside 1/sqrt(fan_in)."""
    for suffix, g in (
        ("pose_branch.fc2.weight", 0.1),
        ("flow_head.weight", 0.05),
        ("conv2.weight", 0.5),
        ("dpt.head.4.weight", 0.1),
        ("camera_branch.2.weight", 0.3),
        ("dense_head.proj.weight", 0.5),
        ("dense_head.proj_conf.weight", 0.5),
    ):
        if key.endswith(suffix):
            return g
    return 1.0


def image(name: str, shape: Sequence[int], seed: int = 0) -> NDArray[np.uint8]:
    """8-bit noise image array in [0, 255], shape e.g. (B, S, 3, H, W)."""
    v = unit(name, tuple(shape), seed) / math.sqrt(12.0) + 0.5
    levels: NDArray[np.uint8] = np.floor(v * 256).astype(np.uint8)
    return levels
