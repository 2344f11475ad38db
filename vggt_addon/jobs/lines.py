"""Lines from a pipe, none longer than a message may be.

This module imports nothing beyond the standard library.
"""

from collections.abc import Callable, Iterator

_CHUNK = 1 << 16  # bytes: what a pipe holds


class LineTooLongError(Exception):
    """More bytes than a message may have, and no end of the line yet."""


def read_lines(read: Callable[[int], bytes], longest: int) -> Iterator[bytes]:
    """The lines that `read` gives (b"" is the end), each with its end; a last one without is dropped.

    `read(n)` gives up to n bytes, as os.read does. Holds at most `longest` bytes and a chunk. Raises LineTooLongError.
    """
    rest = bytearray()
    while chunk := read(_CHUNK):
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            rest += chunk[start : end + 1]
            if len(rest) > longest:
                raise LineTooLongError
            yield bytes(rest)
            rest.clear()
            start = end + 1
        rest += chunk[start:]
        if len(rest) > longest:
            raise LineTooLongError
