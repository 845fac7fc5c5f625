"""The page of resources: a collection of every cloud of the scope, each row with the cloud that it is of.

For `openstack scope resource list`: the rows of some collections cannot say themselves where they are from,
since clients take each of an image's unknown members for a property of it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, NotSupported
from oidproxy.manyclouds.many import is_fallback
from oidproxy.manyclouds.uniting import Uniting
from oidproxy.proxy.several import job_of
from oidproxy.proxy.standing_for import asked, collection_path
from oidproxy.routing.decision import Kind
from oidproxy.scope.services import official

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.http.head import RequestHead
    from oidproxy.identity.service import Subject
    from oidproxy.manyclouds.record import Record
    from oidproxy.manyclouds.uniting import Collected
    from oidproxy.proxy.exchange import Exchange
    from oidproxy.routing.decision import Answer, FanOut

_DETAILED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "compute": frozenset({"servers", "flavors", "os-hypervisors"}),
        "block-storage": frozenset({"volumes", "snapshots", "backups", "groups", "group_snapshots"}),
        "shared-file-system": frozenset({"shares", "snapshots", "share-networks", "security-services"}),
    }
)
"""Collections whose lists are brief unless `/detail` stands behind them."""


async def listed(exchange: Exchange, answer: Answer, subject: Subject) -> bytes:
    """The page that this query asks for, as JSON.

    Raises:
        BadRequest: it names no collection, or holds what the service would not take.
        NotSupported: this collection cannot be listed of several clouds, or the scope says `|`.
        OidproxyError: what the same request to the service itself would be refused with.
    """
    fanout, head = _asked(exchange, answer, subject)
    many = exchange.serving.many
    if fanout.kind is not Kind.COLLECTION or is_fallback(fanout.plan) or not isinstance(many.unite, Uniting):
        raise NotSupported("Lists with their clouds are of collections, in all clouds of a scope: no `|`.")
    token = answer.token
    who = exchange.arrival.peer if token is None else token.key
    with many.allowances.begin(who, exchange.snapshot.registry.limits) as grant:
        job = replace(job_of(exchange, fanout, grant), head=head)
        collected = await many.unite.collect(job)
    return _document(collected, job.record)


def _asked(exchange: Exchange, answer: Answer, subject: Subject) -> tuple[FanOut, RequestHead]:
    """The request to the service that the page stands for, and what is done with it."""
    resource, query = answer.query.get("resource", ""), answer.query.get("query", "")
    path = collection_path(resource, subject)
    if not query.isascii() or any(character <= " " for character in query):
        raise BadRequest("The parameter `query` is to be percent-encoded, as a query is.")
    service, _, name = resource.partition("/")
    detail = "/detail" if name in _DETAILED.get(official(service), ()) else ""
    return asked(exchange, answer, path + detail, query)


def _document(collected: Collected, record: Record) -> bytes:
    page = collected.page
    rows = [
        b'{"cloud": %s, "resource": %s}' % (json.dumps(leg).encode(), bytes(raw))
        for leg, raw in zip(page.shown.legs, page.shown.raws, strict=True)
    ]
    rows += [
        json.dumps({"cloud": leg, "resource": {"id": identity, "status": "UNKNOWN"}}).encode()
        for leg, identity in page.unknown
    ]
    told = {
        "failed": record.failed,
        "skipped": record.skipped,
        "disordered": page.disordered,
        "marker": page.next.marker if page.next and not page.last else None,
    }
    return b'{"resources": [%s], %s' % (b", ".join(rows), json.dumps(told).encode()[1:])
