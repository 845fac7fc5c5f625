"""Where everything of the lab stands: addresses, ports, folders and names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstack.lab.failure import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a service of one type is like in every cloud."""

    port: int
    """The standard one."""
    project: str
    """What its account, its programs and its configuration are called after."""
    databases: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "identity": Kind(5000, "keystone", ("keystone",)),
    "image": Kind(9292, "glance", ("glance",)),
    "placement": Kind(8778, "placement", ("placement",)),
    "compute": Kind(8774, "nova", ("nova_api", "nova", "nova_cell0")),
    "network": Kind(9696, "neutron", ("neutron",)),
    "block-storage": Kind(8776, "cinder", ("cinder",)),
}
"""By official type: what a cloud of the lab may have."""

PORTS: Mapping[str, int] = {service_type: kind.port for service_type, kind in KINDS.items()}
GATEWAY_PORT = 8888
ADMIN_PORT = 8889
NETWORK = "network"
"""The file that keeps where the lab is, once it has been set up."""

WANTED = "clouds"
"""The file with the names of the clouds that are to run."""

MOST = 100
EDGES = 100
"""The numbers of the clouds that nobody reconfigured begin after this one."""


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """One cloud: what it has, and where."""

    number: int
    """Unlike any other cloud's: it is in its address, and in its databases' names."""
    name: str
    region: str
    """No two clouds have the same: they know nothing of each other."""
    address: str
    state: Path
    """The lab's folder."""
    beside: str = ""
    """The proxy's address beside it; empty for a cloud whose services know nothing of the proxy."""
    services: tuple[str, ...] = tuple(KINDS)
    """The official types of what it has, Keystone only where that is its own."""
    guest_of: CloudPlace | None = None
    """The cloud whose Keystone it uses, in a region of its own; None where it has one itself."""
    images: tuple[str, ...] = ()
    """Its public images, besides one that is called after it."""

    @property
    def host(self) -> CloudPlace:
        """The cloud that has its Keystone, and with it its users and its catalog."""
        return self.guest_of or self

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

    @property
    def accounts(self) -> tuple[str, ...]:
        """The users, in the project `service`, of its services: of all but Keystone, which asks nobody."""
        return tuple(KINDS[one].project for one in self.services if one != "identity")

    @property
    def databases(self) -> tuple[str, ...]:
        """What its databases are for."""
        return tuple(name for one in self.services for name in KINDS[one].databases)

    def database(self, name: str) -> str:
        """This cloud's own database of that purpose."""
        return f"c{self.number}_{name}"

    def url(self, service_type: str) -> str:
        """A service's own address, past the proxy."""
        place = self.host if service_type == "identity" else self
        return f"http://{place.address}:{PORTS[service_type]}"

    def beside_url(self, service_type: str) -> str:
        """The proxy's address of that service."""
        return f"http://{self.beside}:{PORTS[service_type]}"

    def front_url(self, service_type: str) -> str:
        """Where its own users and services find it: at the proxy, if one stands beside it."""
        return self.beside_url(service_type) if self.beside else self.url(service_type)


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
        """Database server, message broker and proxies."""
        return self.state / "shared"

    @property
    def infrastructure(self) -> str:
        """The address of database server and message broker."""
        return f"{self.network}.3.1"

    @property
    def gateway(self) -> str:
        """The address, in front of all clouds, of the proxy that also stands beside each."""
        return f"{self.network}.2.254"

    @property
    def edge_gateway(self) -> str:
        """The address of the other proxy, in front of the clouds that nobody reconfigured."""
        return f"{self.network}.2.253"

    @property
    def edge_gateway_url(self) -> str:
        """The same for the clouds that nobody reconfigured."""
        return f"http://{self.edge_gateway}:{GATEWAY_PORT}"

    @property
    def edge_folder(self) -> Path:
        """All that the proxy in front of those is given."""
        return self.state / "gateway"

    @property
    def config(self) -> Path:
        """The proxy's configuration."""
        return self.state / "oidproxy.yaml"

    @property
    def access_log(self) -> Path:
        """A JSON line for every request at the proxy."""
        return self.state / "access.jsonl"

    @property
    def edge_config(self) -> Path:
        """The configuration of the proxy in front of the clouds that nobody reconfigured."""
        return self.edge_folder / "oidproxy.yaml"

    @property
    def edge_access_log(self) -> Path:
        """A JSON line for every request at that one."""
        return self.edge_folder / "access.jsonl"

    @property
    def clouds_yaml(self) -> Path:
        """What clients sign in with."""
        return self.state / "clouds.yaml"

    def remember(self, clouds: Sequence[CloudPlace]) -> None:
        """These are the clouds that are to run; the lab stays at its addresses until all are forgotten."""
        # Whatever the services log is nobody else's: Keystone logs a malformed login as it came.
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        (self.state / NETWORK).write_text(self.network)
        (self.state / WANTED).write_text("".join(f"{place.name}\n" for place in clouds))

    def forget(self) -> None:
        """The next lab may be anywhere."""
        for name in (NETWORK, WANTED):
            (self.state / name).unlink(missing_ok=True)

    def wanted(self) -> tuple[CloudPlace, ...]:
        """The clouds that are to run."""
        record = self.state / WANTED
        if not record.exists():
            return self.made()
        names = record.read_text().split()
        return tuple(place for place in self._every() if place.name in names)

    @property
    def gateway_url(self) -> str:
        """What a user's auth URL begins with."""
        return f"http://{self.gateway}:{GATEWAY_PORT}"

    def program(self, name: str) -> str:
        """A program of the services' virtual environment."""
        return str(self.venv / "bin" / name)

    def cloud(self, number: int) -> CloudPlace:
        """The cloud of that number, from 1: `cloud-1`, `cloud-999`, `cloud-3`, ..."""
        return CloudPlace(
            number=number,
            name="cloud-999" if number == 2 else f"cloud-{number}",
            region={1: "RegionOne", 2: "Edge999"}.get(number, f"Region{number}"),
            address=f"{self.network}.1.{number}",
            state=self.state,
            beside=f"{self.network}.2.{number}",
            images=("cirros",) if number == 2 else (),
        )

    def clouds(self, count: int) -> tuple[CloudPlace, ...]:
        """The first so many. Raises LabError when there are no addresses for them."""
        if not 1 <= count <= MOST:
            raise LabError(f"N={count}: expected a number of clouds from 1 to {MOST}")
        return tuple(map(self.cloud, range(1, count + 1)))

    def edges(self) -> tuple[CloudPlace, ...]:
        """The clouds that nobody reconfigured: a whole one, a small one, and a region of the first."""
        whole = self._edge(1)
        small = self._edge(2, services=("identity", "image", "block-storage"), images=("cirros",))
        region = self._edge(3, services=("image", "block-storage"), guest_of=whole)
        return whole, small, region

    def made(self) -> tuple[CloudPlace, ...]:
        """The clouds that have a folder, in their order."""
        return tuple(place for place in self._every() if place.folder.exists())

    def _every(self) -> tuple[CloudPlace, ...]:
        return (*self.clouds(MOST), *self.edges())

    def _edge(self, number: int, **more: Any) -> CloudPlace:  # noqa: ANN401 - what CloudPlace has
        return CloudPlace(
            number=EDGES + number,
            name=f"edge-{number}",
            region=f"EdgeRegion{number}",
            address=f"{self.network}.1.{EDGES + number}",
            state=self.state,
            **more,
        )


def from_environment(environ: Mapping[str, str]) -> Lab:
    """`LAB_STATE` is the lab's folder, `LAB_NETWORK` the beginning of its addresses (default: where it is).

    Raises LabError.
    """
    state = Path(environ.get("LAB_STATE") or REPOSITORY / ".state" / "lab").absolute()
    record = state / NETWORK
    known = record.read_text() if record.exists() else ""
    network = environ.get("LAB_NETWORK") or known or "127.0"
    if not (
        network.startswith("127.")
        and network.count(".") == 1
        and network[4:].isdigit()
        and int(network[4:]) < 256
    ):
        raise LabError(f"LAB_NETWORK={network}: expected the beginning of loopback addresses, like 127.9")
    if known and known != network:
        raise LabError(
            f"LAB_NETWORK={network}: the lab in {state} is at {known}; `make lab-clean` forgets it"
        )
    return Lab(state, network)


def here() -> Lab:
    """The lab that this process's environment names."""
    return from_environment(os.environ)
