"""A service's own user: discovers Keystone, gets a token, and keeps it until shortly before it expires.

What keystoneauth's password plugin and session do for the sections of a service's configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from oidproxy.sim.messages import JSON, Fields
from oidproxy.sim.steps import Call, CallFailedError, Procedure, call, once
from oidproxy.sim.timestamps import seconds

if TYPE_CHECKING:
    from oidproxy.sim.caller import Catalog
    from oidproxy.sim.sources import Sources

MARGIN = 120
"""keystoneauth gets a new token when the present one has fewer seconds left than this."""
ACCEPT: Fields = (("Accept", JSON), ("Accept-Encoding", "gzip, deflate"))


class AuthenticationError(Exception):
    """Keystone gave no token. 401 means that it refused the user; anything else that it could not say."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Keystone answered {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Issued:
    """A token of this account."""

    token: str = field(repr=False)
    expires: float
    catalog: Catalog = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How an account authenticates: a password, in a project of the default domain."""

    auth_url: str
    """With its version: `http://127.0.2.1:5000/v3`."""
    user: str
    password: str = field(repr=False)
    project: str = "service"


class Account:
    """One section of a service's configuration (`[keystone_authtoken]`, `[service_user]`, …) in one
    process."""

    def __init__(self, credentials: Credentials, process: str, agent: str, sources: Sources) -> None:
        self._credentials = credentials
        self._process = process
        self._agent = agent
        self._sources = sources
        self._issued: Issued | None = None
        self._discovered = False

    def token(self) -> Procedure[Issued]:
        """The present token, or a new one; AuthenticationError or CallFailedError when there is none to be
        had."""
        issued = self._issued
        if issued is not None and issued.expires - self._sources.now() > MARGIN:
            return issued
        fresh = yield from once(("token", id(self)), self._authenticate)
        return fresh

    def invalidate(self) -> None:
        """Forget the present token: a service said 401 to it."""
        self._issued = None

    def _authenticate(self) -> Procedure[Issued]:
        yield from self._discover()
        answer = yield from call(
            Call(
                self._process,
                "POST",
                f"{self._credentials.auth_url}/auth/tokens",
                (("User-Agent", self._agent), *ACCEPT, ("Content-Type", JSON)),
                msgspec.json.encode(password_request(self._credentials)),
            )
        )
        if answer.status != 201:
            raise AuthenticationError(answer.status)
        document = answer.json()["token"]
        self._issued = Issued(
            answer.fields["x-subject-token"],
            seconds(document["expires_at"]),
            tuple(document.get("catalog", ())),
        )
        return self._issued

    def _discover(self) -> Procedure[None]:
        """Ask once which versions Keystone has; keystoneauth goes on with the URL's own version if that
        fails."""
        if self._discovered:
            return
        fields = (("User-Agent", self._agent), *ACCEPT)
        try:
            answer = yield from call(Call(self._process, "GET", self._credentials.auth_url, fields))
        except CallFailedError:
            return
        self._discovered = answer.ok


def password_request(credentials: Credentials) -> dict[str, object]:
    """The body of a token request with a password."""
    domain = {"id": "default"}
    user = {"name": credentials.user, "password": credentials.password, "domain": domain}
    return {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": credentials.project, "domain": domain}},
        }
    }
