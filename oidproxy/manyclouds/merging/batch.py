"""Rows side by side: their bytes, their ids, and what each has under the keys of an order."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from oidproxy.manyclouds.merging.ranking import Scalar, Values


@dataclass(slots=True)
class Batch:
    """Some rows of one cloud. A column holds what all rows have under one key."""

    raws: list[msgspec.Raw] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    columns: list[list[Scalar]] = field(default_factory=list)

    @classmethod
    def empty(cls, columns: int) -> Batch:
        """No rows, with so many columns."""
        return cls(columns=[[] for _ in range(columns)])

    def __len__(self) -> int:
        return len(self.ids)

    def values(self, at: int) -> Values:
        """What one row has under all keys."""
        return tuple(column[at] for column in self.columns)

    def add(self, more: Batch) -> None:
        """Put these rows behind."""
        self.raws += more.raws
        self.ids += more.ids
        for held, column in zip(self.columns, more.columns, strict=True):
            held.extend(column)

    def since(self, start: int) -> Batch:
        """The rows from this one on."""
        if not start:
            return self
        return Batch(self.raws[start:], self.ids[start:], [column[start:] for column in self.columns])

    def where(self, wanted: Sequence[bool]) -> Batch:
        """The rows for which this is true."""
        return Batch(
            list(compress(self.raws, wanted)),
            list(compress(self.ids, wanted)),
            [list(compress(column, wanted)) for column in self.columns],
        )

    def arranged(self, order: Sequence[int]) -> Batch:
        """The rows in this order."""
        return Batch(
            [self.raws[at] for at in order],
            [self.ids[at] for at in order],
            [[column[at] for at in order] for column in self.columns],
        )
