"""Requests of several clouds: who carries out which kind of them, and what all of one worker's share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import First, One
from oidproxy.errors import NotSupported
from oidproxy.manyclouds.allowances import Allowances
from oidproxy.manyclouds.falling import fall_back
from oidproxy.manyclouds.job import Job
from oidproxy.manyclouds.legs import Opened
from oidproxy.manyclouds.parts import Shown
from oidproxy.routing.decision import Kind

if TYPE_CHECKING:
    from oidproxy.clouds.plan import Plan
    from oidproxy.manyclouds.finding.creations import Learn
    from oidproxy.manyclouds.records import Records

Entry = Callable[[Job], Awaitable[Shown | Opened]]

_BY_TURNS = frozenset({Kind.COLLECTION, Kind.ITEM_READ, Kind.CREATE})
"""What one of several clouds is asked for after the other, where the scope says `|`."""


class Many:
    """One worker's."""

    __slots__ = ("allowances", "find", "made", "records", "replicate", "unite")

    def __init__(
        self,
        records: Records,
        *,
        unite: Entry | None = None,
        find: Entry | None = None,
        replicate: Entry | None = None,
        made: Learn | None = None,
    ) -> None:
        self.records = records
        self.unite = unite
        """Collections."""
        self.find = find
        """Items."""
        self.replicate = replicate
        """Whatever changes something."""
        self.made = made
        """Is told what was created where."""
        self.allowances = Allowances()

    def entry(self, plan: Plan, kind: Kind) -> Entry:
        """Who carries out a request of this kind.

        Raises:
            NotSupported: nobody does.
        """
        if kind in _BY_TURNS and is_fallback(plan):
            return fall_back
        found = self._entry(kind)
        if found is None:
            raise NotSupported(_NOT_YET[kind])
        return found

    def _entry(self, kind: Kind) -> Entry | None:
        match kind:
            case Kind.COLLECTION:
                return self.unite
            case Kind.ITEM_READ:
                return self.find
            case _:
                return self.replicate


def is_fallback(plan: Plan) -> bool:
    """Whether a plan is `a | b`, of clouds alone."""
    return isinstance(plan, First) and all(isinstance(part, One) for part in plan.plans)


_NOT_YET = {
    kind: f"This proxy does not {what} under a scope of several clouds: name one of them."
    for kind, what in {
        Kind.COLLECTION: "list collections",
        Kind.ITEM_READ: "look for resources",
        Kind.CREATE: "create resources",
        Kind.CHANGE: "change resources",
        Kind.DELETE: "delete resources",
        Kind.DATA: "take data",
    }.items()
}
