"""Frozen dataclasses to JSON and back, where only what the dataclass declares is accepted.

Fields are str, int, float, bool, None, tuples of one type, other such dataclasses, and unions of these with None.
This module imports nothing beyond the standard library.
"""

import dataclasses
import sys
import types
import typing
from typing import Any, TypeVar

from ..errors import FormatError

Record = TypeVar("Record")


def to_json(record: Any) -> dict[str, Any]:
    """`record`, a dataclass, as json.dumps takes it."""
    return dataclasses.asdict(record)


def from_json(kind: type[Record], value: object, where: str = "message") -> Record:
    """The record of the dataclass `kind` that `value` states, every field present and of its type, and no other.

    Raises FormatError that names the field.
    """
    if not isinstance(value, dict):
        raise FormatError(f"The {where} is not an object.")
    hints = typing.get_type_hints(kind)
    fields = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in [*fields, *value]:
        if name not in value or name not in fields:
            trouble = "is missing" if name in fields else "is unknown"
            raise FormatError(f"The field {str(name)[:80]!r} of the {where} {trouble}.")
    return kind(**{name: _read(hints[name], value[name], f"{where}.{name}") for name in fields})


def _read(hint: Any, value: object, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        choices = typing.get_args(hint)
        if value is None and type(None) in choices:
            return None
        (choice,) = (choice for choice in choices if choice is not type(None))
        return _read(choice, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise FormatError(f"The field {where} is not a list.")
        return tuple(_read(typing.get_args(hint)[0], item, where) for item in value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value, where)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        # An integer may be too large for a float: JSON has no limit.
        if abs(value) <= sys.float_info.max:
            return float(value)
    elif type(value) is hint:
        return value
    raise FormatError(f"The field {where} is not {hint.__name__}.")
