"""Names of clouds to addresses, asked again within 30 s, so that a cloud that moved is found."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

TTL = 30.0

Lookup = Callable[[str], Awaitable[tuple[str, ...]]]
"""Host name to addresses; raises OSError where there are none."""


def is_address(host: str) -> bool:
    """Whether a host is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class _Known:
    addresses: tuple[str, ...]
    asked_at: float


class Resolver:
    """Remembers answers for `ttl` seconds; one question at a time for each name.

    A name server that fails leaves the last addresses in use: most of its failures are no news about the
    cloud.
    """

    __slots__ = ("_asking", "_known", "_lookup", "_loop", "_ttl")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, ttl: float = TTL, lookup: Lookup | None = None
    ) -> None:
        self._loop = loop
        self._ttl = ttl
        self._lookup = self._system if lookup is None else lookup
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Where a host is. Raises OSError where nobody knows."""
        if is_address(host):
            return (host,)
        if self._stale(host):
            # Not awaited directly: whoever asks may be cancelled, others wait for the same answer.
            await asyncio.wait([self._ask(host)])
        known = self._known.get(host)
        if known is None:
            raise OSError(f"unknown host {host}")
        return known.addresses

    def current(self, host: str) -> tuple[str, ...] | None:
        """The last answer, asking anew in the background once it is old."""
        if self._stale(host):
            self._ask(host)
        known = self._known.get(host)
        return None if known is None else known.addresses

    async def close(self) -> None:
        """Ask nothing any more."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _stale(self, host: str) -> bool:
        known = self._known.get(host)
        return known is None or self._loop.time() - known.asked_at >= self._ttl

    def _ask(self, host: str) -> asyncio.Task[None]:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = self._loop.create_task(self._look_up(host))
        return task

    async def _look_up(self, host: str) -> None:
        try:
            found = await self._lookup(host)
        except (OSError, UnicodeError):
            found = ()
        finally:
            del self._asking[host]
        known = self._known.get(host)
        if found:
            self._known[host] = _Known(found, self._loop.time())
        elif known is not None:
            known.asked_at = self._loop.time()

    async def _system(self, host: str) -> tuple[str, ...]:
        found = await self._loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
