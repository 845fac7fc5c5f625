"""A user calls for whom something in several clouds waits: it goes on with what this call may do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import One
from oidproxy.errors import OidproxyError
from oidproxy.manyclouds.replicating.scopes import serving
from oidproxy.manyclouds.replicating.speaking import AsUser
from oidproxy.proxy.several import legs_of
from oidproxy.routing.carried import carried_token
from oidproxy.routing.decision import Leg
from oidproxy.routing.narrowing import narrowing

if TYPE_CHECKING:
    from oidproxy.manyclouds.replicating.journal import Attempt, Intent
    from oidproxy.proxy.exchange import Exchange
    from oidproxy.routing.decision import Forward


def met(exchange: Exchange, forward: Forward) -> None:
    """Tell replication of a call that is about to be served; nearly always nothing waits."""
    replication = exchange.serving.replication
    if replication is not None and replication.waiting:
        replication.met(forward.token, partial(_speaker, exchange, forward))


def _speaker(exchange: Exchange, forward: Forward, intent: Intent) -> AsUser:
    """What asks the clouds that this call's scope names for the intent's service, and its home."""
    registry = exchange.snapshot.registry
    try:
        clouds = {*serving(forward.route, intent.service_type, exchange.snapshot), forward.route.home}
    except OidproxyError:
        clouds = {forward.route.home}
    ways = {
        one.cloud: leg
        for one in intent.attempts
        if one.cloud in clouds and (leg := _leg(exchange, forward, intent, one)) is not None
    }
    return AsUser(legs_of(exchange), ways, registry)


def _leg(exchange: Exchange, forward: Forward, intent: Intent, attempt: Attempt) -> Leg | None:
    registry = exchange.snapshot.registry
    endpoint = registry.endpoint(attempt.cloud, intent.service_type, attempt.region)
    if endpoint is None:
        return None
    one = One(attempt.cloud, attempt.region)
    known = forward.route
    narrow = narrowing(known.effective, intent.service_type, known.home, exchange.snapshot, 1)
    route = replace(known, service_type=intent.service_type, endpoint=endpoint, effective=narrow.scope(one))
    direct = registry.clouds[attempt.cloud].direct
    carried = None
    if direct and attempt.cloud != route.home:
        try:
            carried = carried_token(exchange.request, attempt.cloud, exchange.snapshot)
        except OidproxyError:
            return None
    way = replace(forward, route=route, direct=direct, carried=carried, body=None, stage=None)
    return Leg(one, way)
