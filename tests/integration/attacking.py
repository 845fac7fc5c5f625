"""What an attacker has: a raw HTTP client, tokens of every kind, and what a cloud wrote down of its calls."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.cli.demonstration.embedded import Embedded

PORTS = {
    "identity": 5000,
    "image": 9292,
    "compute": 8774,
    "network": 9696,
    "placement": 8778,
    "block-storage": 8776,
}
GATEWAY = 8888
HOME, ABROAD = "cloud-1", "cloud-999"
SERVICES = {
    "identity": "keystone",
    "image": "glance",
    "compute": "nova",
    "network": "neutron",
    "placement": "placement",
    "block-storage": "cinder",
}
"""The names in a cloud's record."""

Fields = dict[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes = field(repr=False)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def own(self) -> str | None:
        """The code of a refusal of the proxy's own; None for a cloud's answer."""
        return self.get("x-oidproxy-error")

    @property
    def message(self) -> str:
        return self.json["error"]["message"]

    @property
    def text(self) -> str:
        """All that a client sees of it."""
        head = "\n".join(f"{name}: {value}" for name, value in self.fields)
        return f"{head}\n\n{self.body.decode('latin-1')}"


@dataclass(frozen=True)
class Door:
    """An address where requests come in; a gateway's paths begin with the service."""

    host: str
    gateway: bool = False
    port: int = 0

    def at(self, service: str, path: str) -> tuple[str, int, str]:
        if self.gateway:
            return self.host, GATEWAY, f"/{service}{path}"
        return self.host, self.port or PORTS[service], path


def send(
    door: Door,
    method: str,
    service: str,
    path: str,
    fields: Fields = (),
    body: Any = None,
    *,
    target: str | None = None,
    host: str | None = None,
) -> Answer:
    """One request on a connection of its own. `target` and `host` replace what belongs there."""
    address, port, path = door.at(service, path)
    lines = [f"{method} {target or path} HTTP/1.1", f"Host: {host or f'{address}:{port}'}"]
    pairs = fields.items() if isinstance(fields, dict) else fields
    lines += [f"{name}: {value}" for name, value in pairs]
    data = b""
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if not any(name.lower() == "content-type" for name, _ in pairs):
            lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(data)}")
    lines.append("Connection: close")
    with socket.create_connection((address, port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data)
        return _answer(connection, method)


def _answer(connection: socket.socket, method: str) -> Answer:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in rest)]
    if any(name.lower() == "transfer-encoding" for name, _ in fields) and method != "HEAD":
        body = _joined(body)
    return Answer(int(first.split(" ")[1]), fields, body)


def _joined(chunks: bytes) -> bytes:
    whole = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size, 16)
        whole += chunks[:length]
        chunks = chunks[length + 2 :]
    return whole


@dataclass(frozen=True)
class Seen:
    """One request as a cloud received it."""

    cloud: str
    service: str
    method: str
    target: str
    fields: list[tuple[str, str]]
    body: str
    status: int
    line: str = field(repr=False)
    """The whole record of it, its answer included."""

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name), None)

    @property
    def came(self) -> str:
        """All that came with the request."""
        return json.dumps([self.target, self.fields, self.body])


class Watch:
    """What a cloud receives from now on."""

    def __init__(self, lab: Embedded, cloud: str) -> None:
        self._path = lab.record(cloud)
        self._cloud = cloud
        self._offset = self._path.stat().st_size if self._path.exists() else 0

    def seen(self, service: str = "", method: str = "") -> list[Seen]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            rows = [_row(self._cloud, line) for line in file if b'"direction":"in"' in line]
        named = SERVICES[service] if service else ""
        return [row for row in rows if named in ("", row.service) and method in ("", row.method)]


def _row(cloud: str, line: bytes) -> Seen:
    row = json.loads(line)
    fields = [(name, value) for name, value in row["headers"]]
    return Seen(
        cloud,
        row["service"],
        row["method"],
        row["target"],
        fields,
        row["body"] or "",
        row["status"],
        line.decode(),
    )


DEFAULT = {"id": "default"}
UNSCOPED: dict[str, Any] = {"unscoped": {}}
SYSTEM = {"system": {"all": True}}


def project(name: str) -> dict[str, Any]:
    return {"project": {"name": name, "domain": DEFAULT}}


def by_password(user: str, password: str, scope: Any) -> dict[str, Any]:
    who = {"user": {"name": user, "domain": DEFAULT, "password": password}}
    return {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope}}


