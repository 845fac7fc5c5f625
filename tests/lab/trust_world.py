"""The lab as an attacker sees it who also has every honest user's password, and reads along on the wire."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from devstack.lab.layout import GATEWAY_PORT
from tests.integration.attacking import Answer, Door, Fields, by_token, send
from tests.lab.trust_calls import LISTS, TOKENS, Lines
from tests.lab.trust_heard import Got, Heard
from tests.lab.trust_replay import FIELD
from tests.lab.wiretap import Wiretap

if TYPE_CHECKING:
    from devstack.lab.layout import CloudPlace, Lab


class World:
    """Both clouds. What an attack sends names itself in User-Agent, which some logs show."""

    def __init__(self, lab: Lab, lines: Lines, home: CloudPlace, abroad: CloudPlace) -> None:
        self.lab, self.lines, self.home, self.abroad = lab, lines, home, abroad
        self.gateway = Door(lab.gateway, gateway=True)
        assert GATEWAY_PORT == 8888, "where Door has a gateway"
        self.agent = f"attack-{uuid.uuid4().hex}"

    def beside(self, place: CloudPlace) -> Door:
        return Door(place.beside)

    def direct(self, place: CloudPlace) -> Door:
        return Door(place.address)

    @property
    def doors(self) -> tuple[Door, ...]:
        """Every address of the proxy."""
        return self.gateway, self.beside(self.home), self.beside(self.abroad)

    def send(
        self,
        door: Door,
        method: str,
        service: str,
        path: str,
        fields: Fields = (),
        body: Any = None,
        **more: Any,
    ) -> Answer:
        pairs = [*fields.items()] if isinstance(fields, dict) else [*fields]
        return send(door, method, service, path, [*pairs, ("User-Agent", self.agent)], body, **more)

    def token(self, user: str = "demo", place: CloudPlace | None = None, **how: Any) -> str:
        """A sealed token, as clients get it."""
        return self.lines.token(place or self.home, user, **how)

    def held(self, service: str, token: str, service_token: str = "") -> dict[str, str]:
        """The fields with tokens that a service of the other cloud gets when a user calls it honestly."""
        fields = {"X-Auth-Token": token, "X-Scope": f"{service}:{self.abroad.name}"}
        if service_token:
            fields["X-Service-Token"] = service_token
        with Wiretap(self.abroad.address) as tap:
            answer = self.send(self.beside(self.home), "GET", service, LISTS[service], fields)
            assert answer.status == 200, answer.text
            tap.settle()
        streams = [one.data for one in tap.streams() if self.agent.encode() in one.data]
        found = {
            name.decode().lower(): value.decode() for one in streams for name, value in FIELD.findall(one)
        }
        assert found["x-auth-token"].startswith("oid1~")
        return found

    def validate(
        self, asker: str | None, subject: str, *, at: Door | None = None, method: str = "GET", query: str = ""
    ) -> Answer:
        """Ask who a token is, as a service does."""
        fields = {"X-Subject-Token": subject, "OpenStack-Identity-Access-Rules": "1"}
        if asker is not None:
            fields["X-Auth-Token"] = asker
        return self.send(at or self.beside(self.abroad), method, "identity", f"{TOKENS}{query}", fields)

    def renew(
        self, box: str, scope: Any, *, header: str | None = None, at: Door | None = None, **more: Any
    ) -> Answer:
        """Ask for a new token with one, as Cinder does."""
        token = box if header is None else header
        fields = {"X-Auth-Token": token} if token else {}
        body = by_token(box, scope, **more)
        return self.send(at or self.beside(self.abroad), "POST", "identity", TOKENS, fields, body)

    def watch(self) -> Watch:
        return Watch(self)


class Watch:
    """What the services of both clouds hear of attacks from now on, by their own logs."""

    def __init__(self, world: World) -> None:
        self._agent = world.agent
        self._heard = {place.name: Heard(world.lines, place) for place in (world.home, world.abroad)}

    def got(self, cloud: str, service: str, *paths: str) -> list[Got]:
        """Requests for these paths; of Keystone and Placement, those that name the attack."""
        named = service in ("identity", "placement")
        return [
            one
            for one in self._heard[cloud].requests(service)
            if (one.agent == self._agent if named else one.target.partition("?")[0] in paths)
        ]

    def nothing(self, *paths: str, services: tuple[str, ...] = ("identity", "placement", *LISTS)) -> bool:
        """Whether neither cloud heard of it."""
        got = {
            (cloud, service): found
            for cloud in self._heard
            for service in services
            if (found := self.got(cloud, service, *(paths or LISTS.values())))
        }
        assert got == {}
        return True
