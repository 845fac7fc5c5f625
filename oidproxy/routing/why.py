"""Why a request went where it went, in words for people: one line for a header, names for a table."""

from __future__ import annotations

from urllib.parse import quote

from oidproxy.clouds.plan import Crossed, Every, First, One, Plan, Some
from oidproxy.routing.carriers import IDENTITY
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
    Validate,
)
from oidproxy.scope.canonical import canonical_expr, written_name
from oidproxy.tokens.presented import Form, Presented

LIMIT = 1024
"""Bytes of the header's value."""

EXCHANGED = "exchanged"
_EXPRESSION_SHOWN = 512
_READABLE = '*@/()|&:,+-._~"<>= '  # `%` and what is not ASCII come out percent-encoded


def why(decision: Decision) -> str:
    """The value of X-Scope-Why: ASCII, at most 1 KiB, `key=value` pairs.

    `service`, `cloud`, `region`, `by` (the carrier), `scope` (what it says, if it bound the service) and
    `token` (the form in which the request's token is sent). Of several clouds, in the place of `cloud` and
    `region`, `kind` (what is asked of them) and `clouds` (how many can be asked).
    """
    match decision:
        case Forward(route, token, direct=direct):
            pairs = _way(route) | {"token": sent_as(token, route, direct=direct)}
        case FanOut():
            pairs = _ways(decision)
        case Issue(route) | Validate(route) | Revoke(route):
            pairs = _way(route) | {"token": Form.BARE.value}
        case Answer(page):
            pairs = {"page": page.value}
        case Refuse(error):
            pairs = {"refused": error.code}
        case ReadBody():
            pairs = {"needs": "body"}
    return "; ".join(f"{key}={quote(value, safe=_READABLE)}" for key, value in pairs.items())[:LIMIT]


def sent_as(token: Presented | None, route: Route, *, direct: bool = False) -> str:
    """The form in which this token goes along a route (identity.md).

    `none`, `bare`, `sealed` or `closed`; to a `direct` cloud of another home `exchanged`.
    """
    if token is None:
        return "none"
    if route.service_type == IDENTITY:
        return Form.BARE.value
    if direct:
        return Form.BARE.value if route.cloud == token.home else EXCHANGED
    return (Form.SEALED if route.cloud == token.home else Form.CLOSED).value


def written_plan(plan: Plan) -> str:
    """A plan in words: `cloud-1`, `all of a, b`, `first of a, (all of b, c)`, `2 of a, b`, `across a, b`."""
    match plan:
        case One(cloud, region):
            return written_name(cloud) + ("" if region is None else f"/{written_name(region)}")
        case Every(plans):
            return f"all of {_parts(plans)}"
        case First(plans):
            return f"first of {_parts(plans)}"
        case Some(count, found):
            return f"{count} of {_parts(found)}"
        case Crossed(plans):
            return f"across {_parts(plans)}"


def _parts(plans: tuple[Plan, ...]) -> str:
    return ", ".join(
        written_plan(plan) if isinstance(plan, One) else f"({written_plan(plan)})" for plan in plans
    )


def _ways(fanout: FanOut) -> dict[str, str]:
    """Of several clouds: what is asked of how many. Tokens go to each in a form of its own."""
    pairs = _way(fanout.route)
    del pairs["cloud"], pairs["region"]
    token = "none" if fanout.token is None else "each"
    return pairs | {"kind": fanout.kind.value, "clouds": str(len(fanout.ways.places)), "token": token}


def _way(route: Route) -> dict[str, str]:
    pairs = {
        "service": route.service_type,
        "cloud": route.cloud,
        "region": route.endpoint.region,
        "by": route.carrier.value,
    }
    if route.expr is not None:
        text = canonical_expr(route.expr)
        pairs["scope"] = text if len(text) <= _EXPRESSION_SHOWN else f"{text[:_EXPRESSION_SHOWN]}..."
    return pairs
