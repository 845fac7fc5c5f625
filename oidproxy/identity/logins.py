"""Accounts of the proxy's own at clouds: signed in when first needed, and kept while the token is good."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer
from oidproxy.http.head import Length
from oidproxy.identity.body import token_in
from oidproxy.identity.expiring import Expiring
from oidproxy.identity.question import PATH, unavailable
from oidproxy.identity.singleflight import SingleFlight
from oidproxy.identity.subjects import keystone, understood
from oidproxy.tokens.opening import is_bare
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.clouds.credentials import Credential
    from oidproxy.clouds.registry import Endpoint
    from oidproxy.identity.current import Current
    from oidproxy.identity.question import Fetch
    from oidproxy.identity.subject import Subject
    from oidproxy.upstream.call import Whole

_log = logging.getLogger("oidproxy.identity")

KEPT = 300.0
"""Seconds; then the account's roles are looked at again (identity.md, Gateway)."""

BEFORE_ITS_END = 60.0
"""Seconds before its end from which a token is not used any more: the call it goes with takes its time."""

YOUNG = 10.0
"""Seconds for which a token stays, whatever a service answers to it: else each 401 would be a login."""

BACK_OFF_FIRST, BACK_OFF_LAST = 5.0, 300.0
"""Seconds without a try after a refusal, twice as many each time: Keystone locks accounts after failures."""

CAPACITY = 1024


class LoginRefused(Exception):
    """Keystone does not accept an account of ours. Its operator finds that in the log."""


@dataclass(frozen=True, slots=True)
class Login:
    """A token of an account of ours, and who it is there."""

    token: str = field(repr=False)
    who: Subject
    until: float
    """Seconds since the epoch: it is not used any longer than this."""


class Logins:
    """One worker's. Several requests that need the same account wait for one answer."""

    __slots__ = ("_clock", "_current", "_fetch", "_flights", "_kept", "_refused", "_via")

    def __init__(self, fetch: Fetch, current: Current, clock: Callable[[], float], pseudonym: str) -> None:
        self._fetch = fetch
        self._current = current
        self._clock = clock
        self._via = pseudonym
        self._kept: Expiring[tuple[str, str], Login] = Expiring(CAPACITY)
        self._refused: dict[tuple[str, str], tuple[float, float]] = {}
        """Account -> when it is tried again, and how long it waited for that."""
        self._flights: SingleFlight[tuple[str, str, int], Login] = SingleFlight()

    def kept(self, cloud: str, entry: str) -> Login | None:
        """The account's login at this cloud, if it can be used without asking."""
        return self._kept.get((cloud, entry), self._clock())

    def refused(self, cloud: str, entry: str) -> bool:
        """Whether this account was refused a while ago, so that it is not tried now."""
        return self._refused.get((cloud, entry), (0.0, 0.0))[0] > self._clock()

    async def login(self, cloud: str, entry: str) -> Login:
        """The login of the entry of clouds.yaml at this cloud. Raises LoginRefused, UpstreamError."""
        found = self.kept(cloud, entry)
        if found is not None:
            return found
        if self.refused(cloud, entry):
            raise LoginRefused
        serial = self._current.snapshot.serial
        return await self._flights.do((cloud, entry, serial), lambda: self._sign_in(cloud, entry, serial))

    def forget(self, cloud: str, token: str) -> None:
        """A service of this cloud did not take the token (any more)."""
        now = self._clock()
        self._kept.drop_where(
            lambda place, login: place[0] == cloud and login.token == token and now - login.who.seen >= YOUNG
        )

    def clear(self) -> None:
        """Sign in anew: the credentials may be others now."""
        self._kept.drop_where(lambda _, __: True)
        self._refused.clear()

    async def _sign_in(self, cloud: str, entry: str, serial: int) -> Login:
        registry = self._current.snapshot.registry
        endpoint = keystone(registry, cloud)
        request, body = self._request(endpoint, registry.credentials[entry])
        whole = await self._fetch(request, body, limit=registry.limits.token_answer)
        if whole.head.status == 429 or whole.head.status >= 500:
            raise unavailable(whole, cloud)
        if whole.head.status != 201:
            self._back_off(cloud, entry, whole.head.status)
            raise LoginRefused
        made = self._made(whole, cloud)
        self._refused.pop((cloud, entry), None)
        if serial == self._current.snapshot.serial:
            self._kept.put((cloud, entry), made, made.until)
        return made

    def _back_off(self, cloud: str, entry: str, status: int) -> None:
        _, waited = self._refused.get((cloud, entry), (0.0, 0.0))
        pause = min(max(2 * waited, BACK_OFF_FIRST), BACK_OFF_LAST)
        self._refused[cloud, entry] = self._clock() + pause, pause
        _log.error(
            "%s does not accept the credentials %s (%d); they are tried again in %.0f s",
            cloud,
            entry,
            status,
            pause,
        )

    def _request(self, endpoint: Endpoint, credential: Credential) -> tuple[Request, bytes]:
        framing = Length(len(credential.body))
        lines = [
            f"POST {endpoint.root}{PATH.decode()}?nocatalog HTTP/1.1",
            f"Host: {endpoint.origin.authority}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "Content-Type: application/json",
            f"Content-Length: {framing.size}",
            "User-Agent: oidproxy",
            f"Via: 1.1 {self._via}",
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return Request(endpoint, "POST", head, framing, from_service=True), credential.body

    def _made(self, whole: Whole, cloud: str) -> Login:
        now = self._clock()
        token = (whole.head.get(b"x-subject-token") or b"").decode("latin-1")
        if not is_bare(token):
            raise BadAnswer(
                f"The identity service of {cloud} answered without a token.", cloud=cloud, sent=True
            )
        who = understood(cloud, token_in(whole, cloud), now)
        return Login(token, who, min(who.expires - BEFORE_ITS_END, now + KEPT))
