"""The express lane: requests like earlier ones, taken from bytes to bytes with no values in between.

Theory of operation. Every request of a kind takes the whole way at first: parsed, decided, rewritten, sent.
When its answer was complete and good, what all that came to is remembered: the pattern of its head (a
*stencil*), and where calls with this head's carriers go (a *way*), both checked against the bytes that the
whole way wrote. The next request that matches is written from them.

Anything unusual leaves the lane. Before a byte was sent that is simply the whole way; after that `Passing`
becomes the exchange and the call that it is instead of. So times, retries, refusals and whatever else happens
now and then exist once, and the lane only has to know when it may not go on.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from oidproxy.manyclouds.finding.find import Finding
from oidproxy.proxy.passing import Passing, Sought
from oidproxy.proxy.spread import Spread
from oidproxy.proxy.way import LINE_AT_MOST, Tails, Way, may_have_one
from oidproxy.rewrite.stencil import answer_shape, answer_stencil, request_shape, request_stencil
from oidproxy.rewrite.stencils import Stencils
from oidproxy.routing.decide import one_of_several
from oidproxy.telemetry.access import PATH_AT_MOST

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from oidproxy.http.head import RequestHead, ResponseHead
    from oidproxy.proxy.spread import Ways
    from oidproxy.proxy.terms import Done, Rider, Shared
    from oidproxy.proxy.way import Key
    from oidproxy.rewrite.stencil import AnswerStencil, RequestStencil
    from oidproxy.routing.decision import FanOut
    from oidproxy.upstream.call import Request
    from oidproxy.upstream.pool import Pool

STENCILS_TRIED = 4
"""Of one connection, or of one pool: those used last."""

WAYS_KEPT = 8192
"""Clients choose them, so they are bounded: to some 9 MiB."""

TAILS_KEPT = 1024

S = TypeVar("S")


class Express:
    """One worker's lane."""

    __slots__ = (
        "_answers",
        "_kept",
        "_longest",
        "_requests",
        "_serving",
        "_tails",
        "_ways",
        "scoped",
        "stencils",
        "taken",
    )

    def __init__(self, serving: Shared) -> None:
        self._serving = serving
        self._requests: Stencils[RequestHead, RequestStencil] = Stencils(request_stencil, of_answers=False)
        self._answers: Stencils[ResponseHead, AnswerStencil] = Stencils(answer_stencil, of_answers=True)
        self.stencils: dict[tuple[str, int], tuple[RequestStencil, ...]] = {}
        """By address of ours, what new connections begin with: a client often sends a few requests only."""
        self._ways: dict[tuple[str, int], Ways] = {}
        self._kept: deque[tuple[MutableMapping[Any, Any], Key | str]] = deque()
        self._tails: dict[str, Tails] = {}
        self.taken = 0
        """Requests that went this way …"""
        self.scoped = 0
        """… and those of them with X-Scope."""
        self._longest = 0
        self.forget()

    def forget(self) -> None:
        """Another registry: nothing that was decided by the one before counts any longer."""
        self._kept.clear()
        for ways in self._ways.values():
            ways.clear()
        limits = self._serving.snapshot.registry.limits
        self._longest = min(limits.field, limits.target, limits.request_head)

    def ways(self, spot: tuple[str, int]) -> Ways:
        """The ways from one address of ours; the same object as long as the worker lives."""
        return self._ways.setdefault(spot, {})

    def take(self, connection: Rider, data: bytes) -> Passing | None:
        """Send a request that is all of `data`, if it is like an earlier one; None: nothing was done."""
        for stencil in connection.stencils:
            matched = stencil.match(data)
            if matched is not None:
                break
        else:
            return None
        groups = matched.groups()
        before, rest, query, bare, envelope = stencil.read(groups)
        scope = b"" if stencil.scope is None else groups[stencil.scope]
        found = connection.ways.get((stencil, before, scope, envelope))
        way = found.way(rest) if isinstance(found, Spread) else found
        if (
            way is None
            or len(data) > self._longest
            or len(before) + len(rest) + len(query) > PATH_AT_MOST
            or b"/." in rest
            or (query and not way.queries)
        ):
            return None
        replication = self._serving.replication
        if replication is not None and replication.waiting:
            return None  # perhaps for this user
        token = self._token(way, bare.decode())
        if token is None:
            return None
        upstream = way.pool.express()
        if upstream is None:
            return None
        place = stencil.request_id
        request_id = self._serving.request_id().encode() if place is None else groups[place]
        rules = way.rules_of(rest) if way.varies else way.rules
        shown = way.show(rest, query)
        if rules is None:
            lines, tail = stencil.whole(groups), connection.tails[0]
        else:
            lines, tail = stencil.identity(groups), connection.tails[1]
        sent = way.head(rest, query, lines, token, tail, request_id)
        if way is found:
            passing = Passing(connection, upstream, way, data, sent, shown, token, request_id, rules)
        else:
            passing = Sought(connection, upstream, way, data, sent, shown, token, request_id, rules)
            passing.wait()
        upstream.carry(passing, sent)
        self.taken += 1
        if scope:
            self.scoped += 1
        return passing

    def learn(self, done: Done, request: Request, answer: ResponseHead, request_id: str) -> None:
        """Remember what came of a request, forwarded as `request` was, whose answer was complete."""
        connection, head = done.connection, done.request
        if done.sent is None or done.snapshot is not self._serving.snapshot:
            return
        forward, outgoing = done.sent
        shape = request_shape(head, port_of_service=done.arrival.service_type is not None)
        if (
            shape is None
            or outgoing.token is None
            or outgoing.exchanged is not None
            or not may_have_one(forward)
            # A service's, then, even if that is forgotten by now.
            or (done.snapshot.registry.require_scope and not forward.scoped)
            or self._serving.identity.is_service(forward.token)
            or (done.found_among is None and one_of_several(forward, done.snapshot))
        ):
            return
        now = self._serving.clock()
        pool = self._serving.upstreams.pool(forward.route.endpoint)
        answers = answer_shape(answer)
        if answers is None:
            return  # whoever gets such an answer would only have to leave the lane again
        stencil_of_answers = self._answers.of(answer, answers, now)
        if stencil_of_answers is not None:
            pool.stencils = _first(stencil_of_answers, pool.stencils)
        stencil = self._requests.of(head, shape, now)
        if stencil is not None:
            connection.stencils = _first(stencil, connection.stencils)
            spot = connection.spot
            self.stencils[spot] = _first(stencil, self.stencils.get(spot, ()))
            self._learn_way(done, stencil, request, pool, request_id)

    def _learn_way(
        self, done: Done, stencil: RequestStencil, request: Request, pool: Pool, request_id: str
    ) -> None:
        head, arrival = done.request, done.arrival
        fields = b"".join(b"%b: %b\r\n" % field for field in head.fields)
        found = stencil.match(b"GET %b HTTP/1.1\r\n%b\r\n" % (head.target, fields))
        if found is None or done.sent is None:
            return
        groups = found.groups()
        before, rest, query, bare, envelope = stencil.read(groups)
        token = (done.sent[1].token or "").encode()
        address = done.connection.address
        way = Way(done.sent[0], arrival, address, stencil.agent, before, pool=pool, snapshot=done.snapshot)
        if not way.abroad:
            if not token.startswith(bare):
                return
            way.envelope = token[len(bare) :]
        lines = stencil.whole(groups) if way.rules is None else stencil.identity(groups)
        tail = self.tails(arrival.peer)[way.rules is not None]
        written = way.head(rest, query, lines, token, tail, request_id.encode())
        if written != request.head or len(way.line) > LINE_AT_MOST:
            return
        scope = b"" if stencil.scope is None else groups[stencil.scope]
        ways, key = self.ways(done.connection.spot), (stencil, before, scope, envelope)
        if done.found_among is None:
            self._keep(ways, key, way)
        else:
            self._keep_spread(ways, key, way, done.found_among)

    def _keep_spread(self, ways: Ways, key: Key, way: Way, among: FanOut) -> None:
        """One of the ways to several clouds, of which an item is asked of the one that holds it."""
        asked, rest, finding = among.asked, way.route.rest, self._serving.many.find
        if not isinstance(finding, Finding) or rest != b"%b/%b" % (asked.collection, asked.item):
            return
        spread = ways.get(key)
        if not isinstance(spread, Spread):
            spread = Spread(finding, way.route.service_type, among.ones)
            self._keep(ways, key, spread)
        spread.learn(asked.collection)
        way.chosen = spread.chosen
        self._keep(spread.ways, way.route.cloud, way)

    def _keep(self, ways: MutableMapping[Any, Any], key: Key | str, way: Way | Spread) -> None:
        if key not in ways:
            self._kept.append((ways, key))
        ways[key] = way
        while len(self._kept) > WAYS_KEPT:
            oldest, key = self._kept.popleft()
            oldest.pop(key, None)

    def _token(self, way: Way, bare: str) -> bytes | None:
        """What goes to the cloud as the user's token; None where that has to be seen to."""
        identity, audience = self._serving.identity, way.audience
        if audience is None:
            return None if identity.may_serve(way.route.home, bare) else bare.encode() + way.envelope
        closed = identity.closed_before(way.route.home, bare, audience)
        return None if closed is None else closed.encode()

    def tails(self, peer: str) -> Tails:
        """Those for a client's address, as `rewrite.request.request_head` writes them."""
        known = self._tails.get(peer)
        if known is not None:
            return known
        via, address = f"Via: 1.1 {self._serving.pseudonym}", peer.partition("%")[0]
        text = f"\r\n{via}\r\nX-Forwarded-For: {address}\r\nX-Openstack-Request-Id: ".encode()
        if len(self._tails) >= TAILS_KEPT:
            self._tails.clear()
        self._tails[peer] = text, b"\r\nAccept-Encoding: identity" + text
        return self._tails[peer]


def _first(one: S, others: tuple[S, ...]) -> tuple[S, ...]:
    if others and others[0] is one:
        return others
    return (one, *(other for other in others if other is not one))[:STENCILS_TRIED]
