"""Which clouds have an id, and as what: every cloud is asked, as the user who wants to know.

As in every find the index says only whom to ask first; what is told here is what clouds said just now.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oidproxy.errors import NotAdmitted, TokenRefused
from oidproxy.manyclouds.parts import Answered
from oidproxy.manyclouds.record import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.clouds.plan import One
    from oidproxy.manyclouds.job import Job
    from oidproxy.manyclouds.parts import Part

READ_AT_MOST = 1 << 20
"""Bytes of an item."""

_NOT_HERE = frozenset({400, 403, 404, 405, 410})
"""What services say of an id that is not of this kind, or not this user's."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing with this id."""

    cloud: str
    service: str
    collection: str
    name: str | None
    status: str | None


@dataclass(slots=True)
class Located:
    """What came of a search."""

    found: list[Found] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    """Clouds."""
    failed: dict[str, str] = field(default_factory=dict)
    """Cloud -> why it is not known whether it has one."""


async def ask(job: Job, ones: Iterable[One], into: Located) -> None:
    """Ask these clouds for the item of a job. Raises TooManyClouds."""
    wanted = list(ones)
    job.grant.take(len(wanted))
    room = asyncio.Semaphore(job.registry.limits.fan_out_calls)

    async def one_of(one: One) -> Part:
        async with room:
            return await job.legs.ask(
                job.fanout.leg(one), method="GET", limit=READ_AT_MOST, deadline=job.deadline
            )

    parts = await asyncio.gather(*map(one_of, wanted))
    for one, part in zip(wanted, parts, strict=True):
        _take(job, name_of(one), part, into)


def _take(job: Job, cloud: str, part: Part, into: Located) -> None:
    into.asked.add(cloud)
    if not isinstance(part, Answered):
        if not isinstance(part.error, NotAdmitted | TokenRefused):
            into.failed[cloud] = part.error.message
    elif part.status == 200:
        into.found.append(_found(job, cloud, part.body))
    elif part.status not in _NOT_HERE:
        service_type = job.fanout.route.service_type
        into.failed[cloud] = f"Its {service_type} service gave an answer of status {part.status}."


def _found(job: Job, cloud: str, body: bytes) -> Found:
    thing = _thing(body)
    route, asked = job.fanout.route, job.fanout.asked
    return Found(cloud, route.service_type, asked.name, _text(thing, "name"), _text(thing, "status"))


def _thing(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    inside = next(iter(document.values()), None) if len(document) == 1 else document
    return inside if isinstance(inside, dict) else {}


def _text(thing: dict[str, Any], key: str) -> str | None:
    value = thing.get(key)
    return value if isinstance(value, str) else None
