"""The services of a cloud: how each is started, and when it is ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.lab.layout import KINDS, PORTS
from devstack.lab.processes import Background
from devstack.lab.readiness import wait_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from devstack.lab.layout import CloudPlace, Lab

DRIVERS = Path(__file__).with_name("drivers")


@dataclass(frozen=True, slots=True)
class Service:
    """One process of a cloud; `serves` is the type of the service whose port it has, or empty."""

    place: CloudPlace
    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    serves: str = ""

    @property
    def process(self) -> Background:
        """It as a process."""
        return Background(self.name, self.place.logs)

    def start(self) -> bool:
        """Start it unless it runs; whether it had to be started."""
        return self.process.start(self.argv, self.environment, cwd=self.place.folder)

    def wait(self) -> None:
        """Wait until its port answers HTTP. Raises LabError with the end of its log."""
        if self.serves:
            wait_answer(self.process, f"{self.place.url(self.serves)}/")

    def spots(self) -> Iterator[tuple[str, int]]:
        """The address that it listens on."""
        if self.serves:
            yield self.place.address, PORTS[self.serves]


def environment(lab: Lab, place: CloudPlace) -> dict[str, str]:
    """What the programs of a cloud run in: nothing of whoever starts the lab."""
    return {
        "PATH": f"{lab.venv / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(place.folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(lab.state / "site"),
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "OS_KEYSTONE_CONFIG_FILES": str(place.etc / "keystone.conf"),
        "OS_PLACEMENT_CONFIG_DIR": str(place.etc),
    }


def write_site(lab: Lab) -> None:
    """What the services find beside their packages: the lab's drivers, one of them as an entry point."""
    site = lab.state / "site"
    described = site / "labdrivers-1.dist-info"
    described.mkdir(parents=True, exist_ok=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: labdrivers\nVersion: 1\n")
    (described / "entry_points.txt").write_text(
        "[neutron.ml2.mechanism_drivers]\nlab_every_port = labdrivers.network:EveryPort\n"
    )
    link = site / "labdrivers"
    link.unlink(missing_ok=True)
    link.symlink_to(DRIVERS)


def keystone(lab: Lab, place: CloudPlace) -> tuple[Service, ...]:
    """The service that all others ask, where the cloud has its own."""
    return (_gunicorn(lab, place, "identity"),) if "identity" in place.services else ()


def others(lab: Lab, place: CloudPlace) -> tuple[Service, ...]:
    """All services but Keystone, in the order of their start."""
    nova, neutron, cinder = (
        ("--config-file", str(place.etc / f"{name}.conf")) for name in ("nova", "neutron", "cinder")
    )
    glance = ("--config-file", str(place.etc / "glance-api.conf"))
    known = (
        ("placement", _gunicorn(lab, place, "placement")),
        ("image", _service(lab, place, "glance-api", glance, "image")),
        ("network", _service(lab, place, "neutron-server", neutron, "network")),
        ("compute", _service(lab, place, "nova-conductor", nova)),
        ("compute", _service(lab, place, "nova-scheduler", nova)),
        ("compute", _service(lab, place, "nova-api-os-compute", nova, "compute")),
        ("block-storage", _service(lab, place, "cinder-api", cinder, "block-storage")),
        ("block-storage", _service(lab, place, "cinder-scheduler", cinder)),
        ("block-storage", _service(lab, place, "cinder-volume", cinder)),
        ("compute", _script(lab, place, "nova-compute", DRIVERS / "nova_compute.py", nova)),
    )
    return tuple(service for service_type, service in known if service_type in place.services)


def all_of(lab: Lab, place: CloudPlace) -> tuple[Service, ...]:
    """Every service of a cloud."""
    return (*keystone(lab, place), *others(lab, place))


def _service(lab: Lab, place: CloudPlace, name: str, arguments: tuple[str, ...], serves: str = "") -> Service:
    return Service(place, name, (lab.program(name), *arguments), environment(lab, place), serves)


def _script(lab: Lab, place: CloudPlace, name: str, script: Path, arguments: tuple[str, ...]) -> Service:
    return Service(place, name, (lab.program("python"), str(script), *arguments), environment(lab, place))


def _gunicorn(lab: Lab, place: CloudPlace, serves: str) -> Service:
    """Options come by the environment: Keystone's application reads sys.argv itself."""
    name = KINDS[serves].project
    settings = {"GUNICORN_CMD_ARGS": f"-c {place.etc / f'{name}-gunicorn.py'}"}
    return Service(place, name, (lab.program("gunicorn"),), {**environment(lab, place), **settings}, serves)
