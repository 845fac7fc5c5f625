"""The network in memory: who listens where, how far machines are from each other, and which are down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from oidproxy.trace.virtual.links import Course, Link
from oidproxy.trace.virtual.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.trace.virtual.loop import VirtualLoop
    from oidproxy.trace.virtual.machine import Machine

    Courses = Callable[[str, str], Course]
    """The way from one site to another, or within one."""

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class Network:
    """All machines of one run."""

    def __init__(self, loop: VirtualLoop, courses: Courses) -> None:
        self.loop = loop
        self._courses = courses
        self.listening: dict[tuple[str, int], tuple[Machine, Callable[[], asyncio.BaseProtocol]]] = {}
        self._at: dict[str, Machine] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._ports = 1024

    def listen(self, machine: Machine, port: int, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Take connections at this machine's address."""
        self.listen_at(machine, machine.address, port, factory)

    def listen_at(
        self, machine: Machine, address: str, port: int, factory: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """Take connections at a further address of this machine."""
        self._at[address] = machine
        self.listening[address, port] = machine, factory

    def link(self, begin: Machine, end: Machine) -> Link:
        """The way from one machine to another."""
        key = begin.name, end.name
        found = self._links.get(key)
        if found is None:
            found = self._links[key] = Link(self._courses(begin.site, end.site))
        return found

    async def connect(
        self, begin: Machine, address: str, port: int, factory: Callable[[], ProtocolT]
    ) -> tuple[Transport, ProtocolT]:
        """A connection to who listens there, one round trip later. In case of silence it is waited for ever.

        Raises ConnectionRefusedError.
        """
        result: asyncio.Future[tuple[Transport, ProtocolT]] = self.loop.create_future()

        def made(pair: tuple[Transport, ProtocolT]) -> None:
            if not result.done():
                result.set_result(pair)
            else:
                pair[0].close()

        self.begin(begin, address, port, factory, made=made, refused=result)
        return await result

    def begin(
        self,
        begin: Machine,
        address: str,
        port: int,
        factory: Callable[[], ProtocolT],
        *,
        made: Callable[[tuple[Transport, ProtocolT]], None],
        refused: asyncio.Future[Any] | Callable[[], None],
    ) -> None:
        """The same without a task: `made` is told of the connection, or `refused` that there is none."""
        there = self._at.get(address, begin)
        way, back = self.link(begin, there), self.link(there, begin)
        attempt = _Attempt(
            self, begin, (address, port), factory, made=made, refused=refused, way=way, back=back
        )
        self.loop.through(way, self.loop.now + way.delay, _Attempt.knock, attempt)

    def fail(self, machine: Machine, *, silent: bool) -> None:
        """Its services end, and every connection of theirs; or it cannot be reached, and nobody tells."""
        machine.refusing, machine.silent = not silent, silent
        if not silent:
            for connection in tuple(machine.connections):
                connection.die()

    def mend(self, machine: Machine) -> None:
        """It is there again."""
        machine.refusing = machine.silent = False

    def port(self) -> int:
        """Of a new connection's near end."""
        self._ports = 1024 if self._ports >= 65535 else self._ports + 1
        return self._ports


class _Attempt:
    """A connection that is being made."""

    __slots__ = ("_back", "_begin", "_factory", "_made", "_network", "_refused", "_target", "_way")

    def __init__(
        self,
        network: Network,
        begin: Machine,
        target: tuple[str, int],
        factory: Callable[[], Any],
        *,
        made: Callable[[Any], None],
        refused: asyncio.Future[Any] | Callable[[], None],
        way: Link,
        back: Link,
    ) -> None:
        self._network = network
        self._begin = begin
        self._target = target
        self._factory = factory
        self._made = made
        self._refused = refused
        self._way = way
        self._back = back

    def knock(self) -> None:
        """It reached the other machine."""
        network, begin = self._network, self._begin
        found = network.listening.get(self._target)
        loop = network.loop
        if found is None or found[0].refusing:
            loop.through(self._back, loop.now + self._back.delay, _Attempt.be_refused, self)
            return
        machine, factory = found
        if machine.silent or begin.silent:
            return
        here, there = (begin.address, network.port()), self._target
        far = Transport(loop, machine, self._back, {"peername": here, "sockname": there})
        near = Transport(loop, begin, self._way, {"peername": there, "sockname": here})
        loop.through(self._back, loop.now + self._back.delay, self.arrive, (near, far))
        far.meet(near, factory())

    def arrive(self, pair: tuple[Transport, Transport]) -> None:
        """The answer came back."""
        near, far = pair
        protocol = self._factory()
        near.meet(far, protocol)
        self._made((near, protocol))

    def be_refused(self) -> None:
        """So did the refusal."""
        if not isinstance(self._refused, asyncio.Future):
            self._refused()
        elif not self._refused.done():
            self._refused.set_exception(ConnectionRefusedError(111, "Connection refused"))
