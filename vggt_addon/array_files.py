"""Array files from strangers: what `numpy.save` writes, read without believing it.

This module imports nothing beyond the standard library and numpy.
"""

import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_ARRAY = 2 << 30  # bytes: 80 million points, or a depth map of a photo larger than any
ARRAY_HEADER = re.compile(
    rb"\{'descr': '([<|][fuib]\d)', 'fortran_order': False, 'shape': \(((?:\d{1,15},? ?)*)\), \} *\n"
)  # what numpy.save writes for the arrays of this record, and nothing else


def read_array(file: Path) -> NDArray[Any]:
    """One array as `numpy.save` wrote it (format 1.0). Reads no further than a header that the file's size confirms.

    Not `numpy.load`, which evaluates the header as Python and allocates whatever size it claims. Raises OSError or
    ValueError where the file is none of these, MemoryError where it is too large for this machine.
    """
    if not file.is_file():
        raise OSError("not a file")  # a pipe would be waited for
    with file.open("rb") as stream:
        start = stream.read(10)
        if start[:8] != b"\x93NUMPY\x01\x00" or len(start) < 10:
            raise ValueError("not an array file")
        header = ARRAY_HEADER.fullmatch(stream.read(int.from_bytes(start[8:], "little")))
        if header is None:
            raise ValueError("not a header that this extension writes")
        dtype = np.dtype(header[1].decode("ascii"))
        shape = tuple(int(side) for side in header[2].replace(b" ", b"").split(b",") if side)
        size = math.prod(shape)
        if size * dtype.itemsize > LARGEST_ARRAY:
            raise ValueError("larger than any array of a capture")
        if os.fstat(stream.fileno()).st_size - stream.tell() != size * dtype.itemsize:
            raise ValueError("the file is shorter or longer than its header says")
        return np.fromfile(stream, dtype, size).reshape(shape)
