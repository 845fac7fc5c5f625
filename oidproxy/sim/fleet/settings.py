"""What a fleet of simulated clouds is told at its start, and where each of its clouds stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from oidproxy.errors import ConfigError
from oidproxy.sim.settings import CloudSettings

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 250
"""Clouds of one /24."""
MOST = 60_000


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """A fleet. Cloud n of it is called `cloud-n` and has an address of its own, and one for the proxy beside
    it."""

    clouds: int
    data: Path
    """Its directory: clouds.yaml, oidproxy.yaml, and a directory for each cloud."""
    password: str = field(repr=False)
    """Of every user."""
    network: str = "127.10"
    """The first half of the clouds' addresses; the proxy's beside them are in the next /16."""
    gateway: str = "127.0.0.1:8888"
    """Where oidproxy.yaml lets the proxy listen for users."""
    homes: int = 1
    """The first of the clouds, whose users every other cloud admits."""
    items: int = 20
    """Resources of each kind that every cloud begins with."""
    beside: bool = True
    """Whether the proxy stands beside the clouds as well as in front of them."""
    disturbances: Path | None = None
    """The file of latencies and faults."""
    seed: int | None = None
    """Makes ids and tokens repeatable; not for secrets."""
    token_lifetime: float = 3600.0
    token_cache_time: float = 300.0

    def __post_init__(self) -> None:
        first, second = self._octets()
        if not 1 <= self.clouds <= MOST:
            raise ConfigError(f"--clouds: 1 to {MOST}, got {self.clouds}")
        if not 1 <= self.homes <= self.clouds:
            raise ConfigError(f"--homes: 1 to {self.clouds}, got {self.homes}")
        if first != 127 or second > 254:
            raise ConfigError(f"--network: 127.0 to 127.254, got {self.network}")

    def _octets(self) -> tuple[int, int]:
        try:
            return tuple(IPv4Address(f"{self.network}.0.0").packed)[:2]  # type: ignore[return-value]
        except ValueError:
            raise ConfigError(f"--network: two numbers as in 127.10, got {self.network!r}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all clouds."""
        return tuple(f"cloud-{number}" for number in range(1, self.clouds + 1))

    @property
    def home_names(self) -> tuple[str, ...]:
        """Of the clouds whose users are admitted everywhere."""
        return self.names[: self.homes]

    def cloud(self, number: int) -> CloudSettings:
        """One of them, counted from 1."""
        first, second = self._octets()
        return CloudSettings(
            name=f"cloud-{number}",
            address=_address(first, second, number),
            data=self.data / f"cloud-{number}",
            password=self.password,
            proxy=_address(first, second + 1, number) if self.beside else "",
            region="RegionOne" if number == 1 else f"Edge{number}",
            seed=self.seed,
            token_lifetime=self.token_lifetime,
            token_cache_time=self.token_cache_time,
            own_logins=True,
        )


def group(number: int) -> str:
    """The group of a cloud in oidproxy.yaml: every tenth cloud is of the same."""
    return f"zone-{number % 10}"


def _address(first: int, second: int, number: int) -> str:
    block, place = divmod(number - 1, BLOCK)
    return f"{first}.{second}.{block}.{place + 1}"
