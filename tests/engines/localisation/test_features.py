"""Details are found where they are, and again in another picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vggt_addon.engines.localisation.features import LEAST_MATCHES, Features, consistent, find_features, match


def _spots(seed: int, width: int = 640, height: int = 480) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    small = random.integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_places_are_those_of_the_photo_whatever_the_pictures_size() -> None:
    """A grid of discs: the middle of each is a detail, in pixels of the photo with centres at +0.5."""
    picture = np.full((600, 800, 3), 40, np.uint8)
    middles = [(x, y) for x in range(100, 800, 200) for y in range(100, 600, 190)]
    for x, y in middles:
        cv2.circle(picture, (x, y), 9, (220, 220, 220), -1, cv2.LINE_AA)
    for scale in (1, 2, 4):
        shrunk = cv2.resize(picture, (800 // scale, 600 // scale), interpolation=cv2.INTER_AREA)
        found = find_features(np.asarray(shrunk, np.uint8), 800)
        for middle in np.array(middles) + 0.5:
            assert np.linalg.norm(found.pixels - middle, axis=1).min() < 0.15 * scale


def test_nothing_is_found_where_the_mask_leaves_nothing() -> None:
    picture = _spots(0)
    used = np.full(picture.shape[:2], 255, np.uint8)
    used[:, :320] = 0
    assert len(find_features(picture, 640, used).pixels) > 100
    assert find_features(picture, 640, used).pixels[:, 0].min() > 310
    assert len(find_features(picture, 640, np.zeros_like(used)).pixels) == 0


def test_matches_are_the_same_places() -> None:
    picture = _spots(1)
    turned = np.asarray(cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE), np.uint8)
    first, second = find_features(picture, 640), find_features(turned, 480)
    pairs = consistent(first, second, match(first, second), (640, 640))
    assert len(pairs) > 100
    x, y = first.pixels[pairs[:, 0]].T
    assert np.median(np.abs(second.pixels[pairs[:, 1]] - np.stack([480 - y, x], axis=1))) < 0.2


def test_other_pictures_do_not_match() -> None:
    first, second = find_features(_spots(2), 640), find_features(_spots(3), 640)
    assert len(consistent(first, second, match(first, second), (640, 640))) == 0
    empty = Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    assert match(first, empty).shape == (0, 2) and match(empty, first).shape == (0, 2)
    same = np.stack([np.arange(LEAST_MATCHES - 1)] * 2, axis=1)
    assert len(consistent(first, first, same, (640, 640))) == 0
