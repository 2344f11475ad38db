"""The colour space that an AVIF file names, which Pillow does not tell: its `colr` box (ISO/IEC 14496-12, 23008-12).

The file is a tree of boxes: meta holds pitm (the main picture's number), iprp with ipco (a list of properties) and
ipma (which picture has which of them).
This module imports nothing beyond the standard library.
"""

import struct
from collections.abc import Iterator
from typing import IO

_MOST_META = 1 << 20  # bytes: a description is a few hundred
_MOST_BOXES = 4096
NOT_SAID = (2, 2)


def read_code_points(file: IO[bytes]) -> tuple[int, int]:
    """Colour primaries and transfer characteristics (ITU-T H.273) of the main picture; (2, 2) where it says none.

    `file` is at its beginning, and is read up to the description only. A damaged one says none.
    """
    try:
        meta = _meta(file)
        return _of_main_picture(meta) if meta else NOT_SAID
    except (struct.error, IndexError, ValueError):
        return NOT_SAID


def _meta(file: IO[bytes]) -> bytes:
    """What the file's own meta box holds, behind its version and flags."""
    for _ in range(_MOST_BOXES):
        head = file.read(8)
        if len(head) < 8:
            return b""
        size, kind = struct.unpack(">I4s", head)
        begin = 8
        if size == 1:
            size, begin = struct.unpack(">Q", file.read(8))[0], 16
        if kind == b"meta":
            return file.read(min(size - begin, _MOST_META))[4:] if size >= begin else b""
        if size < begin:
            return b""
        file.seek(size - begin, 1)
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box in `data`."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if size == 0:
            size = len(data) - place
        if size < 8:
            return
        yield kind, data[place + 8 : place + size]
        place += size


def _of_main_picture(meta: bytes) -> tuple[int, int]:
    inside = dict(_boxes(meta))
    properties = dict(_boxes(inside.get(b"iprp", b"")))
    listed = list(_boxes(properties.get(b"ipco", b"")))
    main = inside.get(b"pitm", b"")
    number = struct.unpack_from(">H" if main[0] == 0 else ">I", main, 4)[0]
    for index in _associated(properties.get(b"ipma", b""), number):
        kind, content = listed[index - 1] if 1 <= index <= len(listed) else (b"", b"")
        if kind == b"colr" and content[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            return primaries, transfer
    return NOT_SAID


def _associated(ipma: bytes, picture: int) -> list[int]:
    """The properties of that picture, counted from 1."""
    version, flags = ipma[0], ipma[3]
    count, place = struct.unpack_from(">I", ipma, 4)[0], 8
    for _ in range(count):
        number = struct.unpack_from(">I" if version else ">H", ipma, place)[0]
        place += 4 if version else 2
        amount, place = ipma[place], place + 1
        wide = flags & 1
        found = struct.unpack_from(f">{amount}{'H' if wide else 'B'}", ipma, place)
        place += amount * (2 if wide else 1)
        if number == picture:
            return [index & (0x7FFF if wide else 0x7F) for index in found]
    return []
