"""Presents what a cloud saw at another cloud, as somebody who runs the first and wishes the second harm."""

from __future__ import annotations

import http.client
import json
import re
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.recordings import Seen

_TOKEN = re.compile(r"[A-Za-z0-9_~.=!%-]{60,}")
"""Whatever could be a token; digests are among it. Ids are shorter than any token."""
_BETWEEN = re.compile(r"[~.!%]|(?=gAAAA)")
"""Where one may have been put together, or where what a Fernet token begins with stands."""


def token_like(seen: Iterable[Seen]) -> set[str]:
    """Everything that could be a token, whole and in its parts, in all that was received, sent and
    answered."""
    whole = {text for one in seen for part in one.texts() for text in _TOKEN.findall(part)}
    return whole | {part for text in whole for part in _BETWEEN.split(text) if part}


class Server:
    """One address, asked directly over one connection."""

    def __init__(self, address: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(address, port, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, headers: dict[str, str], document: Any = None
    ) -> http.client.HTTPResponse:
        body = json.dumps(document) if document is not None else None
        kind = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, headers | kind)
        answer = self._connection.getresponse()
        answer.read()
        return answer


class Keystone(Server):
    """A Keystone at its own address: no proxy between."""

    PATH = "/v3/auth/tokens"

    def __init__(self, address: str) -> None:
        super().__init__(address, 5000)

    def sign_in(self, user: str, password: str) -> str:
        """A token of its own for a user in the project of the same name."""
        domain = {"id": "default"}
        who = {"user": {"name": user, "domain": domain, "password": password}}
        project = {"project": {"name": user, "domain": domain}}
        auth = {"identity": {"methods": ["password"], "password": who}, "scope": project}
        return str(self.ask("POST", self.PATH, {}, {"auth": auth}).getheader("X-Subject-Token"))

    def accepts(self, token: str, admin: str) -> list[str]:
        """The ways in which it takes this text for a token; `admin` asks about it with a token of its
        own."""
        own = {"X-Auth-Token": token, "X-Subject-Token": token}
        method = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
        ways = {
            "GET": self.ask("GET", self.PATH, own),
            "HEAD": self.ask("HEAD", self.PATH, own),
            "expired": self.ask("GET", f"{self.PATH}?allow_expired=1", own),
            "asked by an administrator": self.ask("GET", self.PATH, own | {"X-Auth-Token": admin}),
            "method token": self.ask("POST", self.PATH, {}, method),
            "its projects": self.ask("GET", "/v3/auth/projects", {"X-Auth-Token": token}),
        }
        return [way for way, answer in ways.items() if answer.status < 400]
