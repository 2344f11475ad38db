"""Which frames of a walk are compared.

COLMAP's own sequential matching takes the order of names for that of time; ours are grouped by lens, so that a phone
that was turned half-way would leave two walks that never meet. Hence pairs of our own.
This module imports nothing beyond the standard library.
"""

from collections.abc import Sequence

NEXT = 10  # frames after each that it is compared with
FARTHEST = 9  # and those 2, 4, ... 2^FARTHEST frames away, which join a walk that comes back


def pairs_in_time(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of working copies ("folder/file", any order), earlier frame first; the file's name is the frame's number.

    Each frame with the NEXT ones and, as COLMAP's quadratic overlap has it, with those at powers of two.
    """
    frames = sorted(names, key=lambda name: name.split("/")[1])
    steps = sorted({*range(1, NEXT + 1), *(2**power for power in range(FARTHEST + 1))})
    return [
        (first, frames[index + step])
        for index, first in enumerate(frames)
        for step in steps
        if index + step < len(frames)
    ]
