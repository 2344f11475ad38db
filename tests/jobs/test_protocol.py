"""Messages come out as they went in, and nothing else comes in."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vggt_addon.errors import FormatError
from vggt_addon.jobs.protocol import (
    EVENTS,
    LONGEST_LINE,
    REQUESTS,
    VERSION,
    Cancel,
    Done,
    Event,
    Heartbeat,
    OtherVersionError,
    Progress,
    Quit,
    Request,
    Run,
    decode_event,
    decode_request,
    encode,
    inside,
    job_of,
)
from vggt_addon.settings import RunSettings

# A file's name may hold bytes that are no Unicode; Python has them as lone surrogates.
st.register_type_strategy(str, st.text(st.characters(exclude_categories=())))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))


@given(st.one_of([st.builds(kind) for kind in REQUESTS.values()]))
def test_requests_come_out_as_they_went_in(request: Request) -> None:
    line = encode(request)
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and line.isascii()
    assert decode_request(line) == request


@given(st.one_of([st.builds(kind) for kind in EVENTS.values()]))
def test_events_come_out_as_they_went_in(event: Event) -> None:
    line = encode(event)
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and line.isascii()
    assert decode_event(line) == event


def _line(**changes: Any) -> bytes:
    value = {"version": VERSION, "type": "progress", "job": "1", "stage": "a", "fraction": 0.5, **changes}
    return json.dumps({name: each for name, each in value.items() if each is not ...}).encode()


def test_the_line_that_is_spoiled_below_is_good() -> None:
    assert decode_event(_line()) == Progress("1", "a", 0.5)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"garbage",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"progress"',
        b"{}",
        b"[" * 100_000,
        b"1" * 10_000,
        _line()[:-1],
        _line(version=...),
        _line(type=...),
        _line(type="import_module"),
        _line(type=["progress"]),
        _line(type="quit"),
        _line(type="run"),
        _line(job=...),
        _line(job=1),
        _line(more=1),
        _line(fraction="0.5"),
        _line(fraction=float("nan")),
        _line(stage="x" * LONGEST_LINE),
    ],
    ids=lambda line: repr(line[:60]),
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        decode_event(line)
    assert not isinstance(caught.value, OtherVersionError)
    with pytest.raises(FormatError):
        decode_request(line.replace(b"quit", b"quits").replace(b"run", b"runs"))


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None, [1]])
def test_another_version_is_refused_as_that(version: object) -> None:
    with pytest.raises(OtherVersionError):
        decode_event(_line(version=version))
    with pytest.raises(OtherVersionError):
        decode_request(encode(Quit()).replace(b'"version": 1', f'"version": {json.dumps(version)}'.encode()))


def test_each_side_reads_only_what_the_other_may_say() -> None:
    for request in (Quit(), Cancel("1"), Run("1", "/f", (), RunSettings())):
        with pytest.raises(FormatError):
            decode_event(encode(request))
    for event in (Heartbeat(), Done("1", "")):
        with pytest.raises(FormatError):
            decode_request(encode(event))


def test_what_is_no_number_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(Progress("1", "a", float("nan")))


@pytest.mark.parametrize(
    ("line", "job"),
    [
        (_line(version=7, job="the job"), "the job"),
        (_line(type="unheard of"), "1"),
        (_line(job=...), ""),
        (_line(job=3), ""),
        (b"[]", ""),
        (b"null", ""),
        (b"garbage", ""),
        (b"[" * 100_000, ""),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_the_job_of_a_refused_line(line: bytes, job: str) -> None:
    assert job_of(line) == job


@pytest.mark.parametrize("name", ["capture", "a/b", "ä.png", "a b", "..a", ".capture"])
def test_names_that_stay_inside(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "./",
        "..",
        "../capture",
        "a/../../b",
        "a/..",
        "/etc",
        "//host/share",
        "C:/Windows",
        "C:capture",
        "a\\..\\b",
        "\\\\host\\share",
        "a:stream",
        "a\0b",
        "\ud800",
    ],
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError):
        inside(tmp_path, name)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("target", ["..", "/", "circle", "../beside"])
def test_links_that_lead_out_are_refused(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "circle").symlink_to(target)
    with pytest.raises(FormatError):
        inside(folder, "circle")
    with pytest.raises(FormatError):
        inside(folder, "circle/more")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_folder_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert inside(tmp_path / "link", "capture") == tmp_path / "link" / "capture"
