"""Copies of exactly square pixels."""

import numpy as np
import pytest

from vggt_addon.geometry.raster import fit_raster


@pytest.mark.parametrize(
    ("width", "height"), [(1600, 1067), (1067, 1600), (4000, 3000), (799, 600), (12000, 37), (500, 500)]
)
@pytest.mark.parametrize("long_side", [512, 518, 1000])
def test_uniform_centred_and_inside(width: int, height: int, long_side: int) -> None:
    raster = fit_raster(width, height, long_side)
    matrix = raster.photo_from_raster
    assert matrix[0, 0] == matrix[1, 1] == raster.scale >= 1
    assert max(raster.width, raster.height) == min(long_side, max(width, height))
    center = matrix @ (raster.width / 2, raster.height / 2, 1)
    assert np.allclose(center, (width / 2, height / 2, 1))
    left, top, right, bottom = raster.box
    assert left > -1e-9 and top > -1e-9
    assert width - (right - left) < raster.scale + 1e-6, "less than one copy pixel is cut"
    assert height - (bottom - top) < raster.scale + 1e-6
