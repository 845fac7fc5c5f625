"""Which rows a user was shown of each cloud, for lists that are to show them while a cloud is silent.

Nova lists servers of cells that are down so, with status UNKNOWN (Compute API, microversion 2.69). Kept is
one entry for a user and a collection, and some for lists with filters, and only for who asks for such lists:
whoever does not pays nothing. A page adds to what a cloud is known to have, a whole list takes its place.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from oidproxy.manyclouds.merging.question import Question
    from oidproxy.store.terms import Store

KEPT_FOR = 7 * 24 * 3600.0
"""Seconds."""

ROWS_AT_MOST = 20_000
"""Of one user and collection: some 400 KiB. Those of the clouds that answered last are kept."""

FILTERED = 16
"""Lists of one user and collection that are kept with filters; another one takes the place of one of them."""

_DIGEST = 16

Rows = dict[str, list[str]]
"""Cloud -> ids."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What was listed for whom. A list with other filters shows other rows; their order is all the same."""

    user: bytes
    service_type: str
    question: Question

    @property
    def key(self) -> str:
        """Under what it is kept. Of filters there are no end, of entries there is."""
        path = self.question.collection.rest.rstrip(b"/").removesuffix(b"/detail")
        said = b"\0".join((self.user, self.service_type.encode(), path))
        place = f"/{self.filters[0] % FILTERED}" if self.filters else ""
        return f"seen/{sha256(said).hexdigest()[:40]}{place}"

    @property
    def filters(self) -> bytes:
        """Stands for the filters; empty where there are none."""
        given = sorted(part for part in self.question.kept if not part.startswith(b"sort"))
        return sha256(b"\0".join(given)).digest()[:_DIGEST] if given else b""


class Remembering:
    """One worker's way to what all of them remember."""

    __slots__ = ("_clock", "_store")

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, listed: Listed, rows: Mapping[str, Sequence[str]], *, whole: bool) -> None:
        """These clouds answered with these ids; `whole` if they have no others. Raises StoreUnavailable."""
        known = await self._known(listed)
        for cloud, ids in rows.items():
            before = [] if whole else known.pop(cloud, [])
            known.pop(cloud, None)
            known[cloud] = [*dict.fromkeys((*before, *ids))]
        while sum(map(len, known.values())) > ROWS_AT_MOST and len(known) > 1:
            del known[next(iter(known))]
        value = listed.filters + zlib.compress(msgspec.msgpack.encode(known), 1)
        await self._store.put(listed.key, value, until=self._clock() + KEPT_FOR)

    async def rows(self, listed: Listed, clouds: Collection[str]) -> list[tuple[str, str]]:
        """What these clouds are known to have: (cloud, id). Raises StoreUnavailable."""
        known = await self._known(listed) if clouds else {}
        return [(cloud, identity) for cloud in clouds for identity in known.get(cloud, ())]

    async def _known(self, listed: Listed) -> Rows:
        value, filters = await self._store.get(listed.key), listed.filters
        if value is None or not value.startswith(filters):
            return {}
        return msgspec.msgpack.decode(zlib.decompress(value[len(filters) :]), type=Rows)
