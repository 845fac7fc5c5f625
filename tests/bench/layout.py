"""Where everything listens: loopback addresses and ports of the clouds, the candidates and the loads."""

from __future__ import annotations

from dataclasses import dataclass

SERVICES = {
    "compute": 8774,
    "image": 9292,
    "network": 9696,
    "block-storage": 8776,
    "placement": 8778,
    "key-manager": 9311,
    "orchestration": 8004,
}
"""Official type -> port, the same at each cloud. Identity, the eighth, is served by a process of its own."""

KEYSTONE_PORT = 5000
CLOUDS = 10

BULK_CLOUD = "cloud-bulk"
BULK_HOST = "127.60.254.1"
BULK_PATH = "/v2/images/b01d0000-0000-4000-8000-000000000000/file"
"""The image of a cloud of its own, whose image service takes and gives large bodies."""

PROXY_HOST = "127.61.0.1"
DIRECT_HOST = "127.60.255.1"
DIRECT_PORT = 8888
"""The upstream by the proxies' own paths, for measuring what is there without a proxy."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the proxy runs, and where everything else does."""

    proxy: int
    rest: tuple[int, ...]

    @classmethod
    def of(cls, available: set[int]) -> Cores:
        """The last core for the proxy; the same one for all where there is only one."""
        proxy = max(available)
        return cls(proxy, tuple(sorted(available - {proxy})) or (proxy,))


def cloud(number: int) -> str:
    """The name of a cloud, counted from 1."""
    return f"cloud-{number}"


def address(number: int) -> str:
    """The address of a cloud, within 127.60.0.0/16; 250 to a /24."""
    return f"127.60.{(number - 1) // 250}.{(number - 1) % 250 + 1}"
