"""What keeps data from having the shape that a msgspec type demands, each with its path and in plain words.

msgspec itself stops at the first fault and leaves the keys of mappings out of its paths; this looks again,
only when it has refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec import inspect

from oidproxy.scope.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidproxy.clouds.document import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; at its key rather than its value where the key is the fault."""

    path: Path
    message: str
    at_key: bool = False
    suggestion: str | None = None


def faults(data: object, shape: type[msgspec.Struct]) -> Iterator[Fault]:
    """Everything in plain data (texts, None, lists, mappings) that is not of this shape."""
    yield from _faults(data, inspect.type_info(shape), ())


def _faults(data: object, shape: inspect.Type, path: Path) -> Iterator[Fault]:
    match shape:
        case inspect.UnionType():
            yield from _in_union(data, shape, path)
        case inspect.StructType():
            yield from _in_struct(data, shape, path)
        case inspect.DictType():
            yield from _in_mapping(data, shape, path)
        case inspect.ListType():
            yield from _in_list(data, shape, path)
        case _:
            yield from _in_scalar(data, shape, path)


def _in_struct(data: object, shape: inspect.StructType, path: Path) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in shape.fields}
    if not isinstance(data, dict):
        yield Fault(path, f"expected a mapping with the keys {', '.join(fields)}{_got(data)}")
        return
    for key, value in data.items():
        if key in fields:
            yield from _faults(value, fields[key].type, (*path, key))
        else:
            yield _unknown(key, tuple(fields), path)
    for name, field in fields.items():
        if field.required and name not in data:
            yield Fault(path, f"{name!r} is missing here")


def _unknown(key: str, known: tuple[str, ...], path: Path) -> Fault:
    suggestion = nearest(key, known)
    listing = "" if suggestion else f"; known here: {', '.join(known)}"
    return Fault((*path, key), f"unknown key {key!r}{listing}", at_key=True, suggestion=suggestion)


def _in_mapping(data: object, shape: inspect.DictType, path: Path) -> Iterator[Fault]:
    if not isinstance(data, dict):
        yield Fault(path, f"expected a mapping{_got(data)}")
        return
    for key, value in data.items():
        yield from _faults(value, shape.value_type, (*path, key))


def _in_list(data: object, shape: inspect.ListType, path: Path) -> Iterator[Fault]:
    if not isinstance(data, list):
        yield Fault(path, f"expected a list{_got(data)}")
        return
    for position, value in enumerate(data):
        yield from _faults(value, shape.item_type, (*path, position))


def _in_union(data: object, shape: inspect.UnionType, path: Path) -> Iterator[Fault]:
    """The member of the union that the data's kind points to has the say."""
    members = [member for member in shape.types if not isinstance(member, inspect.NoneType)]
    if data is None and len(members) < len(shape.types):
        return
    for member in members:
        if isinstance(data, _kind(member)):
            yield from _faults(data, member, path)
            return
    yield Fault(path, f"expected {' or '.join(map(_words, members))}{_got(data)}")


def _in_scalar(data: object, shape: inspect.Type, path: Path) -> Iterator[Fault]:
    expected = _words(shape)
    if not isinstance(data, str):
        yield Fault(path, f"expected {expected}{_got(data)}")
    elif isinstance(shape, inspect.BoolType) and data.lower() not in ("true", "false", "0", "1"):
        yield Fault(path, f"expected {expected}")


def _kind(shape: inspect.Type) -> type:
    if isinstance(shape, inspect.StructType | inspect.DictType):
        return dict
    return list if isinstance(shape, inspect.ListType) else str


def _words(shape: inspect.Type) -> str:
    match shape:
        case inspect.StructType() | inspect.DictType():
            return "a mapping"
        case inspect.ListType():
            return "a list"
        case inspect.BoolType():
            return "true or false"
    return "a text"


def _got(data: object) -> str:
    if data is None:
        return ", got nothing"
    if isinstance(data, dict):
        return ", got a mapping"
    return ", got a list" if isinstance(data, list) else ", got a text"
