"""Calls of the tests about trust: tokens of a cloud's users, and many requests over few connections."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from devstack.lab.layout import PORTS
from devstack.lab.passwords import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from devstack.lab.layout import CloudPlace

SECONDS = 120.0
TOKENS = "/v3/auth/tokens"
DEFAULT = {"name": "Default"}
SYSTEM = {"system": {"all": True}}
SERVICES = ("glance", "nova", "neutron", "cinder", "placement")
"""Accounts of a cloud's services; their project is `service`."""

LISTS = {
    "image": "/v2/images",
    "compute": "/v2.1/servers",
    "network": "/v2.0/networks",
    "block-storage": "/v3/volumes",
}
"""What every user may read, by service."""

PROJECTS = {"demo": "demo", "viewer": "demo", "admin": "admin", **dict.fromkeys(SERVICES, "service")}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came."""

    status: int
    fields: http.client.HTTPMessage = field(repr=False)
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refused(self) -> str | None:
        """The code of a refusal of the proxy's own; None for a service's answer."""
        return self.fields.get("X-Oidproxy-Error")

    @property
    def token(self) -> str:
        return self.fields["X-Subject-Token"]


class Line:
    """One address over one connection, which is made anew when the other side has closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
        self._used = False

    def ask(self, method: str, path: str, fields: Mapping[str, str], body: Any = None) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = dict(fields)
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        try:
            return self._ask(method, path, given, data)
        except (http.client.RemoteDisconnected, ConnectionError):
            # Closed while it was idle, as gunicorn does after 5 s: nobody has read the request.
            self.close()
            if not self._used:
                raise
            return self._ask(method, path, given, data)

    def _ask(self, method: str, path: str, fields: Mapping[str, str], data: bytes | None) -> Answer:
        self._connection.request(method, path, data, fields)
        response = self._connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        self._used = True
        return answer

    def close(self) -> None:
        self._connection.close()


class Lines:
    """A connection for each address that is asked; as a context manager it closes them."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], Line] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines.values():
            line.close()

    def send(
        self,
        host: str,
        service: str,
        method: str,
        path: str,
        fields: Mapping[str, str] = {},
        body: Any = None,
    ) -> Answer:
        """One request to the address of a service on this host; `host:port` is a gateway."""
        name, _, port = host.partition(":")
        spot = name, int(port or PORTS[service])
        if spot not in self._lines:
            self._lines[spot] = Line(*spot)
        return self._lines[spot].ask(method, f"/{service}{path}" if port else path, fields, body)

    def sign_in(
        self,
        place: CloudPlace,
        user: str,
        *,
        password: str = "",
        scope: Any = None,
        direct: bool = False,
        under: str = "",
    ) -> Answer:
        """A new token by password: sealed, through the proxy beside that cloud, or bare and past it."""
        secret = password or Secrets(place.folder).get(user)
        known = {"name": user, "domain": DEFAULT, "password": secret}
        project = {"project": {"name": PROJECTS.get(user, "demo"), "domain": DEFAULT}}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": known}},
            "scope": scope or project,
        }
        fields = {"X-Scope": under} if under else {}
        host = place.address if direct else place.beside
        answer = self.send(host, "identity", "POST", TOKENS, fields, {"auth": auth})
        assert answer.status == 201, answer
        return answer

    def token(self, place: CloudPlace, user: str, **how: Any) -> str:
        return self.sign_in(place, user, **how).token


def bare(sealed: str) -> str:
    """What stands before the envelope."""
    return sealed.partition("~")[0]


def until(found: Callable[[], Any], what: str, seconds: float = SECONDS, pause: float = 0.25) -> Any:
    """What this finds, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (something := found()):
        assert time.monotonic() < deadline, what
        time.sleep(pause)
    return something
