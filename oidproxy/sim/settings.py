"""What a simulated cloud is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSWORD_VARIABLE = "OIDPROXY_SIM_PASSWORD"  # noqa: S105 - the name of a variable
"""The environment variable that a cloud's password is passed in: command lines are public."""
PORTS: Mapping[str, int] = MappingProxyType(
    {
        "identity": 5000,
        "image": 9292,
        "compute": 8774,
        "network": 9696,
        "placement": 8778,
        "block-storage": 8776,
    }
)
"""OpenStack's standard ports, by official service type."""


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """One cloud."""

    name: str
    address: str
    data: Path
    """Its directory: image and volume data, `downloads.jsonl`, `clouds.yaml`."""
    password: str = field(repr=False)
    """Of every user that is seeded."""
    proxy: str = ""
    """The proxy's address beside this cloud: then catalogs and services' auth URLs name it. Empty: the
    cloud's own."""
    region: str = "RegionOne"
    ports: Mapping[str, int] = field(default_factory=lambda: PORTS)
    record: Path | None = None
    """Where to write every request, with its tokens."""
    images: tuple[tuple[str, Path], ...] = ()
    """Name and file of public images to begin with."""
    seed: int | None = None
    """Makes ids and tokens repeatable: for experiments, not for secrets."""
    token_lifetime: float = 3600.0
    token_cache_time: float = 300.0
    """`token_cache_time` of every service's `[keystone_authtoken]`."""
    own_logins: bool = False
    """Whether its services sign in at their own Keystone; else at the proxy beside them."""

    @property
    def public_host(self) -> str:
        """What its catalog's URLs name."""
        return self.proxy or self.address

    def public_url(self, service_type: str) -> str:
        """The root of a service's catalog URL."""
        return f"http://{self.public_host}:{self.ports[service_type]}"

    @property
    def auth_url(self) -> str:
        """Where its services validate tokens, and its users sign in."""
        return f"{self.public_url('identity')}/v3"

    @property
    def login_url(self) -> str:
        """Where its services sign in: `auth_url` of the sections of their configuration."""
        return f"http://{self.address}:{self.ports['identity']}/v3" if self.own_logins else self.auth_url


def read_ports(text: str) -> Mapping[str, int]:
    """`identity=15000,image=19292`: standard ports but for those named; ConfigError for anything else."""
    ports = dict(PORTS)
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if name not in PORTS or not number.isdecimal() or not 0 < int(number) < 1 << 16:
            known = ", ".join(PORTS)
            raise ConfigError(f"--ports: {part!r} is not SERVICE=PORT with a service of {known}")
        ports[name] = int(number)
    return MappingProxyType(ports)


def read_image(text: str) -> tuple[str, Path]:
    """`NAME=FILE`; ConfigError when there is no such file."""
    name, _, file = text.partition("=")
    path = Path(file)
    if not name or not file or not path.is_file():
        raise ConfigError(f"--image: {text!r} is not NAME=FILE with a file that can be read")
    return name, path
