"""A service's table of paths and handlers, and finding the handler of a request in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import Request, Response
from oidproxy.sim.steps import Procedure

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as a handler sees it."""

    request: Request
    caller: Caller
    params: Mapping[str, str]
    """What the braces of the route's path stand for in this request."""
    version: tuple[int, int]
    """The microversion asked for, (0, 0) where the service has none."""
    request_id: str


Handler = Callable[[Exchange], Response | Procedure[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `{name}` in the path matches one segment."""

    method: str
    path: str
    handler: Handler
    open: bool = False
    """Whether it is answered without a token."""


@dataclass(slots=True)
class _Place:
    literals: dict[str, _Place] = field(default_factory=dict)
    capture: _Place | None = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class Routes:
    """Routes by path: literal segments are preferred over captured ones."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Place()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        place = self._root
        names: list[str] = []
        for segment in filter(None, route.path.split("/")):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                place.capture = place.capture or _Place()
                place = place.capture
            else:
                place = place.literals.setdefault(segment, _Place())
        place.routes[route.method] = (route, tuple(names))

    def find(self, method: str, segments: tuple[str, ...]) -> tuple[Route, dict[str, str]]:
        """The route of a request and what its names stand for; 404, or 405 where only the method is wrong."""
        found = _descend(self._root, segments, 0, ())
        if found is None:
            raise ApiError(404, "The resource could not be found.")
        place, values = found
        # Every framework that the services are built on answers HEAD like GET, without the body.
        entry = place.routes.get(method) or (place.routes.get("GET") if method == "HEAD" else None)
        if entry is None:
            raise ApiError(
                405, "Method Not Allowed: the requested method is not allowed for this URL.",
                fields=(("Allow", ", ".join(sorted(place.routes))),),
            )  # fmt: skip
        route, names = entry
        return route, dict(zip(names, values, strict=True))


def _descend(
    place: _Place, segments: tuple[str, ...], depth: int, values: tuple[str, ...]
) -> tuple[_Place, tuple[str, ...]] | None:
    if depth == len(segments):
        return (place, values) if place.routes else None
    literal = place.literals.get(segments[depth])
    if literal is not None and (found := _descend(literal, segments, depth + 1, values)):
        return found
    if place.capture is None:
        return None
    return _descend(place.capture, segments, depth + 1, (*values, segments[depth]))
