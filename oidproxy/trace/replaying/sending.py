"""One request on the wire: sent as it is given, timed, its answer read to the end."""

from __future__ import annotations

import asyncio
import errno
import random
import resource
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from yarl import URL

from oidproxy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from oidproxy.trace.replaying.settings import Settings

KEPT = 4 * 1024 * 1024
"""Bytes of an answer that are kept to learn from."""

PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came."""

    status: int = 0
    first_byte: int = 0
    """Nanoseconds of the sender's clock; 0 where nothing came."""
    bytes_in: int = 0
    bytes_out: int = 0
    body: bytes = b""
    """If wanted."""
    headers: Mapping[str, str] | None = None
    error: str = ""

    def field(self, name: str) -> str:
        """A header field's value."""
        return self.headers.get(name, "") if self.headers else ""


class Sender:
    """The connections of a replay."""

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        """`clock` counts nanoseconds since the replay's start. Has to be made where a loop runs."""
        self._clock = clock
        self.queued = 0
        """Requests that had to wait for one of the connections."""
        self.exhausted = 0
        """Requests for which this machine had no socket."""
        watch = aiohttp.TraceConfig()
        watch.on_connection_queued_start.append(self._queued)
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.connections, ssl=_ssl(settings), keepalive_timeout=15.0, ttl_dns_cache=300
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout),
            headers={"User-Agent": f"oidproxy-replay/{VERSION}", "Accept": "application/json"},
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            auto_decompress=False,
            trust_env=False,
            trace_configs=[watch],
        )
        self._piece = random.Random(settings.seed).randbytes(PIECE)  # noqa: S311 - filling, not secret

    async def close(self) -> None:
        """Close all connections."""
        await self.http.close()

    async def send(
        self, method: str, url: str, fields: Mapping[str, str], body: bytes | int, *, keep: bool
    ) -> Answer:
        """Send one request, with a body or so many bytes of anything; an error is an answer, too."""
        size = body if isinstance(body, int) else len(body)
        data: Any = None
        if size:
            data = self._filling(size) if isinstance(body, int) else body
        first = 0
        try:
            headers = (
                {**fields, "Content-Length": str(size)}
                if size or method in {"POST", "PUT", "PATCH"}
                else fields
            )
            async with self.http.request(
                method, URL(url, encoded=True), headers=headers, data=data, allow_redirects=False
            ) as answer:
                first = self._clock()
                count, kept = await _read(answer, keep=keep)
                return Answer(answer.status, first, size, count, kept, answer.headers)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Answer(first_byte=first, bytes_in=size, error=self._named(error))

    async def _filling(self, size: int) -> AsyncIterator[bytes]:
        while size > 0:
            yield self._piece[:size]
            size -= PIECE

    async def _queued(self, *_: object) -> None:
        self.queued += 1

    def _named(self, error: BaseException) -> str:
        number = getattr(error, "errno", None)
        if number in {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS}:
            self.exhausted += 1
            return "no-socket"
        for kind, name in _ERRORS:
            if isinstance(error, kind):
                return name
        return type(error).__name__


_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timeout"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorError, "refused"),
    (aiohttp.ServerDisconnectedError, "disconnected"),
    (aiohttp.ClientPayloadError, "broken"),
    (aiohttp.ClientResponseError, "bad-answer"),
    (OSError, "broken"),
)


async def _read(answer: aiohttp.ClientResponse, *, keep: bool) -> tuple[int, bytes]:
    """How many bytes came, and they themselves if they are wanted and few."""
    count, kept = 0, bytearray()
    async for piece in answer.content.iter_any():
        count += len(piece)
        if keep and count <= KEPT:
            kept += piece
    return count, bytes(kept) if count <= KEPT else b""


def _ssl(settings: Settings) -> ssl.SSLContext | bool:
    if settings.insecure:
        return False
    return ssl.create_default_context(cafile=settings.cacert) if settings.cacert else True


def json_of(value: object) -> bytes:
    """A body of JSON."""
    return msgspec.json.encode(value)


class Clock:
    """Nanoseconds since a moment."""

    def __init__(self) -> None:
        """It shows 0 now."""
        self._began = time.perf_counter_ns()

    def show(self, moment: int) -> None:
        """Set it."""
        self._began = time.perf_counter_ns() - moment

    def __call__(self) -> int:
        """What it shows."""
        return time.perf_counter_ns() - self._began

    async def until(self, moment: int) -> None:
        """Wait for a moment, if it is not over."""
        left = moment - self()
        if left > 0:
            await asyncio.sleep(left / 1e9)


def sockets() -> int:
    """How many connections this process may have, once it asked for all that it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted, soft) - 128
