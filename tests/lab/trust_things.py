"""What a cloud has that a stranger might want: public, shared and private things of its administrator."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from tests.lab.trust_calls import until
from tests.lab.trust_workload import IMAGE

if TYPE_CHECKING:
    from devstack.lab.layout import CloudPlace
    from tests.lab.trust_calls import Answer, Lines


class Things:
    """Of one cloud, made and taken away past the proxy; as a context manager they go with its block."""

    def __init__(self, lines: Lines, place: CloudPlace) -> None:
        self._lines = lines
        self._place = place
        self._token = lines.token(place, "admin", direct=True)
        self._made: list[tuple[str, str]] = []
        self.names: dict[str, str] = {}
        """Name -> id, as the paths of calls have them in braces."""

    def __enter__(self) -> Self:
        flavor = {"name": uuid.uuid4().hex, "ram": 1, "vcpus": 1, "disk": 1}
        given = {"cidr": "10.98.0.0/24", "ip_version": 4}
        public = self.image(visibility="public")
        network, shared = self._network(), self._network(shared=True)
        self._make("network", "/v2.0/subnets", {"subnet": {"network_id": network, **given}})
        volume = self._make("block-storage", "/v3/volumes", {"volume": {"size": 1}})
        self.names |= {
            "public": public,
            "shared": self.image(visibility="shared"),
            "private": self.image(visibility="private"),
            "network": network,
            "shared_network": shared,
            "volume": volume,
            "flavor": self._make("compute", "/v2.1/flavors", {"flavor": flavor}),
        }
        return self

    def __exit__(self, *_: object) -> None:
        for service, path in reversed(self._made):
            self.delete(service, path)

    @property
    def hidden(self) -> set[str]:
        """What no list shows to anybody else."""
        return {self.names[name] for name in ("private", "network", "volume")}

    def image(self, **more: Any) -> str:
        return self._make("image", "/v2/images", {"name": "a thing", **IMAGE, **more})

    def share(self, project: str) -> None:
        """Offer the shared image to a project, of whichever cloud."""
        path = f"/v2/images/{self.names['shared']}/members"
        assert self._ask("image", "POST", path, {"member": project}).status in (200, 409)

    def delete(self, service: str, path: str) -> None:
        """Cinder lets a volume be deleted only once it is there; what is gone already is gone."""
        until(
            lambda: self._ask(service, "DELETE", path).status in (202, 204, 404),
            f"{path} cannot be deleted",
        )

    def _network(self, **more: Any) -> str:
        return self._make("network", "/v2.0/networks", {"network": {"name": "a thing", **more}})

    def _make(self, service: str, path: str, body: Any) -> str:
        answer = self._ask(service, "POST", path, body)
        assert answer.status in (200, 201, 202), answer
        made = str(created(answer))
        self._made.append((service, f"{path}/{made}"))
        return made

    def _ask(self, service: str, method: str, path: str, body: Any = None) -> Answer:
        return self._lines.send(
            self._place.address, service, method, path, {"X-Auth-Token": self._token}, body
        )


def created(answer: Answer) -> str:
    """The id of what was made."""
    told = answer.json
    return told["id"] if "id" in told else next(iter(told.values()))["id"]
