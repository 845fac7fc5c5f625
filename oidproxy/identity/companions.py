"""Which service of its home came along with a user's token to a cloud, for when the user's token ends.

A long operation goes on in services of the other cloud after its user's token has ended, and may be asked
about at another worker than the one that saw both tokens. So what is remembered here is shared: as the text
that was sent, closed under the fleet's key, of which nobody can read the token.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from oidproxy.errors import StoreUnavailable
from oidproxy.identity.expiring import Expiring
from oidproxy.identity.memory import CAPACITY, Key

if TYPE_CHECKING:
    from oidproxy.store.terms import Store

_log = logging.getLogger("oidproxy.identity")


class Companions:
    """One worker's view of what all have seen. Times are seconds since the epoch."""

    __slots__ = ("_own", "_store", "_writing")

    def __init__(self, store: Store, capacity: int = CAPACITY) -> None:
        self._store = store
        self._own: Expiring[tuple[Key, str], str] = Expiring(capacity)
        self._writing: set[asyncio.Task[None]] = set()

    def of(self, user: Key, cloud: str, now: float) -> str | None:
        """The closed service token that came along when this user's token went to that cloud."""
        found = self._own.get((user, cloud), now)
        if found is None:
            kept = self._store.peek(_name(user, cloud))
            found = kept.decode("ascii") if kept is not None else None
        return found

    def keep(self, user: Key, cloud: str, text: str, *, until: float, now: float) -> None:
        """Remember it; told to the others at once, but nobody waits for that."""
        if self._own.get((user, cloud), now) == text:
            return
        self._own.put((user, cloud), text, until)
        task = asyncio.get_running_loop().create_task(self._write(_name(user, cloud), text, until))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, name: str, text: str, until: float) -> None:
        try:
            await self._store.put(name, text.encode("ascii"), until=until)
        except StoreUnavailable as error:
            _log.warning("a service token was not shared with other workers: %s", error)


def _name(user: Key, cloud: str) -> str:
    home, digest = user
    return f"companion/{digest.hex()}/{home}/{cloud}"
