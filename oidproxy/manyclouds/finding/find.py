"""Finds the cloud that has an item, and passes its answer on.

The location index only says whom to ask first. Whatever it says, the answer is one that a cloud gave to this
request with this user's token: a wrong or malicious entry costs a question and decides nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_to_bytes

from oidproxy.clouds.plan import Every, First, One, Plan, Some, members
from oidproxy.errors import (
    Ambiguous,
    EndpointsUnknown,
    NotFound,
    StoreUnavailable,
    Undecided,
    UpstreamError,
)
from oidproxy.manyclouds.finding.negatives import Negatives
from oidproxy.manyclouds.finding.sameness import same
from oidproxy.manyclouds.finding.search import CLAIMED, Search, Slot
from oidproxy.manyclouds.finding.tally import Tally, is_found
from oidproxy.manyclouds.legs import Opened
from oidproxy.manyclouds.parts import Answered
from oidproxy.manyclouds.record import SAFE, name_of
from oidproxy.manyclouds.replicating.groups import Place
from oidproxy.tokens.presented import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from oidproxy.clouds.registry import Registry
    from oidproxy.errors import OidproxyError
    from oidproxy.manyclouds.finding.tally import Begun
    from oidproxy.manyclouds.job import Job
    from oidproxy.manyclouds.locations import Locations
    from oidproxy.manyclouds.replicating.groups import Groups
    from oidproxy.routing.decision import FanOut

COMPARED_AT_MOST = 1 << 20
"""Bytes of an item that are read to compare it with another."""

NAMES_SHOWN = 8


class Finding:
    """One worker's. `clock` gives seconds, of any beginning."""

    __slots__ = ("_groups", "_locations", "_negatives", "_registry")

    def __init__(
        self, *, locations: Locations, clock: Callable[[], float], groups: Groups | None = None
    ) -> None:
        """`groups` are those of replicas."""
        self._groups = groups
        self._locations = locations
        self._negatives = Negatives(clock)
        self._registry: Registry | None = None

    def holders_now(self, service_type: str, item: bytes) -> tuple[str, ...] | None:
        """Whoever was seen to hold this; None where that is not to be had at once."""
        return self._locations.clouds_now(service_type, item)

    async def __call__(self, job: Job, begun: Begun | None = None) -> Opened:
        """The answer of the cloud that has it. `begun` was asked before.

        Raises:
            NotFound: no cloud has it, or shows it to this user.
            Ambiguous: several have something else under this id.
            Undecided: those that answered do not have it, and some did not answer.
            TokenRefused: the token's home does not know it.
            TooManyClouds: they are too many.
        """
        if job.registry is not self._registry:
            self._registry = job.registry
            self._negatives.clear()
        item = item_of(job.fanout)
        holders = await self._locations.clouds(job.fanout.route.service_type, item)
        if not holders and self._negatives.hold(item, await _question(job)):
            raise _not_found(job)
        tally = await _searched(job, holders, begun)
        if tally.found:
            return await self._found(job, item, tally)
        return await self._nothing(job, item, tally)

    async def holders(self, service_type: str, item: bytes) -> tuple[str, ...]:
        """The clouds that were seen to hold this: whom to ask first."""
        return await self._locations.clouds(service_type, item)

    def made(self, cloud: str, service_type: str, items: Iterable[bytes]) -> None:
        """This was created there just now."""
        items = tuple(items)
        self._locations.learn(cloud, service_type, items)
        for item in items:
            self._negatives.forget(item)

    async def _replica(self, job: Job, tally: Tally) -> Opened | None:
        """Where a cloud is silent that may have it: another one's replica of it, if it is one of several."""
        if self._groups is None or not tally.silent:
            return None
        ids = await _replicas(job, self._groups)
        asked, query = job.fanout.asked, b"".join(job.head.target.partition(b"?")[1:])
        for one in job.fanout.ways.places:
            if one in tally.silent or one.cloud not in ids:
                continue
            item = quote(ids[one.cloud], safe="").encode()
            target = b"%b/%b%b%b" % (asked.collection, item, asked.below, query)
            part = await job.legs.open(job.fanout.leg(one), target=target, deadline=job.deadline)
            if is_found(part) and isinstance(part, Opened):
                job.record.ok.append(name_of(one))
                return part
            if isinstance(part, Opened):
                part.drop()
        return None

    async def _found(self, job: Job, item: bytes, tally: Tally) -> Opened:
        route = job.fanout.route
        for one in tally.found:
            self._locations.learn(one.cloud, route.service_type, (item,))
        try:
            winner = await _winner(job, tally)
        except BaseException:
            tally.drop()
            raise
        job.record.ok.append(name_of(winner.leg.one))
        return tally.take(winner)

    async def _nothing(self, job: Job, item: bytes, tally: Tally) -> Opened:
        """What to say where no cloud has it."""
        told = _told(job, tally)
        if told is not None:
            return tally.take(told)
        tally.drop()
        replica = await self._replica(job, tally)
        if replica is not None:
            return replica
        silent = [*_unheard(job, tally), *(one for one in tally.refusals)]
        if silent:
            raise _undecided(job, tally, silent)
        if tally.unwelcome and not tally.without:
            raise next(iter(tally.unwelcome.values()))
        self._negatives.keep(item, await _question(job))
        raise _not_found(job)


