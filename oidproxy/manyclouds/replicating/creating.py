"""Makes one resource in every cloud of a plan, or in none.

Theory of operation. What the request names is looked up everywhere, and every token is made, before the
intent is recorded; what fails until then has changed nothing. From the record on each cloud is asked exactly
once. Where its answer leaves open what happened, what it may have made is looked for. Then it is decided
(`replicating.journal`), undone where that is the policy, and answered.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

from oidproxy.clouds.plan import First
from oidproxy.errors import BadRequest, EndpointsUnknown, NotSupported, OidproxyError, UpstreamError
from oidproxy.manyclouds.parts import Answered, Happened, Shown
from oidproxy.manyclouds.replicating import journal as states
from oidproxy.manyclouds.replicating.answering import Row, failure, names, no_counterpart, rows_of, success
from oidproxy.manyclouds.replicating.errand import ANSWER_AT_MOST
from oidproxy.manyclouds.replicating.heard import Heard
from oidproxy.manyclouds.replicating.journal import Intent, Phase, Policy, State, Verb
from oidproxy.manyclouds.replicating.keeping import Pen
from oidproxy.manyclouds.replicating.kinds import kind_of
from oidproxy.manyclouds.replicating.marking import made_id, marked
from oidproxy.manyclouds.replicating.references import references, translated
from oidproxy.manyclouds.replicating.slots import planned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oidproxy.clouds.plan import Plan
    from oidproxy.http.head import RequestHead
    from oidproxy.manyclouds.parts import Part
    from oidproxy.manyclouds.replicating.errand import Errand
    from oidproxy.manyclouds.replicating.journal import Attempt
    from oidproxy.manyclouds.replicating.kinds import Kind

ON_PARTIAL = b"x-scope-on-partial"

LOOKED_AGAIN_AFTER = (0.0, 1.0)
"""Seconds before each look for what an unclear answer left behind."""

UNDONE_AGAIN_AFTER = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between tries to undo after the answer: a volume is not deleted while it is being made."""

_TOO_MANY = 429
_NOT_SAID = 504
"""Of a cloud that was asked whether it has what the request names: nothing was sent."""

_NOT_ONCE = frozenset({408, 425})
"""Statuses below 500 that do not say that nothing happened."""


@dataclass(slots=True)
class Creating:
    """One create. `reply` is awaited by the client; `afterwards` goes on without one, under the lease."""

    errand: Errand
    kind: Kind
    bodies: Mapping[str, bytes]
    """Cloud -> what it is sent."""
    pen: Pen
    parts: dict[str, Part] = field(default_factory=dict)
    """Cloud -> what it answered to the request itself."""

    async def reply(self) -> Shown:
        """Ask every cloud, decide, undo; the answer."""
        sending = self.pen.intent.of(State.SENDING)
        await self.errand.each(self._one, sending)
        await self._look()
        self.pen.note(states.given_up(self.pen.intent))
        await self.pen.flushed()
        advancing = self.errand.advancing
        with suppress(OidproxyError):
            # Where the store fails now, the journal still knows what is left; the client gets its answer.
            if self.pen.intent.of(State.UNDOING):
                await advancing.remove(self.pen, self.errand.speaker)
            else:
                await advancing.finish(self.pen)
        return await self._answer()

    async def afterwards(self) -> None:
        """Undo what could not be undone at once."""
        for pause in UNDONE_AGAIN_AFTER:
            if not self.pen.intent.of(State.UNDOING):
                return
            await asyncio.sleep(pause)
            await self.errand.advancing.remove(self.pen, self.errand.speaker)

    async def _one(self, attempt: Attempt | None) -> None:
        """Ask one cloud, and whoever takes its place where it is known to have done nothing."""
        while attempt is not None:
            cloud = attempt.cloud
            part = await self.errand.legs.ask(
                self.errand.ways[cloud],
                limit=ANSWER_AT_MOST,
                body=self.bodies[cloud],
                deadline=self.errand.deadline,
            )
            self.parts[cloud] = part
            self.pen.note(told(self.pen.intent, self.kind, cloud, part))
            if part.happened is not Happened.NO:
                return
            changed, attempt = states.instead(self.pen.intent, cloud)
            if attempt is None:
                return
            # Recorded before it is sent, as those before.
            self.pen.note(changed)
            if not await self.pen.flushed():
                self.pen.note(states.not_made(self.pen.intent, attempt.cloud, "it could not be recorded"))
                return

    async def _look(self) -> None:
        for pause in LOOKED_AGAIN_AFTER:
            if not self.pen.intent.of(State.SENDING, State.UNCERTAIN):
                return
            await asyncio.sleep(pause)
            await self.errand.advancing.look(self.pen, self.errand.speaker)

    # The answer.

    async def _answer(self) -> Shown:
        intent, legs = self.pen.intent, self.errand.legs
        for one, made in intent.replicas.items():
            self.errand.learn(one, intent.service_type, [made.encode("utf-8", "replace")])
        if intent.phase is not Phase.COMPLETE:
            return _failed(intent, {one: Heard.of(part).said for one, part in self.parts.items()})
        for cloud in intent.replicas:
            part = self.parts.get(cloud)
            if isinstance(part, Answered) and made_id(self.kind, part.body):
                return success(legs.shown(part), intent.replicas)
        return await self._found_again(intent)

    async def _found_again(self, intent: Intent) -> Shown:
        """All of them were found after unclear answers: what was made is there to be read."""
        cloud, found = next(iter(intent.replicas.items()))
        target = f"{intent.collection}/{quote(found, safe='')}".encode("latin-1")
        leg = self.errand.ways[cloud]
        part = await self.errand.legs.ask(
            leg, limit=ANSWER_AT_MOST, method="GET", target=target, deadline=self.errand.deadline
        )
        if isinstance(part, Answered) and part.status == 200:
            return success(replace(self.errand.legs.shown(part, "GET"), status=201), intent.replicas)
        rows = rows_of(intent)
        return failure(
            502, "It was made in every cloud, but cannot be shown.", rows, replicas=intent.replicas
        )


