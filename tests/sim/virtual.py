"""Simulated clouds run in virtual time: no socket, no thread, no clock. What makes the models pure is that
this works."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from oidproxy.sim.blobs import Hasher, generated
from oidproxy.sim.cloud import Assembly, Cloud
from oidproxy.sim.messages import Answer, Content, Request, Response
from oidproxy.sim.settings import PORTS, CloudSettings
from oidproxy.sim.sources import Sources
from oidproxy.sim.steps import (
    Call,
    CallFailedError,
    Discard,
    Fetch,
    Fetched,
    Note,
    Once,
    Pause,
    Procedure,
    ReadBody,
    Spawn,
    Store,
    Upload,
)

START = 1_750_000_000.0
PASSWORD = "correct horse"


class World:
    """Clouds on a pretended network, with a clock of its own that only `Pause` and the test move."""

    def __init__(self) -> None:
        self.now = START
        self.clouds: dict[str, Cloud] = {}
        self.log: list[tuple[Call, int]] = []
        """Every call between services, and its status."""
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.aliases: dict[str, str] = {}
        """Address of a proxy that passes everything on -> the cloud behind it."""
        self.down: set[str] = set()
        """Addresses, with or without a port, that refuse connections."""
        self.frozen = False
        """Leave what is to happen in the background for later."""
        self._ports = {port: name for name, port in PORTS.items()}
        self._queue: deque[tuple[str, Procedure[None]]] = deque()

    def add(self, name: str, address: str, **changes: Any) -> Cloud:
        settings = CloudSettings(
            **{
                "name": name,
                "address": address,
                "data": Path("/nonexistent"),
                "password": PASSWORD,
                **changes,
            }
        )
        sources = Sources(lambda: self.now, random.Random(name))
        self.clouds[address] = Assembly(settings, sources, lambda: ("private", "ssh-rsa AAAA")).build()
        return self.clouds[address]

    def ask(
        self,
        method: str,
        url: str,
        fields: dict[str, str] | None = None,
        body: bytes = b"",
        document: object = None,
    ) -> Answer:
        """A client's request, and whatever it leaves behind in the background, run to the end."""
        answer = self._answer(Call("client", method, url, tuple((fields or {}).items()), body), document)
        if not self.frozen:
            self.settle()
        return answer

    def settle(self) -> None:
        while self._queue:
            address, procedure = self._queue.popleft()
            self._run(procedure, address, b"")

    def _answer(self, call: Call, document: object = None) -> Answer:
        response, address = self._respond(call, document)
        body = response.body
        if response.blob:
            body = self.blobs[address, response.blob]
        return Answer(response.status, {name.lower(): value for name, value in response.fields}, body)

    def _respond(self, call: Call, document: object = None) -> tuple[Response, str]:
        parts = urlsplit(call.url)
        address = parts.hostname or ""
        address = self.aliases.get(address, address)
        if {parts.hostname, parts.netloc} & self.down or address not in self.clouds:
            raise CallFailedError("refused", connected=False)
        fields = {name.lower(): value for name, value in call.fields} | {"host": parts.netloc}
        body = call.body
        if document is not None:
            body = msgspec.json.encode(document)
            fields.setdefault("content-type", "application/json")
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(call.method, parts.path, query, fields)
        service = self.clouds[address].services[self._ports[parts.port or 0]]
        response = self._run(service.respond(request), address, body)
        self.log.append((call, response.status))
        return response, address

    def _run(self, procedure: Procedure[Any], address: str, body: bytes) -> Any:
        outcome: Any = None
        error: Exception | None = None
        while True:
            try:
                step = procedure.throw(error) if error else procedure.send(outcome)
            except StopIteration as end:
                return end.value
            outcome, error = None, None
            try:
                outcome = self._perform(step, address, body)
            except Exception as failure:  # noqa: BLE001
                error = failure

    def _perform(self, step: Any, address: str, body: bytes) -> Any:
        match step:
            case Call():
                return self._answer(step)
            case Fetch():
                answer = self._answer(step.call)
                if answer.status == 200 and step.blob:
                    self.blobs[address, step.blob] = answer.body
                return Fetched(answer, content_of(answer.body if answer.status == 200 else b""))
            case Upload():
                data = (
                    self.blobs[address, step.blob]
                    if step.blob
                    else b"".join(generated(step.pattern, step.size))
                )
                call = step.call
                return self._answer(Call(call.process, call.method, call.url, call.fields, data))
            case ReadBody():
                return body
            case Store():
                self.blobs[address, step.blob] = body
                return content_of(body)
            case Discard():
                self.blobs.pop((address, step.blob), None)
            case Once():
                return self._run(step.start(), address, b"")
            case Pause():
                # Whatever else is under way goes on while this procedure waits.
                self.settle()
                self.now += step.seconds
            case Spawn():
                self._queue.append((address, step.procedure))
            case Note():
                self.notes.append((step.journal, step.entry))
        return None


def content_of(data: bytes) -> Content:
    hasher = Hasher()
    hasher.feed(data)
    return hasher.content()


class User:
    """A client of one cloud of a world, with a token."""

    def __init__(
        self, world: World, address: str, name: str = "demo", project: str = "demo", scope: Any = None
    ) -> None:
        self.world = world
        self.address = address
        scope = scope or {"project": {"name": project, "domain": {"id": "default"}}}
        user = {"name": name, "password": PASSWORD, "domain": {"id": "default"}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        answer = world.ask("POST", f"http://{address}:5000/v3/auth/tokens", document={"auth": auth})
        assert answer.status == 201, answer.body
        self.token = answer.fields["x-subject-token"]
        self.document = answer.json()["token"]

    @property
    def project_id(self) -> str:
        return str(self.document["project"]["id"])

    def ask(
        self, method: str, service: str, path: str, document: object = None, body: bytes = b"", **fields: str
    ) -> Answer:
        headers = {"X-Auth-Token": self.token} | {
            name.replace("_", "-"): value for name, value in fields.items()
        }
        url = f"http://{self.address}:{PORTS[service]}{path}"
        return self.world.ask(method, url, headers, body, document)

    def image(self, data: bytes = b"disk", **attributes: Any) -> dict[str, Any]:
        given = {"name": "cirros", "disk_format": "raw", "container_format": "bare", **attributes}
        image = self.ask("POST", "image", "/v2/images", given).json()
        octets = {"Content_Type": "application/octet-stream"}
        assert self.ask("PUT", "image", f"/v2/images/{image['id']}/file", body=data, **octets).status == 204
        return dict(self.ask("GET", "image", f"/v2/images/{image['id']}").json())

    def server(self, image_id: str, networks: Any = "auto", **given: Any) -> Answer:
        document = {"name": "s", "imageRef": image_id, "flavorRef": "2", "networks": networks, **given}
        return self.ask(
            "POST", "compute", "/v2.1/servers", {"server": document}, OpenStack_API_Version="compute 2.96"
        )

    def show(self, server_id: str) -> dict[str, Any]:
        answer = self.ask(
            "GET", "compute", f"/v2.1/servers/{server_id}", OpenStack_API_Version="compute 2.96"
        )
        assert answer.status == 200, answer.body
        return dict(answer.json()["server"])