def by_token(token: str, scope: Any = None, methods: Iterable[str] = ("token",)) -> dict[str, Any]:
    auth: dict[str, Any] = {"identity": {"methods": list(methods), "token": {"id": token}}}
    return {"auth": auth | ({} if scope is None else {"scope": scope})}


def bare(sealed: str) -> str:
    """What an attacker who reads envelopes finds before them."""
    return sealed.partition("~")[0]


class World:
    """The lab as an attacker sees it, who also has every honest user's password and each cloud's record."""

    def __init__(self, lab: Embedded) -> None:
        self.lab = lab
        self._made: list[tuple[Door, str, str, str]] = []
        self.gateway = Door(lab.places.gateway, gateway=True)

    def made(self, at: Door, service: str, path: str, token: str) -> str:
        """Something that is to be gone when other tests look at the lab; its path."""
        self._made.append((at, service, path, token))
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Delete what was made."""
        for at, service, path, token in self._made:
            answer = send(at, "DELETE", service, path, {"X-Auth-Token": token})
            assert answer.status in (202, 204), (path, answer.text)

    def beside(self, cloud: str) -> Door:
        """The proxy's address beside a cloud."""
        return Door(self.lab.place(cloud).beside)

    def direct(self, cloud: str) -> Door:
        """The cloud's own address, past the proxy."""
        return Door(self.lab.place(cloud).address)

    def watch(self, cloud: str) -> Watch:
        return Watch(self.lab, cloud)

    def image(self, token: str) -> str:
        """The path of a new private image at cloud-1, of the user whose token this is."""
        at, given = self.beside(HOME), {"name": "mine", "disk_format": "raw", "container_format": "bare"}
        body = {**given, "visibility": "private"}
        answer = send(at, "POST", "image", "/v2/images", {"X-Auth-Token": token}, body)
        assert answer.status == 201, answer.text
        return self.made(at, "image", f"/v2/images/{answer.json['id']}", token)

    def authenticate(
        self,
        user: str = "demo",
        cloud: str = HOME,
        scope: Any = None,
        *,
        at: Door | None = None,
        under: str = "",
    ) -> Answer:
        """Sign in by password. `under` is the scope that the token is issued under."""
        name = "service" if user in ("nova", "cinder", "glance", "neutron", "placement") else user
        body = by_password(user, self.lab.password, scope or project(name))
        fields = {"X-Scope": under} if under else {}
        return send(at or self.beside(cloud), "POST", "identity", "/v3/auth/tokens", fields, body)

    def token(self, user: str = "demo", cloud: str = HOME, scope: Any = None, **how: Any) -> str:
        """A sealed token, as clients get it."""
        answer = self.authenticate(user, cloud, scope, **how)
        assert answer.status == 201, answer.text
        sealed = answer.get("x-subject-token")
        assert sealed is not None
        return sealed

    def held(self, service: str, token: str, *, service_token: str = "", cloud: str = ABROAD) -> Seen:
        """What a service of the cloud holds of a user who called it honestly."""
        watch = self.watch(cloud)
        fields = {"X-Auth-Token": token, "X-Scope": f"{service}:{cloud}"}
        if service_token:
            fields["X-Service-Token"] = service_token
        answer = send(self.beside(HOME), "GET", service, LISTS[service], fields)
        assert answer.status == 200, answer.text
        [row] = [row for row in watch.seen(service) if row.get("x-auth-token")]
        return row

    def box(self, service: str, token: str, **more: Any) -> str:
        """The closed token that it holds."""
        box = self.held(service, token, **more).get("x-auth-token")
        assert box is not None
        assert box.startswith("oid1~")
        return box

    def validate(
        self, asker: str | None, subject: str, *, at: Door | None = None, method: str = "GET", query: str = ""
    ) -> Answer:
        """Ask who a token is, as a service does."""
        fields = {"X-Subject-Token": subject, "OpenStack-Identity-Access-Rules": "1"}
        if asker is not None:
            fields["X-Auth-Token"] = asker
        door = at or self.beside(ABROAD)
        return send(door, method, "identity", f"/v3/auth/tokens{query}", fields)

    def renew(
        self, box: str, scope: Any, *, header: str | None = None, at: Door | None = None, **more: Any
    ) -> Answer:
        """Ask for a new token with one, as Cinder does."""
        token = box if header is None else header
        fields = {"X-Auth-Token": token} if token else {}
        body = by_token(box, scope, **more)
        return send(at or self.beside(ABROAD), "POST", "identity", "/v3/auth/tokens", fields, body)


LISTS = {
    "image": "/v2/images",
    "compute": "/v2.1/servers",
    "network": "/v2.0/networks",
    "block-storage": "/v3/volumes",
}
