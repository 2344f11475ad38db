"""Ways in which bytes are spoilt: by chance, and where formats keep what hurts.

This module imports nothing beyond the standard library.
"""

import random
import struct
import zlib
from collections.abc import Sequence

_NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_PNG = b"\x89PNG\r\n\x1a\n"


def spoilt(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One of the seeds with one to six of the changes below, whole again as far as a PNG's checksums go, or not."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        _change(data, seeds, chance)
    if data.startswith(_PNG) and chance.random() < 0.8:
        return _with_checksums(bytes(data))
    return bytes(data)


def _change(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    if not data:
        return
    # Headers decide more than pixels do.
    end = len(data) if chance.random() < 0.4 else min(len(data), 600)
    place = chance.randrange(end)
    length = min(chance.choice((1, 2, 4, 8, 30, 300)), len(data) - place)
    kind = chance.randrange(8)
    if kind == 0:
        data[place] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[place] = chance.randrange(256)
    elif kind in (2, 3):
        width, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
        number = chance.choice(_NUMBERS) & (256**width - 1)
        data[place : place + width] = number.to_bytes(width, order)
    elif kind == 4:
        del data[place : place + length]
    elif kind == 5:
        data[place:place] = data[place : place + length]
    elif kind == 6:
        other = chance.choice(seeds)
        begin = chance.randrange(len(other))
        data[place : place + length] = other[begin : begin + length]
    else:
        del data[chance.randrange(len(data)) :]


def _with_checksums(data: bytes) -> bytes:
    """A PNG's chunks with the checksums that their content has: else every change ends at them."""
    made, place = bytearray(_PNG), len(_PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        body = data[place + 4 : place + 8 + length]
        if len(body) < 4 + length:
            break
        made += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + length
    return bytes(made) + data[place:]
