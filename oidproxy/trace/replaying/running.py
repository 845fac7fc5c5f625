"""Sends the requests of a trace at their times and tells what became of each.

Open loop: a request is sent at its intended time whether or not those before it were answered, and its
latency counts from that time, so that a cloud which stalls cannot slow down who measures it. Closed: each
user sends only after the answer before, with the recorded pauses between.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.trace.filling import Prepared, Unmatched
from oidproxy.trace.kinds import is_collection
from oidproxy.trace.replaying import outcomes
from oidproxy.trace.replaying.accounts import SCOPE, Session
from oidproxy.trace.replaying.arrivals import Arrivals, all_of
from oidproxy.trace.replaying.outcomes import Times
from oidproxy.trace.replaying.sending import Answer, json_of
from oidproxy.trace.results.table import STOPPED
from oidproxy.trace.whatif.scopes import Scopes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from oidproxy.trace.line import Line
    from oidproxy.trace.remapping import Remapping
    from oidproxy.trace.replaying.accounts import Accounts
    from oidproxy.trace.replaying.sending import Clock, Sender
    from oidproxy.trace.replaying.settings import Settings
    from oidproxy.trace.results.outcome import Outcome
    from oidproxy.trace.schedule import Schedule

BREATH = 32
"""Requests that are sent one after another at most before those under way may go on, when it is late."""

IN_FLIGHT = 20_000
"""Requests under way; then the sender waits, and says so."""

AHEAD = 10_000
"""Requests read ahead for the users of a closed replay."""

GRACE = 5.0
"""Seconds that requests under way have to end in, when a replay is stopped."""


@dataclass(slots=True)
class Loop:
    """One pass through the trace."""

    number: int
    remapping: Remapping
    done: frozenset[int] = frozenset()
    """Requests that an earlier run did."""
    arrivals: Arrivals = field(default_factory=Arrivals)


@dataclass(slots=True)
class Progress:
    """How far it is."""

    total: int
    done: int = 0
    failed: int = 0
    unmatched: int = 0
    lag: int = 0
    """Nanoseconds that the last request was late."""
    filled: int = 0
    """How often there were too many requests under way."""


class Running:
    """One process's part of a replay."""

    def __init__(
        self,
        *,
        settings: Settings,
        schedule: Schedule,
        accounts: Accounts,
        sender: Sender,
        clock: Clock,
        sink: Callable[[Outcome], None],
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._schedule = schedule
        self._accounts = accounts
        self._sender = sender
        self._clock = clock
        self._sink = sink
        self.progress = progress
        self._scopes = Scopes(settings.scope, settings.maps)
        self._explains = settings.explain or settings.changes_scopes
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None

    def scope(self, line: Line) -> str:
        """The scope that a request is sent with."""
        return self._scopes.of(line.scope, line.service)

    async def run(self, loops: Iterable[tuple[Loop, Iterable[Line]]]) -> None:
        """Send everything; cancelled, it lets what is under way end, for a while."""
        try:
            for loop, lines in loops:
                if self._settings.closed:
                    await self._closed(loop, self._left(loop, lines))
                else:
                    await self._open(loop, self._left(loop, lines))
            await self._end()
        except BaseException:
            await self._stop()
            raise

    async def _end(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._check()

    def _left(self, loop: Loop, lines: Iterable[Line]) -> Iterator[Line]:
        return (line for line in lines if line.n not in loop.done)

    # Open loop.

    async def _open(self, loop: Loop, lines: Iterator[Line]) -> None:
        breath = 0
        for line in lines:
            self._check()
            intended = self._schedule.intended(line.at, loop.number)
            if intended > self._clock():
                await self._clock.until(intended)
                breath = 0
            elif (breath := breath + 1) >= BREATH:
                breath = 0
                await asyncio.sleep(0)
            if len(self._tasks) >= IN_FLIGHT:
                self.progress.filled += 1
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            waits = loop.arrivals.awaited(loop.remapping.waits_for(line))
            brings = loop.remapping.expects(line)
            self._start(self._one(loop, line, intended, waits, brings))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._broken = self._broken or task.exception()

    def _check(self) -> None:
        """A bug of ours must not pass for a quiet cloud."""
        if self._broken is not None:
            raise self._broken

    async def _stop(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # Closed loop.

    async def _closed(self, loop: Loop, lines: Iterator[Line]) -> None:
        room = asyncio.Semaphore(AHEAD)
        queues: dict[str, asyncio.Queue[Line | None]] = {}
        for line in lines:
            await room.acquire()
            queue = queues.get(line.user)
            if queue is None:
                queue = queues[line.user] = asyncio.Queue()
                self._start(self._user(loop, queue, room))
            queue.put_nowait(line)
        for queue in queues.values():
            queue.put_nowait(None)
        await self._end()

    async def _user(self, loop: Loop, queue: asyncio.Queue[Line | None], room: asyncio.Semaphore) -> None:
        """One user: pauses are the recorded ones, between an answer's end and the next request."""
        ended_then: int | None = None
        while (line := await queue.get()) is not None:
            room.release()
            if ended_then is None:
                intended = self._schedule.intended(line.at, loop.number)
            else:
                intended = self._clock() + int(max(line.at - ended_then, 0) / self._schedule.speed)
            await self._clock.until(intended)
            waits = loop.arrivals.awaited(loop.remapping.waits_for(line))
            brings = loop.remapping.expects(line)
            await self._one(loop, line, intended, waits, brings)
            ended_then = line.at + line.steps.get("done", 0)

    # One request.

    async def _one(
        self, loop: Loop, line: Line, intended: int, waits: Sequence[asyncio.Event], brings: tuple[str, ...]
    ) -> None:
        waited = 0
        sent = 0
        try:
            if waits:
                began = self._clock()
                await all_of(waits, self._settings.patience)
                waited = self._clock() - began
            scope = self.scope(line)
            session = self._accounts.session(line.user, line.home, scope)
            prepared = _prepared(loop.remapping, line, session)
            if isinstance(prepared, Unmatched):
                loop.remapping.failed(line, "was not sent")
                self._tell(outcomes.unmatched(line, loop.number, Times(intended, waited), prepared.why))
                return
            fields, body = await self._filled(line, prepared, session, scope)
            query = f"?{prepared.query}" if prepared.query else ""
            url = f"{session.base(line.service)}{prepared.path}{query}"
            sent = self._clock()
            answer = await self._sender.send(line.method, url, fields, body, keep=_teaches(line))
            done = self._clock()
            if answer.status:
                loop.remapping.answered(line, answer.status, answer.body, answer.field("Location"))
            else:
                loop.remapping.failed(line, f"got no answer ({answer.error})")
            times = Times(intended, waited, sent, done)
            self._tell(outcomes.sent(line, loop.number, times, answer, prepared, explained=self._explains))
        except asyncio.CancelledError:
            loop.remapping.failed(line, "was under way when the replay was stopped")
            if sent:
                times = Times(intended, waited, sent, self._clock())
                stopped = Answer(error=STOPPED)
                self._tell(outcomes.sent(line, loop.number, times, stopped, explained=self._explains))
            raise
        finally:
            loop.arrivals.settle(brings)

    async def _filled(
        self, line: Line, prepared: Prepared, session: Session, scope: str
    ) -> tuple[dict[str, str], bytes | int]:
        """Its header fields, and its body or how long that is."""
        fields = {} if not scope else {SCOPE: scope}
        if self._explains:
            fields["X-Scope-Explain"] = "1"
        body: bytes | int = prepared.data
        if prepared.login:
            body = self._settings.logins.of(line.user, line.home).body
            fields["Content-Type"] = "application/json"
        elif line.user and session.token:
            fields["X-Auth-Token"] = session.token
            if prepared.subject:
                fields["X-Subject-Token"] = await self._subject(line, session, scope)
        if prepared.body is not None:
            body = json_of(prepared.body)
        if prepared.content_type and body:
            fields["Content-Type"] = prepared.content_type
        if line.microversion:
            fields["OpenStack-API-Version"] = line.microversion
        return fields, body

    async def _subject(self, line: Line, session: Session, scope: str) -> str:
        """Whose token is asked about: the user's own; revoked is one that nobody else uses."""
        if line.method != "DELETE":
            return session.token
        spare = await self._accounts.fetch(self._settings.logins.of(line.user, line.home), scope)
        return spare.token or session.token

    def _tell(self, outcome: Outcome) -> None:
        progress = self.progress
        progress.done += 1
        if outcome.unmatched:
            progress.unmatched += 1
        else:
            progress.lag = outcome.sent_ns - outcome.intended_ns - outcome.waited_ns
            progress.failed += outcome.status == 0 or outcome.status >= 500
        self._sink(outcome)


def _prepared(remapping: Remapping, line: Line, session: Session) -> Prepared | Unmatched:
    if session.error and line.user:
        return Unmatched(f"its user could not sign in: {session.error}")
    if not session.base(line.service):
        why = session.refused.get(line.service, "the catalog here has none")
        return Unmatched(f"{line.service}: {why}")
    return remapping.request(line, session.who)


def _teaches(line: Line) -> bool:
    """Whether something is learned from its answer."""
    return (
        bool(line.made) or line.answer_body is not None or (line.method == "GET" and is_collection(line.path))
    )
