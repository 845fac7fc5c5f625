"""One question to one Keystone, "who is this token?", and what its answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import BadAnswer, IdentityUnavailable, TokenRefused
from oidproxy.http.head import Framing, NoBody
from oidproxy.identity.body import token_in
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.registry import Endpoint
    from oidproxy.identity.memory import Form
    from oidproxy.upstream.call import Whole

PATH = b"/v3/auth/tokens"

_UNKNOWN = frozenset({401, 403, 404})


class Fetch(Protocol):
    """`Upstreams.fetch`: one whole answer of at most `limit` bytes; raises UpstreamError."""

    async def __call__(self, request: Request, body: bytes = b"", *, limit: int) -> Whole:
        """Send it, and read the answer."""
        ...


class WriteHead(Protocol):
    """Writes the head of a client's request as it goes to Keystone: its fields, the route's target and Host.

    `framing` is how the body will be delimited; a token that is None is not sent, whatever the client sent.
    """

    def __call__(self, framing: Framing, *, token: str | None, subject: str | None = None) -> bytes:
        """The complete head. `token` is X-Auth-Token and `subject` X-Subject-Token, both bare."""
        ...


class Question:
    """Asks in this proxy's own name: nothing of a client's request is in it but the tokens."""

    __slots__ = ("_fetch", "_via")

    def __init__(self, fetch: Fetch, pseudonym: str) -> None:
        self._fetch = fetch
        self._via = pseudonym

    async def ask(
        self, endpoint: Endpoint, *, asker: str, subject: str, form: Form, limit: int, from_service: bool
    ) -> Mapping[str, object]:
        """What this Keystone says of `subject` when `asker` asks (bare tokens, both its own).

        TokenRefused if it does not know one of them, IdentityUnavailable if it cannot say now, another
        UpstreamError if there is no proper answer.
        """
        head = self._head(endpoint, asker, subject, form)
        # GET even where HEAD was asked: the policy needs the answer, and an application credential with
        # access rules may always GET its own token (keystonemiddleware, validate_allowed_request), but not
        # HEAD it.
        request = Request(endpoint, "GET", head, NoBody(), from_service=from_service)
        whole = await self._fetch(request, limit=limit)
        return _told(whole, endpoint.cloud)

    def _head(self, endpoint: Endpoint, asker: str, subject: str, form: Form) -> bytes:
        query = "?nocatalog&allow_expired=1" if form.allow_expired else "?nocatalog"
        lines = [
            f"GET {endpoint.root}{PATH.decode()}{query} HTTP/1.1",
            f"Host: {endpoint.origin.authority}",
            f"X-Auth-Token: {asker}",
            f"X-Subject-Token: {subject}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "User-Agent: oidproxy",
            # A Keystone that is, by mistake, one of our own listeners is told from a real one by this.
            f"Via: 1.1 {self._via}",
        ]
        if form.access_rules:
            lines.append(f"OpenStack-Identity-Access-Rules: {form.access_rules}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _told(whole: Whole, cloud: str) -> Mapping[str, object]:
    status = whole.head.status
    if status == 200:
        return token_in(whole, cloud)
    if status in _UNKNOWN:
        raise TokenRefused(f"The identity service of {cloud} does not accept this token.")
    if status == 429 or status >= 500:
        raise unavailable(whole, cloud)
    raise BadAnswer(
        f"The identity service of {cloud} gave an answer of status {status}.", cloud=cloud, sent=True
    )


def unavailable(whole: Whole, cloud: str) -> IdentityUnavailable:
    """The error for an answer of 429 or 5xx, with the cloud's own word on when to come back."""
    later = whole.head.get(b"retry-after")
    fields = {"Retry-After": later.decode("latin-1")} if later else {}
    message = f"The identity service of {cloud} cannot validate tokens now (status {whole.head.status})."
    return IdentityUnavailable(message, cloud=cloud, sent=True, fields=fields)
