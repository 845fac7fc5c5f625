"""Where the embedded clouds and the proxy stand: loopback addresses whose OpenStack ports are free."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GATEWAY_PORT = 8888
PORTS = (5000, 8774, 8776, 8778, 9292, 9696)
"""OpenStack's standard ports of what an embedded cloud has."""


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """One cloud: its own address, and the proxy's address beside it."""

    name: str
    region: str
    address: str
    beside: str


@dataclass(frozen=True, slots=True)
class Places:
    """The whole lab; `gateway` stands in front of all clouds."""

    gateway: str
    clouds: tuple[CloudPlace, ...]

    @property
    def gateway_url(self) -> str:
        """What a user's auth URL begins with."""
        return f"http://{self.gateway}:{GATEWAY_PORT}"


def find(clouds: Sequence[tuple[str, str]]) -> tuple[Places, socket.socket]:
    """Places for clouds given as (name, region): those of the documentation if they are free, else others.

    Until the socket is closed no other lab finds the same ones: not everything listens from the start.
    """
    for first in _firsts():
        places = _block(first, clouds)
        claim = _claim(places)
        if claim is None:
            continue
        if all(map(_free, _spots(places))):
            return places, claim
        claim.close()
    raise OSError("no free loopback addresses found")


def _claim(places: Places) -> socket.socket | None:
    """A socket of a kind that no part of a lab uses: one alone can have this address."""
    claim = socket.socket(type=socket.SOCK_DGRAM)
    try:
        claim.bind((places.gateway, GATEWAY_PORT))
    except OSError:
        claim.close()
        return None
    return claim


def _firsts() -> Iterator[str]:
    yield "127.0"
    chance = random.Random()  # noqa: S311 - no secret
    for _ in range(50):
        yield f"127.{chance.randint(1, 254)}"


def _block(first: str, clouds: Sequence[tuple[str, str]]) -> Places:
    numbered = enumerate(clouds, 1)
    return Places(
        gateway=f"{first}.2.254",
        clouds=tuple(
            CloudPlace(name, region, f"{first}.1.{number}", f"{first}.2.{number}")
            for number, (name, region) in numbered
        ),
    )


def _spots(places: Places) -> Iterator[tuple[str, int]]:
    yield places.gateway, GATEWAY_PORT
    for cloud in places.clouds:
        for port in PORTS:
            yield cloud.address, port
            yield cloud.beside, port


def _free(spot: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(spot)
        except OSError:
            return False
    return True
