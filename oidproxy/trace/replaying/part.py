"""One process's part of a replay, from signing in to the last answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.trace.remapping import Remapping
from oidproxy.trace.replaying.accounts import Accounts
from oidproxy.trace.replaying.looking import look
from oidproxy.trace.replaying.running import Loop, Progress, Running
from oidproxy.trace.replaying.sending import Clock, Sender
from oidproxy.trace.whatif.scopes import Scopes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from oidproxy.trace.line import Line
    from oidproxy.trace.replaying.looking import Rows
    from oidproxy.trace.replaying.resuming import Learned
    from oidproxy.trace.replaying.settings import Settings
    from oidproxy.trace.results.outcome import Outcome
    from oidproxy.trace.schedule import Schedule
    from oidproxy.trace.survey import Survey


@dataclass(slots=True)
class Part:
    """What one process does of a replay."""

    settings: Settings
    survey: Survey
    schedule: Schedule
    lines: Callable[[], Iterable[Line]]
    """The requests, from the first, as often as they are wanted."""
    begins: int = 0
    """Nanoseconds of the schedule at which it begins."""
    done: Mapping[int, frozenset[int]] = field(default_factory=dict)
    learned: Mapping[int, Learned] = field(default_factory=dict)
    remappings: dict[int, Remapping] = field(default_factory=dict)
    """Loop -> what it learned; filled by `run`."""
    saturated: list[str] = field(default_factory=list)
    progress: Progress = field(default_factory=lambda: Progress(0))

    async def run(
        self, sink: Callable[[Outcome], None], ready: Callable[[], None], start: asyncio.Event
    ) -> None:
        """Sign in, tell that it is `ready`, wait for `start`, and send. Cancelled, it stops in order.

        Raises:
            ConfigError: nobody can sign in, or a target may not be sent to.
        """
        settings = self.settings
        clock = Clock()
        sender = Sender(settings, clock)
        accounts = Accounts(sender.http, settings)
        scopes = Scopes(settings.scope, settings.maps)
        try:
            await accounts.sign_in(self._users(scopes))
            rows = await look(
                self.survey,
                sender,
                lambda user, recorded: accounts.session(
                    user, self._home(user, recorded), scopes.of(recorded, "")
                ),
                scopes.of,
            )
            ready()
            await start.wait()
            clock.show(self.begins)
            running = Running(
                settings=settings,
                schedule=self.schedule,
                accounts=accounts,
                sender=sender,
                clock=clock,
                sink=sink,
                progress=self.progress,
            )
            await running.run(self._loops(rows))
        finally:
            self._tell(sender)
            await accounts.close()
            await sender.close()

    def _users(self, scopes: Scopes) -> Iterator[tuple[str, str, str]]:
        """Everybody and every scope that somebody sends under; what is bound may depend on the service."""
        for (user, recorded), home in self.survey.users.items():
            yield user, home, scopes.of(recorded, "")
        for user, recorded, service in self.survey.asks:
            yield user, self._home(user, recorded), scopes.of(recorded, service)

    def _home(self, user: str, recorded: str) -> str:
        return self.survey.users.get((user, recorded), "")

    def _loops(self, rows: Rows) -> Iterator[tuple[Loop, Iterable[Line]]]:
        for number in range(self.settings.loops):
            learned = self.learned.get(number)
            remapping = Remapping(
                loop=number,
                suffix=self.settings.suffix,
                learned=learned.ids if learned else None,
                names=learned.names if learned else None,
            )
            for (recorded, kind), found in rows.items():
                remapping.know(recorded, kind, found)
            self.remappings[number] = remapping
            yield Loop(number, remapping, self.done.get(number, frozenset())), self.lines()

    def _tell(self, sender: Sender) -> None:
        """Why this process could not keep up."""
        settings = self.settings
        if sender.queued:
            self.saturated.append(
                f"{sender.queued} requests waited for one of {settings.connections} connections "
                "(--connections)"
            )
        if sender.exhausted:
            self.saturated.append(
                f"for {sender.exhausted} requests this machine had no socket left (ulimit -n)"
            )
        if self.progress.filled:
            self.saturated.append("too many requests were under way at one time: sending waited for answers")
