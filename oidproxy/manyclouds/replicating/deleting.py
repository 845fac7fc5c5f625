"""DELETE of an item: in every cloud that has a replica, if need be later.

What is gone is as good as deleted, so this may be sent again; not so by a name that the user chooses (key
pairs, flavors), which may be another one's by then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from oidproxy.clouds.plan import Every, First
from oidproxy.errors import NotAdmitted, TokenRefused, UpstreamError
from oidproxy.manyclouds.parts import Answered, Happened, Part, Unanswered
from oidproxy.manyclouds.replicating import journal as states
from oidproxy.manyclouds.replicating.answering import Row, accepted, failure, names, success
from oidproxy.manyclouds.replicating.errand import ANSWER_AT_MOST
from oidproxy.manyclouds.replicating.heard import Heard
from oidproxy.manyclouds.replicating.journal import Attempt, Intent, Phase, State, Verb
from oidproxy.manyclouds.replicating.keeping import Pen
from oidproxy.manyclouds.replicating.kinds import Naming, kind_of
from oidproxy.manyclouds.replicating.references import FLAVOR
from oidproxy.manyclouds.replicating.replicas import Replicas, found, known, placed, unreachable
from oidproxy.telemetry.redact import target

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oidproxy.clouds.plan import Plan
    from oidproxy.manyclouds.parts import Shown
    from oidproxy.manyclouds.replicating.errand import Errand

_LATER = frozenset({408, 429})


class _Became(Enum):
    """What became of it in one cloud."""

    DONE = auto()
    NOT_HERE = auto()
    REFUSED = auto()
    """The cloud does not delete it, and says why."""
    LATER = auto()
    """It may be there still."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    cloud: str
    became: _Became
    heard: Heard
    part: Part | None = None


async def delete(errand: Errand, answered: Callable[[Shown], None]) -> None:
    """Delete every replica; returns when nothing is left to be done, or left to the journal.

    Raises:
        OidproxyError: nothing was sent, and why; or the store failed.
    """
    replicas = await _meant(errand)
    if not isinstance(replicas, Replicas):
        answered(replicas)
        return
    if not _may_be_repeated(errand):
        answered(_answer(errand, replicas, await _ask(errand, replicas), repeated=False))
        return
    intent = _intent(errand, replicas)

    async def work() -> None:
        if replicas.group is not None:
            # All of them are to go, whoever crashes now.
            await errand.journal.write(intent)
        outcomes = await _ask(errand, replicas)
        left = _after(intent, outcomes)
        if replicas.group is not None or not left.over:
            pen = Pen(errand.journal, intent)
            pen.note(left)
            await errand.advancing.finish(pen)
        answered(_answer(errand, replicas, outcomes, repeated=True))

    await errand.journal.work(intent.id, work)


async def _meant(errand: Errand) -> Replicas | Shown:
    """Where it is to be deleted. An id that nobody remembers is deleted wherever it is."""
    plan = errand.fanout.plan
    here = None if isinstance(plan, First) else await known(errand, errand.ways.keys())
    if here is None or not here.ids:
        if _named(errand) or _one_of(plan):
            owner = await found(errand)
            return await placed(errand, owner) if isinstance(owner, Replicas) else owner
        here = Replicas(dict.fromkeys(errand.ways, errand.item))
    return await placed(errand, here)


def _one_of(plan: Plan) -> bool:
    """Whether some of the clouds are alternatives: then only who has it is meant."""
    match plan:
        case First():
            return True
        case Every(plans):
            return any(map(_one_of, plans))
        case _:
            return False


def _named(errand: Errand) -> bool:
    return (errand.service_type, errand.fanout.asked.name) == FLAVOR


def _may_be_repeated(errand: Errand) -> bool:
    kind = kind_of(errand.service_type, errand.fanout.asked.name)
    return not _named(errand) and (kind is None or kind.naming is not Naming.USER)


def _intent(errand: Errand, replicas: Replicas) -> Intent:
    """What is to be deleted, as a record; `chosen` names the group that ends with it."""
    group = replicas.group
    attempts = [
        Attempt(cloud, errand.ways[cloud].one.region, place, State.UNDOING, replicas.ids[cloud], target(path))
        for place, (cloud, path) in enumerate(replicas.paths.items())
    ]
    # Clouds of the scope that cannot even be asked now are among those to be asked later.
    for one, item in unreachable(errand, group):
        path = target(errand.path(item))
        attempts.append(
            Attempt(
                one.one.cloud,
                one.one.region,
                len(attempts),
                State.UNDOING,
                item,
                path,
                said=one.error.message,
            )
        )
    whole = group is not None and {one.cloud for one in attempts} >= group.ids.keys()
    return Intent(
        id=str(uuid4()),
        verb=Verb.DELETE,
        owner=errand.owner,
        service_type=errand.service_type,
        name=errand.fanout.asked.name,
        collection=errand.collection,
        begun=errand.clock(),
        attempts=tuple(attempts),
        slots=len(attempts),
        phase=Phase.COMPLETE,
        chosen=group.name if group is not None and whole else "",
    )


