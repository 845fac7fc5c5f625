"""The loop as one machine of the network sees it: connections begin there."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from oidproxy.trace.virtual.machine import Machine
    from oidproxy.trace.virtual.network import Network
    from oidproxy.trace.virtual.transport import Transport


class Standpoint:
    """What of an event loop those use who connect: everything else is the running loop's."""

    def __init__(self, network: Network, machine: Machine) -> None:
        loop = network.loop
        self._network = network
        self._machine = machine
        # The loop's own methods: asked for often, they shall cost nothing more.
        self.time = loop.time
        self.call_soon = loop.call_soon
        self.call_later = loop.call_later
        self.call_at = loop.call_at
        self.create_task = loop.create_task
        self.create_future = loop.create_future
        self.getaddrinfo = loop.getaddrinfo

    @property
    def as_loop(self) -> asyncio.AbstractEventLoop:
        """For who wants a loop and uses no more than this of it."""
        return cast("asyncio.AbstractEventLoop", self)

    async def create_connection(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        host: str,
        port: int,
        *,
        ssl: object = None,
        **_: object,
    ) -> tuple[Transport, asyncio.BaseProtocol]:
        """As asyncio's, without TLS. Raises ConnectionRefusedError."""
        if ssl is not None:
            raise OSError("there is no TLS in virtual time")
        return await self._network.connect(self._machine, host, port, factory)
