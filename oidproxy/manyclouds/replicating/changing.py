"""PUT, PATCH and actions on an item: one request for every replica, with the ids that each cloud knows."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from oidproxy.errors import StoreUnavailable
from oidproxy.manyclouds.parts import Answered, Happened
from oidproxy.manyclouds.replicating import imaging
from oidproxy.manyclouds.replicating.answering import Row, failure, names, no_counterpart, success
from oidproxy.manyclouds.replicating.errand import ANSWER_AT_MOST
from oidproxy.manyclouds.replicating.heard import Heard, read
from oidproxy.manyclouds.replicating.references import references, translated
from oidproxy.manyclouds.replicating.replicas import Replicas, found, placed, unreachable

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Mapping

    from oidproxy.manyclouds.parts import Part, Shown
    from oidproxy.manyclouds.replicating.errand import Errand


async def change(errand: Errand) -> Shown:
    """Change every replica.

    Raises:
        OidproxyError: nothing was sent, and why.
    """
    here = await found(errand)
    if isinstance(here, Replicas):
        here = await placed(errand, here)
    if not isinstance(here, Replicas):
        return here
    bodies = await _bodies(errand, here)
    if not isinstance(bodies, dict):
        return bodies
    await errand.entries(here.paths, errand.head.method)

    def ask(cloud: str) -> Coroutine[Any, Any, Part]:
        return errand.legs.ask(
            errand.ways[cloud],
            limit=ANSWER_AT_MOST,
            target=here.paths[cloud].encode("latin-1"),
            body=bodies[cloud],
            # Who changes something under a condition means this very state of it.
            without=frozenset(),
            deadline=errand.deadline,
        )

    parts = await errand.each(ask, here.paths)
    with suppress(StoreUnavailable):
        # What was done is done, and so it is answered.
        await imaging.remember(errand, parts)
    return _answer(errand, here, parts)


def out_of_reach(errand: Errand, here: Replicas) -> dict[str, Heard]:
    """What is to be said of the replicas whose clouds cannot be asked: nothing was done there."""
    return {
        one.one.cloud: Heard(0, Happened.NO, one.error.message) for one, _ in unreachable(errand, here.group)
    }


async def _bodies(errand: Errand, here: Replicas) -> dict[str, bytes] | Shown:
    """What each cloud is sent. A body that names nothing stays as it came, byte for byte."""
    body = errand.fanout.body or b""
    document = read(body) if body else None
    named = references(errand.service_type, document)
    if not named:
        return dict.fromkeys(here.ids, body)
    ids, missing = await errand.counterparts.of(named, here.ids.keys())
    if missing:
        return no_counterpart(missing)
    return {cloud: translated(errand.service_type, document, ids[cloud]) for cloud in here.ids}


def _answer(errand: Errand, here: Replicas, parts: list[Part]) -> Shown:
    """The first cloud's own words where all say the same; else a row for each."""
    heard = {part.cloud: Heard.of(part) for part in parts} | out_of_reach(errand, here)
    done = {cloud for cloud, one in heard.items() if one.fine or (deletes(errand) and one.missing)}
    alike = len({one.status for one in heard.values()}) == 1 and not _unclear(heard)
    if alike or len(done) == len(heard):
        first = next((part for part in parts if heard[part.cloud].fine), parts[0])
        if isinstance(first, Answered):
            return success(errand.legs.shown(first), here.ids)
    return mixed(heard, here.ids, done)


def deletes(errand: Errand) -> bool:
    """Whether something below the item is to be gone, and is done with where it is gone already."""
    return errand.head.method == "DELETE"


def mixed(heard: Mapping[str, Heard], ids: Mapping[str, str], done: Collection[str]) -> Shown:
    """It was done in some clouds, and not in others, or nobody knows."""
    unclear = _unclear(heard)
    rows = [
        Row(
            cloud,
            "done" if cloud in done else "uncertain" if cloud in unclear else "failed",
            ids.get(cloud, ""),
            one.status,
            one.said,
        )
        for cloud, one in heard.items()
    ]
    failed = [cloud for cloud in heard if cloud not in done and cloud not in unclear]
    if unclear:
        late = all(heard[cloud].status in {0, 504} for cloud in unclear)
        message = f"It is not known whether this was done in {names(unclear)}."
        return failure(504 if late else 502, message, rows, uncertain=unclear, replicas=ids)
    # Those that were stopped for its sake say nothing.
    first = next((heard[cloud] for cloud in failed if heard[cloud].status), heard[failed[0]])
    status = first.status if 400 <= first.status < 500 else 502
    why = f": {first.said}" if first.said else "."
    return failure(status, f"This was not done in {names(failed)}{why}", rows, replicas=ids)


def _unclear(heard: Mapping[str, Heard]) -> list[str]:
    return [cloud for cloud, one in heard.items() if one.happened is Happened.PERHAPS]
