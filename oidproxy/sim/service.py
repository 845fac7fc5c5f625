"""One simulated service: who asks, which handler answers, how errors look; a request in, an answer out."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from oidproxy.sim.answers import Answers, question
from oidproxy.sim.caller import ANONYMOUS, Caller
from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Request, Response
from oidproxy.sim.routes import Exchange, Route, Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oidproxy.sim.microversions import Microversions
    from oidproxy.sim.sources import Sources
    from oidproxy.sim.steps import Procedure

LOG = logging.getLogger(__name__)
GLOBAL_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Guard(Protocol):
    """Finds out who makes a request."""

    @property
    def challenge(self) -> tuple[str, str]:
        """The WWW-Authenticate field of a 401."""
        ...

    def process(self, request: Request) -> Procedure[Caller | Response]:
        """The caller, or the answer that refuses the request."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How a service words its answers."""

    shape: Callable[[ApiError, Request, str], Response]
    """An error of a request, and the request's id, as this service's error answer."""
    microversions: Microversions | None = None
    screen: Callable[[Request], None] | None = None
    """What the service's WSGI layer refuses before any handler sees it."""


class Service:
    """A service of one cloud."""

    def __init__(
        self, name: str, routes: Iterable[Route], guard: Guard, manner: Manner, sources: Sources
    ) -> None:
        self.name = name
        self._routes = Routes(routes)
        self._guard = guard
        self._manner = manner
        self._sources = sources
        self.answers: Answers | None = None
        """Where answers to reading are kept, if they are: only of services whose answers depend on nothing
        but the cloud's state, the question and who asks."""

    def respond(self, request: Request) -> Procedure[Response]:
        """Answer a request; never raises."""
        request_id = self._sources.request_id()
        try:
            response = yield from self._answer(request, request_id)
        except ApiError as error:
            response = self._refuse(error, request, request_id)
        except Exception:
            # A service answers 500 and goes on; the clients' part is to cope with it.
            LOG.exception("%s: %s %s failed", self.name, request.method, request.path)
            response = self._refuse(ApiError(500), request, request_id)
        return response.adding(("X-Openstack-Request-Id", request_id))

    def _refuse(self, error: ApiError, request: Request, request_id: str) -> Response:
        response = self._manner.shape(error, request, request_id).adding(*error.fields)
        return response.adding(self._guard.challenge) if error.status == 401 else response

    def _answer(self, request: Request, request_id: str) -> Procedure[Response]:
        missing: ApiError | None = None
        route: Route | None = None
        params: dict[str, str] = {}
        try:
            route, params = self._routes.find(request.method, request.segments)
        except ApiError as error:
            missing = error
        caller = ANONYMOUS
        if route is None or not route.open:
            # The filter stands before the router: without a token an unknown path is a 401, not a 404.
            verdict = yield from self._guard.process(request)
            if isinstance(verdict, Response):
                return verdict
            caller = replace(verdict, request_id=global_id(request) or request_id)
        if route is None:
            raise missing or ApiError(404)
        return (yield from self._handle(route, request, caller, params, request_id))

    def _handle(
        self, route: Route, request: Request, caller: Caller, params: dict[str, str], request_id: str
    ) -> Procedure[Response]:
        if self._manner.screen:
            self._manner.screen(request)
        microversions = self._manner.microversions
        version = microversions.negotiate(request) if microversions and not route.open else (0, 0)
        exchange = Exchange(request, caller, params, version, request_id)
        response = self._kept(route, exchange) or (yield from self._run(route, exchange))
        if microversions and any(version):
            return response.adding(*microversions.fields(version))
        return response

    def _run(self, route: Route, exchange: Exchange) -> Procedure[Response]:
        result = route.handler(exchange)
        response = result if isinstance(result, Response) else (yield from result)
        if self.answers is not None:
            if route.method != "GET":
                self.answers.forget()
            elif isinstance(result, Response) and response.status == 200:
                self.answers.keep(question(self.name, exchange.request, exchange.caller), response)
        return response

    def _kept(self, route: Route, exchange: Exchange) -> Response | None:
        if self.answers is None or route.method != "GET":
            return None
        return self.answers.get(question(self.name, exchange.request, exchange.caller))


def global_id(request: Request) -> str:
    """The id of the request that this one is made for, where the client says a well-formed one."""
    text = request.field("x-openstack-request-id")
    return text if GLOBAL_ID.fullmatch(text) else ""
