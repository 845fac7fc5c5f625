"""What a reader of a format finds, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from oidproxy.trace.line import Line

if TYPE_CHECKING:
    from oidproxy.trace.importing.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that should have been a request."""

    line: int
    """In the file, from 1; 0 where lines mean nothing."""
    why: str


@dataclass(frozen=True, slots=True)
class Options:
    """What whoever imports knows of the requests."""

    service: str = ""
    """Official type, of those whose service cannot be told."""
    cloud: str = ""
    """The cloud that they went to."""
    mapping: Mapping | None = None
    """For CSV."""


Found: TypeAlias = Line | Broken | None
"""A request, with `at` in nanoseconds since the epoch; None: something else, of no interest here."""


class Users:
    """Names for users in place of what tells who they are: `user-1` is the first one met."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[object, str] = {}

    def name(self, who: object) -> str:
        """The same for the same; `who` is whatever can be hashed, and is not written anywhere."""
        if not who:
            return ""
        known = self._names.get(who)
        if known is None:
            known = self._names[who] = f"user-{len(self._names) + 1}"
        return known
