"""Which resources of which clouds an item's path means: the replicas of a group, or the one that there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from oidproxy.clouds.plan import First, One, members
from oidproxy.manyclouds.replicating.answering import Row, failure, names, no_counterpart
from oidproxy.manyclouds.replicating.kinds import Naming, kind_of
from oidproxy.manyclouds.replicating.references import FLAVOR, UUID, Reference, below

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from oidproxy.manyclouds.parts import Shown
    from oidproxy.manyclouds.replicating.errand import Errand
    from oidproxy.manyclouds.replicating.groups import Group
    from oidproxy.routing.decision import Absent

NOTHING: Mapping[str, str] = MappingProxyType({})

_NOT_FOUND, _UNDECIDED = 404, 504


@dataclass(frozen=True, slots=True)
class Replicas:
    """Cloud -> the item's id there, in the plan's order; the group, where it is one that is remembered."""

    ids: Mapping[str, str]
    group: Group | None = None
    paths: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Cloud -> the path there, below the service."""


async def known(errand: Errand, clouds: Collection[str]) -> Replicas | None:
    """The replicas in these clouds that are known without asking any; None where there are none.

    A key pair is the same where its name is. Raises StoreUnavailable.
    """
    kind = kind_of(errand.service_type, errand.fanout.asked.name)
    if kind is not None and kind.naming is Naming.USER:
        return Replicas(dict.fromkeys(clouds, errand.item))
    group = await errand.groups.of(errand.place, errand.item)
    if group is None:
        return None
    return Replicas({cloud: group.ids[cloud] for cloud in clouds if cloud in group.ids}, group)


async def found(errand: Errand) -> Replicas | Shown:
    """The replicas, or the one cloud that has the item; else what to answer. Nothing is changed by it.

    Of `a | b` it is the first that has it, and no other, whatever its replicas are.
    """
    plan = errand.fanout.plan
    if not isinstance(plan, First):
        return await _among(errand, tuple(errand.ways))
    undecided: Shown | None = None
    for part in plan.plans:
        clouds = tuple(one.cloud for one in members(part) if one.cloud in errand.ways)
        here = await (_probed(errand, clouds) if isinstance(part, One) else _among(errand, clouds))
        if isinstance(here, Replicas):
            return here
        if here.status == _UNDECIDED and not await _may_be_in(errand, clouds):
            undecided = undecided or here
        elif here.status != _NOT_FOUND:
            return here
    return undecided or _nowhere(errand, ())


async def _may_be_in(errand: Errand, clouds: Collection[str]) -> bool:
    """Whether silent clouds may have the item beside another one: what many clouds have under one name, or
    what is known to be a replica there. No two clouds choose the same UUID."""
    if UUID.match(errand.item) is None:
        return True
    group = await errand.groups.of(errand.place, errand.item)
    return group is not None and any(group.ids.get(cloud) == errand.item for cloud in clouds)


async def _among(errand: Errand, clouds: Collection[str]) -> Replicas | Shown:
    here = await known(errand, clouds)
    if here is not None and here.ids:
        return here
    if (errand.service_type, errand.fanout.asked.name) == FLAVOR:
        return await _by_name(errand, clouds)
    return await _probed(errand, clouds)


def unreachable(errand: Errand, group: Group | None) -> tuple[tuple[Absent, str], ...]:
    """The clouds of the scope that have a replica and cannot even be asked, with its id there."""
    if group is None:
        return ()
    return tuple(
        (one, group.ids[one.one.cloud]) for one in errand.fanout.absent if one.one.cloud in group.ids
    )


async def placed(errand: Errand, replicas: Replicas) -> Replicas | Shown:
    """The same with a path for each cloud, the ids below the item translated, too."""
    more = below(errand.fanout.asked.name, errand.fanout.asked.below)
    ids, missing = await errand.counterparts.of(more, replicas.ids.keys())
    if missing:
        return no_counterpart(missing)
    text = errand.fanout.asked.below.decode("latin-1")
    paths: dict[str, str] = {}
    for cloud, item in replicas.ids.items():
        rest = text
        for reference in more:
            rest = rest.replace(reference.id, quote(ids[cloud].get(reference, reference.id), safe=""))
        paths[cloud] = f"{errand.collection}/{quote(item, safe='')}{rest}{errand.query}"
    return Replicas(replicas.ids, replicas.group, paths)


async def _by_name(errand: Errand, clouds: Collection[str]) -> Replicas | Shown:
    reference = Reference(FLAVOR, errand.item)
    ids, missing = await errand.counterparts.of((reference,), clouds)
    if missing:
        return no_counterpart(missing)
    return Replicas({cloud: found.get(reference, errand.item) for cloud, found in ids.items()})


async def _probed(errand: Errand, clouds: Collection[str]) -> Replicas | Shown:
    """Who has an item that is nobody's replica. Two that claim it may mean two things: nobody is asked."""
    path = f"{errand.collection}/{quote(errand.item, safe='')}"
    heard = await errand.each(
        lambda cloud: errand.speaker.call(cloud, errand.service_type, "GET", path), clouds
    )
    answers = dict(zip(clouds, heard, strict=True))
    have = [cloud for cloud, one in answers.items() if one.fine]
    silent = [
        cloud for cloud, one in answers.items() if not one.fine and one.status not in {401, 403, 404, 410}
    ]
    rows = [
        Row(cloud, "here" if one.fine else "unknown" if cloud in silent else "not here", status=one.status)
        for cloud, one in answers.items()
    ]
    item = f"{errand.fanout.asked.name} {errand.item}"
    if len(have) > 1:
        message = (
            f"{item} is in {names(have)}, and it is not known that these are replicas of one another: "
            "name the cloud that is meant."
        )
        return failure(300, message, rows)
    if silent:
        return failure(504, f"It is not known whether {item} is in {names(silent)}. Nothing was sent.", rows)
    if not have:
        return _nowhere(errand, rows)
    return Replicas({have[0]: errand.item})


def _nowhere(errand: Errand, rows: Iterable[Row]) -> Shown:
    item = f"{errand.fanout.asked.name} {errand.item}"
    return failure(_NOT_FOUND, f"{item} is in none of these clouds.", rows)
