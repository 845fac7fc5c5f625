"""Calls between the services of one process: to its own clouds without a socket, elsewhere over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from oidproxy.sim.connections import Connections
from oidproxy.sim.messages import Answer, Request

if TYPE_CHECKING:
    from oidproxy.sim.blobs import Blobs
    from oidproxy.sim.driver import Driver
    from oidproxy.sim.messages import Content
    from oidproxy.sim.service import Service
    from oidproxy.sim.steps import Call


class InsideConnections(Connections):
    """As the connections of one cloud, but that what stands in this process is asked directly.

    So a thousand clouds can sign in at their own Keystones at once. No latency and no fault lies on that way.
    """

    def __init__(self, blobs: Blobs) -> None:
        # All clouds share the sessions, so that a bound would let one wait for another.
        super().__init__(blobs, None, pool=0)
        self._places: dict[str, tuple[Service, Driver]] = {}

    def put(self, address: str, service: Service, driver: Driver) -> None:
        """Let a service be found at `host:port`."""
        self._places[address] = service, driver

    async def call(self, call: Call) -> Answer:
        """Make a call and read its answer whole."""
        parts = urlsplit(call.url)
        place = self._places.get(parts.netloc)
        if place is None:
            return await super().call(call)
        service, driver = place
        fields = {name.lower(): value for name, value in call.fields} | {"host": parts.netloc}
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        procedure = service.respond(Request(call.method, parts.path, query, fields))
        response = await driver.run(procedure, _Whole(call.body))
        return Answer(
            response.status, {name.lower(): value for name, value in response.fields}, response.body
        )


class _Whole:
    """A body that is there already."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, limit: int) -> bytes:  # noqa: ARG002 - a call between services is short
        return self._body

    async def store(self, blob: str) -> Content:
        raise ValueError(f"a call between services stores nothing, {blob} included")