def _failed(intent: Intent, said: Mapping[str, str]) -> Shown:
    unclear = intent.of(State.SENDING, State.UNCERTAIN)
    refused = [one for one in intent.of(State.NOT_MADE) if 400 <= one.status < 500]
    late = bool(unclear) and all(one.status in {0, 504} for one in unclear)
    if unclear:
        status = 504 if late else 502
        message = f"It is not known whether it was made in {names(one.cloud for one in unclear)}"
    else:
        status = refused[0].status if refused else 502
        failed = intent.of(State.NOT_MADE)
        message = f"It was not made in {names(one.cloud for one in failed)}"
        why = said.get(failed[0].cloud) if failed else ""
        message += f" ({why})" if why else ""
    return failure(
        status,
        f"{message}. {_rest(intent)}",
        rows_of(intent, said),
        uncertain=[one.cloud for one in unclear],
        replicas=intent.replicas,
    )


def _rest(intent: Intent) -> str:
    """What became of the others."""
    if intent.replicas:
        return "What was made in the others is kept, as the request asked."
    if intent.of(State.UNDOING):
        return "What was made in the others is being deleted."
    return "Nothing is left of it in the others."


def told(intent: Intent, kind: Kind, cloud: str, part: Part) -> Intent:
    """The intent after what this cloud answered to the request to make something."""
    heard = Heard.of(part)
    if heard.fine:
        found = made_id(kind, heard.body)
        if found:
            return states.made(intent, cloud, found, heard.status)
        return states.unknown(intent, cloud, "it did not say what it made", heard.status)
    if heard.happened is Happened.PERHAPS or heard.status in _NOT_ONCE:
        return states.unknown(intent, cloud, heard.recorded, heard.status)
    return states.not_made(intent, cloud, heard.recorded, heard.status)


