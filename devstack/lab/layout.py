"""Where everything of the lab stands: addresses, ports, folders and names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.lab.failure import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[2]
PORTS = {
    "identity": 5000,
    "image": 9292,
    "placement": 8778,
    "compute": 8774,
    "network": 9696,
    "block-storage": 8776,
}
"""Official type -> its standard port; what a cloud of the lab has."""

DATABASES = ("keystone", "glance", "placement", "nova_api", "nova", "nova_cell0", "neutron", "cinder")
GATEWAY_PORT = 8888
NETWORK = "network"
"""The file that keeps where the lab is, once it has been set up."""

MOST = 200


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """One cloud: its own address, and the proxy's address beside it."""

    number: int
    address: str
    beside: str
    state: Path
    """The lab's folder."""

    @property
    def name(self) -> str:
        """`cloud-1`, `cloud-999` (the two of the documentation), `cloud-3`, ..."""
        return "cloud-999" if self.number == 2 else f"cloud-{self.number}"

    @property
    def region(self) -> str:
        """No two clouds have the same: they know nothing of each other."""
        return {1: "RegionOne", 2: "Edge999"}.get(self.number, f"Region{self.number}")

    @property
    def folder(self) -> Path:
        """All of it but the databases."""
        return self.state / self.name

    @property
    def logs(self) -> Path:
        """Its services' logs, one file each."""
        return self.folder / "logs"

    @property
    def etc(self) -> Path:
        """Its services' configuration files."""
        return self.folder / "etc"

    @property
    def data(self) -> Path:
        """Its images, volumes and servers."""
        return self.folder / "data"

    def database(self, name: str) -> str:
        """This cloud's own database of that purpose."""
        return f"c{self.number}_{name}"

    def url(self, service_type: str) -> str:
        """A service's own address, past the proxy."""
        return f"http://{self.address}:{PORTS[service_type]}"

    def beside_url(self, service_type: str) -> str:
        """The proxy's address of that service."""
        return f"http://{self.beside}:{PORTS[service_type]}"


@dataclass(frozen=True, slots=True)
class Lab:
    """The whole lab. `network` is what all its loopback addresses begin with, as in `127.0`."""

    state: Path
    network: str

    @property
    def venv(self) -> Path:
        """The services' own virtual environment."""
        return self.state / "venv"

    @property
    def shared(self) -> Path:
        """Database server, message broker and proxy."""
        return self.state / "shared"

    @property
    def infrastructure(self) -> str:
        """The address of database server and message broker."""
        return f"{self.network}.3.1"

    @property
    def gateway(self) -> str:
        """The proxy's address in front of all clouds."""
        return f"{self.network}.2.254"

    @property
    def config(self) -> Path:
        """The proxy's configuration."""
        return self.state / "oidproxy.yaml"

    @property
    def access_log(self) -> Path:
        """A JSON line for every request at the proxy."""
        return self.state / "access.jsonl"

    @property
    def clouds_yaml(self) -> Path:
        """What clients sign in with."""
        return self.state / "clouds.yaml"

    def remember(self) -> None:
        """Stay at these addresses until the clouds are forgotten."""
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / NETWORK).write_text(self.network)

    def forget(self) -> None:
        """The next lab may be anywhere."""
        (self.state / NETWORK).unlink(missing_ok=True)

    @property
    def gateway_url(self) -> str:
        """What a user's auth URL begins with."""
        return f"http://{self.gateway}:{GATEWAY_PORT}"

    def program(self, name: str) -> str:
        """A program of the services' virtual environment."""
        return str(self.venv / "bin" / name)

    def cloud(self, number: int) -> CloudPlace:
        """The cloud of that number, from 1."""
        address, beside = f"{self.network}.1.{number}", f"{self.network}.2.{number}"
        return CloudPlace(number, address, beside, self.state)

    def clouds(self, count: int) -> tuple[CloudPlace, ...]:
        """The first so many. Raises LabError when there are no addresses for them."""
        if not 1 <= count <= MOST:
            raise LabError(f"N={count}: expected a number of clouds from 1 to {MOST}")
        return tuple(map(self.cloud, range(1, count + 1)))

    def made(self) -> tuple[CloudPlace, ...]:
        """The clouds that have a folder, in their order."""
        return tuple(place for place in self.clouds(MOST) if place.folder.exists())


def from_environment(environ: Mapping[str, str]) -> Lab:
    """`LAB_STATE` is the lab's folder, `LAB_NETWORK` the beginning of its addresses (default: where it is).

    Raises LabError.
    """
    state = Path(environ.get("LAB_STATE") or REPOSITORY / ".state" / "lab").absolute()
    record = state / NETWORK
    known = record.read_text() if record.exists() else ""
    network = environ.get("LAB_NETWORK") or known or "127.0"
    if not (network.startswith("127.") and network.count(".") == 1 and network[4:].isdigit()):
        raise LabError(f"LAB_NETWORK={network}: expected the beginning of loopback addresses, like 127.9")
    if known and known != network:
        raise LabError(
            f"LAB_NETWORK={network}: the lab in {state} is at {known}; `make lab-clean` forgets it"
        )
    return Lab(state, network)


def here() -> Lab:
    """The lab that this process's environment names."""
    return from_environment(os.environ)
