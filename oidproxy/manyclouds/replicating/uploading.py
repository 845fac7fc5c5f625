"""PUT of an item's data: to every replica at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oidproxy.manyclouds.parts import Shown
from oidproxy.manyclouds.replicating.answering import replicas_field
from oidproxy.manyclouds.replicating.changing import mixed, out_of_reach
from oidproxy.manyclouds.replicating.creating import policy_of
from oidproxy.manyclouds.replicating.journal import Policy
from oidproxy.manyclouds.replicating.replicas import Replicas, found, placed
from oidproxy.manyclouds.replicating.teeing import Tee
from oidproxy.manyclouds.sending import Question

if TYPE_CHECKING:
    from oidproxy.manyclouds.job import Giving
    from oidproxy.manyclouds.replicating.errand import Errand
    from oidproxy.manyclouds.replicating.teeing import Starts
    from oidproxy.upstream.call import Request

JSON = (b"Content-Type", b"application/json")


async def upload(errand: Errand, upstreams: Starts, client: Giving) -> Shown:
    """Pass the data on to every replica. Cancelled when the client leaves.

    Raises:
        OidproxyError: nothing was sent, and why.
    """
    here = await found(errand)
    if isinstance(here, Replicas):
        here = await placed(errand, here)
    if not isinstance(here, Replicas):
        return here
    policy, lost = policy_of(errand.head), out_of_reach(errand, here)
    if lost and policy is not Policy.KEEP:
        return mixed(lost, here.ids, ())
    requests = await asyncio.gather(*(_request(errand, cloud, path) for cloud, path in here.paths.items()))
    tee = Tee(client, keep=policy is Policy.KEEP)
    try:
        client.give_to(tee)
        tee.start(upstreams, dict(zip(here.paths, requests, strict=True)))
        heard = {**await tee.result, **lost}
    finally:
        tee.cancel()
    first = next(iter(heard.values()))
    if all(one.fine for one in heard.values()) or (len(heard) == 1 and first.status):
        fields = (*replicas_field(here.ids), *((JSON,) if first.body else ()))
        return Shown(first.status, fields, first.body)
    return mixed(heard, here.ids, {cloud for cloud, one in heard.items() if one.fine})


async def _request(errand: Errand, cloud: str, path: str) -> Request:
    """The request to this cloud, whose body is the client's."""
    question = Question("PUT", path.encode("latin-1"), framing=errand.head.framing)
    ready = await errand.legs.ready(errand.ways[cloud], question)
    return ready.request
