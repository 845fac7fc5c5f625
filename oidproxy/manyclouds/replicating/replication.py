"""One worker's door to replication: requests that change something in several clouds, and what they left.

What a request has begun goes on when its client leaves. What nobody could finish is in the journal, and goes
on when the same user of the same project calls again (`met`), by itself where an account of the operator's
stands for the user (`run`), or by `oidproxy journal retry`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import (
    Draining,
    InternalError,
    NotSupported,
    OidproxyError,
    Overloaded,
    TokenRefused,
)
from oidproxy.manyclouds.leasing import Taken
from oidproxy.manyclouds.replicating import journal as states
from oidproxy.manyclouds.replicating.accounts import AsAccount
from oidproxy.manyclouds.replicating.advancing import Advancing
from oidproxy.manyclouds.replicating.changing import change
from oidproxy.manyclouds.replicating.creating import create
from oidproxy.manyclouds.replicating.deleting import delete
from oidproxy.manyclouds.replicating.errand import Errand
from oidproxy.manyclouds.replicating.groups import Groups
from oidproxy.manyclouds.replicating.journal import Owner, Phase, Remove
from oidproxy.manyclouds.replicating.keeping import Journal, Pen
from oidproxy.manyclouds.replicating.shares import Shares
from oidproxy.manyclouds.replicating.speaking import AsUser
from oidproxy.manyclouds.replicating.uploading import upload
from oidproxy.manyclouds.sending import Identities
from oidproxy.routing.decision import Kind
from oidproxy.tokens.presented import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable
    from typing import Any

    from oidproxy.identity.memory import Key
    from oidproxy.identity.service import Login, Subject
    from oidproxy.manyclouds.job import Job
    from oidproxy.manyclouds.parts import Shown
    from oidproxy.manyclouds.replicating.errand import Learn
    from oidproxy.manyclouds.replicating.heard import Speaker
    from oidproxy.manyclouds.replicating.journal import Intent
    from oidproxy.routing.decision import Snapshot
    from oidproxy.store.terms import Store
    from oidproxy.tokens.presented import Presented
    from oidproxy.upstream.pools import Upstreams

LOOKED_AT_EVERY = 15.0
"""Seconds between two looks at the journal."""

TRIED_AGAIN_FIRST, TRIED_AGAIN_LAST = 5.0, 3600.0
"""Seconds between two tries of one intent, from the first to the slowest."""

OTHERS_AT_MOST = 10_000

LOOKED_AT_SELDOM = 5.0
"""Seconds between two looks at a journal that is long."""
LONG = 500

AT_ONCE = 1000
"""Requests of one worker that go on, with or without their clients."""

CLEAN_UP = 5.0
"""Seconds that they have at the end; then the journal knows what is left."""

_RECORDED = frozenset({Kind.CREATE, Kind.DELETE})

_log = logging.getLogger("oidproxy.manyclouds")


class Users(Identities, Protocol):
    """What is asked of `identity.service.Identity`."""

    async def subject(self, token: Presented) -> Subject:
        """Who a token is."""
        ...

    async def login(self, cloud: str, entry: str) -> Login:
        """An account of the operator's, signed in."""
        ...


def _nobody_learns(cloud: str, service_type: str, ids: Iterable[bytes]) -> None:
    """Where there is no index."""


