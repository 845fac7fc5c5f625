"""What heads have in common that differ in a few values, so that only those values are read again.

Clients and services repeat themselves: from one head to the next change target, token, scope, ids, the date,
a length. With those values cut out, what is left of a head (its key) was nearly always there a moment ago,
and what was found out about it then holds still. Only plain values are cut out.

No secret is in a key or in what is kept: a head with one that was not cut out is not remembered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from oidproxy.http.fields import SECRET_FIELDS
from oidproxy.http.head import RequestHead, ResponseHead

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.http.head import Field

SHAPES_KEPT = 1024
KEY_AT_MOST = 2048
"""Bytes. Clients choose their heads, so both are bounded: to some 6 MiB in all."""

_VALUE = rb": )([!-~]+(?: [!-~]+)*)(?=\r\n)"
"""A plain value, which no reader could take for anything but the value of its field."""

OF_REQUESTS = re.compile(rb"(\r\n(?:X-Auth-Token|X-Scope|X-Openstack-Request-Id)" + _VALUE)
"""The values that are cut out; a head that spells the names otherwise is read as a whole."""

OF_ANSWERS = re.compile(
    rb"(\r\n(?:Date|Content-Length|[xX]-(?:[oO]penstack|[cC]ompute)-[rR]equest-[iI]d)" + _VALUE
)

_ONCE = frozenset({b"etag", b"last-modified", b"location", b"x-timestamp", b"x-trans-id"})
"""Fields of answers whose values hardly ever come again."""

Key = tuple[bytes, ...]
"""What is left of a head, in the pieces between the values; so it also says where they were cut out."""

Head = TypeVar("Head", RequestHead, ResponseHead)


@dataclass(slots=True)
class Shape(Generic[Head]):
    """What was read of a head, and where its cut values belong."""

    head: Head
    """Without the values that were cut out."""
    cuts: tuple[tuple[int, bytes, bytes], ...]
    """Of each of them: the place in the fields, the name as it came and in lower case."""

    def filled(self, values: list[bytes]) -> tuple[tuple[Field, ...], dict[bytes, bytes]]:
        """Fields and index of a head of this shape."""
        fields, index = list(self.head.fields), dict(self.head.index)
        for (place, name, lower), value in zip(self.cuts, values, strict=True):
            fields[place] = name, value
            index[lower] = value
        return tuple(fields), index


class Shapes(Generic[Head]):
    """A bounded memory of them. It saves work and never changes what a head is read as."""

    __slots__ = ("_known", "_values", "get")

    def __init__(self, values: re.Pattern[bytes]) -> None:
        self._values = values
        self._known: dict[Key, Shape[Head]] = {}
        self.get: Callable[[Key], Shape[Head] | None] = self._known.get
        """The shape of this key, or None."""

    def __len__(self) -> int:
        return len(self._known)

    def cut(self, head: bytes) -> tuple[Key, list[bytes]]:
        """The key of a head, which ends in its empty line, and the values cut out of it."""
        parts = self._values.split(head)  # what is between, a name, its value, what is between, …
        values = parts[2::3]
        del parts[2::3]
        return tuple(parts), values

    def keep(self, key: Key, head: Head, data: bytes) -> None:
        """Remember what was read of a head with this key, where that is worth it and may be."""
        names = [name[2:-2] for name, _ in self._values.findall(data)]
        places = {name: place for place, (name, _) in enumerate(head.fields)}
        cut = {name.lower() for name in names}
        others = head.index.keys() - cut
        if (
            sum(map(len, key)) > KEY_AT_MOST
            or len(head.index) != len(head.fields)
            or not places.keys() >= set(names)  # behind the end of the head
            or not others.isdisjoint(SECRET_FIELDS)
            or not others.isdisjoint(_ONCE)
        ):
            return
        cuts = tuple((places[name], name, name.lower()) for name in names)
        fields = tuple((name, b"" if name.lower() in cut else value) for name, value in head.fields)
        index = {name.lower(): value for name, value in fields}
        if len(self._known) >= SHAPES_KEPT:
            self._known.clear()
        self._known[key] = Shape(replace(head, fields=fields, index=index), cuts)
