"""The journal in the store: one entry for each intent that is not over, on the disk before anything is sent.

Whoever works on an intent holds its lease, the request that began it too: so two processes never work on the
same one, and one that died is followed by another within the time of a lease.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from oidproxy.errors import StoreUnavailable
from oidproxy.manyclouds.leasing import Leases
from oidproxy.manyclouds.replicating.journal import Intent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oidproxy.store.terms import Store

PREFIX = "journal/"
_LEASES = "journal-lease/"

KEPT_FOR = 90 * 24 * 3600.0
"""Seconds after which what could not be finished is forgotten."""

READ_AT_MOST = 10_000

_VERSION = b"1 "
"""Stands before each record, for those who read what an older or newer proxy wrote."""

_log = logging.getLogger("oidproxy.manyclouds")


class Journal:
    """The records in one store; `clock` gives seconds since the epoch. Raises StoreUnavailable."""

    __slots__ = ("_clock", "_leases", "_store")

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._leases = Leases(store, clock)

    async def write(self, intent: Intent) -> None:
        """Record it: when this returns it is on the disk."""
        value = _VERSION + msgspec.json.encode(intent)
        await self._store.put(PREFIX + intent.id, value, until=self._clock() + KEPT_FOR, durable=True)

    async def forget(self, name: str) -> None:
        """Nothing is left of it, neither to be done nor to be remembered."""
        await self._store.drop(PREFIX + name)

    async def read(self, name: str) -> Intent | None:
        """The intent of this id; None if it is over."""
        return _read(await self._store.get(PREFIX + name))

    async def all(self) -> list[Intent]:
        """Every intent that is not over, those under way too; in the order of their ids."""
        found = (_read(value) for _, value in await self._store.scan(PREFIX, most=READ_AT_MOST))
        return [intent for intent in found if intent is not None]

    async def work(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Work on an intent under its lease.

        Raises:
            Taken: somebody else works on it. StoreUnavailable: the lease was lost.
        """
        lost = StoreUnavailable("The lease of this request was lost.")
        await self._leases.hold(_LEASES + name, work, lost)


class Pen:
    """Writes one intent's record as it changes: the newest one, as soon as the one before is written.

    A thousand clouds answer faster than a thousand records can be written.
    """

    __slots__ = ("_journal", "_task", "_written", "intent")

    def __init__(self, journal: Journal, intent: Intent) -> None:
        """`intent` was written."""
        self._journal = journal
        self._written = intent
        self._task: asyncio.Task[None] | None = None
        self.intent = intent
        """The newest form."""

    def note(self, intent: Intent) -> None:
        """Go on with this one; it is written soon."""
        self.intent = intent
        self._begin()

    async def flushed(self) -> bool:
        """When all that was noted is written, or cannot be: then False.

        What stands there already is true, too: more is looked for than would have to be.
        """
        for _ in range(2):
            while self._task is not None:
                await asyncio.shield(self._task)
            if self._written is self.intent:
                return True
            self._begin()
        return False

    def _begin(self) -> None:
        if self._task is None and self._written is not self.intent:
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        newest = self.intent
        try:
            await self._journal.write(newest)
        except StoreUnavailable as error:
            _log.error("the journal cannot be written: %s", error)
        else:
            self._written = newest
        self._task = None
        if newest is not self.intent:
            self._begin()


def _read(value: bytes | None) -> Intent | None:
    if value is None:
        return None
    if not value.startswith(_VERSION):
        _log.warning("a record of the journal was written by a newer proxy, and is left to it")
        return None
    try:
        return msgspec.json.decode(value[len(_VERSION) :], type=Intent)
    except msgspec.DecodeError:
        _log.error("a record of the journal cannot be read; the others go on")
        return None
