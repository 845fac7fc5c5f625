"""Calls that go the way of one decided before: only what differs from call to call is looked at again.

Where a call to a service goes follows from its carriers: header, URL and token, the address it was sent to,
and the registry. What else it says decides in a few cases only, which are not remembered: calls to Keystone,
of services, with closed tokens, to clouds whose services ask their own Keystone, for version documents, and
by POST, which makes servers. Refusals are not remembered either. The memory is the snapshot's
(`routing.memory`), so it is bounded, and gone with a reload.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oidproxy.errors import TokenRefused
from oidproxy.routing.carriers import IDENTITY
from oidproxy.routing.credentials import opened
from oidproxy.routing.decision import FanOut, Forward, Route
from oidproxy.routing.paths import PAGES, REQUESTS, SCOPED
from oidproxy.routing.resources import read
from oidproxy.scope.canonical import canonical
from oidproxy.tokens.presented import Form

if TYPE_CHECKING:
    from collections.abc import Hashable

    from oidproxy.clouds.registry import Listener
    from oidproxy.http.head import RequestHead
    from oidproxy.routing.decision import Arrival, Snapshot
    from oidproxy.tokens.presented import Presented

_SLASH, _PERCENT = b"/%"
_UNLIKE = frozenset({"OPTIONS", "POST"})
_READS = frozenset({"GET", "HEAD"})
_OTHERWISE = frozenset({b"max-forwards", b"x-scope-tokens", b"x-service-token", b"x-storage-token"})
"""Fields that may change what is done with a call."""


@dataclass(frozen=True, slots=True)
class _Way:
    listener: Listener
    route: Route
    root: bytes
    scoped: bool
    fanout: FanOut | None = None
    """Where it goes to several clouds: of no path in particular."""


def again(head: RequestHead, arrival: Arrival, snapshot: Snapshot) -> Forward | FanOut | None:
    """The decision about a call like one that was decided before; None where it has to be made."""
    found = _parts(head, arrival)
    if found is None:
        return None
    before, rest = found
    try:
        token = _token(head, arrival, snapshot)
    except TokenRefused:
        return None  # something else may be wrong, too, and comes first
    memory = snapshot.memory
    way: _Way | None = memory.get(_key(head, arrival, before, token))
    if way is None or way.listener is not arrival.listener:
        memory.routes.missed += 1
        return None
    memory.routes.found += 1
    if way.fanout is not None:
        return _several_again(way.fanout, head, way.root + head.target[len(before) :], rest, token)
    known = way.route
    route = Route(
        known.service_type,
        known.endpoint,
        way.root + head.target[len(before) :],
        rest,
        known.home,
        known.carrier,
        known.effective,
        known.explicit,
        known.facade,
        known.expr,
    )
    return Forward(route, token, None, way.scoped)


def _several_again(
    known: FanOut, head: RequestHead, target: bytes, rest: bytes, token: Presented | None
) -> FanOut | None:
    """What is read in several clouds: a call that changes something has to be looked at as a whole."""
    asked = read(known.route.service_type, head.method, rest) if head.method in _READS else None
    if asked is None:
        return None
    way = known.route
    route = Route(
        way.service_type,
        way.endpoint,
        target,
        rest,
        way.home,
        way.carrier,
        way.effective,
        way.explicit,
        way.facade,
        way.expr,
    )
    first = Forward(route, token, None, known.first.scoped)
    return FanOut(known.plan, *asked, known.ways, first, narrowing=known.narrowing)


def keep(decision: Forward | FanOut, head: RequestHead, arrival: Arrival, snapshot: Snapshot) -> None:
    """Remember a decision, if calls like this one are decided alike."""
    found, token = _parts(head, arrival), decision.token
    first = decision.first if isinstance(decision, FanOut) else decision
    if (
        found is None
        or decision.direct
        or first.service_token is not None
        or decision.route.service_type == IDENTITY
        or (token is not None and token.form is Form.CLOSED)
        or decision.route.rest != found[1]
        or (isinstance(decision, FanOut) and head.method not in _READS)
    ):
        return
    key = _key(head, arrival, found[0], token)
    route = replace(decision.route, target=b"", rest=b"")
    root = route.endpoint.root.encode()
    scope = "" if token is None else canonical(token.scope)
    weight = len(found[0]) + len(head.get(b"x-scope") or b"") + len(scope) + len(head.host)
    # The plan and the ways of a scope are the same objects for all of its calls, and weighed as such.
    fanout = decision if isinstance(decision, FanOut) else None
    if fanout is not None:
        fanout = replace(fanout, first=Forward(route, None, None, first.scoped), body=None)
    way = _Way(arrival.listener, route, root, first.scoped, fanout)
    snapshot.memory.put(key, way, weight)


def _parts(head: RequestHead, arrival: Arrival) -> tuple[bytes, bytes] | None:
    """What of the target leads to the service, and the path below it; None where more counts than that."""
    path, method = head.path, head.method
    if (
        head.absolute
        or head.index.get(b"host") != head.host
        or method in _UNLIKE
        or _PERCENT in path
        or path in PAGES
        or not head.index.keys().isdisjoint(_OTHERWISE)
    ):
        return None
    before = _before(path, arrival)
    if before is None:
        return None
    rest = path[len(before) :]
    # Of fewer segments than two a version may be asked for.
    return (before, rest) if _SLASH in rest.strip(b"/") else None


def _before(path: bytes, arrival: Arrival) -> bytes | None:
    """Scope and service of a path as they stand there, without the slash behind."""
    if path.startswith(SCOPED):
        end = path.find(b"/", len(SCOPED))
        if end < 0:
            return None
        end = path.find(b"/", end + 1)
    elif arrival.service_type is not None:
        return None if path.startswith(REQUESTS) else b""
    else:
        end = path.find(b"/", 1)
    return path[:end] if end > 0 else None


def _token(head: RequestHead, arrival: Arrival, snapshot: Snapshot) -> Presented | None:
    text = head.text(b"x-auth-token")
    if not text:
        return None
    return opened(text, snapshot, arrival.listener.cloud or snapshot.registry.local)


def _key(head: RequestHead, arrival: Arrival, before: bytes, token: Presented | None) -> Hashable:
    """Everything that may decide, but the registry, whose memory it is a key of."""
    said = before, head.index.get(b"x-scope"), head.host, arrival.port, arrival.service_type
    if token is None:
        return said
    return said, token.home, canonical(token.scope), token.form is Form.CLOSED
