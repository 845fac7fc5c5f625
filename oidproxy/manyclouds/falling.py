"""`a | b`: the first cloud that serves, and the exact rules for when the next one is asked.

What only reads goes on from a cloud that does not answer, has too much to do (429) or fails (5xx); an item
that is not there (404) is looked for in the next one, too. Every other answer is the answer. What creates
goes on only where the first cloud is known not to have done it: a request that may already have happened is
sent nowhere else, and the answer says where it may have (scope-language: known not to have happened).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from oidproxy.errors import AnswerTimedOut, UpstreamError
from oidproxy.manyclouds.legs import Opened
from oidproxy.manyclouds.parts import Happened, Unanswered, happened
from oidproxy.manyclouds.record import SAFE, name_of
from oidproxy.routing.decision import Kind

if TYPE_CHECKING:
    from oidproxy.manyclouds.job import Job
    from oidproxy.routing.decision import Leg

UNCERTAIN = "X-Scope-Uncertain"

_NOT_FOUND = 404
_TOO_MANY = 429
_SERVER_ERRORS = 500


async def fall_back(job: Job) -> Opened:
    """The answer of the first cloud that serves.

    Raises:
        UpstreamError: none does; or one may have done what was asked, but did not say so.
        OidproxyError: what a cloud was not asked for.
    """
    job.grant.take(1)
    ones = job.fanout.ones
    for place, one in enumerate(ones):
        leg = job.fanout.leg(one)
        deadline = _deadline(job, len(ones) - place)
        last = await job.legs.open(leg, body=job.fanout.body or b"", deadline=deadline)
        moves_on = _moves_on(job.fanout.kind, last) and place + 1 < len(ones)
        if not moves_on:
            return _answer(job, leg, last)
        job.record.fail(name_of(one), _reason(last))
        if isinstance(last, Opened):
            last.drop()
    raise UpstreamError("No cloud of the scope was asked.")  # pragma: no cover - a plan has clouds


def _deadline(job: Job, clouds: int) -> float | None:
    """Each of the clouds that are left has the same share of the time that is left.

    What creates has as long as with one cloud: to give up on it early would only make it uncertain.
    """
    if job.fanout.kind is Kind.CREATE:
        return None
    now = asyncio.get_running_loop().time()
    return now + (job.deadline - now) / clouds


def _moves_on(kind: Kind, last: Opened | Unanswered) -> bool:
    """Whether the next cloud is to be asked."""
    if kind is Kind.CREATE:
        return _happened(last) is Happened.NO
    if isinstance(last, Unanswered):
        return isinstance(last.error, UpstreamError)
    if last.status == _NOT_FOUND:
        return kind is Kind.ITEM_READ
    return last.status == _TOO_MANY or last.status >= _SERVER_ERRORS


def _answer(job: Job, leg: Leg, last: Opened | Unanswered) -> Opened:
    """What the client gets of a cloud behind which no other is asked."""
    name = name_of(leg.one)
    if job.fanout.kind is Kind.CREATE and _happened(last) is Happened.PERHAPS:
        if isinstance(last, Opened):
            last.drop()
        raise _uncertain(leg, last)
    if isinstance(last, Unanswered):
        raise last.error
    job.record.ok.append(name)
    return last


def _happened(last: Opened | Unanswered) -> Happened:
    return last.happened if isinstance(last, Unanswered) else happened(last.status)


def _uncertain(leg: Leg, last: Opened | Unanswered) -> UpstreamError:
    cloud, name = leg.one.cloud, name_of(leg.one)
    late = isinstance(last, Unanswered) and isinstance(last.error, AnswerTimedOut)
    kind = AnswerTimedOut if late else UpstreamError
    return kind(
        f"{name} may have done what was asked, or not: {_reason(last)} Nothing was sent to another cloud. "
        "Look there before you ask again.",
        cloud=cloud,
        sent=True,
        fields={UNCERTAIN: quote(name, safe=SAFE)},
    )


def _reason(last: Opened | Unanswered) -> str:
    return f"It answered {last.status}." if isinstance(last, Opened) else last.error.message
