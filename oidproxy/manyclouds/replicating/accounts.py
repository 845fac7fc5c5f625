"""Clouds asked with an account of the operator's: for what a user began and nobody else can finish."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import OidproxyError, UpstreamError
from oidproxy.http.head import Length, NoBody
from oidproxy.identity.service import LoginRefused
from oidproxy.manyclouds.parts import Happened, happened
from oidproxy.manyclouds.replicating.heard import Heard, said
from oidproxy.rewrite import ids
from oidproxy.rewrite.lines import join
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.clouds.registry import Endpoint, Registry
    from oidproxy.identity.service import Login
    from oidproxy.upstream.call import Whole

ANSWER_AT_MOST = 8 << 20
PATIENCE = 30.0

NO_REGIONS: Mapping[str, str | None] = MappingProxyType({})


class Fetches(Protocol):
    """What is asked of `upstream.pools.Upstreams`."""

    async def fetch(self, request: Request, body: bytes = b"", *, limit: int) -> Whole:
        """A whole answer."""
        ...


class Signs(Protocol):
    """What is asked of `identity.service.Identity`, or of what stands for it."""

    async def login(self, cloud: str, entry: str) -> Login:
        """An account, signed in."""
        ...


class AsAccount:
    """Implements `replicating.heard.Speaker`; `entries` are the accounts, by cloud.

    Paths that name the project of whoever began it are asked in the account's own.
    """

    __slots__ = (
        "_entries",
        "_project",
        "_pseudonym",
        "_regions",
        "_registry",
        "_role",
        "_signs",
        "_upstreams",
    )

    def __init__(
        self,
        upstreams: Fetches,
        signs: Signs,
        registry: Callable[[], Registry],
        *,
        entries: Mapping[str, str],
        project: str,
        pseudonym: str,
        regions: Mapping[str, str | None] = NO_REGIONS,
        role: str = "",
    ) -> None:
        """`project` is the one of whoever began it, at their home; `regions` are those of clouds that were
        named with one. Without this `role` nobody is asked: whoever does not see everything would take it
        for gone."""
        self._upstreams = upstreams
        self._signs = signs
        self._regions = regions
        self._registry = registry
        self._role = role
        self._entries = entries
        self._project = project
        self._pseudonym = pseudonym

    async def call(self, cloud: str, service_type: str, method: str, target: str, body: bytes = b"") -> Heard:
        """One call. Never raises but CancelledError."""
        endpoint = self._registry().endpoint(cloud, service_type, self._regions.get(cloud))
        if cloud not in self._entries or endpoint is None:
            return Heard(0, Happened.NO, f"no account for {cloud}, or it has no {service_type}")
        try:
            login = await self._signs.login(cloud, self._entries[cloud])
        except (OidproxyError, LoginRefused) as error:
            why = error.message if isinstance(error, OidproxyError) else "its Keystone does not accept it"
            return Heard(0, Happened.NO, f"the account {self._entries[cloud]} cannot sign in: {why}")
        if self._role and self._role not in login.who.roles:
            why = f"the account {self._entries[cloud]} has no role {self._role} there"
            return Heard(0, Happened.NO, why)
        path = ids.in_target(
            target.encode("latin-1"), self._project, login.who.project_id or "", service_type
        )
        request = self._request(endpoint, method, path, body, login.token)
        try:
            whole = await self._upstreams.fetch(request, body, limit=ANSWER_AT_MOST)
        except UpstreamError as error:
            return Heard(0, Happened.PERHAPS if error.sent else Happened.NO, error.message)
        status = whole.head.status
        return Heard(status, happened(status), said(status, whole.body), whole.body)

    def _request(self, endpoint: Endpoint, method: str, path: bytes, body: bytes, token: str) -> Request:
        framing = Length(len(body)) if body else NoBody()
        lines = [
            b"%b %b%b HTTP/1.1" % (method.encode("ascii"), endpoint.root.encode(), path),
            b"Host: " + endpoint.origin.authority.encode("ascii"),
            b"Accept: application/json",
            b"Accept-Encoding: identity",
            b"User-Agent: oidproxy",
            b"Via: 1.1 " + self._pseudonym.encode("ascii"),
            b"X-Auth-Token: " + token.encode("latin-1"),
        ]
        if body:
            lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
        return Request(endpoint, method, join(lines), framing, first_byte=PATIENCE)
