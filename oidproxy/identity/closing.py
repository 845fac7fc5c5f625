"""What goes out as X-Auth-Token and X-Service-Token: bare to Keystone, sealed to the home, closed elsewhere.

To clouds whose services ask their own Keystone go bare tokens of theirs only (`exchanging`).

Theory of operation. One synchronous pass over memory decides everything, and raises `Unvalidated` where a
home must be asked first; the slow way asks, and takes the same pass again. So both ways cannot differ in
what they allow.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

from oidproxy.errors import IdentityUnavailable, NotAdmitted, OidproxyError, TokenRefused
from oidproxy.identity.bare import for_keystone
from oidproxy.identity.exchanging import Exchanged, Exchanging, NeedsLogin, NeedsSubject
from oidproxy.identity.logins import LoginRefused
from oidproxy.identity.memory import LATE, Audience, Memory
from oidproxy.identity.subjects import FOR_ANSWERING, FOR_ASKING, FOR_SENDING, Subjects
from oidproxy.scope.canonical import bounded_canonical
from oidproxy.tokens.digest import shown
from oidproxy.tokens.presented import Box, Form, Presented, Use
from oidproxy.tokens.query import does_more
from oidproxy.tokens.sealed import seal
from oidproxy.tokens.trust import Refusal, admit, is_declared, may_send

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.clouds.registry import Admission
    from oidproxy.identity.companions import Companions
    from oidproxy.identity.current import Current
    from oidproxy.identity.logins import Logins
    from oidproxy.identity.subject import Subject
    from oidproxy.routing.decision import Forward, Route

_log = logging.getLogger("oidproxy.identity")

LATE_FOR = 2 * 24 * 3600.0
"""Seconds that Keystone still validates an expired token for a service (`[token] allow_expired_window`)."""

_READS = frozenset({"GET", "HEAD"})
# The user's token, the service's, and one more each if memory drops them in between; an exchange needs each
# account of ours that the project is mapped to.
_PASSES = 64


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The texts to send; None means that the field is not sent."""

    token: str | None = field(repr=False)
    service_token: str | None = field(repr=False)
    exchanged: Exchanged | None = None
    """Whose token it is, and how it was had, where it is none of the user's home."""


class Unvalidated(Exception):  # no failure: the slow way is to be taken
    """Its home must be asked about this token before it may go abroad."""

    def __init__(self, token: Presented) -> None:
        super().__init__()
        self.token = token


