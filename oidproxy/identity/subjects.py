"""Who a token is: from memory, or asked of its home, one question at a time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer, NotSupported, TokenRefused
from oidproxy.identity.memory import LATE, PLAIN, Form, Key, Memory
from oidproxy.identity.singleflight import SingleFlight
from oidproxy.identity.subject import Subject, subject
from oidproxy.tokens.digest import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.clouds.registry import Endpoint, Registry
    from oidproxy.identity.current import Current
    from oidproxy.identity.question import Question
    from oidproxy.tokens.presented import Presented

_log = logging.getLogger("oidproxy.identity")

FOR_ASKING = 60.0
"""Seconds for which a validated token may ask about others (identity.md, Validation at home, step 1)."""

FOR_ANSWERING = 30.0
"""Seconds for which an answer about a token is given again (step 2)."""

FOR_SENDING = 300.0
"""Seconds for which a token may be closed on what is known: the foreign service asks about it anyway."""


class Subjects:
    """What homes say of tokens."""

    __slots__ = ("_clock", "_current", "_flights", "_memory", "_question")

    def __init__(
        self, question: Question, memory: Memory, current: Current, clock: Callable[[], float]
    ) -> None:
        self._question = question
        self._memory = memory
        self._current = current
        self._clock = clock
        self._flights: SingleFlight[tuple[Key, Form, bool], Subject] = SingleFlight()

    def recalled(self, token: Presented, *, age: float, form: Form = PLAIN) -> Subject | None:
        """Who this token is, if that is remembered; TokenRefused if it is remembered to be nobody."""
        now = self._clock()
        found = self._memory.subject(token.key, form, age, now)
        if found is None and self._memory.refused(token.key, form, now):
            raise _refusal(token.home)
        return found

    async def known(
        self, token: Presented, *, age: float, form: Form = PLAIN, from_service: bool = False
    ) -> Subject:
        """Who this token is, as its home said at most `age` seconds ago. The token asks about itself.

        Raises TokenRefused, or UpstreamError, which is not remembered.
        """
        found = self.recalled(token, age=age, form=form)
        if found is not None:
            return found
        return await self._flights.do(
            (token.key, form, False), lambda: self._ask(token, token.token, form, from_service)
        )

    async def late(self, token: Presented, service_token: str, *, age: float) -> Subject:
        """Who a token is or was, though it may have ended: the service of its home that came with it asks.

        Raises TokenRefused, UpstreamError.
        """
        found = self._memory.subject(token.key, LATE, age, self._clock())
        if found is not None:
            return found
        return await self._flights.do(
            (token.key, LATE, True), lambda: self._ask(token, service_token, LATE, from_service=True)
        )

    def learn(self, name: Key, told: Subject, form: Form = PLAIN) -> None:
        """Remember what a token's home said on another occasion: at its issue, or to another asker."""
        self._memory.remember(name, form, told, self._clock())

    def revoked(self, token: Presented) -> None:
        """Its home took it back: forget it, and believe no answer that is still under way."""
        self._memory.revoke(token.key, self._clock())

    async def _ask(self, token: Presented, asker: str, form: Form, from_service: bool) -> Subject:
        home, name = token.home, token.key
        registry = self._current.snapshot.registry
        endpoint = keystone(registry, home)
        asked = self._clock()
        try:
            told = await self._question.ask(
                endpoint,
                asker=asker,
                subject=token.token,
                form=form,
                limit=registry.limits.token_answer,
                from_service=from_service,
            )
        except TokenRefused:
            _log.info("%s does not accept %s", home, shown(token.token))
            self._memory.refuse(name, form, self._clock())
            raise
        found = understood(home, told, asked)
        if self._memory.revoked(name, self._clock()):
            raise _refusal(home)
        self._memory.remember(name, form, found, self._clock())
        return found


def keystone(registry: Registry, home: str) -> Endpoint:
    """The identity endpoint of a token's home; TokenRefused for a home that is no cloud of ours."""
    endpoint = registry.endpoint(home, "identity")
    if endpoint is not None:
        return endpoint
    if home in registry.clouds:
        raise NotSupported(f"{home} has no identity.")
    raise TokenRefused("The token names a home that this proxy does not know: authenticate again.")


def understood(home: str, told: Mapping[str, object], seen: float) -> Subject:
    """The subject in an answer of a home; BadAnswer if there is none."""
    try:
        return subject(home, told, seen)
    except ValueError:
        raise BadAnswer(f"The identity service of {home} sent a token without an end.", cloud=home) from None


def _refusal(home: str) -> TokenRefused:
    return TokenRefused(f"The identity service of {home} does not accept this token.")
