"""A collection of several clouds as one list: asked of all at once, merged, honest about what is missing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidproxy.clouds.plan import Every, First, Some, members
from oidproxy.errors import (
    AnswerTimedOut,
    EndpointsUnknown,
    NotAdmitted,
    NotSupported,
    StoreUnavailable,
    TokenRefused,
    UpstreamError,
)
from oidproxy.manyclouds.gathering import Gathering
from oidproxy.manyclouds.merging.collections import collection
from oidproxy.manyclouds.merging.cursor import leg_key
from oidproxy.manyclouds.merging.locating import Locating
from oidproxy.manyclouds.merging.question import Question
from oidproxy.manyclouds.merging.union import Union
from oidproxy.manyclouds.parts import Answered, Shown
from oidproxy.manyclouds.record import name_of
from oidproxy.manyclouds.remembering import Listed, Remembering
from oidproxy.manyclouds.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oidproxy.clouds.plan import One, Plan
    from oidproxy.errors import OidproxyError
    from oidproxy.http.head import Field
    from oidproxy.manyclouds.gathering import Merging
    from oidproxy.manyclouds.job import Job
    from oidproxy.manyclouds.locations import Locations
    from oidproxy.manyclouds.merging.cursor import Cursor
    from oidproxy.manyclouds.merging.page import Page
    from oidproxy.store.terms import Store

KEPT_FOR = 3600.0
"""Seconds for which a marker that is too long to be sent can be used."""

ON_MISSING = b"x-scope-on-missing"
ANNOTATE = b"x-scope-annotate"

_LEARNED_AT_MOST = 2000
_NOT_NEEDED = "not needed"
_CARRIED = frozenset({b"content-type", b"openstack-api-version", b"vary", b"x-openstack-nova-api-version"})
"""What of one cloud's answer holds for the list, too: the microversion by which rows are to be read."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A page of the union, before it is written."""

    page: Page
    question: Question
    gathering: Gathering


