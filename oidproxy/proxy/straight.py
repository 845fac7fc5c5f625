"""An item of several clouds, asked of the one that is known to hold it: as cheap as a plain forward.

Theory of operation. The request goes out as if the scope named this cloud alone, and its answer is passed on
as it comes if it is the item. If it is not, or none comes, nothing of it was seen by the client, and the
search among all clouds (`manyclouds.finding`) goes on from there. If it is late the search begins meanwhile,
and this answer is one of those that it waits for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import First, One
from oidproxy.errors import UpstreamError
from oidproxy.http.head import NoBody
from oidproxy.manyclouds.finding.find import Finding, item_of
from oidproxy.manyclouds.finding.tally import NOT_HERE, Begun, Tally, has_it
from oidproxy.manyclouds.legs import Opened
from oidproxy.manyclouds.opening import Opening
from oidproxy.manyclouds.parts import Unanswered
from oidproxy.routing.decision import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.http.head import ResponseHead
    from oidproxy.identity.service import Outgoing
    from oidproxy.manyclouds.many import Entry
    from oidproxy.proxy.exchange import Exchange
    from oidproxy.rewrite.ids import Ids
    from oidproxy.routing.decision import FanOut, Leg
    from oidproxy.upstream.call import Call, Receiver

    Search = Callable[[Begun | None], None]


def holder(exchange: Exchange, fanout: FanOut) -> One | None:
    """The one cloud that was seen to hold what is asked for, where that is known at once."""
    finding = exchange.serving.many.find
    if (
        fanout.kind is not Kind.ITEM_READ
        or not isinstance(finding, Finding)
        or not isinstance(exchange.request.framing, NoBody)
        # In order, or not at all.
        or isinstance(fanout.plan, First)
    ):
        return None
    found = finding.holders_now(fanout.route.service_type, item_of(fanout))
    if found is None or len(found) != 1:
        return None
    one = One(found[0])
    return one if one in fanout.ways.places else None


def search_from(exchange: Exchange, begun: Begun | None) -> Entry | None:
    """What searches among all clouds, told what is known so far; None: as a request that comes in."""
    finding = exchange.serving.many.find
    return partial(finding, begun=begun) if isinstance(finding, Finding) and begun is not None else None


class Straight:
    """Implements `upstream.call.Receiver`: gives an answer to the exchange, or has a search begin."""

    __slots__ = (
        "_call",
        "_decided",
        "_discards",
        "_exchange",
        "_go_on",
        "_hedges",
        "_ids",
        "_leg",
        "_opening",
        "_outgoing",
    )

    def __init__(self, exchange: Exchange, leg: Leg, outgoing: Outgoing, go_on: Search) -> None:
        """`go_on` begins the search, told what is known so far."""
        self._exchange = exchange
        self._leg = leg
        self._outgoing = outgoing
        self._go_on = go_on
        self._hedges = exchange.serving.hedges
        self._ids: Ids = exchange.ids
        self._call: Call | None = None
        self._opening: Opening | None = None
        """Where a search waits for this answer, what it gets."""
        self._decided = False
        """It is known whether this is the answer."""
        self._discards = False

    def begin(self, call: Call, *, late: bool = False) -> None:
        """The call, which may have failed before it was known here, or be `late` by now."""
        self._call = call
        if not self._decided:
            self._exchange.give_to(call)
            self._hedges.add(self, late=late)

    def late(self) -> None:
        """A search begins meanwhile."""
        if self._exchange.over or self._call is None:
            return
        self._opening = opening = Opening(b"")
        opening.belongs_to(self._call)
        # Until another answer is passed on the call stays the exchange's: who leaves meanwhile, or is refused
        # before this answer is waited for, ends it.
        self._go_on(Begun(self._leg.one, coming=lambda: self._opened(opening)))

    # From the call: upstream.call.Receiver.

    def ready(self) -> None:
        """There is no body to send."""

    def hold(self) -> None:
        """There is none."""

    def informational(self, head: ResponseHead) -> None:
        """As of a plain forward."""
        if self._opening is None:
            self._exchange.informational(head)

    def answer(self, head: ResponseHead) -> None:
        """The item, or not."""
        if self._opening is not None:
            self._opening.answer(head)
            return
        self._decide()
        if has_it(head.status):
            self._exchange.adopt(head, self)
            return
        # The rest of it is read, so that its connection is of use again.
        self._discards = True
        without = Begun(self._leg.one, Tally(without={self._leg.one})) if head.status in NOT_HERE else None
        self._search(without)

    def data(self, data: bytes) -> None:
        """Body bytes."""
        if not self._discards:
            self._receiver.data(data)

    def end(self) -> None:
        """The answer is complete."""
        if not self._discards:
            self._receiver.end()

    def failure(self, error: UpstreamError) -> None:
        """There will be no (complete) answer."""
        if self._opening is None and not self._decided:
            self._decide()
            self._search(Begun(self._leg.one, Tally(silent={self._leg.one})))
        elif not self._discards:
            self._receiver.failure(error)

    # From the exchange: proxy.exchange.Begun.

    def drop(self) -> None:
        """Nobody wants it."""
        if self._call is not None:
            self._call.cancel()

    def hand_over(self, receiver: Receiver) -> Call | None:  # noqa: ARG002 - it is the exchange
        """Its body goes to the exchange from here on."""
        return self._call

    # Inside.

    @property
    def _receiver(self) -> Receiver:
        return self._exchange if self._opening is None else self._opening

    def _decide(self) -> None:
        self._decided = True
        self._hedges.discard(self)

    def _search(self, begun: Begun | None) -> None:
        self._exchange.give_to(None)
        self._go_on(begun)

    async def _opened(self, opening: Opening) -> Opened | Unanswered:
        """The answer that the search waits for."""
        try:
            await opening.begun
        except BaseException:
            opening.drop()
            raise
        if opening.head is None or opening.error is not None:
            return Unanswered.of(self._leg, opening.error or _nothing(self._leg))
        return Opened(self._leg, opening.head, self._leg.forward, self._outgoing, self._ids, opening)


def _nothing(leg: Leg) -> UpstreamError:
    return UpstreamError(f"{leg.one.cloud} gave no answer.", cloud=leg.one.cloud, sent=True)
