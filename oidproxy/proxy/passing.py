"""One request on the express lane, from the moment it was sent to the end of its answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from oidproxy.rewrite.whole import replaced

if TYPE_CHECKING:
    from oidproxy.proxy.terms import Rider
    from oidproxy.proxy.way import Way
    from oidproxy.rewrite.rules import RuleSet
    from oidproxy.rewrite.stencil import AnswerStencil, Groups
    from oidproxy.upstream.connection import Connection

HELD_AT_MOST = 64 * 1024
"""Bytes of an answer that wait for their rest; of a longer one the client gets at once what there is."""


class Passing:
    """Implements `upstream.call.Express` and `terms.Folded`."""

    is_late = False

    __slots__ = (
        "_downstream",
        "_rules",
        "began",
        "data",
        "epoch",
        "got",
        "request_id",
        "sent",
        "shown",
        "token",
        "upstream",
        "way",
    )

    def __init__(  # noqa: PLR0917 - one is made for every request, and names cost as much as values
        self,
        downstream: Rider,
        upstream: Connection,
        way: Way,
        data: bytes,
        sent: bytes,
        shown: bytes,
        token: bytes,
        request_id: bytes,
        rules: RuleSet | None,
    ) -> None:
        """`data` is the request as it came, `sent` as it went out.

        `shown` is its path as the log may have it, `rules` say where links are in the answer.
        """
        self.began = time.perf_counter()
        self.epoch = time.time_ns()
        self._downstream = downstream
        self.upstream = upstream
        self.way = way
        self.data = data
        self.sent = sent
        self.shown = shown
        self.token = token
        self.request_id = request_id
        self._rules = rules
        self.got = b""

    def came(self, data: bytes) -> None:
        """Bytes of the answer: pass it on if it is whole, and of a known kind."""
        if self.got:
            data = self.got + data
        pool = self.way.pool
        for stencil in pool.stencils:
            found = stencil.match(data)
            if found is not None:
                break
        else:
            self._go_on(data)
            return
        groups, begin = found.groups(), found.end()
        size, here = int(groups[stencil.length]), len(data) - begin
        if here == size and not self._downstream.serving.draining and not pool.ejection.failures:
            body = data[begin:] if self._rules is None else self._rewritten(data[begin:], stencil)
            if body is not None:
                self._answer(stencil, groups, body)
                return
        elif here < size <= HELD_AT_MOST:
            self.got = data
            return
        self._go_on(data)

    def unfold(self) -> None:
        """Become the exchange and the call that this is instead of."""
        self._downstream.unfold(self)

    def _go_on(self, data: bytes) -> None:
        self.got = data
        self.unfold()

    def _rewritten(self, body: bytes, stencil: AnswerStencil) -> bytes | None:
        """The body with our links; None where somebody else has to look at it."""
        rules, way = self._rules, self.way
        if rules is None or not body:
            return body
        links = way.links(self._downstream.serving)
        if way.abroad:
            return None if stencil.hides_links else replaced(body, rules, links)
        return replaced(body, rules, links) if links and stencil.is_json else body

    def _answer(self, stencil: AnswerStencil, groups: Groups, body: bytes) -> None:
        head, request_id = stencil.whole(groups), self.request_id
        if stencil.has_request_id:
            answer = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
        else:
            answer = b"%bX-Openstack-Request-Id: %b\r\nContent-Length: %d\r\n\r\n%b" % (
                head,
                request_id,
                len(body),
                body,
            )
        downstream, way = self._downstream, self.way
        serving = downstream.serving
        way.pool.returned(self.upstream)
        downstream.passed(answer)
        seconds = time.perf_counter() - self.began
        route = way.route
        serving.counters.answered(
            route.service_type, route.cloud, 200, bytes_in=0, bytes_out=len(body), seconds=seconds
        )
        ms = seconds * 1000
        peer = downstream.peer.encode()
        serving.access.add(way.line % (self.epoch, request_id, peer, self.shown, len(body), ms, ms))
        if serving.recorder is not None:
            serving.recorder.passed(self, body, seconds)


class Sought(Passing):
    """A request for an item of several clouds, on its way to the one that is known to hold it.

    Implements `hedging.Waiting`: where no answer comes in time, the others are asked meanwhile.
    """

    __slots__ = ("is_late",)

    def wait(self) -> None:
        """For an answer in time; before anything is sent."""
        self.is_late = False
        self._downstream.serving.hedges.add(self)

    def late(self) -> None:
        """It did not come."""
        self.is_late = True
        self.unfold()

    def unfold(self) -> None:
        """Become the exchange and the call, which waits on."""
        self._downstream.serving.hedges.discard(self)
        super().unfold()

    def _answer(self, stencil: AnswerStencil, groups: Groups, body: bytes) -> None:
        self._downstream.serving.hedges.discard(self)
        super()._answer(stencil, groups, body)
