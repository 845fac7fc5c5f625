"""The page of locations: which clouds of the scope have an id, and as what, for `scope resource locate`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, EndpointsUnknown, NoSuchPath, NotSupported, OidproxyError
from oidproxy.manyclouds.finding.find import Finding
from oidproxy.manyclouds.finding.locating import Located, ask
from oidproxy.proxy.several import job_of
from oidproxy.proxy.standing_for import asked, collection_path
from oidproxy.routing.decision import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.clouds.plan import One
    from oidproxy.http.head import RequestHead
    from oidproxy.identity.service import Subject
    from oidproxy.proxy.exchange import Exchange
    from oidproxy.routing.decision import Answer, FanOut

KINDS = (
    "compute/servers",
    "image/images",
    "block-storage/volumes",
    "network/networks",
    "network/ports",
    "network/subnets",
    "network/routers",
    "network/security-groups",
    "network/floatingips",
    "block-storage/snapshots",
)
"""What an id is looked for as, where the question does not say."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~-]{0,254}")


async def located(exchange: Exchange, answer: Answer, subject: Subject) -> bytes:
    """Who has the `id` of this query, as JSON; with `resource=<service>/<collection>`, as that alone.

    First those are asked that were seen to hold it; all others where these do not have it, and with `all`.

    Raises:
        BadRequest: this is no id, or there is no such collection.
        NotSupported: no such service is served, or this proxy does not look for resources.
        OidproxyError: what the request itself would be refused with.
    """
    item, kinds = answer.query.get("id", ""), _kinds(answer.query)
    if _ID.fullmatch(item) is None:
        raise BadRequest("The parameter `id` is to be the id of a resource.")
    finding = exchange.serving.many.find
    if not isinstance(finding, Finding):
        raise NotSupported("This proxy does not look for resources.")
    searches = _searches(exchange, answer, subject, kinds, item)
    into = Located()
    for fanout, head in searches:
        holders = await finding.holders(fanout.route.service_type, item.encode())
        await _ask(exchange, fanout, head, [one for one in fanout.ones if one.cloud in holders], into)
    if not into.found or "all" in answer.query:
        await _ask_all(exchange, searches, into, stop="all" not in answer.query)
    for found in into.found:
        finding.made(found.cloud, found.service, [item.encode()])
    return _document(item, into)


def _kinds(query: Mapping[str, str]) -> tuple[str, ...]:
    named = query.get("resource")
    return KINDS if named is None else (named,)


def _searches(
    exchange: Exchange, answer: Answer, subject: Subject, kinds: Iterable[str], item: str
) -> list[tuple[FanOut, RequestHead]]:
    """A request for each kind. One that is refused is left out, unless all are."""
    found: list[tuple[FanOut, RequestHead]] = []
    refused: OidproxyError = NotSupported("Nothing is served that could have it.")
    for kind in kinds:
        try:
            fanout, head = asked(exchange, answer, f"{collection_path(kind, subject)}/{item}")
        except (EndpointsUnknown, NoSuchPath, NotSupported) as error:
            # No cloud has this service, or says so now.
            refused = error
            continue
        if fanout.kind is Kind.ITEM_READ:
            found.append((fanout, head))
    if not found:
        raise refused
    return found


async def _ask_all(
    exchange: Exchange, searches: list[tuple[FanOut, RequestHead]], into: Located, *, stop: bool
) -> None:
    """Kind after kind: an id is mostly of one."""
    for fanout, head in searches:
        known = {(found.cloud, found.collection) for found in into.found}
        collection = fanout.asked.name
        ones = [one for one in fanout.ones if (one.cloud, collection) not in known]
        await _ask(exchange, fanout, head, ones, into)
        if stop and into.found:
            return


async def _ask(exchange: Exchange, fanout: FanOut, head: RequestHead, ones: list[One], into: Located) -> None:
    if not ones:
        return
    token = fanout.token
    who = exchange.arrival.peer if token is None else token.key
    with exchange.serving.many.allowances.begin(who, exchange.snapshot.registry.limits) as grant:
        await ask(replace(job_of(exchange, fanout, grant), head=head), ones, into)


def _document(item: str, into: Located) -> bytes:
    told = {
        "id": item,
        "found": [asdict(found) for found in into.found],
        "asked": len(into.asked),
        "failed": into.failed,
    }
    return json.dumps(told).encode()
