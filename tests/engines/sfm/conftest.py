"""Photos of situations that have no solution, made from one picture."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray


def wall_picture(seed: int = 0, width: int = 2400, height: int = 1600) -> NDArray[np.uint8]:
    """A picture full of details of all sizes, none of which repeats: (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (12, 40, 120, 400):
        noise = random.random((cells * height // width + 1, cells, 3), np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / 4
    for _ in range(400):
        center = (int(random.integers(width)), int(random.integers(height)))
        color = tuple(float(value) for value in random.random(3))
        cv2.circle(picture, center, int(random.integers(4, 40)), color, -1)
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def wall() -> Callable[[int], NDArray[np.uint8]]:
    """Pictures without a common detail, by number: (480, 640, 3) uint8."""
    return lambda seed: wall_picture(seed, 640, 480)


@pytest.fixture(scope="session")
def turned_photos() -> Callable[[Path, int], list[Path]]:
    """Photos of a camera that only turns: exact homographies K R K^-1 of one picture."""

    def make(folder: Path, count: int) -> list[Path]:
        picture = wall_picture()
        size, focal = (640, 480), 550.0
        to_pixels = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
        source = np.array([[1600.0, 0, 1200], [0, 1600.0, 800], [0, 0, 1]])
        paths = []
        for number in range(count):
            pan, tilt = np.radians(6.0 * (number - (count - 1) / 2)), np.radians(1.5 * (-1) ** number)
            rotation = cv2.Rodrigues(np.array([tilt, pan, 0.02 * number]))[0]
            homography = source @ rotation.T @ np.linalg.inv(to_pixels)
            turned = cv2.warpPerspective(picture, homography, size, flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
            paths.append(folder / f"turned_{number}.png")
            cv2.imwrite(str(paths[-1]), turned)
        return paths

    return make
