"""The embedded lab: a process per simulated cloud, the proxy beside and in front of them, one folder."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.cli.demonstration.places import GATEWAY_PORT, CloudPlace, Places, find
from oidproxy.cli.demonstration.processes import Background
from oidproxy.cli.demonstration.undisturbed import undisturbed
from oidproxy.sim.process import CloudProcess, start
from oidproxy.sim.settings import CloudSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLOUDS = (("cloud-1", "RegionOne"), ("cloud-999", "Edge999"))
"""Name and region; the regions differ, as they do between clouds that know nothing of each other."""

NO_IMAGES: Mapping[str, Mapping[str, Path]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Account:
    """A user of one of the clouds."""

    user: str
    project: str
    password: str = field(repr=False)


class Embedded:
    """Starts the lab and stops it.

    Its folder has oidproxy.yaml, access.jsonl, and for each cloud a record and its data, its log among them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clouds: Sequence[tuple[str, str]] = CLOUDS,
        images: Mapping[str, Mapping[str, Path]] = NO_IMAGES,
        more: str = "",
        record: bool = False,
        workers: int = 1,
    ) -> None:
        self.folder = folder
        self.places: Places
        self.places, self._claim = find(clouds)
        self.password = secrets.token_urlsafe(12)
        self._images = images
        self._record = record
        self._workers = workers
        self._clouds: dict[str, CloudProcess] = {}
        self._proxy: Background | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "oidproxy.yaml"
        self.access_log = folder / "access.jsonl"
        self._write_key()
        self.config.write_text(configuration(self.places) + more)

    def start(self) -> None:
        """Start the clouds together, then the proxy.

        Raises:
            ConfigError: one of them did not become ready; the message has the end of its log.
        """
        try:
            self.start_clouds()
            self.start_proxy()
        except BaseException:
            self.stop()
            raise

    def start_clouds(self) -> None:
        """Start every cloud, and wait until all are ready."""
        for place in self.places.clouds:
            with undisturbed():
                self._clouds[place.name] = start(self._settings(place))
        for cloud in self._clouds.values():
            cloud.wait_ready()

    def start_proxy(self) -> None:
        """Start the proxy, and wait until it listens."""
        arguments = ["serve", "--config", str(self.config), "--access-log", str(self.access_log)]
        log = self.folder / "proxy.log"
        log.write_bytes(b"")
        with undisturbed():
            self._proxy = Background("the proxy", [*arguments, "--workers", str(self._workers)], log)
        self._proxy.wait_ready()

    def stop_proxy(self) -> None:
        """Stop the proxy alone."""
        if self._proxy is not None:
            self._proxy.stop()
            self._proxy = None

    def stop(self) -> None:
        """Stop all that was started."""
        with undisturbed():
            self.stop_proxy()
            for cloud in self._clouds.values():
                cloud.stop()
            self._clouds.clear()
            self._claim.close()

    def record(self, cloud: str) -> Path:
        """Every request that a cloud received (with `record`)."""
        return self.folder / f"{cloud}.requests.jsonl"

    def data(self, cloud: str) -> Path:
        """A cloud's own files."""
        return self.folder / cloud

    def account(self, user: str = "demo") -> Account:
        """A user that every cloud has under the same name (they share nothing else)."""
        return Account(user, user, self.password)

    def environment(
        self, cloud: str = "cloud-1", *, user: str = "demo", auth_url: str | None = None
    ) -> dict[str, str]:
        """The variables with which a client signs in at a cloud: beside it, unless `auth_url` is given."""
        place = self.place(cloud)
        account = self.account(user)
        return {
            "OS_AUTH_URL": auth_url or f"http://{place.beside}:5000/v3",
            "OS_USERNAME": account.user,
            "OS_PASSWORD": account.password,
            "OS_PROJECT_NAME": account.project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": place.region,
            "OS_IDENTITY_API_VERSION": "3",
        }

    def place(self, cloud: str) -> CloudPlace:
        """Where a cloud stands."""
        return next(place for place in self.places.clouds if place.name == cloud)

    def _settings(self, place: CloudPlace) -> CloudSettings:
        return CloudSettings(
            name=place.name,
            address=place.address,
            data=self.data(place.name),
            password=self.password,
            proxy=place.beside,
            region=place.region,
            record=self.record(place.name) if self._record else None,
            images=tuple(self._images.get(place.name, {}).items()),
        )

    def _write_key(self) -> None:
        key = self.folder / "fleet.key"
        with suppress(FileNotFoundError):
            key.unlink()
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(64))


def configuration(places: Places) -> str:
    """A configuration like an operator's: the proxy in front of and beside clouds that admit each other."""
    names = [place.name for place in places.clouds]
    lines = ["listeners:", f'  - {{bind: "{places.gateway}:{GATEWAY_PORT}"}}']
    lines += [
        f'  - {{bind: "{place.beside}", ports: openstack, cloud: {place.name}}}' for place in places.clouds
    ]
    lines += [f"local: {names[0]}", 'fleet_keys: ["${file:fleet.key}"]', "clouds:"]
    for place in places.clouds:
        lines += [
            f"  {place.name}:",
            f'    auth_url: "http://{place.address}:5000/v3"',
            f"    upstream: {place.address}",
            f"    region: {place.region}",
            "    admits:",
        ]
        for other in names:
            if other != place.name:
                lines += [
                    f"      {other}:",
                    "        roles: [member, reader]",
                    "        services: [{user: nova, project: service}, {user: cinder, project: service}]",
                ]
    return "\n".join(lines) + "\n"
