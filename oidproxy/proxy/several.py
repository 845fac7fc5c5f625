"""Requests of several clouds: from the decision to whoever carries it out, and from there to the client."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from oidproxy.errors import StoreUnavailable, TokenRefused
from oidproxy.manyclouds.asker import Asker
from oidproxy.manyclouds.job import Job
from oidproxy.manyclouds.legs import Legs, Opened

if TYPE_CHECKING:
    from oidproxy.manyclouds.allowances import Grant
    from oidproxy.manyclouds.many import Entry
    from oidproxy.proxy.exchange import Exchange
    from oidproxy.routing.decision import FanOut, Route

_log = logging.getLogger("oidproxy.proxy")


EVERYWHERE = "*"
"""Stands in logs and counters for the cloud of a request that goes to several."""


def seen(route: Route) -> Route:
    """This way as logs and counters tell of it."""
    return replace(route, endpoint=replace(route.endpoint, cloud=EVERYWHERE))


async def serve(exchange: Exchange, fanout: FanOut, entry: Entry | None = None) -> None:
    """Carry out a request of several clouds, and answer it. Raises what its entry does."""
    many = exchange.serving.many
    if entry is None:
        entry = many.entry(fanout.plan, fanout.kind)
    token = fanout.token
    # Without a token all requests of one address share.
    who = exchange.arrival.peer if token is None else token.key
    with many.allowances.begin(who, exchange.snapshot.registry.limits) as grant:
        job = job_of(exchange, fanout, grant)
        exchange.account.record = job.record
        result = await entry(job)
    if isinstance(result, Opened):
        relay(exchange, result)
        return
    await _remember(exchange, job)
    exchange.reply(result.status, result.fields, result.body)


def job_of(exchange: Exchange, fanout: FanOut, grant: Grant) -> Job:
    """What those who carry it out need."""
    registry = exchange.snapshot.registry
    return Job(
        fanout,
        exchange.request,
        legs_of(exchange),
        registry,
        exchange.serving.identity,
        exchange.account.request_id,
        asyncio.get_running_loop().time() + registry.limits.fan_out,
        grant,
        client=exchange,
    )


def legs_of(exchange: Exchange) -> Legs:
    """What asks clouds for this request."""
    serving, peer = exchange.serving, exchange.arrival.peer
    asker = Asker(
        exchange.request,
        peer,
        peer_trusted=serving.trusts(peer),
        request_id=exchange.account.request_id,
        via_depth=exchange.snapshot.registry.limits.via_depth,
    )
    return Legs(
        asker,
        upstreams=serving.upstreams,
        identity=serving.identity,
        staging=serving.staging,
        links=partial(serving.links, exchange.snapshot),
        pseudonym=serving.pseudonym,
    )


def relay(exchange: Exchange, opened: Opened) -> None:
    """Pass one cloud's answer on as it comes, as if the request had gone there only."""
    route = opened.forward.route
    exchange.route = route
    exchange.ids = opened.ids
    exchange.sent = opened.forward, opened.outgoing
    if opened.outgoing.exchanged is not None:
        exchange.account.exchanged = opened.outgoing.exchanged
    identity, token = exchange.serving.identity, opened.forward.token
    name = identity.caller(token)
    exchange.account.goes(route, f"{name}@{token.home}" if name is not None and token is not None else None)
    # Of a call that was under way before, only what is opened here is left.
    exchange.give_to(None)
    exchange.adopt(opened.head, opened.answer)


async def _remember(exchange: Exchange, job: Job) -> None:
    """For whoever asks what became of each cloud; that it cannot be kept is no reason to fail."""
    if not job.record.told:
        return
    try:
        await exchange.serving.many.records.keep(job.request_id, await job.user(), job.record)
    except (StoreUnavailable, TokenRefused) as error:
        _log.warning("what became of the clouds of %s was not kept: %s", job.request_id, error.message)
