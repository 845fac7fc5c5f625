"""Which resources of several clouds are replicas of one another, remembered in the store.

A group is kept under the id of each of its members, and under the project whose user made it: nobody else's
ids mean anything there. A cloud chooses the ids of what it makes, and could choose one of another cloud's: an
id that already stands for another group is therefore not taken for this one, but for both, and then for none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.store.terms import Store

PREFIX = "replica/"
KEPT_FOR = 10 * 365 * 24 * 3600.0
"""Seconds: servers live long."""


@dataclass(frozen=True, slots=True)
class Group:
    """The replicas of one resource."""

    name: str
    """The intent that made it."""
    ids: Mapping[str, str]
    """Cloud -> id, in the order of the plan."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose groups of which kind: those of a project of a home, at one service."""

    home: str
    project: str
    service_type: str
    collection: str

    def key(self, resource: str) -> str:
        """The store's key of the group that has a member with this id."""
        return f"{PREFIX}{self.home}/{self.project}/{self.service_type}/{self.collection}/{resource}"


class Groups:
    """The groups in a store; `clock` gives seconds since the epoch. Raises StoreUnavailable."""

    __slots__ = ("_clock", "_store")

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def of(self, place: Place, resource: str) -> Group | None:
        """The group of which this id names a member; None where there is none, or where it is not certain."""
        found = read(await self._store.get(place.key(resource)))
        return found[0] if len(found) == 1 else None

    async def keep(self, place: Place, group: Group) -> None:
        """Remember a group under the ids of its members."""
        members = [*dict.fromkeys(group.ids.values())]
        for resource in members:
            key = place.key(resource)
            others = [one for one in read(await self._store.get(key)) if one.name != group.name]
            value = written([*others, group])
            # What was written before the last one is on the disk with it.
            last = resource == members[-1]
            await self._store.put(key, value, until=self._clock() + KEPT_FOR, durable=last)

    async def forget(self, place: Place, group: Group) -> None:
        """Its members are gone."""
        for resource in dict.fromkeys(group.ids.values()):
            key = place.key(resource)
            found = read(await self._store.get(key))
            others = [one for one in found if one.name != group.name]
            if others:
                await self._store.put(key, written(others), until=self._clock() + KEPT_FOR)
            elif found:
                await self._store.drop(key)


def written(groups: list[Group]) -> bytes:
    """Groups as they lie in the store."""
    return json.dumps([{"name": one.name, "ids": dict(one.ids)} for one in groups]).encode()


def read(value: bytes | None) -> list[Group]:
    """The groups of a value of the store."""
    return [] if value is None else [Group(one["name"], one["ids"]) for one in json.loads(value)]
