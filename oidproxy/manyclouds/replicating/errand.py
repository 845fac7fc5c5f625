"""One request of several clouds, with everything that its replication needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from oidproxy.errors import NotSupported
from oidproxy.manyclouds.replicating.advancing import Advancing
from oidproxy.manyclouds.replicating.counterparts import Counterparts
from oidproxy.manyclouds.replicating.groups import Place
from oidproxy.manyclouds.replicating.scopes import serving
from oidproxy.manyclouds.replicating.together import One, Result, together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from oidproxy.errors import OidproxyError
    from oidproxy.http.head import RequestHead
    from oidproxy.manyclouds.legs import Legs
    from oidproxy.manyclouds.replicating.counterparts import Bound
    from oidproxy.manyclouds.replicating.groups import Groups
    from oidproxy.manyclouds.replicating.journal import Owner
    from oidproxy.manyclouds.replicating.keeping import Journal
    from oidproxy.manyclouds.replicating.speaking import AsUser
    from oidproxy.manyclouds.sending import Identities
    from oidproxy.routing.decision import FanOut, Leg, Snapshot

Learn = Callable[[str, str, Iterable[bytes]], None]
"""A cloud, a service type, ids."""

ANSWER_AT_MOST = 1 << 20
"""Bytes of an answer about one resource."""


@dataclass(frozen=True, slots=True)
class Errand:
    """`clock` gives seconds since the epoch."""

    fanout: FanOut
    head: RequestHead
    legs: Legs
    ways: Mapping[str, Leg]
    """Cloud -> leg, in the plan's order."""
    speaker: AsUser
    owner: Owner
    snapshot: Snapshot
    identity: Identities
    journal: Journal
    groups: Groups
    clock: Callable[[], float]
    learn: Learn
    """Told of what was made where, so that it is found there."""

    @property
    def service_type(self) -> str:
        """What is asked."""
        return self.fanout.route.service_type

    @property
    def place(self) -> Place:
        """Where groups of what it is about are kept."""
        return Place(self.owner.home, self.owner.project, self.service_type, self.fanout.asked.name)

    @property
    def collection(self) -> str:
        """The path of the collection."""
        return self.fanout.asked.collection.decode("latin-1")

    @property
    def item(self) -> str:
        """The id that the path names."""
        return unquote(self.fanout.asked.item.decode("latin-1"))

    @property
    def query(self) -> str:
        """With its `?`."""
        mark, query = self.head.target.partition(b"?")[1:]
        return (mark + query).decode("latin-1")

    def path(self, item: str) -> str:
        """The path of the request with another id, and its query."""
        below = self.fanout.asked.below.decode("latin-1")
        return f"{self.collection}/{quote(item, safe='')}{below}{self.query}"

    @property
    def deadline(self) -> float:
        """The time of the loop by which a call of this request is over, however slowly an answer drips."""
        limits = self.snapshot.registry.limits
        first = limits.image_first_byte if self.service_type == "image" else limits.first_byte
        return asyncio.get_running_loop().time() + limits.wait + limits.connect + first + limits.between_bytes

    @property
    def counterparts(self) -> Counterparts:
        """What finds the ids of other resources that the request names."""
        return Counterparts(self.speaker, self.groups, self.owner, self.bound)

    @property
    def advancing(self) -> Advancing:
        """What goes on with its intent."""
        return Advancing(self.journal, self.groups, self.clock)

    def bound(self, service_type: str) -> Bound:
        """The clouds that serve this service under the scope of this request; None where it is one cloud.

        Raises:
            ScopeError: what the scope says of it means nothing.
        """
        clouds = serving(self.fanout.route, service_type, self.snapshot)
        return clouds if len(clouds) > 1 else None

    def absence(self, cloud: str) -> OidproxyError:
        """Why a cloud of the plan cannot be asked."""
        for one in self.fanout.absent:
            if one.one.cloud == cloud:
                # Raised again and again, the remembered one would gather tracebacks.
                return copy(one.error)
        return NotSupported(f"{cloud} has no {self.service_type}.")

    async def entries(self, clouds: Iterable[str], method: str) -> dict[str, str]:
        """Make the tokens for all of these clouds: that one is refused has to be known before any is asked.

        Cloud -> the operator's account that goes there in the user's place; empty for the user's own token.

        Raises:
            OidproxyError: one is refused, or cannot be had now.
        """
        names = tuple(clouds)
        found = await self.each(lambda cloud: self._entry(cloud, method), names)
        return dict(zip(names, found, strict=True))

    async def each(self, work: Callable[[One], Awaitable[Result]], ones: Iterable[One]) -> list[Result]:
        """What the work makes of each, with as many calls at one time as one request may have."""
        return await together(work, ones, at_most=self.snapshot.registry.limits.fan_out_calls)

    async def _entry(self, cloud: str, method: str) -> str:
        forward = self.ways[cloud].forward
        sent = self.identity.outgoing_now(forward, method)
        if sent is None:
            sent = await self.identity.outgoing(forward, method)
        return sent.exchanged.entry if sent.exchanged is not None else ""
