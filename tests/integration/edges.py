"""An embedded lab whose clouds know nothing of the proxy, which stands in front of them with two workers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from devstack.lab.api import Account, Api
from oidproxy.cli.demonstration.embedded import Embedded
from oidproxy.cli.demonstration.places import GATEWAY_PORT

if TYPE_CHECKING:
    from pathlib import Path

    from oidproxy.cli.demonstration.places import CloudPlace
    from oidproxy.sim.settings import CloudSettings

HERE, THERE = "edge-1", "edge-2"
CLOUDS = ((HERE, "EdgeRegion1"), (THERE, "EdgeRegion2"))
SCOPE = f"identity:{HERE};image:{THERE}"


class Edges(Embedded):
    """The users of edge-1's project demo work at edge-2 as an account of the operator's."""

    def __init__(self, folder: Path, images: dict[str, dict[str, Path]]) -> None:
        super().__init__(folder, clouds=CLOUDS, images=images, record=True, workers=2)

    def start_clouds(self) -> None:
        super().start_clouds()
        entry = {
            "auth_url": f"http://{self.place(THERE).address}:5000/v3",
            "username": "demo",
            "password": self.password,
            "project_name": "demo",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        (self.folder / "clouds.yaml").write_text(json.dumps({"clouds": {"there-for-demo": {"auth": entry}}}))
        self.config.write_text(json.dumps(self._configuration()))

    def api(self, auth_url: str) -> Api:
        """Calls of the user demo, signed in there."""
        return Api(auth_url, Account("demo", "demo", self.password))

    def scoped(self) -> Api:
        """Calls of demo of edge-1 through the gateway, whose images are edge-2's."""
        return self.api(f"{self.places.gateway_url}/s/{SCOPE}/identity/v3")

    def past(self, cloud: str) -> Api:
        """Calls of a cloud's demo past the proxy."""
        return self.api(f"http://{self.place(cloud).address}:5000/v3")

    def url(self, service: str, path: str) -> str:
        """A service at the gateway."""
        return f"{self.places.gateway_url}/{service}{path}"

    def own(self, cloud: str, port: int, path: str) -> str:
        """A service of a cloud past the proxy."""
        return f"http://{self.place(cloud).address}:{port}{path}"

    def _settings(self, place: CloudPlace) -> CloudSettings:
        return replace(super()._settings(place), proxy="")

    def _configuration(self) -> dict[str, Any]:
        home = self.api(f"http://{self.place(HERE).address}:5000/v3")
        home.token()
        clouds = {
            place.name: {
                "auth_url": f"http://{place.address}:5000/v3",
                "upstream": place.address,
                "region": place.region,
                "exchange": [],
            }
            for place in self.places.clouds
        }
        clouds[THERE] |= {
            "exchange": ["mapped"],
            "admits": {HERE: {"roles": ["member", "reader"]}},
            "mapped": {HERE: {home.project_id: "there-for-demo"}},
        }
        return {
            "listeners": [{"bind": f"{self.places.gateway}:{GATEWAY_PORT}"}],
            "local": HERE,
            "clouds_yaml": "clouds.yaml",
            "clouds": clouds,
        }