def item_of(fanout: FanOut) -> bytes:
    """The id that is asked for."""
    item = fanout.asked.item
    return unquote_to_bytes(item) if b"%" in item else item


async def _question(job: Job) -> tuple[object, ...]:
    """Who asks, for what, whom."""
    route = job.fanout.route
    return await job.user(), route.service_type, route.rest, route.expr


async def _replicas(job: Job, groups: Groups) -> Mapping[str, str]:
    """Cloud -> the id there of what the request asks for, of replicas that this user's project made."""
    fanout = job.fanout
    if fanout.token is None or fanout.token.form is Form.CLOSED:
        return {}
    try:
        who = await job.users.subject(fanout.token)
        place = Place(who.home, who.project_id or "", fanout.route.service_type, fanout.asked.name)
        group = await groups.of(place, unquote(fanout.asked.item.decode("latin-1")))
    except (UpstreamError, StoreUnavailable):
        return {}
    return {} if group is None else group.ids


# Searching.


async def _searched(job: Job, holders: tuple[str, ...], begun: Begun | None) -> Tally:
    plan = job.fanout.plan
    if not isinstance(plan, First):
        return await _search(job, plan, _among(job, holders), begun)
    tally = Tally()
    try:
        for part in plan.plans:
            ours = set(members(part))
            tally = tally.and_also(
                await _search(job, part, [one for one in _among(job, holders) if one in ours])
            )
            if tally.found:
                break
    except BaseException:
        tally.drop()
        raise
    return tally


async def _search(job: Job, plan: Plan, first: list[One], begun: Begun | None = None) -> Tally:
    search = Search(job, plan.count if isinstance(plan, Some) else None)
    if begun is None:
        return await search.run([(one,) for one in first], lambda: list(_slots_left(job, plan, first)))
    left = [one for one in first if one != begun.one] if begun.said is not None else []
    told = {begun.one, *left}
    tally = await search.run([(one,) for one in left], lambda: list(_slots_left(job, plan, told)), begun)
    return tally if begun.said is None else begun.said.and_also(tally)


def _among(job: Job, holders: tuple[str, ...]) -> list[One]:
    """The clouds of the scope that were seen to hold it; of thousands of others none is looked at."""
    places = job.fanout.ways.places
    found = [one for one in map(One, holders) if one in places]
    if holders and not found:
        # Named with a region, perhaps.
        found = [one for one in places if one.cloud in holders]
    return found