async def _ask(errand: Errand, replicas: Replicas) -> list[_Outcome]:
    def ask(cloud: str) -> Coroutine[Any, Any, Part]:
        path = replicas.paths[cloud].encode("latin-1")
        return errand.legs.ask(
            errand.ways[cloud], limit=ANSWER_AT_MOST, target=path, deadline=errand.deadline
        )

    parts = await errand.each(ask, replicas.paths)
    outcomes = [_outcome(part, certain=replicas.group is not None) for part in parts]
    for one, _ in unreachable(errand, replicas.group):
        heard = Heard(0, Happened.NO, one.error.message)
        outcomes.append(_Outcome(one.one.cloud, _Became.LATER, heard))
    return outcomes


def _outcome(part: Part, *, certain: bool) -> _Outcome:
    """`certain`: it is known to be there, so that a cloud that does not show it refuses something."""
    heard = Heard.of(part)
    became = _Became.REFUSED
    if heard.fine:
        became = _Became.DONE
    elif heard.missing or (not certain and _hides(part)):
        became = _Became.NOT_HERE
    elif heard.status >= 500 or heard.status in _LATER or _failed(part):
        became = _Became.LATER
    return _Outcome(part.cloud, became, heard, part)


def _hides(part: Part) -> bool:
    if isinstance(part, Answered):
        return part.status in {401, 403}
    return isinstance(part.error, NotAdmitted | TokenRefused)


def _failed(part: Part) -> bool:
    return isinstance(part, Unanswered) and isinstance(part.error, UpstreamError)


def _after(intent: Intent, outcomes: list[_Outcome]) -> Intent:
    """The record after these answers. A refusal is left to the user: to repeat it would change nothing."""
    for one in outcomes:
        match one.became:
            case _Became.DONE | _Became.NOT_HERE:
                intent = states.gone(intent, one.cloud)
            case _Became.REFUSED:
                intent = states.not_made(intent, one.cloud, one.heard.recorded, one.heard.status)
            case _Became.LATER:
                attempt = intent.attempt(one.cloud)
                changed = replace(attempt, status=one.heard.status, said=one.heard.recorded)
                intent = intent.with_attempt(changed)
    return intent


def _answer(errand: Errand, replicas: Replicas, outcomes: list[_Outcome], *, repeated: bool) -> Shown:
    """204 of the first cloud where it is gone everywhere, 202 where it will be; else a row for each."""
    refused = [one for one in outcomes if one.became is _Became.REFUSED]
    later = [one for one in outcomes if one.became is _Became.LATER]
    rows = [_row(one, replicas, repeated=repeated) for one in outcomes]
    if refused:
        first = refused[0].heard
        status = first.status if 400 <= first.status < 500 else 502
        said = f": {first.said}" if first.said else "."
        return failure(status, f"It was not deleted in {names(one.cloud for one in refused)}{said}", rows)
    if later and repeated:
        return accepted(rows)
    if later:
        unclear = [one.cloud for one in later if one.heard.happened is Happened.PERHAPS]
        said = (
            "What bears a name may be another one by the time it could be deleted, so it is not tried again."
        )
        message = f"It may not have been deleted in {names(one.cloud for one in later)}. {said}"
        return failure(502, message, rows, uncertain=unclear)
    done = next((one.part for one in outcomes if one.became is _Became.DONE), outcomes[0].part)
    if not isinstance(done, Answered):
        return failure(404, f"{errand.item} is in none of these clouds.", rows)
    return success(errand.legs.shown(done), replicas.ids if replicas.group is not None else {})


def _row(one: _Outcome, replicas: Replicas, *, repeated: bool) -> Row:
    outcome = {
        _Became.DONE: "done",
        _Became.NOT_HERE: "not here",
        _Became.REFUSED: "failed",
        _Became.LATER: "pending"
        if repeated
        else "uncertain"
        if one.heard.happened is Happened.PERHAPS
        else "failed",
    }[one.became]
    return Row(one.cloud, outcome, replicas.ids.get(one.cloud, ""), one.heard.status, one.heard.said)
