"""Calls of OpenStack's APIs as one user: what setting up a cloud needs, and nothing else."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from devstack.lab.failure import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Account:
    """A user of one cloud, in the domain Default."""

    user: str
    project: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one call."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the API answers
        """The body as JSON; None if it is empty."""
        return json.loads(self.body) if self.body else None


class Api:
    """A user's calls. A token is fetched at the first one."""

    def __init__(self, auth_url: str, account: Account) -> None:
        self._auth_url = auth_url
        self._account = account
        self._token: str | None = None
        self.project_id = ""
        self.user_id = ""

    def call(
        self,
        method: str,
        url: str,
        body: Any = None,  # noqa: ANN401 - whatever JSON can say
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        fine: tuple[int, ...] = (),
    ) -> Answer:
        """One call; `data` is sent as it is. Raises LabError for a status from 400 that is not `fine`."""
        fields = {"X-Auth-Token": self.token(), **(headers or {})}
        answer = send(method, url, body, data=data, headers=fields)
        if answer.status >= 400 and answer.status not in fine:
            raise LabError(f"{method} {url}: {answer.status} {answer.body[:600].decode(errors='replace')}")
        return answer

    def token(self) -> str:
        """The user's token. Raises LabError."""
        if self._token is None:
            answer = send("POST", f"{self._auth_url}/auth/tokens", _login(self._account))
            if answer.status != 201:
                text = answer.body[:600].decode(errors="replace")
                raise LabError(f"{self._account.user} at {self._auth_url}: {answer.status} {text}")
            self._token = answer.headers["x-subject-token"]
            self.project_id = answer.json["token"]["project"]["id"]
            self.user_id = answer.json["token"]["user"]["id"]
        return self._token


def send(
    method: str,
    url: str,
    body: Any = None,  # noqa: ANN401 - whatever JSON can say
    *,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One HTTP request, straight to its address. Raises LabError if there is no answer."""
    parts = urlsplit(url)
    fields = {"Accept": "application/json", **(headers or {})}
    if body is not None:
        data = json.dumps(body).encode()
        fields["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), data, fields)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise LabError(f"{method} {url}: {error}") from error
    finally:
        connection.close()


def _login(account: Account) -> Mapping[str, Any]:
    default = {"name": "Default"}
    user = {"name": account.user, "password": account.password, "domain": default}
    return {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": account.project, "domain": default}},
        }
    }
