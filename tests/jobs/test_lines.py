"""Lines come whole however the pipe cuts them, and none costs more than a message may."""

import io
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vggt_addon.jobs.lines import LineTooLongError, read_lines


def _in_pieces(data: bytes, sizes: list[int]) -> Callable[[int], bytes]:
    stream, left = io.BytesIO(data), list(sizes)
    return lambda size: stream.read(min(left.pop(0) if left else size, size))


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 7)))
def test_lines_come_whole(parts: list[bytes], sizes: list[int]) -> None:
    lines = [part.replace(b"\n", b"") + b"\n" for part in parts]
    assert list(read_lines(_in_pieces(b"".join(lines), sizes), 100)) == lines


def test_a_last_line_without_an_end_is_dropped() -> None:
    assert list(read_lines(io.BytesIO(b"one\ntw").read, 100)) == [b"one\n"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_the_longest_line_and_one_byte_more(end: bytes) -> None:
    assert list(read_lines(io.BytesIO(b"x" * 9 + b"\n").read, 10)) == [b"x" * 9 + b"\n"]
    found = read_lines(io.BytesIO(b"short\n" + b"x" * 11 + end).read, 10)
    assert next(found) == b"short\n"
    with pytest.raises(LineTooLongError):
        next(found)


def test_a_line_without_end_costs_no_memory() -> None:
    asked = 0

    def read(size: int) -> bytes:
        nonlocal asked
        asked += size
        return b"x" * size

    tracemalloc.start()
    try:
        with pytest.raises(LineTooLongError):
            list(read_lines(read, 1 << 20))
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()
    assert asked <= (1 << 20) + (1 << 17)