class Uniting:
    """One worker's unions."""

    __slots__ = ("_clock", "_locations", "_remembering", "_store")

    def __init__(
        self, *, store: Store, locations: Locations | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._remembering = Remembering(store, clock)
        self._locations = locations
        self._clock = clock

    async def __call__(self, job: Job) -> Shown:
        """The list, or what the clouds say instead of one.

        Raises:
            NotSupported: this is no collection, or cannot be asked for as it was.
            BadRequest: a marker, a limit or a wish that cannot be read.
            TokenRefused: the token's home does not know it.
            UpstreamError: no cloud answered, or not all, and the client wants all or nothing.
        """
        policy = job.wish(ON_MISSING, "allow", "fail", "unknown")
        annotate = job.wish(ANNOTATE, "", "0", "1") == "1"
        collected = await self.collect(job, annotate=annotate, unknown=policy == "unknown")
        record, gathering = job.record, collected.gathering
        if not record.ok:
            return self._nothing(job, gathering)
        if record.partial and policy == "fail":
            raise _incomplete(job, gathering)
        base = job.fanout.route.facade.base(job.fanout.route.service_type)
        answered = next(iter(gathering.firsts.values()))
        fields = (*_carried(answered), *record.fields())
        return Shown(200, fields, collected.page.body(base))

    async def collect(self, job: Job, *, annotate: bool = False, unknown: bool = False) -> Collected:
        """The merged page, and `job.record` filled in. Raises as a call, but for what no cloud answered.

        `unknown` adds the rows that silent clouds are known to have, and remembers those of the others.
        """
        fanout, limits = job.fanout, job.registry.limits
        found = collection(fanout.route.service_type, fanout.route.rest)
        if found is None:
            raise NotSupported("What the answers of several clouds are together is not known for this path.")
        every = {name_of(one): one for one in fanout.ones}
        job.grant.take(len(every))
        user = await job.user()
        question = Question.of(found, job.head.target.partition(b"?")[2], user)
        question, cursor = await self._begin(job, question, every)
        plan = _kept_to(fanout.plan, cursor)
        names = every
        if plan is not fanout.plan:
            left = frozenset(members(plan))
            names = {name: one for name, one in every.items() if one in left}
            job.record.skipped.update((name, _NOT_NEEDED) for name in every if name not in names)
        union = Union(question, [*names], cursor, at_most=limits.fan_out_rows)
        rows = Rows(job.legs, whole=question.limit is None)
        gathering = _gathering(job, union, names, rows.body, plan=plan)
        await gathering.run()
        listed = Listed(user, fanout.route.service_type, question)
        if unknown:
            union.absent(await self._remembering.rows(listed, _silent(names, gathering)))
        page = union.page(rows.shown, annotate=annotate and found.annotatable)
        _account(job, names, gathering, page)
        if unknown:
            await self._remember(listed, job.record.ok, page)
        self._learn(fanout.route.service_type, names, page)
        await self._keep(page)
        return Collected(page, question, gathering)

    async def _begin(self, job: Job, question: Question, names: Mapping[str, One]) -> tuple[Question, Cursor]:
        """Where the page begins, by the client's marker: one of ours, or the id of a row."""
        begin = question.begin()
        while begin.lookup:
            begin = begin.found(await self._store.get(begin.lookup))
        if begin.cursor is not None:
            return begin.question, begin.cursor
        locating = Locating(begin.question, [*names], begin.after)
        await _gathering(job, locating, names, _as_it_came, plan=Every(job.fanout.ones)).run()
        return begin.question, locating.cursor()

    async def _keep(self, page: Page) -> None:
        """What the next page's marker needs."""
        if page.next is None:
            return
        for key, value in page.next.keep:
            try:
                await self._store.put(key, value, until=self._clock() + KEPT_FOR)
            except StoreUnavailable:
                # Only a marker that is nowhere else is worth failing for.
                if key == page.next.marker:
                    raise

    async def _remember(self, listed: Listed, answered: Iterable[str], page: Page) -> None:
        """What the clouds that answered have, as far as this page tells."""
        found: dict[str, list[str]] = {name: [] for name in answered}
        for leg, identity in zip(page.shown.legs, page.shown.ids, strict=True):
            if leg in found:
                found[leg].append(identity)
        whole = not listed.question.marker and page.last
        await self._remembering.keep(listed, found, whole=whole)

    def _learn(self, service_type: str, names: Mapping[str, One], page: Page) -> None:
        if self._locations is None:
            return
        found: dict[str, list[bytes]] = {}
        shown = page.shown
        for leg, identity in zip(shown.legs[:_LEARNED_AT_MOST], shown.ids, strict=False):
            found.setdefault(names[leg].cloud, []).append(identity.encode("utf-8", "surrogatepass"))
        for cloud, identities in found.items():
            self._locations.learn(cloud, service_type, identities)

    @staticmethod
    def _nothing(job: Job, gathering: Gathering) -> Shown:
        """What to answer where no cloud gave any row: what they said, if they said anything."""
        if not gathering.refusals:
            raise _incomplete(job, gathering)
        shown = job.legs.shown(gathering.refusals[0])
        fields = tuple(one for one in shown.fields if one[0].lower() != b"content-length")
        return Shown(shown.status, (*fields, *job.record.fields()), shown.body)


def _gathering(
    job: Job,
    machine: Merging,
    names: Mapping[str, One],
    body_of: Callable[[str, Answered], bytes],
    *,
    plan: Plan | None = None,
) -> Gathering:
    return Gathering(
        job.fanout,
        job.legs,
        machine,
        names,
        plan=plan or job.fanout.plan,
        limits=job.registry.limits,
        deadline=job.deadline,
        body_of=body_of,
    )


def _kept_to(plan: Plan, cursor: Cursor) -> Plan:
    """The plan of a page that goes on from others: of k of n clouds those whose rows they had, of
    alternatives that one. Other clouds' rows would begin in the middle, and these clouds' be lost."""
    if not cursor.places and cursor.start is None:
        return plan

    def begun(part: Plan) -> bool:
        return any(_is_begun(cursor, one) for one in members(part))

    match plan:
        case Some(count, ones) if begun(plan):
            kept = tuple(one for one in ones if begun(one))
            others = tuple(one for one in ones if not begun(one))
            if len(kept) >= count:
                return Every(kept)
            return Every((*kept, Some(count - len(kept), others)))
        case First(plans) if begun(plan):
            return _kept_to(next(filter(begun, plans)), cursor)
        case Every(plans):
            kept_to = tuple(_kept_to(part, cursor) for part in plans)
            return plan if kept_to == plans else Every(kept_to)
        case _:
            return plan


def _is_begun(cursor: Cursor, one: One) -> bool:
    leg = name_of(one)
    return cursor.place(leg) is not None or (cursor.start is not None and leg_key(leg) == cursor.start_leg)


def _as_it_came(_: str, answered: Answered) -> bytes:
    return answered.body


def _silent(names: Mapping[str, One], gathering: Gathering) -> list[str]:
    """The clouds of which there is no row at all, though they were asked."""
    surplus = {name_of(one) for one in gathering.surplus}
    return [
        name
        for name in names
        if name not in gathering.firsts and name not in gathering.refused and name not in surplus
    ]


def _account(job: Job, names: Mapping[str, One], gathering: Gathering, page: Page) -> None:
    """Say what became of each cloud."""
    record = job.record
    surplus = {name_of(one) for one in gathering.surplus}
    failed = set(page.failed) - surplus
    for name in names:
        if name in surplus:
            record.skipped[name] = _NOT_NEEDED
        elif name in gathering.refused:
            record.skipped[name] = _why_not(job, gathering.refused[name])
        elif name in failed:
            record.fail(name, gathering.reasons.get(name, "It did not answer in time."))
        else:
            record.ok.append(name)
    for absent in job.fanout.absent:
        _absent(job, absent.one, absent.error)
    record.disordered = tuple(page.disordered)


def _absent(job: Job, one: One, error: OidproxyError) -> None:
    match error:
        case NotAdmitted():
            job.record.unnamed += 1
        case EndpointsUnknown():
            job.record.fail(name_of(one), error)
        case _:
            job.record.skipped[name_of(one)] = _why_not(job, error)


def _why_not(job: Job, error: OidproxyError) -> str:
    """A Keystone knows its own tokens only: whatever keeps us from it, there is none to show."""
    no_token = isinstance(error, TokenRefused) or job.fanout.route.service_type == "identity"
    return f"no token: {error.message}" if no_token else error.message


def _carried(answered: Answered) -> tuple[Field, ...]:
    return tuple(field for field in answered.head.fields if field[0].lower() in _CARRIED)


def _incomplete(job: Job, gathering: Gathering) -> OidproxyError:
    """Not all clouds answered, and the client wants nothing less; or none did."""
    record = job.record
    if not record.failed:
        # None may be asked: what was wrong with the first is as good a reason as any.
        return next(iter(gathering.refused.values()))
    names = ", ".join([*record.failed][:8]) + (", …" if len(record.failed) > 8 else "")
    reason = next(iter(record.failed.values()), "")
    fields = {name.decode(): value.decode() for name, value in record.fields()}
    kind = AnswerTimedOut if gathering.late else UpstreamError
    return kind(f"No answer of {names}: {reason}", fields=fields)