async def prepare(errand: Errand, plan: Plan) -> Creating | Shown:
    """Everything that can fail without having changed anything, and the record.

    Raises:
        OidproxyError: it cannot be made in these clouds, and why. Nothing was sent.
    """
    fanout = errand.fanout
    kind = kind_of(errand.service_type, fanout.asked.name)
    if kind is None:
        raise NotSupported(
            f"{fanout.asked.name} of {errand.service_type} cannot be made in several clouds: name one."
        )
    policy = policy_of(errand.head)
    name = str(uuid4())
    what = marked(kind, fanout.body or b"", name, str(uuid4()))
    places = planned(plan, errand.ways.keys())
    if places.lacking:
        raise errand.absence(places.lacking[0])
    clouds = [one.cloud for one in places.attempts]
    ids, missing = await errand.counterparts.of(references(errand.service_type, what.document), clouds)
    if missing:
        return no_counterpart(missing)
    entries = await errand.entries(clouds, "POST")
    known = what.recognizable
    if what.likeness:
        path = f"{errand.collection}/{quote(what.chosen, safe='')}"
        before = await errand.each(
            lambda cloud: errand.speaker.call(cloud, errand.service_type, "GET", path), clouds
        )
        there = [cloud for cloud, heard in zip(clouds, before, strict=True) if heard.fine]
        if there:
            return _taken(what.chosen, kind, there)
        known = all(heard.missing for heard in before)
    intent = Intent(
        id=name,
        verb=Verb.CREATE,
        owner=errand.owner,
        service_type=errand.service_type,
        name=kind.name,
        collection=errand.collection,
        begun=errand.clock(),
        attempts=tuple(replace(one, entry=entries[one.cloud]) for one in places.attempts),
        slots=places.slots,
        policy=policy,
        chosen=what.chosen,
        marked=known,
        bears_mark=what.bears_mark,
        likeness=what.likeness,
    )
    bodies = {cloud: translated(errand.service_type, what.document, ids[cloud]) for cloud in clouds}
    return Creating(errand, kind, bodies, Pen(errand.journal, states.begin(intent)))


def _taken(chosen: str, kind: Kind, clouds: Sequence[str]) -> Shown:
    """It is certain before anything is sent that it cannot be made everywhere."""
    rows = [Row(cloud, "not made", chosen, said="it is there already") for cloud in clouds]
    return failure(409, f"{kind.name} {chosen} is in {names(clouds)} already. Nothing was sent.", rows)


async def create(errand: Errand, answered: Callable[[Shown], None]) -> None:
    """Make it; returns when nothing is left to be done, or left to the journal.

    Of sets between `|` the next is tried where it is known that nothing was made in the one before.

    Raises:
        OidproxyError: nothing was sent, and why; or the store failed on the way.
        Taken: never, since nobody else knows of it.
    """
    plan = errand.fanout.plan
    parts = plan.plans if isinstance(plan, First) else (plan,)
    for part in parts[:-1]:
        if await _created(errand, part, answered, moves_on=True):
            return
    await _created(errand, parts[-1], answered, moves_on=False)


async def _created(errand: Errand, plan: Plan, answered: Callable[[Shown], None], *, moves_on: bool) -> bool:
    """Make it by this plan; False where it answered nothing, since another one is to be tried."""
    try:
        creating = await prepare(errand, plan)
    except (UpstreamError, NotSupported, EndpointsUnknown):
        if moves_on:
            return False
        raise
    if isinstance(creating, Shown):
        if moves_on and creating.status == _NOT_SAID:
            return False
        answered(creating)
        return True
    done = True

    async def work() -> None:
        nonlocal done
        await errand.journal.write(creating.pen.intent)
        shown = await creating.reply()
        if moves_on and _never_happened(creating.pen.intent):
            done = False
            return
        answered(shown)
        await creating.afterwards()

    await errand.journal.work(creating.pen.intent.id, work)
    return done


def _never_happened(intent: Intent) -> bool:
    """Whether nothing is left of it, and none of the clouds said why: it was not reached, or had too much to
    do."""
    if intent.phase is not Phase.FAILED or intent.of(
        State.MADE, State.UNDOING, State.SENDING, State.UNCERTAIN
    ):
        return False
    return all(one.status in {0, _TOO_MANY} for one in intent.of(State.NOT_MADE))


def policy_of(head: RequestHead) -> Policy:
    """What the request says of partial failures. Raises BadRequest."""
    text = (head.text(ON_PARTIAL) or Policy.UNDO).strip().lower()
    try:
        return Policy(text)
    except ValueError:
        raise BadRequest("X-Scope-On-Partial is undo or keep.") from None
