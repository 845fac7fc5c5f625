"""A machine of the virtual network: a cloud's services, a proxy, or a user's."""

from __future__ import annotations

from typing import Protocol


class Held(Protocol):
    """One end of a connection, on the machine that has it."""

    def die(self) -> None:
        """What runs on this machine ends, and the machine tells the peer."""
        ...


class Machine:
    """Where it stands, and whether it can be reached."""

    __slots__ = ("address", "connections", "name", "refusing", "silent", "site")

    def __init__(self, name: str, site: str, address: str) -> None:
        self.name = name
        self.site = site
        """A cloud's name, by which round-trip times are found."""
        self.address = address
        self.connections: dict[Held, None] = {}
        """Those that are open, oldest first."""
        self.refusing = False
        """Every new connection is refused."""
        self.silent = False
        """Whatever is sent to it or by it vanishes."""
