"""The asker's side: registries, requests and a receiver that records."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.clouds.limits import Limits
from oidproxy.clouds.registry import Cloud, Endpoint, Origin, Registry
from oidproxy.clouds.rtt import RoundTrips
from oidproxy.http.head import Chunked, Framing, Length, NoBody, ResponseHead
from oidproxy.upstream.call import Call, Request
from oidproxy.upstream.pools import Upstreams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oidproxy.errors import UpstreamError
    from oidproxy.upstream.totals import PoolStats

NO_BODY = NoBody()


def endpoint_at(
    port: int,
    *,
    cloud: str = "cloud-1",
    service: str = "compute",
    host: str = "127.0.0.1",
    scheme: str = "http",
) -> Endpoint:
    return Endpoint(cloud, service, Origin(scheme, host, port))


def registry_of(
    *endpoints: Endpoint, cacert: str | None = None, insecure: bool = False, **limits: float
) -> Registry:
    names = dict.fromkeys(endpoint.cloud for endpoint in endpoints)
    clouds = {
        name: Cloud(
            name,
            "",
            position,
            tuple(endpoint for endpoint in endpoints if endpoint.cloud == name),
            cacert=cacert,
            insecure=insecure,
        )
        for position, name in enumerate(names)
    }
    index: dict[tuple[str, str], tuple[Endpoint, ...]] = {}
    for endpoint in endpoints:
        key = (endpoint.cloud, endpoint.service_type)
        index[key] = (*index.get(key, ()), endpoint)
    return Registry(
        MappingProxyType(clouds),
        groups={},
        local="",
        listeners=(),
        rtt=RoundTrips(),
        limits=Limits(**limits),  # type: ignore[arg-type]
        index=index,
    )


def request_to(
    endpoint: Endpoint,
    method: str = "GET",
    framing: Framing = NO_BODY,
    *,
    from_service: bool = False,
    first_byte: float | None = None,
    more: bytes = b"",
) -> Request:
    lines = f"{method} /v2.1 HTTP/1.1\r\nHost: {endpoint.origin.authority}\r\n".encode() + more
    if isinstance(framing, Length):
        lines += b"Content-Length: %d\r\n" % framing.size
    elif isinstance(framing, Chunked):
        lines += b"Transfer-Encoding: chunked\r\n"
    return Request(endpoint, method, lines + b"\r\n", framing, from_service, first_byte)


class Recorder:
    """A receiver that writes down what it is told; `told` holds the order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.informed: list[ResponseHead] = []
        self.head: ResponseHead | None = None
        self.body = b""
        self.error: UpstreamError | None = None
        self.on_data: Callable[[bytes], None] | None = None
        self.on_answer: Callable[[], None] | None = None
        self._over = asyncio.Event()

    def ready(self) -> None:
        self.told.append("ready")

    def hold(self) -> None:
        self.told.append("hold")

    def informational(self, head: ResponseHead) -> None:
        self.told.append("informational")
        self.informed.append(head)

    def answer(self, head: ResponseHead) -> None:
        self.told.append("answer")
        self.head = head
        if self.on_answer:
            self.on_answer()

    def data(self, data: bytes) -> None:
        assert self.told[-1] in {"answer", "data"}, "data without a head"
        if self.told[-1] != "data":
            self.told.append("data")
        self.body += data
        if self.on_data:
            self.on_data(data)

    def end(self) -> None:
        self._end("end")

    def failure(self, error: UpstreamError) -> None:
        self.error = error
        self._end("failure")

    def _end(self, how: str) -> None:
        assert not self._over.is_set(), "told of two ends"
        self.told.append(how)
        self._over.set()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    async def ended(self, seconds: float = 5.0) -> Recorder:
        async with asyncio.timeout(seconds):
            await self._over.wait()
        return self

    async def was_told(self, what: str, seconds: float = 5.0) -> None:
        await eventually(lambda: what in self.told, seconds)


async def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class Asker:
    """Upstreams and the calls that a test makes through them."""

    def __init__(self, upstreams: Upstreams) -> None:
        self.upstreams = upstreams

    def start(self, request: Request) -> tuple[Call, Recorder]:
        recorder = Recorder()
        return self.upstreams.start(request, recorder), recorder

    async def ask(self, request: Request) -> Recorder:
        _, recorder = self.start(request)
        return await recorder.ended()

    def stats(self, service: str = "compute") -> PoolStats:
        (found,) = [pool for pool in self.upstreams.stats() if pool.service_type == service]
        return found


@asynccontextmanager
async def asking(registry: Registry, **options: object) -> AsyncIterator[Asker]:
    upstreams = Upstreams(registry, **options)  # type: ignore[arg-type]
    try:
        yield Asker(upstreams)
    finally:
        async with asyncio.timeout(5):
            await upstreams.close()
