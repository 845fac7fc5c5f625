"""Goes on with an intent that was recorded: looks for what is unknown, deletes what is to be undone.

It never creates anything. What it finds out is recorded before it is acted on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from oidproxy.manyclouds.replicating import journal as states
from oidproxy.manyclouds.replicating.groups import Group, Groups, Place
from oidproxy.manyclouds.replicating.journal import Look, Phase, Policy, Remove, State, Verb
from oidproxy.manyclouds.replicating.kinds import Naming, kind_of
from oidproxy.manyclouds.replicating.looking import Found, is_another, look
from oidproxy.manyclouds.replicating.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from oidproxy.manyclouds.replicating.heard import Heard, Speaker
    from oidproxy.manyclouds.replicating.journal import Attempt, Intent, Step
    from oidproxy.manyclouds.replicating.keeping import Journal, Pen

AT_ONCE = 32
"""Clouds asked at one time."""

_log = logging.getLogger("oidproxy.manyclouds")


@dataclass(frozen=True, slots=True)
class Advancing:
    """Goes on in somebody's name. `clock` gives seconds since the epoch."""

    journal: Journal
    groups: Groups
    clock: Callable[[], float]

    async def once(
        self, pen: Pen, speaker: Speaker, *, clouds: Collection[str] | None = None, everyone: bool = False
    ) -> None:
        """Take every step that can be taken at these clouds (all, where None), and those that follow.

        Under the intent's lease.
        """
        before: list[Step] = []
        while True:
            pen.note(states.decided(pen.intent))
            await pen.flushed()
            # A step that was taken in vain, in whichever round, is taken again another time.
            fresh = tuple(step for step in _at(states.steps(pen.intent), clouds) if step not in before)
            if not fresh:
                break
            await self._take(pen, speaker, fresh, everyone=everyone)
            before += [_same(step, pen.intent) for step in fresh]
        await self.finish(pen)

    async def remove(self, pen: Pen, speaker: Speaker) -> None:
        """Delete what is to be undone, as far as that is possible now."""
        removals = tuple(step for step in states.steps(pen.intent) if isinstance(step, Remove))
        await self._take(pen, speaker, removals, everyone=False)
        await self.finish(pen)

    async def look(self, pen: Pen, speaker: Speaker) -> None:
        """Look for what is unknown."""
        looks = tuple(step for step in states.steps(pen.intent) if isinstance(step, Look))
        await self._take(pen, speaker, looks, everyone=False)

    async def finish(self, pen: Pen) -> None:
        """Remember which are replicas of one another, and only then forget the intent."""
        intent = pen.intent
        if not await pen.flushed() or intent.phase is Phase.OPEN:
            return
        place = Place(intent.owner.home, intent.owner.project, intent.service_type, intent.name)
        if intent.verb is Verb.CREATE and intent.replicas and _kept(intent):
            await self.groups.keep(place, Group(intent.id, intent.replicas))
        if intent.verb is Verb.DELETE and intent.over and not intent.of(State.NOT_MADE):
            ids = {one.cloud: one.id for one in intent.attempts if one.id}
            if intent.chosen:
                await self.groups.forget(place, Group(intent.chosen, ids))
        if intent.over:
            await self.journal.forget(intent.id)

    async def _take(self, pen: Pen, speaker: Speaker, steps: tuple[Step, ...], *, everyone: bool) -> None:
        async def one(step: Step) -> None:
            if isinstance(step, Look):
                await self._look(pen, speaker, step.attempt, everyone=everyone)
            else:
                await self._remove(pen, speaker, step.attempt, everyone=everyone)

        await together(one, steps, at_most=AT_ONCE)

    async def _look(self, pen: Pen, speaker: Speaker, attempt: Attempt, *, everyone: bool) -> None:
        intent = pen.intent
        kind = kind_of(intent.service_type, intent.name)
        if kind is None:
            found = Found(said=f"this proxy knows nothing of {intent.name} any more")
        else:
            found = await look(speaker, kind, intent, attempt, everyone=everyone)
        if found.id:
            _log.warning("%s: %s was made as %s, and found again", intent.id, attempt.cloud, found.id)
            pen.note(states.made(pen.intent, attempt.cloud, found.id))
        elif found.absent:
            pen.note(states.absent(pen.intent, attempt.cloud, self.clock(), found.said))
        else:
            pen.note(states.unknown(pen.intent, attempt.cloud, found.said))

    async def _remove(self, pen: Pen, speaker: Speaker, attempt: Attempt, *, everyone: bool) -> None:
        intent = pen.intent
        if intent.likeness:
            kind = kind_of(intent.service_type, intent.name)
            if kind is None or (everyone and kind.naming is Naming.USER):
                # An administrator has key pairs of his own.
                pen.note(states.unknown(intent, attempt.cloud, "only its user can delete it"))
                return
            other = await is_another(speaker, kind, intent, attempt)
            intent = pen.intent
            if isinstance(other, str):
                pen.note(states.unknown(intent, attempt.cloud, other))
                return
            if other:
                # What bears its name now is its user's.
                pen.note(states.gone(intent, attempt.cloud))
                return
        path = attempt.path or f"{intent.collection}/{quote(attempt.id, safe='')}"
        heard = await speaker.call(attempt.cloud, intent.service_type, "DELETE", path)
        pen.note(removed(pen.intent, attempt.cloud, heard))


def removed(intent: Intent, cloud: str, heard: Heard) -> Intent:
    """The intent after this answer to a DELETE. What is gone already is as good as deleted."""
    if heard.fine or heard.missing:
        return states.gone(intent, cloud)
    changed = replace(intent.attempt(cloud), status=heard.status, said=heard.recorded)
    return intent.with_attempt(changed)


def _kept(intent: Intent) -> bool:
    return intent.phase is Phase.COMPLETE or intent.policy is Policy.KEEP


def _at(steps: tuple[Step, ...], clouds: Collection[str] | None) -> tuple[Step, ...]:
    return tuple(step for step in steps if clouds is None or step.attempt.cloud in clouds)


def _same(step: Step, intent: Intent) -> Step:
    """The same step for what its attempt has become."""
    attempt = intent.attempt(step.attempt.cloud)
    if isinstance(step, Look):
        return Look(attempt)
    return Remove(attempt) if attempt.state is State.UNDOING else step
