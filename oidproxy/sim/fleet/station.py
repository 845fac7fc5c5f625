"""One cloud of a fleet as it listens: on all its ports, or, while it is dead, on none."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.sim.fleet.connection import Connection, Host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.sim.settings import CloudSettings

BACKLOG = 512


@dataclass(slots=True)
class Station:
    """The listening sockets of a cloud."""

    settings: CloudSettings
    hosts: Mapping[str, Host]
    """By official service type."""
    _servers: list[asyncio.Server] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it listens."""
        return bool(self._servers)

    async def listen(self) -> None:
        """Begin; ConfigError for an address that cannot be had."""
        loop = asyncio.get_running_loop()
        for service_type, host in self.hosts.items():
            place = self.settings.address, self.settings.ports[service_type]
            try:
                listening = socket.create_server(place, backlog=BACKLOG)
            except OSError as error:
                await self.close()
                raise ConfigError(
                    f"{place[0]}:{place[1]} cannot be listened on: {os.strerror(error.errno or 0)}"
                ) from error
            self._servers.append(await loop.create_server(partial(Connection, host), sock=listening))

    async def close(self) -> None:
        """Listen no more, and break what is open: to a client the cloud is gone."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for host in self.hosts.values():
            for connection in tuple(host.connections):
                connection.abort()
        await asyncio.sleep(0)
