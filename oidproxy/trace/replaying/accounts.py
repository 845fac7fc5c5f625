"""Signs in for the trace's users: one token for each user and scope, before anything is sent."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from oidproxy.errors import ConfigError
from oidproxy.scope.services import official
from oidproxy.trace.filling import Who
from oidproxy.trace.replaying.target import base

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.trace.replaying.settings import Login, Settings

AT_ONCE = 16

RENEWED = 0.8
"""Of a token's life: then another one is fetched beside the requests."""

SCOPE = "X-Scope"


@dataclass(frozen=True, slots=True)
class Session:
    """One account, signed in under one scope."""

    token: str = field(repr=False)
    who: Who
    bases: Mapping[str, str]
    """Official type -> where its paths begin."""
    identity: str
    """Where Keystone's do."""
    renew: float
    """Monotonic time from which on the token is to be replaced."""
    error: str = ""
    """Why there is no token."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Official type -> why its endpoint is not used."""

    def base(self, service: str) -> str:
        """Where the paths of a service begin; "" where the catalog has no such service that may be used."""
        if service == "identity":
            return self.identity
        return self.bases.get(service, "")


class Accounts:
    """Every session of a replay."""

    def __init__(self, http: aiohttp.ClientSession, settings: Settings) -> None:
        self._http = http
        self._settings = settings
        self._sessions: dict[tuple[str, str], Session] = {}
        """User and scope -> session."""
        self._renewing: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def sign_in(self, users: Iterable[tuple[str, str, str]]) -> None:
        """For each user, home and scope.

        Raises:
            ConfigError: nobody at all could sign in, or an address may not be sent to.
        """
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(user: str, home: str, scope: str) -> Session:
            async with limit:
                found = await self.fetch(self._settings.logins.of(user, home), scope)
            self._sessions[user, scope] = found
            return found

        wanted = list(dict.fromkeys(users))
        found = await asyncio.gather(*(one(*each) for each in wanted))
        if found and all(session.error for session in found):
            raise ConfigError(f"nobody could sign in: {found[0].error}")

    def session(self, user: str, home: str, scope: str) -> Session:
        """The session of a user that signed in; its token is renewed in time."""
        found = self._sessions[user, scope]
        if time.monotonic() > found.renew and not found.error:
            self._renew(user, home, scope)
        return found

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._renewing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fetch(self, login: Login, scope: str) -> Session:
        """Sign in; where that fails under the scope, without one (requests are then refused as they were)."""
        found = await self._fetch(login, scope)
        return await self._fetch(login, "") if found.error and scope else found

    def _renew(self, user: str, home: str, scope: str) -> None:
        key = (user, scope)
        if key in self._renewing:
            return

        async def renew() -> None:
            found = await self.fetch(self._settings.logins.of(user, home), scope)
            if not found.error:
                self._sessions[key] = found

        task = asyncio.create_task(renew())
        self._renewing[key] = task
        task.add_done_callback(lambda _: self._renewing.pop(key, None))

    async def _fetch(self, login: Login, scope: str) -> Session:
        root = base(login.auth_url, self._settings.allowed)
        fields = {"Content-Type": "application/json"} | ({SCOPE: scope} if scope else {})
        began = time.monotonic()
        asked = f"{root}/v3/auth/tokens"
        try:
            # A redirection (307, 308) would take the password to whom nobody allowed.
            async with self._http.post(
                asked, data=login.body, headers=fields, allow_redirects=False
            ) as answer:
                body = await answer.read()
                token = answer.headers.get("X-Subject-Token", "")
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return _none(root, f"{root} cannot be asked ({type(error).__name__})")
        if status != 201 or not token:
            return _none(root, f"{root} answers {status}")
        try:
            found = msgspec.json.decode(body)["token"]
            bases, refused = self._bases(found.get("catalog") or [])
            who = Who(found["user"]["id"], (found.get("project") or {}).get("id", ""))
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return _none(root, f"{root} answers with what is no token")
        renew = began + RENEWED * _life(found)
        return Session(token, who, bases, bases.get("identity", root), renew, refused=refused)

    def _bases(self, catalog: list[Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Where each service is, and why some are not used."""
        bases: dict[str, str] = {}
        refused: dict[str, str] = {}
        for service in catalog:
            shown = [
                one["url"]
                for one in service.get("endpoints", ())
                if one.get("interface") == "public"
                and (not self._settings.region or one.get("region") == self._settings.region)
            ]
            kind = official(service.get("type", ""))
            try:
                if shown and kind not in bases:
                    bases[kind] = base(shown[0], self._settings.allowed)
            except ConfigError as error:
                refused[kind] = error.message
        return bases, refused


def _none(root: str, error: str) -> Session:
    return Session("", Who(), {}, root, float("inf"), error)


def _life(token: Mapping[str, Any]) -> float:
    """Seconds between its issue and its end, whatever the clocks."""
    try:
        begin, end = (datetime.fromisoformat(token[name]) for name in ("issued_at", "expires_at"))
    except (KeyError, TypeError, ValueError):
        return 300.0
    return (end - begin).total_seconds()
