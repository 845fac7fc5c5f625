"""Calls from one process of a service to other services, with the user's token or with an account of its own.

What keystoneauth's session does for Nova's and Cinder's clients: endpoint from the catalog that came with
the token, X-Service-Token beside a user's token, and one further attempt with new tokens of our own after a
401.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from oidproxy.sim.account import ACCEPT, Account
from oidproxy.sim.caller import Caller
from oidproxy.sim.catalog import find, names_of
from oidproxy.sim.messages import JSON, Answer, Fields
from oidproxy.sim.steps import Call, Fetch, Fetched, Procedure, Upload, call, fetch, upload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """One request to a kind of service, before it is known where that service is and with which tokens it
    goes out."""

    service_type: str
    agent: str
    """User-Agent of the client library."""
    method: str
    path: str
    """Below the endpoint, with query."""
    document: object = None
    """The JSON body, if there is one."""
    fields: Fields = ()
    interfaces: tuple[str, ...] = ("internal", "public")
    media: str = JSON
    """Content-Type of the document."""


class Sender:
    """Whose tokens a call carries. `user` and `account` exclude each other; `service` is sent as
    X-Service-Token."""

    def __init__(
        self,
        *,
        user: Caller | None = None,
        account: Account | None = None,
        service: Account | None = None,
        request_id: str = "",
    ) -> None:
        self._user = user
        self.request_id = request_id
        """Goes along as X-OpenStack-Request-ID."""
        self._account = account
        self._service = service

    def tokens(self) -> Procedure[Tokens]:
        """The tokens to send now, and the catalog to find endpoints in."""
        service_token = (yield from self._service.token()).token if self._service else ""
        if self._account is not None:
            issued = yield from self._account.token()
            return Tokens(issued.token, service_token, issued.catalog)
        user = self._user or Caller()
        return Tokens(user.token, service_token, user.catalog)

    def renew(self) -> bool:
        """Forget our own tokens after a 401; whether there were any, so that trying again makes sense."""
        for account in (self._account, self._service):
            if account is not None:
                account.invalidate()
        return self._account is not None or self._service is not None


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one call."""

    token: str = field(repr=False)
    service_token: str = field(repr=False)
    catalog: tuple[dict[str, object], ...] = field(repr=False)

    @property
    def fields(self) -> Fields:
        """As header fields."""
        fields: Fields = (("X-Auth-Token", self.token),) if self.token else ()
        return (*fields, ("X-Service-Token", self.service_token)) if self.service_token else fields


@dataclass(frozen=True, slots=True)
class Client:
    """One process of a service as a client of others."""

    process: str
    region: str
    """The service's own `region_name`: endpoints of other regions are not seen."""

    def endpoint(self, tokens: Tokens, target: Target) -> str:
        """Where the target's service is; EndpointNotFoundError when the catalog does not say."""
        return find(tokens.catalog, names_of(target.service_type), self.region, target.interfaces)

    def send(self, sender: Sender, target: Target) -> Procedure[Answer]:
        """Make a call."""
        answer = yield from self._attempt(sender, target, call)
        if answer.status == 401 and sender.renew():
            answer = yield from self._attempt(sender, target, call)
        return answer

    def download(self, sender: Sender, target: Target, blob: str = "") -> Procedure[Fetched]:
        """Make a call whose answer is streamed; stored if a blob is named."""

        def start(step: Call) -> Procedure[Fetched]:
            return fetch(Fetch(step, blob))

        fetched = yield from self._attempt(sender, target, start)
        if fetched.answer.status == 401 and sender.renew():
            fetched = yield from self._attempt(sender, target, start)
        return fetched

    def upload(
        self, sender: Sender, target: Target, *, blob: str = "", pattern: str = "", size: int = 0
    ) -> Procedure[Answer]:
        """Make a call whose body is streamed from a blob, or generated. It is not repeated."""
        return self._attempt(sender, target, lambda step: upload(Upload(step, blob, pattern, size)))

    def _attempt(self, sender: Sender, target: Target, start: Callable[[Call], Procedure[T]]) -> Procedure[T]:
        tokens = yield from sender.tokens()
        return (yield from start(self._call(sender, tokens, target)))

    def _call(self, sender: Sender, tokens: Tokens, target: Target) -> Call:
        fields = (("User-Agent", target.agent), *ACCEPT, *tokens.fields, *target.fields)
        if sender.request_id:
            fields += (("X-OpenStack-Request-ID", sender.request_id),)
        body = b""
        if target.document is not None:
            fields += (("Content-Type", target.media),)
            body = msgspec.json.encode(target.document)
        return Call(self.process, target.method, self.endpoint(tokens, target) + target.path, fields, body)