class Replication:
    """Made on the event loop that it serves; `clock` gives seconds since the epoch."""

    __slots__ = (
        "_clock",
        "_closed",
        "_due",
        "_groups",
        "_identity",
        "_journal",
        "_learn",
        "_looked",
        "_others",
        "_pseudonym",
        "_shares",
        "_snapshot",
        "_tasks",
        "_upstreams",
        "waiting",
    )

    def __init__(
        self,
        *,
        store: Store,
        upstreams: Upstreams,
        identity: Users,
        snapshot: Callable[[], Snapshot],
        pseudonym: str,
        clock: Callable[[], float],
        learn: Learn = _nobody_learns,
    ) -> None:
        """`snapshot` gives the one of now; `learn` is told what was made where."""
        self._clock = clock
        self._closed = False
        self._due: dict[str, tuple[float, float]] = {}
        # Intent -> when it is tried again, and how long it waited for that.
        self._groups = Groups(store, clock)
        self._identity = identity
        self._journal = Journal(store, clock)
        self._learn = learn
        self._looked = 0.0
        self._shares = Shares()
        self._others: set[Key] = set()
        # Tokens of users for whom nothing waits.
        self._pseudonym = pseudonym
        self._snapshot = snapshot
        self._tasks: dict[asyncio.Task[None], asyncio.Future[Shown] | None] = {}
        # Each with what its client waits for.
        self._upstreams = upstreams
        self.waiting: frozenset[Owner] = frozenset()
        """Whose calls something waits for; nearly always nobody's."""

    # Requests.

    async def carry_out(self, job: Job) -> Shown:
        """Do what was asked. May be cancelled: what was begun goes on, but for an upload.

        Raises:
            OidproxyError: nothing was changed, and why; or the state could not be kept.
        """
        errand = await self._errand(job)
        job.grant.take(len(errand.ways))
        self._shares.check(errand.owner, recorded=job.fanout.kind in _RECORDED)
        if job.fanout.kind is Kind.DATA:
            if job.client is None:
                raise NotSupported("There are no data.")
            return await upload(errand, self._upstreams, job.client)
        answer: asyncio.Future[Shown] = asyncio.get_running_loop().create_future()
        task = self._go_on(self._done(errand, answer), answer)
        self._shares.begun(errand.owner, task)
        grant = job.grant.handed_over()

        def answered(one: asyncio.Future[Shown]) -> None:
            # The client may have left, and then nobody looks at it.
            grant.close()
            one.cancelled() or one.exception()

        answer.add_done_callback(answered)
        return await asyncio.shield(answer)

    async def _errand(self, job: Job) -> Errand:
        fanout, snapshot = job.fanout, self._snapshot()
        if fanout.token is None:
            raise TokenRefused("This request needs a token.")
        if fanout.token.form is Form.CLOSED:
            raise NotSupported("Only users may change what is in several clouds, not a service for them.")
        who = await self._identity.subject(fanout.token)
        if who.project_id is None:
            raise NotSupported("What is in several clouds belongs to a project, and this token has none.")
        ways = {leg.one.cloud: leg for leg in fanout.legs}
        if len(ways) < len(fanout.ones):
            raise NotSupported("Regions of one cloud do not stand for one another: name one of them.")
        return Errand(
            fanout=fanout,
            head=job.head,
            legs=job.legs,
            ways=ways,
            speaker=AsUser(job.legs, ways, job.registry),
            owner=Owner(who.home, who.project_id, who.user_id),
            snapshot=snapshot,
            identity=self._identity,
            journal=self._journal,
            groups=self._groups,
            clock=self._clock,
            learn=self._learn,
        )

    async def _done(self, errand: Errand, answer: asyncio.Future[Shown]) -> None:
        def answered(reply: Shown) -> None:
            if not answer.done():
                answer.set_result(reply)

        try:
            match errand.fanout.kind:
                case Kind.CREATE:
                    await create(errand, answered)
                case Kind.DELETE:
                    await delete(errand, answered)
                case _:
                    answered(await change(errand))
        except OidproxyError as error:
            _log.info("what a request left is left to the journal: %s", error.message)
            _fail(answer, error)
        except asyncio.CancelledError:
            _fail(answer, Draining("This proxy is about to stop; the journal knows what was begun."))
            raise
        except Exception:
            _fail(answer, InternalError("The proxy failed at this; the journal knows what was begun."))
            raise
        if errand.fanout.kind is not Kind.CHANGE:
            await self._look_who_waits()

    def _go_on(
        self, work: Coroutine[Any, Any, None], answer: asyncio.Future[Shown] | None = None
    ) -> asyncio.Task[None]:
        if self._closed or len(self._tasks) >= AT_ONCE:
            work.close()
            raise Overloaded(
                "Too many requests to several clouds are under way.", fields={"Retry-After": "5"}
            )
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = answer
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("replication failed by a bug", exc_info=error)

    # What was left.

    def met(self, token: Presented | None, speaker: Callable[[Intent], AsUser]) -> None:
        """Somebody calls: if it is one for whom something waits, it goes on in their name.

        `speaker` asks clouds on behalf of this call, those only that its scope names.
        """
        if token is None or token.form is Form.CLOSED or self._closed:
            return
        if token.key in self._others or not any(owner.home == token.home for owner in self.waiting):
            return
        if len(self._tasks) < AT_ONCE:
            self._go_on(self._met(token, speaker))

    async def run(self) -> None:
        """Go on with what an account of the operator's can finish, until cancelled."""
        while True:
            try:
                await self._look_who_waits()
                await self._go_on_alone()
            except OidproxyError as error:
                _log.warning("the journal cannot be read: %s", error.message)
            except Exception:  # noqa: BLE001 - what else is left has to go on
                _log.exception("looking after the journal failed by a bug")
            await asyncio.sleep(LOOKED_AT_EVERY)

    async def close(self) -> None:
        """Let what clients wait for end, for a few seconds; what is left then, the journal knows."""
        self._closed = True
        for task, answer in self._tasks.items():
            if answer is None or answer.done():
                task.cancel()
        if not self._tasks:
            return
        _, late = await asyncio.wait(tuple(self._tasks), timeout=CLEAN_UP)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _look_who_waits(self) -> None:
        with suppress(OidproxyError):
            if self._shares.left > LONG and self._clock() < self._looked + LOOKED_AT_SELDOM:
                return
            now, intents = self._clock(), await self._journal.all()
            self._looked = now
            self._shares.see(intents)
            self._due = {one.id: self._due[one.id] for one in intents if one.id in self._due}
            due = (one for one in intents if self._due.get(one.id, (0.0, 0.0))[0] <= now and _can_go_on(one))
            waiting = frozenset(one.owner for one in due)
            if waiting != self.waiting:
                self._others.clear()
                self.waiting = waiting

    async def _met(self, token: Presented, speaker: Callable[[Intent], AsUser]) -> None:
        with suppress(OidproxyError):
            who = await self._identity.subject(token)
            owner = Owner(who.home, who.project_id or "", who.user_id)
            if owner not in self.waiting:
                if len(self._others) < OTHERS_AT_MOST:
                    self._others.add(token.key)
                return
            for intent in await self._journal.all():
                if intent.owner != owner:
                    continue
                asking = speaker(intent)
                if _concerns(intent, asking.ways) and self._is_due(intent):
                    await self._advance(intent, asking, asking.ways.keys())
            await self._look_who_waits()

    async def _go_on_alone(self) -> None:
        for intent in await self._journal.all():
            entries = {one.cloud: one.entry for one in intent.attempts if one.entry}
            if _concerns(intent, entries) and self._is_due(intent):
                speaker = AsAccount(
                    self._upstreams,
                    self._identity,
                    lambda: self._snapshot().registry,
                    entries=entries,
                    project=intent.owner.project,
                    pseudonym=self._pseudonym,
                    regions=intent.regions,
                )
                await self._advance(intent, speaker, entries.keys())

    def _is_due(self, intent: Intent) -> bool:
        """Whether it may be tried now; each time it waits twice as long for the next try."""
        now = self._clock()
        due, waited = self._due.get(intent.id, (0.0, 0.0))
        if now < due:
            return False
        pause = min(max(2 * waited, TRIED_AGAIN_FIRST), TRIED_AGAIN_LAST)
        self._due[intent.id] = now + pause, pause
        return True

    async def _advance(self, intent: Intent, speaker: Speaker, clouds: Collection[str]) -> None:
        advancing = Advancing(self._journal, self._groups, self._clock)

        async def work() -> None:
            # It may have been finished since it was read.
            found = await self._journal.read(intent.id)
            if found is not None:
                await advancing.once(Pen(self._journal, found), speaker, clouds=clouds)

        with suppress(Taken):
            await self._journal.work(intent.id, work)
            if await self._journal.read(intent.id) is None:
                self._due.pop(intent.id, None)


def _fail(answer: asyncio.Future[Shown], error: OidproxyError) -> None:
    if not answer.done():
        answer.set_exception(error)


def _can_go_on(intent: Intent) -> bool:
    """Whether a call would change anything: what was decided and bears no mark, only people can look for."""
    steps = states.steps(intent)
    if intent.phase is Phase.OPEN or not steps:
        return True
    return any(intent.marked or isinstance(step, Remove) for step in steps)


def _concerns(intent: Intent, clouds: Collection[str]) -> bool:
    """Whether something can be done at these clouds; or everywhere was, and only the end is missing."""
    steps = states.steps(intent)
    return not steps or any(step.attempt.cloud in clouds for step in steps)
