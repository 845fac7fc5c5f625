"""From a request on the express lane to the exchange and the call that there would have been."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.http.framing import NO_BODY
from oidproxy.http.parse import request_head
from oidproxy.identity.service import Outgoing
from oidproxy.proxy.dispatch import carry_out, search_among
from oidproxy.proxy.exchange import Exchange
from oidproxy.proxy.straight import Straight
from oidproxy.routing.decide import decide
from oidproxy.routing.decision import FanOut, Forward
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from oidproxy.proxy.serving import Serving
    from oidproxy.proxy.terms import Client, Folded


def unfolded(folded: Folded, client: Client, serving: Serving) -> Exchange:
    """The exchange of a request that was sent; its call is under way on the same connection.

    What came of the answer is still to be read again (`upstream.connection.Connection.reread`).
    """
    way = folded.way
    head = request_head(folded.data, way.snapshot.registry.limits)
    arrival = replace(way.arrival, peer=client.peer)
    decision = decide(head, arrival, way.snapshot, serving.clock())
    exchange = Exchange(client, serving, head, arrival, carry_out, snapshot=way.snapshot)
    exchange.account.resume(folded.began, folded.epoch, folded.request_id.decode())
    exchange.repeatable = request = Request(way.route.endpoint, "GET", folded.sent, NO_BODY)
    outgoing = Outgoing(folded.token.decode(), None)
    match decision:
        case Forward():
            call = way.pool.take_up(request, exchange, folded.upstream)
            exchange.take_up(call, decision, outgoing)
        case FanOut():
            exchange.found_among = decision
            exchange.account.chosen = decision.ones
            leg = decision.leg(One(way.route.cloud))
            receiver = Straight(exchange, leg, outgoing, search_among(exchange, decision))
            call = way.pool.take_up(request, receiver, folded.upstream)
            exchange.take_up(call, leg.forward, outgoing)
            receiver.begin(call, late=folded.is_late)
        case _:
            raise TypeError("what was a way is none any more, by the same snapshot")
    return exchange
