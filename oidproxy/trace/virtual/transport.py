"""A connection in memory: two transports that are each other's peer, and what arrives when.

As TCP and asyncio together behave: bytes arrive in order and whole writes at a time, a sender is held while
its peer reads too slowly, an end follows the bytes before it, and bytes for who is gone are answered by a
reset.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.trace.virtual.links import Link
    from oidproxy.trace.virtual.loop import VirtualLoop
    from oidproxy.trace.virtual.machine import Machine

HIGH = 64 * 1024
RESENT_FIRST, RESENT_LAST = 0.2, 120.0
"""Seconds after which lost bytes are sent again: twice as many each time (RFC 6298, Linux's bounds) …"""
GIVEN_UP = 924.6
"""… until a connection counts as broken (Linux: `tcp_retries2`)."""

END = b""
"""Stands for the end of the stream among what arrives."""


class Transport(asyncio.Transport):
    """One end."""

    __slots__ = (
        "_buffered",
        "_closing",
        "_deliver",
        "_go_at",
        "_held",
        "_high",
        "_last",
        "_link",
        "_loop",
        "_low",
        "_machine",
        "_names",
        "_on_its_way",
        "_paused",
        "_peer",
        "_protocol",
        "_stop_at",
        "_stuck",
        "_stuck_since",
        "_unread",
        "_written_eof",
        "dead",
    )

    def __init__(self, loop: VirtualLoop, machine: Machine, link: Link, names: dict[str, Any]) -> None:
        """`link` is the way out, `names` is what `get_extra_info` tells."""
        self._loop = loop
        self._machine = machine
        self._link = link
        self._names = names
        self._peer: Transport = self
        self._deliver = self._arrive
        self._protocol: asyncio.BaseProtocol
        self._buffered = False
        self._closing = False
        self._written_eof = False
        self._paused = False
        self._held = False
        self._unread: list[bytes] = []
        self._stuck: list[bytes] = []
        self._stuck_since = 0.0
        self._last = 0.0
        self._on_its_way = 0
        self._high = self._low = self._stop_at = self._go_at = 0
        self.set_write_buffer_limits()
        self.dead = False
        """What ran here is gone."""

    def meet(self, peer: Transport, protocol: asyncio.BaseProtocol) -> None:
        """Belong together with this peer, and tell this protocol of what arrives."""
        self._peer = peer
        self._deliver = peer._arrive
        self.set_protocol(protocol)
        self._machine.connections[self] = None
        protocol.connection_made(self)

    @property
    def link(self) -> Link:
        """The way out."""
        return self._link

    @property
    def peer_link(self) -> Link:
        """The way in."""
        return self._peer._link

    # What asyncio's transports have.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """As asyncio's."""
        self._protocol = protocol
        self._buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """As asyncio's."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername`, `sockname`, and a `socket` that has a descriptor and nothing else."""
        return self._loop if name == "socket" else self._names.get(name, default)

    def is_closing(self) -> bool:
        """As asyncio's."""
        return self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As asyncio's; beside that a network holds what is on its way."""
        self._high = HIGH if high is None else high
        self._low = self._high // 4 if low is None else low
        self._stop_at = self._high + self._link.window
        self._go_at = self._low + self._link.window

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """As asyncio's."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """As asyncio's."""
        return max(0, self._on_its_way - self._link.window)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """As asyncio's."""
        if self._written_eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        size = len(data)
        if self._closing or self.dead or not size:
            return
        self._on_its_way += size
        if self._link.instant:
            self._loop.next(self._deliver, bytes(data))
        else:
            self._give(self._link.arrival(self._loop.now, size), bytes(data))
        if self._on_its_way > self._stop_at and not self._held:
            self._held = True
            self._protocol.pause_writing()

    def write_weighing(self, data: bytes, weight: int) -> None:
        """Send a piece of data that stands for more than it is, and takes as long as `weight` bytes do."""
        if self._closing or self.dead or not data:
            return
        self._on_its_way += len(data)
        self._give(self._link.arrival_of_data(self._loop.now, weight), data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """As asyncio's."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """As asyncio's."""
        if self._closing or self._written_eof:
            return
        self._written_eof = True
        self._send_end()

    def is_reading(self) -> bool:
        """As asyncio's."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """As asyncio's."""
        self._paused = not self._closing

    def resume_reading(self) -> None:
        """As asyncio's."""
        if self._paused and not self._closing:
            self._paused = False
            if self._unread:
                self._loop.next(Transport._read_on, self)

    def close(self) -> None:
        """As asyncio's. With bytes unread the peer gets a reset, as of TCP."""
        if self._closing:
            return
        self._closing = True
        if any(self._unread):
            self._break(self._peer)
        elif not self._written_eof:
            self._send_end()
        self._loop.next(Transport._lose, self)

    def abort(self) -> None:
        """As asyncio's: what was written is on its way already."""
        self.close()

    # The network's side.

    def reset(self) -> None:
        """The other side is gone, or this machine is."""
        if self._closing:
            return
        self._closing = True
        self._unread.clear()
        self._machine.connections.pop(self, None)
        self._protocol.connection_lost(ConnectionResetError("reset by peer"))

    def die(self) -> None:
        """What runs on this machine ends, and the machine tells the peer."""
        self.dead = True
        self._closing = True
        self._unread.clear()
        self._machine.connections.pop(self, None)
        self._break(self._peer)
        self._loop.next(Transport._end, self)

    def _give(self, when: float, data: bytes) -> None:
        """Let it arrive then, and never before what was sent before it."""
        when = max(when, self._last)
        self._last = when
        self._loop.through(self._link, when, self._deliver, data)

    def _break(self, peer: Transport) -> None:
        """Let a reset follow what was sent."""
        link = self._link
        when = max(self._last, link.arrival(self._loop.now, 0))
        self._loop.through(link, when, Transport.reset, peer)

    def _send_end(self) -> None:
        self._give(self._link.arrival(self._loop.now, 0), END)

    def _arrive(self, data: bytes) -> None:
        if self._stuck or self._machine.silent or self._peer._machine.silent:
            self._hold_up(data)
            return
        if self.dead:
            if data:
                self._break(self._peer)
            return
        if self._paused:
            self._unread.append(data)
            return
        peer = self._peer
        peer._on_its_way -= len(data)
        if peer._held and peer._on_its_way <= peer._go_at:
            self._loop.next(Transport._let_go, peer)
        if self._closing:
            if data:
                self._break(peer)
            return
        self._take(data)

    def _hold_up(self, data: bytes) -> None:
        """It is lost on its way, and will be sent again and again, as by TCP; the rest waits behind it."""
        if not self._stuck:
            self._stuck_since = self._loop.now
            self._loop.at(self._loop.now + RESENT_FIRST, self._resend, RESENT_FIRST)
        self._stuck.append(data)

    def _resend(self, waited: float) -> None:
        now = self._loop.now
        if not (self._machine.silent or self._peer._machine.silent):
            stuck, self._stuck = self._stuck, []
            for data in stuck:
                self._arrive(data)
        elif now - self._stuck_since >= GIVEN_UP:
            self._stuck.clear()
            self._peer.reset()
        else:
            pause = min(2 * waited, RESENT_LAST)
            self._loop.at(now + pause, self._resend, pause)

    def _take(self, data: bytes) -> None:
        try:
            if not data:
                if not cast("asyncio.Protocol", self._protocol).eof_received():
                    self.close()
            elif self._buffered:
                self._fill(cast("asyncio.BufferedProtocol", self._protocol), data)
            else:
                cast("asyncio.Protocol", self._protocol).data_received(data)
        except Exception as error:  # noqa: BLE001 - as asyncio: a protocol's bug ends its connection
            self._loop.call_exception_handler(
                {"message": "a protocol failed", "exception": error, "protocol": self._protocol}
            )
            self.close()

    def _fill(self, protocol: asyncio.BufferedProtocol, data: bytes) -> None:
        while data and not self._closing:
            if self._paused:
                self._unread.insert(0, data)
                # It counts again when it is read.
                self._peer._on_its_way += len(data)
                return
            view = memoryview(protocol.get_buffer(len(data)))
            size = min(len(view), len(data))
            view[:size] = data[:size]
            data = data[size:]
            protocol.buffer_updated(size)

    def _read_on(self) -> None:
        while self._unread and not self._paused and not self._closing:
            self._arrive(self._unread.pop(0))

    def _let_go(self) -> None:
        if self._held and self._on_its_way <= self._go_at:
            self._held = False
            if not self._closing:
                self._protocol.resume_writing()

    def _lose(self) -> None:
        if self._machine.connections.pop(self, self) is None:
            self._unread.clear()
            self._protocol.connection_lost(None)

    def _end(self) -> None:
        self._protocol.connection_lost(None)