def _slots_left(job: Job, plan: Plan, first: Iterable[One]) -> Iterator[Slot]:
    """The slots of a plan that can be asked, without whom was asked first; a cloud is asked once."""
    seen = set(first)
    places = job.fanout.ways.places
    for slot in _slots(plan):
        left = tuple(one for one in slot if one in places and one not in seen)
        seen.update(left)
        if left:
            yield left


def _slots(plan: Plan) -> Iterator[Slot]:
    match plan:
        case One():
            yield (plan,)
        case Every(plans):
            for part in plans:
                yield from _slots(part)
        case Some(members=ones):
            yield from ((one,) for one in ones)
        case _:
            yield members(plan)


# Judging.


async def _winner(job: Job, tally: Tally) -> Opened:
    """The one that is passed on: of several that are one thing, the first that the scope names.

    Raises:
        Ambiguous: they are several things.
    """
    if len(tally.found) == 1:
        return next(iter(tally.found.values()))
    found = [tally.found[one] for one in job.fanout.ways.places if one in tally.found]
    if await _are_one(job, found):
        return found[0]
    job.record.ok.extend(name_of(opened.leg.one) for opened in found)
    names = _listed(opened.leg.one for opened in found)
    raise Ambiguous(
        f"{len(found)} clouds have something else under this id: {names}. Name the one that is meant, as in "
        f"X-Scope: {job.fanout.route.service_type}:{name_of(found[0].leg.one)}",
        fields={**_fields(job), "X-Scope-Candidates": ",".join(map(_in_a_field, found))},
    )


async def _are_one(job: Job, found: list[Opened]) -> bool:
    """Whether the item itself is the same in all of these clouds, whatever of it was asked for."""
    asked, route = job.fanout.asked, job.fanout.route
    target = asked.collection + b"/" + asked.item
    deadline = min(job.deadline, asyncio.get_running_loop().time() + CLAIMED)
    asking = [
        job.legs.ask(one.leg, method="GET", target=target, limit=COMPARED_AT_MOST, deadline=deadline)
        for one in found
    ]
    parts = await asyncio.gather(*asking)
    shown = [part.body for part in parts if isinstance(part, Answered) and part.status == 200]
    return len(shown) == len(parts) and same(route.service_type, shown)


def _told(job: Job, tally: Tally) -> Opened | None:
    """What a cloud has against the request itself; or that the token is no good, if all say so."""
    for answers in (tally.others, {} if tally.without or tally.silent else tally.refusals):
        for one in job.fanout.ways.places:
            if one in answers:
                return answers[one]
    return None


def _unheard(job: Job, tally: Tally) -> Iterable[One]:
    """Who may have it, for all we know: also a cloud of which is not known whether it has the service."""
    yield from (one for one in job.fanout.ways.places if one in tally.silent)
    yield from (absent.one for absent in job.fanout.absent if isinstance(absent.error, EndpointsUnknown))


def _not_found(job: Job) -> OidproxyError:
    count, service_type = len(job.fanout.ways.places), job.fanout.route.service_type
    return NotFound(
        f"None of the {count} clouds that the scope binds {service_type} to has this, or shows it to you."
    )


def _undecided(job: Job, tally: Tally, silent: list[One]) -> OidproxyError:
    for one in tally.without:
        job.record.ok.append(name_of(one))
    for one in silent:
        job.record.fail(name_of(one), "It did not say whether it has it.")
    return Undecided(
        f"Whether {_listed(silent)} {'has' if len(silent) == 1 else 'have'} this is not known, because no "
        f"answer came; {len(tally.without)} others do not have it.",
        fields=_fields(job),
    )


def _in_a_field(opened: Opened) -> str:
    return quote(name_of(opened.leg.one), safe=SAFE)


def _listed(ones: Iterable[One]) -> str:
    names = [name_of(one) for one in ones]
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _fields(job: Job) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("ascii") for name, value in job.record.fields()}
