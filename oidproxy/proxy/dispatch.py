"""What is done with a decision: the one place where routing's values become actions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest
from oidproxy.http.head import Length
from oidproxy.manyclouds.elsewhere import elsewhere
from oidproxy.proxy import pages, resuming, several, straight
from oidproxy.rewrite import images
from oidproxy.rewrite.request import request_head
from oidproxy.rewrite.table import may_rewrite
from oidproxy.routing.decision import (
    Answer,
    Decision,
    FanOut,
    Forward,
    Issue,
    ReadBody,
    Refuse,
    Revoke,
    Route,
    Stage,
    Validate,
)
from oidproxy.routing.why import why
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from oidproxy.http.head import Framing
    from oidproxy.identity.service import Outgoing, Projects, WriteHead
    from oidproxy.manyclouds.finding.tally import Begun
    from oidproxy.proxy.exchange import Exchange
    from oidproxy.tokens.presented import Presented


def carry_out(exchange: Exchange, decision: Decision) -> None:
    """Do what was decided; returns at once, the exchange goes on by itself."""
    if exchange.request.get(b"x-scope-explain") == b"1":
        exchange.account.why = why(decision)
    match decision:
        case Forward():
            _forward(exchange, decision)
        case Issue() | Validate() | Revoke():
            token = decision.asker if isinstance(decision, Validate) else decision.token
            exchange.account.token = token
            _note(exchange, decision.route, token)
            exchange.wait(_identity(exchange, decision))
        case ReadBody(limit=limit):
            exchange.collect(limit)
        case Answer():
            exchange.wait(_page(exchange, decision))
        case Refuse(error=error):
            exchange.refuse(error)
        case FanOut():
            _fan_out(exchange, decision)


def _fan_out(exchange: Exchange, fanout: FanOut) -> None:
    forward = fanout.first
    exchange.account.token = forward.token
    if exchange.account.taken is not None:
        exchange.account.chosen = fanout.ones
    resuming.met(exchange, forward)
    lacks_scope = _lacks_scope(exchange, forward)
    if not lacks_scope and _straight(exchange, fanout):
        return
    _note_caller(exchange, several.seen(forward.route), forward)
    if lacks_scope:
        exchange.refuse(_unscoped())
        return
    exchange.wait(several.serve(exchange, fanout))


def _straight(exchange: Exchange, fanout: FanOut) -> bool:
    """Ask the one cloud that is known to hold an item; False where it is not known, or takes longer."""
    one = straight.holder(exchange, fanout)
    if one is None:
        return False
    leg = fanout.leg(one)
    forward = leg.forward
    outgoing = exchange.serving.identity.outgoing_now(forward, exchange.request.method)
    if outgoing is None or forward.stage is not None:
        return False
    _note_caller(exchange, forward.route, forward)
    request, _ = _prepared(exchange, forward, outgoing)
    exchange.repeatable, exchange.found_among = request, fanout
    receiver = straight.Straight(exchange, leg, outgoing, search_among(exchange, fanout))
    receiver.begin(exchange.serving.upstreams.start(request, receiver))
    return True


def search_among(exchange: Exchange, fanout: FanOut) -> straight.Search:
    """What searches among all clouds, where the one that is known to hold an item did not give it."""

    def search(begun: Begun | None) -> None:
        exchange.repeatable = None
        _note_caller(exchange, several.seen(fanout.route), fanout.first)
        exchange.wait(several.serve(exchange, fanout, straight.search_from(exchange, begun)))

    return search


def _forward(exchange: Exchange, forward: Forward) -> None:
    resuming.met(exchange, forward)
    exchange.account.token = forward.token
    identity = exchange.serving.identity
    service = forward.service_token if identity.is_service(forward.service_token) else forward.token
    _note(exchange, forward.route, service)
    if _lacks_scope(exchange, forward):
        exchange.refuse(_unscoped())
        return
    stage = forward.stage
    outgoing = None
    if stage is None or not stage.images:
        outgoing = identity.outgoing_now(forward, exchange.request.method)
    if outgoing is None:
        exchange.wait(_forward_later(exchange, forward))
    else:
        request, body = _prepared(exchange, forward, outgoing)
        exchange.repeatable = request
        exchange.send(request, body)


async def _forward_later(exchange: Exchange, forward: Forward) -> None:
    # First whether the call is allowed at all: nothing is brought for one that is not.
    identity, method = exchange.serving.identity, exchange.request.method
    outgoing = await identity.outgoing(forward, method)
    if forward.stage is not None and forward.stage.images:
        forward = await _staged(exchange, forward, forward.stage)
        # That may have taken a while.
        outgoing = await identity.outgoing(forward, method)
    exchange.send(*_prepared(exchange, forward, outgoing))


async def _staged(exchange: Exchange, forward: Forward, stage: Stage) -> Forward:
    """The call with the ids that its images have where they were brought."""
    brought = await exchange.serving.staging.bring(stage)
    route = forward.route
    return replace(
        forward, body=images.replaced(route.service_type, route.rest, forward.body or b"", brought)
    )


def _prepared(exchange: Exchange, forward: Forward, outgoing: Outgoing) -> tuple[Request, bytes | None]:
    """The request as it goes upstream, and its body where it was read."""
    head, identity = exchange.request, exchange.serving.identity
    route, body = forward.route, forward.body
    if outgoing.exchanged is not None:
        exchange.account.exchanged = outgoing.exchanged
        route, body = _elsewhere(exchange, route, body, outgoing.exchanged.projects)
    if forward.stage is not None:
        _show_images(exchange, route, forward.stage)
    framing = head.framing if body is None else Length(len(body))
    write = _writer(exchange, route, service_token=outgoing.service_token)
    exchange.sent = forward, outgoing
    request = Request(
        endpoint=route.endpoint,
        method=head.method,
        head=write(framing, token=outgoing.token),
        framing=framing,
        from_service=identity.is_service(forward.service_token) or identity.is_service(forward.token),
    )
    return request, body


def _show_images(exchange: Exchange, route: Route, stage: Stage) -> None:
    """Answers name images as the client did."""
    shown = images.shown_in(route.service_type, route.rest)
    if shown is not None:
        told = exchange.serving.staging.shown(stage)
        exchange.ids = exchange.ids.with_images(told, (*shown.ids, *shown.links))


def _elsewhere(
    exchange: Exchange, route: Route, body: bytes | None, project: Projects
) -> tuple[Route, bytes | None]:
    """The request as it is in the project that its token was exchanged for; answers will be put back."""
    there, body, exchange.ids = elsewhere(route, body, project)
    return there, body


def _writer(exchange: Exchange, route: Route, *, service_token: str | None = None) -> WriteHead:
    """What writes the head of this request as it goes upstream."""
    serving, peer = exchange.serving, exchange.arrival.peer

    def write(framing: Framing, *, token: str | None, subject: str | None = None) -> bytes:
        return request_head(
            exchange.request,
            route,
            framing,
            token=token,
            service_token=service_token,
            subject=subject,
            peer=peer,
            peer_trusted=serving.trusts(peer),
            pseudonym=serving.pseudonym,
            request_id=exchange.account.request_id,
            identity_encoding=bool(exchange.ids)
            or may_rewrite(route.service_type, route.rest, abroad=route.home != route.cloud),
            via_depth=exchange.snapshot.registry.limits.via_depth,
        )

    return write


def _note_caller(exchange: Exchange, route: Route, forward: Forward) -> None:
    identity = exchange.serving.identity
    service = forward.service_token if identity.is_service(forward.service_token) else forward.token
    _note(exchange, route, service)


def _note(exchange: Exchange, route: Route, token: Presented | None) -> None:
    """Say in the access line where this goes, and which service it is that calls, if it is one."""
    exchange.route = route
    name = exchange.serving.identity.caller(token)
    caller = f"{name}@{token.home}" if name is not None and token is not None else None
    exchange.account.goes(route, caller)


def _lacks_scope(exchange: Exchange, forward: Forward) -> bool:
    """`require_scope` beside a cloud, where the calls that services make of their own carry none."""
    if not exchange.snapshot.registry.require_scope or forward.scoped or forward.token is None:
        return False
    identity = exchange.serving.identity
    return not (identity.is_service(forward.service_token) or identity.is_service(forward.token))


def _unscoped() -> BadRequest:
    return BadRequest("This proxy serves only calls that carry a scope: set X-Scope, or use --scope.")


async def _identity(exchange: Exchange, decision: Issue | Validate | Revoke) -> None:
    identity, head = exchange.serving.identity, exchange.request
    write = _writer(exchange, decision.route)
    match decision:
        case Issue():
            reply = await identity.issue(decision, head, write)
        case Validate():
            reply = await identity.validate(decision, head, write)
        case Revoke():
            reply = await identity.revoke(decision, head, write)
    exchange.reply(reply.status, reply.fields, reply.body)


async def _page(exchange: Exchange, answer: Answer) -> None:
    page = await pages.page(exchange, answer)
    exchange.reply(page.status, page.fields, page.body)
