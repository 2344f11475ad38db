"""Only what a dataclass declares is read, field by field."""

from dataclasses import dataclass
from typing import Any

import pytest

from vggt_addon.errors import FormatError
from vggt_addon.jobs.schema import from_json, to_json


@dataclass(frozen=True)
class Inner:
    """A record in a record."""

    number: int = 1


@dataclass(frozen=True)
class Outer:
    """One field of each kind."""

    text: str
    whole: int
    real: float
    yes: bool
    maybe: float | None
    inner: Inner
    many: tuple[str, ...]
    records: tuple[Inner, ...]


GOOD: dict[str, Any] = {
    "text": "a",
    "whole": 2,
    "real": 0.5,
    "yes": True,
    "maybe": None,
    "inner": {"number": 3},
    "many": ["b", "c"],
    "records": [{"number": 4}],
}
RECORD = Outer("a", 2, 0.5, True, None, Inner(3), ("b", "c"), (Inner(4),))


def test_what_fits_is_read() -> None:
    assert from_json(Outer, GOOD) == RECORD
    assert from_json(Outer, {**GOOD, "real": 3, "maybe": 4}) == from_json(Outer, {**GOOD, "real": 3.0, "maybe": 4.0})
    assert type(from_json(Outer, {**GOOD, "real": 3}).real) is float


def test_what_is_written_is_plain() -> None:
    assert from_json(Outer, {**to_json(RECORD), "many": ["b", "c"], "records": [{"number": 4}]}) == RECORD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 1),
        ("text", None),
        ("whole", "2"),
        ("whole", 2.0),
        ("whole", True),
        ("real", "0.5"),
        ("real", True),
        ("real", float("nan")),
        ("real", float("inf")),
        ("real", 10**400),
        ("real", None),
        ("yes", 1),
        ("yes", "true"),
        ("maybe", "x"),
        ("maybe", float("-inf")),
        ("inner", 3),
        ("inner", None),
        ("inner", {}),
        ("inner", {"number": 3, "more": 4}),
        ("inner", {"number": "3"}),
        ("many", "bc"),
        ("many", {"b": 1}),
        ("many", ["b", 1]),
        ("records", [{"number": 4}, {"number": None}]),
        ("records", [4]),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(FormatError, match=field):
        from_json(Outer, {**GOOD, field: value})


@pytest.mark.parametrize("field", list(GOOD))
def test_every_field_must_be_there(field: str) -> None:
    value = {name: each for name, each in GOOD.items() if name != field}
    with pytest.raises(FormatError, match=f"{field}.*missing"):
        from_json(Outer, value)


def test_no_other_field_may_be_there() -> None:
    with pytest.raises(FormatError, match=r"__class__.*unknown"):
        from_json(Outer, {**GOOD, "__class__": "x"})


@pytest.mark.parametrize("value", [None, 1, "x", [], [GOOD]])
def test_only_objects_are_records(value: object) -> None:
    with pytest.raises(FormatError, match="not an object"):
        from_json(Outer, value)
