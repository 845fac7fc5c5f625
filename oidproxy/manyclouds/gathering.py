"""Asks many clouds at once what a union wants to know: bounded, until a deadline, each answer when it comes.

Theory of operation. The union (`merging.union`, pure) says what to ask whom; the plan (`progress`, pure) says
which clouds are to be asked at all. A question of the union to a cloud that the plan does not want yet is put
aside. Every answer goes to both, and both may want more then. All is over when nothing is under way and
nothing can be begun, or at the deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import AnswerTimedOut, BadAnswer, ConnectTimedOut, UpstreamError
from oidproxy.manyclouds.legs import CONDITIONAL
from oidproxy.manyclouds.parts import Answered, Part, Unanswered
from oidproxy.manyclouds.progress import Fate, Progress
from oidproxy.manyclouds.record import name_of
from oidproxy.manyclouds.sending import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.clouds.limits import Limits
    from oidproxy.clouds.plan import One, Plan
    from oidproxy.errors import OidproxyError
    from oidproxy.manyclouds.legs import Legs
    from oidproxy.manyclouds.merging.asking import Ask
    from oidproxy.routing.decision import FanOut, Leg
    from oidproxy.upstream.call import Call

_TOO_MANY = 429
_SERVER_ERRORS = 500


_PATIENCE = 0.8
"""Share of the time that a cloud may be silent. Less than all of it, so that who always is silent is
noticed (`upstream.ejection`), and does not delay every list until its deadline."""


class Trouble(Protocol):
    """Why an answer is of no use."""

    @property
    def message(self) -> str:
        """In words, safe to be shown."""
        ...


class Merging(Protocol):
    """What is asked of `merging.union.Union`, and of `merging.locating.Locating`."""

    def asks(self) -> list[Ask]:
        """What to ask now."""
        ...

    def answered(self, ask: Ask, status: int, body: bytes) -> Trouble | None:
        """Take in an answer; why it is of no use, if it is."""
        ...

    def failed(self, leg: str) -> None:
        """No answer comes from there."""
        ...

    def dropped(self, leg: str) -> None:
        """Nor is of use what came."""
        ...

    def hurry(self) -> None:
        """Time is getting short."""
        ...


class Gathering:
    """One union's answers."""

    __slots__ = (
        "_arrived",
        "_aside",
        "_body_of",
        "_calls",
        "_fanout",
        "_held",
        "_holding",
        "_legs",
        "_limits",
        "_loop",
        "_names",
        "_over",
        "_pending",
        "_progress",
        "_question",
        "_soon",
        "_tasks",
        "_union",
        "_wanted",
        "deadline",
        "firsts",
        "late",
        "reasons",
        "refusals",
        "refused",
    )

    def __init__(
        self,
        fanout: FanOut,
        legs: Legs,
        union: Merging,
        names: Mapping[str, One],
        *,
        plan: Plan,
        limits: Limits,
        deadline: float,
        body_of: Callable[[str, Answered], bytes],
    ) -> None:
        """`names` are those of the union's legs; `body_of` gives of an answer what the union is to read.

        `plan` says which of them are asked, in what order.
        """
        self._loop = asyncio.get_running_loop()
        self._fanout = fanout
        self._legs = legs
        self._union = union
        self._names = names
        self._limits = limits
        self._body_of = body_of
        self._progress = Progress(plan)
        self._wanted: set[One] = set()
        self._pending: deque[Ask] = deque()
        self._aside: dict[One, list[Ask]] = {}
        self._calls: dict[str, Call | None] = {}
        """What is under way, by the union's legs; None where a task awaits it, or it was told already."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._arrived: list[tuple[Ask, Part]] = []
        self._soon = False
        self._held: dict[str, int] = {}
        """Bytes of answers, by the union's legs."""
        self._holding = 0
        self._over: asyncio.Future[None] = self._loop.create_future()
        self.deadline = deadline
        # A HEAD is answered as the GET would be.
        first_byte = min(limits.first_byte, _PATIENCE * max(0.0, deadline - self._loop.time()))
        self._question = Question("GET", without=CONDITIONAL, plain=True, first_byte=first_byte)
        self.firsts: dict[str, Answered] = {}
        """The first good answer of each cloud."""
        self.reasons: dict[str, str] = {}
        """Of each cloud that failed, why."""
        self.refused: dict[str, OidproxyError] = {}
        """The clouds that were not asked, because there is no token for them, or none that they admit."""
        self.late = False
        """Whether one failed by its time."""
        self.refusals: list[Answered] = []
        """The answers of a status below 500 that were of no use."""

    @property
    def surplus(self) -> frozenset[One]:
        """The clouds that were not needed."""
        return self._progress.surplus

    async def run(self) -> None:
        """Until there is nothing more to be had, or time is up. Calls still under way are cut off."""
        now = self._loop.time()
        timers = [
            self._loop.call_at((now + self.deadline) / 2, self._hurry),
            self._loop.call_at(self.deadline, self._expire),
        ]
        try:
            self._follow()
            await self._over
        finally:
            for timer in timers:
                timer.cancel()
            self._cut_off()

    # What is asked.

    def _follow(self) -> None:
        """Begin whatever union and plan want now."""
        self._follow_plan()
        for ask in self._union.asks():
            one = self._names[ask.leg]
            if one in self._wanted:
                self._pending.append(ask)
            else:
                self._aside.setdefault(one, []).append(ask)
        while self._pending and len(self._calls) < self._limits.fan_out_calls:
            ask = self._pending.popleft()
            if self._names[ask.leg] in self._wanted:
                self._begin(ask)
        if not self._calls and not self._arrived and not self._over.done():
            self._over.set_result(None)

    def _follow_plan(self) -> None:
        while True:
            start, stop = self._progress.take()
            for one in stop:
                self._drop(one)
            if not start:
                return
            for one in start:
                if one in self._fanout.ways.places:
                    self._wanted.add(one)
                    self._pending.extend(self._aside.pop(one, ()))
                else:
                    # It has no such service: under `|` that is the next one's turn.
                    self._progress.tell(one, Fate.FAILED)

    def _begin(self, ask: Ask) -> None:
        leg = self._fanout.leg(self._names[ask.leg], ask.target)
        self._calls[ask.leg] = None
        limit = self._limits.fan_out_answer
        call = self._legs.begin(leg, self._question, limit, partial(self._told, ask))
        if call is None:
            self._tasks[ask.leg] = self._loop.create_task(self._await(ask, leg))
        elif ask.leg in self._calls:
            self._calls[ask.leg] = call

    async def _await(self, ask: Ask, leg: Leg) -> None:
        """Where somebody has to be asked for the token first."""
        try:
            part = await self._legs.ask(leg, method="GET", limit=self._limits.fan_out_answer)
        except Exception as error:  # noqa: BLE001 - told to whoever awaits the whole
            self._fail(error)
            return
        self._told(ask, part)

    def _drop(self, one: One) -> None:
        """Nobody needs this cloud's rows."""
        self._wanted.discard(one)
        name = name_of(one)
        if name in self._names:
            self._cancel(name)
            self._union.failed(name)

    def _cancel(self, name: str) -> None:
        call, task = self._calls.pop(name, None), self._tasks.pop(name, None)
        if call is not None:
            call.cancel()
        if task is not None:
            task.cancel()

    # What comes.

    def _told(self, ask: Ask, part: Part) -> None:
        """Dealt with in a turn of its own: whoever tells this may be in the middle of something."""
        self._calls.pop(ask.leg, None)
        self._tasks.pop(ask.leg, None)
        self._arrived.append((ask, part))
        if not self._soon:
            self._soon = True
            self._loop.call_soon(self._deal)

    def _deal(self) -> None:
        self._soon = False
        if self._over.done():
            return
        arrived, self._arrived = self._arrived, []
        try:
            for ask, part in arrived:
                if self._names[ask.leg] in self._wanted:
                    self._take(ask, part)
            self._follow()
        except Exception as error:  # noqa: BLE001 - told to whoever awaits the whole
            self._fail(error)

    def _take(self, ask: Ask, part: Part) -> None:
        if isinstance(part, Unanswered):
            self.late = self.late or isinstance(part.error, AnswerTimedOut | ConnectTimedOut)
            if not isinstance(part.error, UpstreamError):
                self.refused[ask.leg] = part.error
            self._failed(ask.leg, part.error.message)
            return
        self._hold(ask.leg, len(part.body))
        if ask.leg not in self._held:
            return
        try:
            body = self._body_of(ask.leg, part)
        except BadAnswer as error:
            self._failed(ask.leg, error.message)
            return
        trouble = self._union.answered(ask, part.status, body)
        if trouble is None:
            self.firsts.setdefault(ask.leg, part)
            self._progress.tell(self._names[ask.leg], Fate.ANSWERED)
            return
        self.reasons[ask.leg] = trouble.message
        moves_on = part.status >= _SERVER_ERRORS or part.status == _TOO_MANY or part.status < 400
        if not moves_on:
            self.refusals.append(part)
        self._progress.tell(self._names[ask.leg], Fate.FAILED if moves_on else Fate.ANSWERED)

    def _hold(self, leg: str, size: int) -> None:
        """Keep within what all answers may take: where it is too much, whoever gave the most goes."""
        self._held[leg] = self._held.get(leg, 0) + size
        self._holding += size
        most = self._limits.fan_out_answers
        while self._holding > most:
            largest = max(self._held, key=self._held.__getitem__)
            self._holding -= self._held.pop(largest)
            self._union.dropped(largest)
            self.firsts.pop(largest, None)
            self._cancel(largest)
            self._wanted.discard(self._names[largest])
            self._failed(largest, f"The answers to this request take more than {most} bytes.")

    def _failed(self, leg: str, reason: str) -> None:
        self.reasons[leg] = reason
        self._union.failed(leg)
        self._progress.tell(self._names[leg], Fate.FAILED)

    # The end.

    def _hurry(self) -> None:
        """Half of the time is over: who is late keeps the others waiting no longer."""
        self._union.hurry()
        self._deal()

    def _expire(self) -> None:
        """Time is up: what came is all there is."""
        if self._over.done():
            return
        self._deal()
        self.late = self.late or bool(self._calls or self._pending)
        for name in self._calls:
            self.reasons.setdefault(name, "It did not answer within the time of this request.")
        for ask in self._pending:
            self.reasons.setdefault(ask.leg, "The time of this request was over before it was asked.")
        if not self._over.done():
            self._over.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    def _cut_off(self) -> None:
        for name in [*self._calls]:
            self._cancel(name)
