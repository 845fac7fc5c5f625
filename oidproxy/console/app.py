"""The admin listener's web application: health, readiness, metrics; reload and drain."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from oidproxy.console.exposition import Samples, render
from oidproxy.console.guard import Caller, Guard
from oidproxy.errors import (
    BadRequest,
    ConfigError,
    InternalError,
    MethodNotAllowed,
    NoSuchPath,
    OidproxyError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler, Middleware

    from oidproxy.clouds.registry import Admin
    from oidproxy.proxy.recordings import State

_LOG = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD"})

# What is shown here is nobody else's: not a cache's, not a frame's, not a script's of another page.
SECURITY_FIELDS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Recordings(Protocol):
    """What is recorded, as the parent process switches it."""

    async def begin(self) -> str:
        """Record from now on. Raises TraceInvalid: it cannot."""
        ...

    async def end(self) -> str:
        """Record no longer. Raises TraceInvalid: nothing was recorded."""
        ...

    def state(self) -> State:
        """What is recorded now."""
        ...


def build(
    admin: Admin,
    *,
    ready: Callable[[], bool],
    counters: Callable[[], Samples],
    reload: Callable[[], Awaitable[str]],
    drain: Callable[[], Awaitable[None]],
    recordings: Recordings | None = None,
) -> web.Application:
    """The application for one admin listener.

    `reload` reads the configuration again and says what it loaded; on ConfigError nothing has changed.
    `drain` returns as soon as draining has begun.
    """
    pages = _Pages(ready, counters, reload, drain)
    guard = Guard(admin.host, admin.token)
    app = web.Application(middlewares=[_errors, _guarded(guard)], client_max_size=4096)
    app.router.add_get("/healthz", pages.healthz)
    app.router.add_get("/readyz", pages.readyz)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_post("/reload", pages.reload)
    app.router.add_post("/drain", pages.drain)
    if recordings is not None:
        recording = _RecordingPages(recordings)
        app.router.add_get("/recording", recording.state)
        app.router.add_post("/recording/begin", recording.begin)
        app.router.add_post("/recording/end", recording.end)
    app.on_response_prepare.append(_finish_fields)
    return app


class _Pages:
    """What each path answers."""

    def __init__(
        self,
        ready: Callable[[], bool],
        counters: Callable[[], Samples],
        reload: Callable[[], Awaitable[str]],
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        self._ready = ready
        self._counters = counters
        self._reload = reload
        self._drain = drain

    async def healthz(self, request: web.Request) -> web.Response:
        """The process answers: nothing else is asked, so that one dead cloud restarts nobody."""
        return web.json_response({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether clients should be sent here."""
        if self._ready():
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready"}, status=503, headers={"Retry-After": "1"})

    async def metrics(self, request: web.Request) -> web.Response:
        """Every counter, as Prometheus reads them."""
        text, content_type = render(self._counters, request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type})

    async def reload(self, request: web.Request) -> web.Response:
        """Read the configuration again; a bad one keeps the old one and says why, with line and column."""
        try:
            summary = await self._reload()
        except ConfigError as error:
            raise BadRequest(f"the configuration stays as it was: {error}") from error
        return web.json_response({"status": "reloaded", "message": summary})

    async def drain(self, request: web.Request) -> web.Response:
        """Take no more work; what is in flight is finished."""
        await self._drain()
        return web.json_response({"status": "draining"}, status=202)


class _RecordingPages:
    """Recordings: into the configured folder only, so nothing of a request says where."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    async def state(self, request: web.Request) -> web.Response:
        """What is recorded, and how much of it."""
        return web.json_response(self._recordings.state())

    async def begin(self, request: web.Request) -> web.Response:
        """From now on."""
        message = await self._recordings.begin()
        return web.json_response({"status": "recording", "message": message})

    async def end(self, request: web.Request) -> web.Response:
        """Complete what there is."""
        message = await self._recordings.end()
        return web.json_response({"status": "recorded", "message": message})


def _guarded(guard: Guard) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        caller = _caller(request)
        if request.method in READING:
            guard.may_read(caller)
        else:
            guard.may_change(caller)
        return await handler(request)

    return check


def _caller(request: web.Request) -> Caller:
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport else None
    own = transport.get_extra_info("sockname") if transport else None
    return Caller(
        peer=peer[0] if peer else "",
        port=own[1] if own else 0,
        host=request.headers.get("Host", ""),
        origin=request.headers.get("Origin"),
        authorization=request.headers.get("Authorization"),
    )


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure in OpenStack's error shape, and none with more than its own safe message."""
    try:
        return await handler(request)
    except OidproxyError as error:
        return _answer(error)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return _answer(MethodNotAllowed("this path does not answer that method", fields={"Allow": allowed}))
    except web.HTTPNotFound:
        return _answer(NoSuchPath("nothing answers here; try /healthz, /readyz or /metrics"))
    except Exception:  # noqa: BLE001 - whatever it is, the answer keeps its shape and the log has the trace
        _LOG.exception("the admin listener failed at %s %s", request.method, request.path)
        return _answer(InternalError("this should not have happened; the log says more"))


def _answer(error: OidproxyError) -> web.Response:
    fields = {"X-Oidproxy-Error": error.code, **error.fields}
    if error.status == 401:
        fields["WWW-Authenticate"] = 'Bearer realm="oidproxy admin"'  # RFC 9110 section 15.5.2
    body = {"error": {"code": error.status, "title": error.title, "message": error.message}}
    return web.json_response(body, status=error.status, headers=fields)


async def _finish_fields(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
    response.headers.update(SECURITY_FIELDS)
