"""Comparing rows of several databases: orders that databases are known to have, and rows' keys under each.

A row's key is a text. Nothing rests on it but where a row comes between those of other clouds: within a cloud
rows stay as they came. That is why a NUL inside a value may well put a row a place too early.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from oidproxy.manyclouds.merging.collections import SortKey

Scalar = str | int | float | bool | None
Values = tuple[Scalar, ...]
"""What a row has under each key of the order."""

_FLIP = bytes(255 - byte for byte in range(256))
_NUL = "\0"


class Letters(IntEnum):
    """How text is compared."""

    UPPER = 0
    """As MySQL's and MariaDB's `utf8_general_ci`: letters as capitals. What OpenStack mostly runs on."""
    BINARY = 1
    """By code points: SQLite, PostgreSQL with the locale C, `utf8_bin`."""
    LOWER = 2
    """As SQLite's NOCASE: letters as small ones."""


_ONLY_TEXT = {str}
_FOLDS: dict[Letters, Callable[[str], str]] = {
    Letters.UPPER: str.upper,
    Letters.BINARY: str,
    Letters.LOWER: str.lower,
}


@dataclass(frozen=True, slots=True)
class Ranking:
    """One way in which a database may order rows by the keys of a request."""

    descending: tuple[bool, ...]
    """Of every key; not of the id, by which ties are told apart."""
    letters: Letters = Letters.UPPER
    nulls_high: bool = False
    """Whether null is greater than every value: PostgreSQL, Oracle."""
    ids_descending: bool = False
    reverse: bool = field(init=False)
    """Whether greater keys come first."""
    _fold: Callable[[str], str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reverse", self.ids_descending and all(self.descending))
        object.__setattr__(self, "_fold", _FOLDS[self.letters])

    def keys(self, columns: Sequence[Sequence[Scalar]], ids: Sequence[str]) -> list[str]:
        """The key of every row, to be compared by code points, in the direction of `reverse`.

        A column holds what all rows have under one key of the order.
        """
        if len(columns) == 1 and (self.reverse or not (self.descending[0] or self.ids_descending)):
            return [
                f"{text}\0{identity}" for text, identity in zip(self._texts(columns[0]), ids, strict=True)
            ]
        flipped = not self.reverse
        parts = [
            map(_flipped, self._texts(column)) if flipped and down else self._texts(column)
            for column, down in zip(columns, self.descending, strict=True)
        ]
        last = map(_flipped, ids) if flipped and self.ids_descending else ids
        return list(map(_NUL.join, zip(*parts, last, strict=True))) if parts else list(last)

    def key(self, values: Values, identity: str) -> str:
        """The key of one row."""
        return self.keys([(value,) for value in values], [identity])[0]

    def leading(self, key: str) -> str:
        """A key without the id, unless rows are ordered by nothing else."""
        return key.rpartition(_NUL)[0] if self.descending else key

    def arrangement(self, keys: Sequence[str]) -> list[int]:
        """The places of rows with these keys, in order; equal ones as they stand."""
        return sorted(range(len(keys)), key=keys.__getitem__, reverse=self.reverse)

    def in_order(self, keys: Iterable[str]) -> bool:
        """Whether rows with these keys come as this database would give them."""
        if self.reverse:
            return all(one >= two for one, two in pairwise(keys))
        return all(one <= two for one, two in pairwise(keys))

    def after(self, one: str, two: str) -> bool:
        """Whether the first key comes behind the second."""
        return one < two if self.reverse else one > two

    def _texts(self, column: Sequence[Scalar]) -> list[str]:
        """Values as texts, so that no two kinds of values fail to compare."""
        if set(map(type, column)) == _ONLY_TEXT:
            return ["2" + text for text in map(self._fold, column)]  # type: ignore[arg-type]
        return list(map(self._text, column))

    def _text(self, value: Scalar) -> str:
        if value is None:
            return "3" if self.nulls_high else "0"
        return "2" + self._fold(value) if isinstance(value, str) else "1" + _number(value)


def rankings(keys: Sequence[SortKey]) -> tuple[Ranking, ...]:
    """The ways in which databases may order by these keys, the likeliest first."""
    down = tuple(key.descending for key in keys)
    # Glance, Cinder and the databases' own habit: the id goes the way of the first key.
    ids = bool(down and down[0])
    return tuple(
        Ranking(down, letters, nulls_high, ids_descending)
        for ids_descending in (ids, not ids)
        for nulls_high in (False, True)
        for letters in Letters
    )


def _flipped(text: str) -> str:
    """A text that is the smaller the greater this one is. UTF-8 keeps the order of code points."""
    return (text + _NUL).encode("utf-8", "surrogatepass").translate(_FLIP).decode("latin-1")


def _number(value: float) -> str:
    """Digits in the order of numbers: an IEEE 754 double, in order once its sign is seen to."""
    try:
        double = value + 0.0  # -0.0 is 0.0
    except OverflowError:
        double = inf if value > 0 else -inf
    (bits,) = struct.unpack(">Q", struct.pack(">d", double))
    bits = bits ^ 0xFFFFFFFFFFFFFFFF if bits >> 63 else bits | 1 << 63
    return f"{bits:016x}"
