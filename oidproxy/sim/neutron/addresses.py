"""Giving out the addresses of a subnet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.sim.messages import Document

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def network_of(cidr: str, version: int) -> Network:
    """Read a CIDR; 400 when it is none of this version."""
    try:
        network = ip_network(cidr)
    except ValueError:
        raise _bad(f"'{cidr}' is not a valid IP subnet.") from None
    if network.version != version:
        raise _bad(f"The IP version of {cidr} is not {version}.")
    return network


def gateway_of(network: Network, given: object) -> str | None:
    """The gateway: the first address unless one is given, none when null is."""
    if given is None:
        return None
    return str(next(network.hosts())) if given == "" else str(given)


def pools_of(network: Network, gateway: str | None, given: list[Document] | None) -> list[Document]:
    """The pools: as given, else every host address but the gateway."""
    if given:
        for pool in given:
            if ip_address(pool["start"]) not in network or ip_address(pool["end"]) not in network:
                raise _bad("The allocation pool is not within the subnet CIDR.", "OutOfBoundsAllocationPool")
        return [{"start": str(pool["start"]), "end": str(pool["end"])} for pool in given]
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
    if network.version == 6:
        last += 1
    return list(_without(first, last, int(ip_address(gateway)) if gateway else None, network.version))


def _without(first: int, last: int, hole: int | None, version: int) -> Iterable[Document]:
    kind = IPv4Address if version == 4 else IPv6Address
    parts = [(first, last)] if hole is None else [(first, hole - 1), (max(hole + 1, first), last)]
    for start, end in parts:
        if start <= end and start >= first:
            yield {"start": str(kind(start)), "end": str(kind(end))}


def _bad(message: str, kind: str = "InvalidInput") -> ApiError:
    return ApiError(400, f"Invalid input for operation: {message}", kind=kind)


class Allocations:
    """Which addresses of which subnet are taken."""

    def __init__(self) -> None:
        self._taken: dict[str, set[Address]] = {}
        self._cursor: dict[str, int] = {}

    def take(self, subnet: Document, wanted: str = "") -> str:
        """An address of a subnet: the one wanted, or the next free one; 409 when there is none."""
        taken = self._taken.setdefault(subnet["id"], set())
        address = self._wanted(subnet, wanted, taken) if wanted else self._free(subnet, taken)
        taken.add(address)
        return str(address)

    def _wanted(self, subnet: Document, wanted: str, taken: set[Address]) -> Address:
        address = ip_address(wanted)
        if address not in ip_network(subnet["cidr"]):
            raise _bad(
                f"IP address {wanted} is not a valid IP for the specified subnet.", "InvalidIpForSubnet"
            )
        if address in taken:
            raise ApiError(
                409,
                f"IP address {wanted} already allocated in subnet {subnet['id']}",
                kind="IpAddressAlreadyAllocated",
            )
        return address

    def _free(self, subnet: Document, taken: set[Address]) -> Address:
        """Search on from where the last search ended, so that a fresh address is not one that was just given
        back."""
        spans = [(ip_address(pool["start"]), ip_address(pool["end"])) for pool in subnet["allocation_pools"]]
        total = sum(int(end) - int(start) + 1 for start, end in spans)
        begin = self._cursor.get(subnet["id"], 0)
        for offset in range(total):
            place = (begin + offset) % total
            address = _at(spans, place)
            if address not in taken:
                self._cursor[subnet["id"]] = (place + 1) % total
                return address
        raise ApiError(
            409,
            f"No more IP addresses available on network {subnet['network_id']}.",
            kind="IpAddressGenerationFailure",
        )

    def give_back(self, subnet_id: str, address: str) -> None:
        """The address is free again."""
        self._taken.get(subnet_id, set()).discard(ip_address(address))


def _at(spans: list[tuple[Address, Address]], place: int) -> Address:
    for start, end in spans:
        size = int(end) - int(start) + 1
        if place < size:
            return start + place
        place -= size
    raise IndexError(place)
