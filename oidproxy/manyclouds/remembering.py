"""Which rows a user was shown of each cloud, for lists that are to show them while a cloud is silent.

Nova lists servers of cells that are down so, with status UNKNOWN (Compute API, microversion 2.69). Kept is
one entry for a user and a collection, and only for who asks for such lists: whoever does not pays nothing.
A page adds to what a cloud is known to have, a whole list takes its place.
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
        """Under what it is kept."""
        question = self.question
        filters = sorted(part for part in question.kept if not part.startswith(b"sort"))
        path = question.collection.rest.rstrip(b"/").removesuffix(b"/detail")
        said = b"\0".join((self.user, self.service_type.encode(), path, *filters))
        return f"seen/{sha256(said).hexdigest()[:40]}"


class Remembering:
    """One worker's way to what all of them remember."""

    __slots__ = ("_clock", "_store")

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, listed: Listed, rows: Mapping[str, Sequence[str]], *, whole: bool) -> None:
        """These clouds answered with these ids; `whole` if they have no others. Raises StoreUnavailable."""
        key = listed.key
        known = await self._known(key)
        for cloud, ids in rows.items():
            before = [] if whole else known.pop(cloud, [])
            known.pop(cloud, None)
            known[cloud] = [*dict.fromkeys((*before, *ids))]
        while sum(map(len, known.values())) > ROWS_AT_MOST and len(known) > 1:
            del known[next(iter(known))]
        value = zlib.compress(msgspec.msgpack.encode(known), 1)
        await self._store.put(key, value, until=self._clock() + KEPT_FOR)

    async def rows(self, listed: Listed, clouds: Collection[str]) -> list[tuple[str, str]]:
        """What these clouds are known to have: (cloud, id). Raises StoreUnavailable."""
        known = await self._known(listed.key) if clouds else {}
        return [(cloud, identity) for cloud in clouds for identity in known.get(cloud, ())]

    async def _known(self, key: str) -> Rows:
        value = await self._store.get(key)
        return {} if value is None else msgspec.msgpack.decode(zlib.decompress(value), type=Rows)
