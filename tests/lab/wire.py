"""The requests in what a wiretap heard: at the proxy's addresses, and at the clouds' own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.lab.wiretap import Spot, Stream

_HEAD = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n((?:[^\r\n:]+:[^\r\n]*\r\n)*)\r\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was on the wire."""

    source: Spot
    target: Spot
    method: str
    path: str
    """With its query."""
    fields: Mapping[str, str] = field(repr=False)
    """By name in lower case."""
    body: bytes = field(repr=False)


def requests(streams: Iterable[Stream]) -> list[Request]:
    """All requests in these streams; answers are left out, in one stream they are in their order."""
    return [one for stream in streams for one in _requests(stream)]


def _requests(stream: Stream) -> Iterator[Request]:
    # The wire may have been cut into while a body was on its way: the first head is where one begins.
    found = _HEAD.search(stream.data)
    while found:
        names = (line.partition(":") for line in found[3].decode("latin-1").splitlines())
        fields = {name.strip().lower(): value.strip() for name, _, value in names}
        body, end = _body(stream.data, found.end(), fields)
        path = found[2].decode("latin-1")
        yield Request(stream.source, stream.target, found[1].decode(), path, fields, body)
        found = _HEAD.match(stream.data, end) or _HEAD.search(stream.data, end)


def _body(data: bytes, at: int, fields: Mapping[str, str]) -> tuple[bytes, int]:
    """A body, and where it ends (RFC 9112 section 6.3)."""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        return _chunks(data, at)
    size = int(fields.get("content-length", "0"))
    return data[at : at + size], min(at + size, len(data))


def _chunks(data: bytes, at: int) -> tuple[bytes, int]:
    whole = []
    while size := _SIZE.match(data, at):
        length = int(size[1], 16)
        whole.append(data[size.end() : size.end() + length])
        at = size.end() + length + len(b"\r\n")
        if not length:
            break
    return b"".join(whole), min(at, len(data))
