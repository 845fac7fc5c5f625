"""Reads along what is said to and from some addresses of this machine: packets of `lo`, put together again.

Needs root, as the lab does. A packet on loopback is seen twice, as it goes out and as it comes in; only the
latter is kept, by a filter in the kernel that also leaves out all other addresses.
"""

from __future__ import annotations

import ctypes
import re
import socket
import struct
import time
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_IPV4 = 0x0800
_ATTACH_FILTER, _RECEIVE_BUFFER = 26, 33  # asm-generic/socket.h; the latter exceeds the limit, for root
_PACKET, _STATISTICS = 263, 6  # linux/if_packet.h
_BUFFER = 64 * 1024 * 1024
_LARGEST = 128 * 1024
_SYN = 0x02
_QUIET_SECONDS = 0.5
_CHUNK = re.compile(rb"\r\n[0-9A-Fa-f]{1,8}\r\n")
"""What a chunked body (RFC 9112 section 7.1) has between its pieces."""

Spot = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of one connection."""

    source: Spot
    target: Spot
    data: bytes
    missing: int
    """Bytes that were sent and not seen."""

    @property
    def texts(self) -> tuple[bytes, bytes]:
        """What was said, as it came, and without the marks of chunks, which could cut a word in two."""
        return self.data, _CHUNK.sub(b"", self.data)


@dataclass(frozen=True, slots=True)
class _Segment:
    source: Spot
    target: Spot
    number: int
    opens: bool
    data: bytes


class Wiretap:
    """From the beginning to the end of its block it keeps what passes from or to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4))
        self._socket.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER, _BUFFER)
        _filter(self._socket, addresses)
        self._packets: list[bytes] = []
        self._last = 0.0
        self._ending = Event()
        self._thread = Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._socket.bind(("lo", _IPV4))
        self._socket.settimeout(0.1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        _, lost = struct.unpack("II", self._socket.getsockopt(_PACKET, _STATISTICS, 8))
        self._socket.close()
        assert lost == 0, f"{lost} packets came faster than they were read"

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until nothing has been said for a moment; at most so long, since some services never rest."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < min(deadline, self._last + _QUIET_SECONDS):
            time.sleep(0.05)

    def streams(self) -> list[Stream]:
        """All that was said until now, one for each connection and direction."""
        return list(_streams(map(_segment, list(self._packets))))

    def _listen(self) -> None:
        while True:
            try:
                self._packets.append(self._socket.recv(_LARGEST))
                self._last = time.monotonic()
            except TimeoutError:
                if self._ending.is_set():
                    return


def _filter(listening: socket.socket, addresses: Iterable[str]) -> None:
    """Have the kernel keep TCP that comes in from or to these (classic BPF, linux/filter.h)."""
    wanted = [struct.unpack("!I", socket.inet_aton(address))[0] for address in addresses]
    incoming, protocol, source, target = 0xFFFFF000 + 4, 9, 12, 16
    load_byte, load_word, equal, give = 0x30, 0x20, 0x15, 0x06
    last = 2 * len(wanted) + 6
    # Numbers behind a comparison: how many instructions to leap over where it holds, and where not.
    program = [(load_byte, 0, 0, incoming), (equal, 0, last - 2, 0)]
    program += [(load_byte, 0, 0, protocol), (equal, 0, last - 4, socket.IPPROTO_TCP)]
    for field in (source, target):
        program.append((load_word, 0, 0, field))
        for address in wanted:
            # Forward to the last but one instruction, which keeps it.
            program.append((equal, last - len(program), 0, address))
    program += [(give, 0, 0, 0), (give, 0, 0, 0xFFFFFFFF)]
    code = b"".join(struct.pack("HBBI", *one) for one in program)
    buffer = ctypes.create_string_buffer(code)
    described = struct.pack("HP", len(program), ctypes.addressof(buffer))
    listening.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)


def _segment(packet: bytes) -> _Segment:
    """One TCP segment in one IPv4 packet (RFC 9293 section 3.1, RFC 791 section 3.1)."""
    start, whole = (packet[0] & 0x0F) * 4, struct.unpack_from("!H", packet, 2)[0]
    source, target, number = struct.unpack_from("!HHI", packet, start)
    data = start + (packet[start + 12] >> 4) * 4
    return _Segment(
        (socket.inet_ntoa(packet[12:16]), source),
        (socket.inet_ntoa(packet[16:20]), target),
        number,
        bool(packet[start + 13] & _SYN),
        # A packet made of many in one go may be longer than its field can say; then that is 0.
        packet[data : whole or None],
    )


def _streams(segments: Iterable[_Segment]) -> Iterator[Stream]:
    """Segments by direction; each SYN begins a new connection, also between the same two ports."""
    open_now: dict[tuple[Spot, Spot], _Assembly] = {}
    for one in segments:
        if not one.data and not one.opens:
            continue  # also a keep-alive probe, whose number is the one before (RFC 9293 section 3.8.4)
        assembly = open_now.get((one.source, one.target))
        # SYN takes the first number (RFC 9293 section 3.4); a repeated one begins nothing new.
        begins = (one.number + 1) % 2**32 if one.opens else one.number
        if assembly is None or (one.opens and assembly.begins != begins):
            if assembly is not None:
                yield assembly.stream()
            assembly = open_now[one.source, one.target] = _Assembly(one.source, one.target, begins)
        if not one.opens:
            assembly.add(one.number, one.data)
    yield from (assembly.stream() for assembly in open_now.values())


class _Assembly:
    """The bytes of one direction by their number."""

    def __init__(self, source: Spot, target: Spot, begins: int) -> None:
        self.begins = begins
        self._ends = source, target
        self._pieces: dict[int, bytes] = {}

    def add(self, number: int, data: bytes) -> None:
        place = (number - self.begins + 2**31) % 2**32 - 2**31
        if len(data) > len(self._pieces.get(place, b"")):
            self._pieces[place] = data

    def stream(self) -> Stream:
        """What was sent twice once; a gap as a NUL, so that no word comes of two that are none."""
        whole, at, missing = [], 0, 0
        for place, data in sorted(self._pieces.items()):
            if place > at:
                whole.append(b"\0")
                missing += place - at
            whole.append(data[max(at - place, 0) :])
            at = max(at, place + len(data))
        return Stream(*self._ends, b"".join(whole), missing)