class Closing:
    """Makes the tokens of forwarded requests."""

    __slots__ = ("_clock", "_companions", "_current", "_exchanging", "_logins", "_memory", "_subjects")

    def __init__(
        self,
        subjects: Subjects,
        logins: Logins,
        memory: Memory,
        current: Current,
        *,
        companions: Companions,
        clock: Callable[[], float],
    ) -> None:
        self._companions = companions
        self._exchanging = Exchanging(subjects, logins, current)
        self._logins = logins
        self._subjects = subjects
        self._memory = memory
        self._current = current
        self._clock = clock

    def at_once(self, forward: Forward, method: str) -> Outgoing | None:
        """The tokens, if nobody has to be asked and nothing is to be refused."""
        try:
            return self._pass(forward, method)
        except (Unvalidated, NeedsSubject, NeedsLogin, OidproxyError):
            return None

    async def later(self, forward: Forward, method: str) -> Outgoing:
        """The tokens. Raises TokenRefused, NotAdmitted, ScopeError, UpstreamError."""
        for _ in range(_PASSES):
            try:
                return self._pass(forward, method)
            except Unvalidated as missing:
                await self._validate(missing.token, forward)
            except NeedsSubject as missing:
                # Refused, it is remembered so: the next pass knows whether something else will do.
                with suppress(TokenRefused):
                    await self._subjects.known(missing.token, age=FOR_ASKING)
            except NeedsLogin as missing:
                with suppress(LoginRefused):
                    await self._logins.login(missing.cloud, missing.entry)
        raise IdentityUnavailable(
            "The token was validated, but not remembered: too many are in use at one time."
        )

    # One pass.

    def _pass(self, forward: Forward, method: str) -> Outgoing:
        if forward.route.service_type == "identity" and not forward.direct:
            return Outgoing(
                for_keystone(forward.token, forward.route),
                for_keystone(forward.service_token, forward.route),
            )
        self._check_user(forward, method)
        if forward.direct:
            return self._direct(forward, method)
        service, companion = self._service_token(forward, method)
        return Outgoing(self._user_token(forward, companion), service)

    def _direct(self, forward: Forward, method: str) -> Outgoing:
        """To services that ask their own Keystone: nothing that only this proxy could tell them about."""
        token, service, route = forward.token, forward.service_token, forward.route
        if service is not None and service.form is Form.CLOSED:
            raise TokenRefused("X-Service-Token holds a token that another cloud may only validate.")
        if service is not None and service.home != route.cloud:
            _refuse_undeclared(service, route, method)
            service = None
        bare = service.token if service is not None else None
        if token is None or token.home == route.cloud:
            return Outgoing(token.token if token is not None else None, bare)
        exchanged = self._exchanging.exchanged(forward, token)
        return Outgoing(exchanged.token, None, exchanged)

    def _check_user(self, forward: Forward, method: str) -> None:
        """First what needs no home to be asked: nobody is asked about a token that is not admitted anyway."""
        token, cloud = forward.token, forward.route.cloud
        if token is None:
            return
        if token.box is not None:
            _check_box(token.box, self._clock())
            if self._admission(token.box.cloud, token.home) is None:
                raise NotAdmitted(
                    f"{token.box.cloud} does not admit users of {token.home} any more, so its services may "
                    "do nothing for them."
                )
        if token.home != cloud:
            admission = self._admission(cloud, token.home)
            if admission is None:
                raise NotAdmitted(
                    f"{cloud} does not admit users of {token.home}: ask the operator of {cloud} to add "
                    f"{token.home} to its admits."
                )
            reads = may_send(admission, method) and not (
                admission.read_only and does_more(forward.route.target.partition(b"?")[2])
            )
            if not reads:
                raise NotAdmitted(
                    f"{cloud} admits users of {token.home} for reading only: ask the operator of {cloud} to "
                    f"set read_only to false for {token.home}."
                )

    def _user_token(self, forward: Forward, companion: bool) -> str | None:
        token, route = forward.token, forward.route
        if token is None:
            return None
        if token.home == route.cloud:
            return seal(token.token, token.home, route.effective)
        audience = _audience(route, Use.CALL)
        known = self._known(token, companion)
        made = self._memory.closing(token.key, audience, self._clock())
        if made is None:
            self._admit(known, route.cloud)
            made = self._close(token, known, audience)
        return made

    def _known(self, token: Presented, companion: bool) -> Subject:
        """Who the user is; with an ended token only while a declared service of its home speaks for it."""
        late = self._memory.subject(token.key, LATE, FOR_ANSWERING, self._clock()) if companion else None
        try:
            known = late or self._subjects.recalled(token, age=FOR_SENDING)
        except TokenRefused:
            if not companion:
                raise
            known = None
        if known is None:
            raise Unvalidated(token)
        return known

    def _service_token(self, forward: Forward, method: str) -> tuple[str | None, bool]:
        """X-Service-Token, and whether it is one of a service that this cloud knows, of the user's home."""
        service, route = forward.service_token, forward.route
        if service is None:
            return None, False
        if service.form is Form.CLOSED:
            # A foreign cloud holds it to validate it. Opened here it would make that cloud a service of the
            # home.
            raise TokenRefused("X-Service-Token holds a token that another cloud may only validate.")
        if service.home == route.cloud:
            return seal(service.token, service.home, route.effective), False
        text = self._declared(service, route)
        if text is None:
            _refuse_undeclared(service, route, method)
            return None, False
        return text, self._accompany(forward, text)

    def _declared(self, service: Presented, route: Route) -> str | None:
        """The closed token of a service account that the cloud declared; None for any other."""
        admission = self._admission(route.cloud, service.home)
        if admission is None or not admission.services:
            return None
        known = self._subjects.recalled(service, age=FOR_SENDING)
        if known is None:
            raise Unvalidated(service)
        audience = _audience(route, Use.VALIDATE)
        made = self._memory.closing(service.key, audience, self._clock())
        if made is None and is_declared(known.token, admission):
            made = self._close(service, known, audience)
        return made

    def _accompany(self, forward: Forward, text: str) -> bool:
        """Remember the service that speaks for this user, for when the user's token ends."""
        user, service, cloud = forward.token, forward.service_token, forward.route.cloud
        if user is None or service is None or user.home != service.home or user.home == cloud:
            return False
        known = self._subjects.recalled(service, age=FOR_SENDING)
        if known is not None:
            until = min(float(known.expires), self._clock() + LATE_FOR)
            self._companions.keep(user.key, cloud, text, until=until, now=self._clock())
        return True

    def _close(self, token: Presented, known: Subject, audience: Audience) -> str:
        cloud, service, use, scope = audience
        box = Box(
            token=token.token,
            home=token.home,
            scope=scope,
            cloud=cloud,
            service=service,
            use=use,
            expires=known.expires,
        )
        text = self._current.snapshot.keyring.close(box)
        self._memory.keep_closing(token.key, audience, text, self._clock())
        return text

    def _admit(self, known: Subject, cloud: str) -> None:
        try:
            admit(known.token, self._admission(cloud, known.home))
        except Refusal as refusal:
            raise NotAdmitted(
                f"{cloud} does not admit this token of {known.home}: {refusal.reason}. Ask the operator of "
                f"{cloud} what it admits of {known.home}."
            ) from None

    def _admission(self, cloud: str, home: str) -> Admission | None:
        target = self._current.snapshot.registry.clouds.get(cloud)
        return target.admits.get(home) if target else None

    # The slow way.

    async def _validate(self, token: Presented, forward: Forward) -> None:
        service = forward.service_token
        from_service = service is not None and self._memory.service(service.key, self._clock()) is not None
        try:
            await self._subjects.known(token, age=FOR_SENDING, from_service=from_service)
        except TokenRefused:
            if token is not forward.token or not self._speaks_for(service, token, forward.route):
                raise
            await self._subjects.late(token, service.token, age=FOR_ANSWERING)

    def _speaks_for(self, service: Presented | None, user: Presented, route: Route) -> TypeGuard[Presented]:
        if service is None or service.home != user.home:
            return False
        try:
            return self._declared(service, route) is not None
        except (Unvalidated, TokenRefused):
            return False


def _check_box(box: Box, now: float) -> None:
    if box.use is not Use.CALL:
        raise TokenRefused("This token may be validated only.")
    if box.expires <= now:
        raise TokenRefused("The token has expired.")


def _audience(route: Route, use: Use) -> Audience:
    return route.cloud, route.service_type, use, bounded_canonical(route.effective)


def _refuse_undeclared(service: Presented, route: Route, method: str) -> None:
    """Without its service token a volume hangs in `detaching`; everything else does without."""
    if route.service_type == "block-storage" and method not in _READS:
        raise NotAdmitted(
            f"{route.cloud} does not know the calling service of {service.home}: ask the operator of "
            f"{route.cloud} to declare it in the services that it admits of {service.home}."
        )
    _log.info(
        "X-Service-Token %s of %s left out: %s declares no such service",
        shown(service.token),
        service.home,
        route.cloud,
    )
