"""GoReplay's files: payloads of HTTP, each behind a line that says what it is, with a separator between them.

A line is `<kind> <id> <time> [<latency>]`: kind 1 is a request, with its time since the epoch; 2 is its
answer, 3 the answer to a replay of it, with their time or, in older releases, how long they took. All in
nanoseconds.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.trace.importing.files import opened
from oidproxy.trace.importing.terms import Broken, Found, Options, Users
from oidproxy.trace.importing.whole import Seen, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEPARATOR = "\n🐵🙈🙉\n".encode()
PIECE = 1024 * 1024
PAYLOAD_AT_MOST = 64 * 1024 * 1024
WAITING_AT_MOST = 10_000
"""Requests that wait for their answers; the oldest goes without."""
BODY_AT_MOST = 16 * 1024 * 1024

A_TIME = 10**17
"""Nanoseconds: what is more is a time since the epoch (1973), what is less a latency (three years)."""

_REQUEST, _ANSWER, _REPLAYED = b"1", b"2", b"3"


@dataclass(slots=True)
class _Message:
    """One payload, taken apart."""

    line: int
    time: int
    took: int
    start: list[bytes] = field(repr=False)
    fields: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    size: int = 0
    """Bytes of the body on the wire."""


def read(path: Path, options: Options) -> Iterator[Found]:
    """The requests of a file. Raises OSError."""
    users = Users()
    waiting: OrderedDict[bytes, _Message] = OrderedDict()
    for line, payload in _payloads(path):
        try:
            kind, name, message = _message(line, payload)
        except ValueError as error:
            yield Broken(line, str(error))
            continue
        if kind == _REQUEST:
            waiting[name] = message
            if len(waiting) > WAITING_AT_MOST:
                yield _found(waiting.popitem(last=False)[1], None, users, options)
            continue
        request = waiting.pop(name, None)
        if request is not None:
            yield _found(request, message, users, options)
        elif kind == _ANSWER:
            yield Broken(
                line, f"an answer to no request that stands before it ({name.decode('latin-1')[:40]})"
            )
    for request in waiting.values():
        yield _found(request, None, users, options)


def _payloads(path: Path) -> Iterator[tuple[int, bytes]]:
    """Line of the file and bytes of each payload."""
    with opened(path) as file:
        kept, line = b"", 1
        while piece := file.read(PIECE):
            *whole, kept = (kept + piece).split(SEPARATOR)
            for payload in whole:
                yield line, payload
                line += payload.count(b"\n") + 2
            if len(kept) > PAYLOAD_AT_MOST:
                break
        if kept.strip():
            yield line, kept


def _message(line: int, payload: bytes) -> tuple[bytes, bytes, _Message]:
    """Kind, id, and the rest. Raises ValueError."""
    head, _, http = payload.partition(b"\n")
    words = head.split()
    if len(words) < 3 or words[0] not in {_REQUEST, _ANSWER, _REPLAYED} or not words[2].isdigit():
        raise ValueError("expected GoReplay's `<kind> <id> <time>`, with kind 1, 2 or 3")
    took = int(words[3]) if len(words) > 3 and words[3].isdigit() else 0
    top, _, body = http.partition(b"\r\n\r\n")
    start, *lines = top.split(b"\r\n")
    fields = {}
    for one in lines:
        name, colon, value = one.decode("latin-1").partition(":")
        if colon:
            fields[name.strip().lower()] = value.strip()
    parts = start.split(b" ", 2)
    if len(parts) < 2:
        raise ValueError("there is no HTTP behind this line")
    plain = _plain(body, fields)
    return words[0], words[1], _Message(line, int(words[2]), took, parts, fields, plain, len(body))


def _plain(body: bytes, fields: dict[str, str]) -> bytes:
    """The body without the encodings that stand in its head; nothing of one that cannot be read."""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        body = _unchunked(body)
    if fields.get("content-encoding", "").lower() in {"gzip", "deflate"}:
        try:
            body = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, BODY_AT_MOST)
        except zlib.error:
            return b""
    return body


def _unchunked(body: bytes) -> bytes:
    pieces = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        try:
            count = int(size.partition(b";")[0], 16)
        except ValueError:
            break
        if count <= 0:
            break
        pieces.append(rest[:count])
        body = rest[count + 2 :]
    return b"".join(pieces)


def _found(request: _Message, answer: _Message | None, users: Users, options: Options) -> Found:
    try:
        seen = _seen(request, answer)
        return line_of(seen, users, options)
    except ValueError as error:
        return Broken(request.line, str(error))


def _seen(request: _Message, answer: _Message | None) -> Seen:
    if request.time < A_TIME:
        raise ValueError("a request's time is in nanoseconds since the epoch; this one's is not")
    method, url = request.start[0].decode("latin-1"), request.start[1].decode("latin-1")
    if answer is None:
        return Seen(
            at=request.time,
            method=method,
            url=url,
            fields=request.fields,
            body=request.body,
            bytes_in=request.size,
            lacks=("status", "bytes_out", "answer_body"),
        )
    if not answer.start[1].isdigit():
        raise ValueError("the answer to this request has no status")
    return Seen(
        at=request.time,
        method=method,
        url=url,
        fields=request.fields,
        body=request.body,
        bytes_in=request.size,
        status=int(answer.start[1]),
        answer_fields=answer.fields,
        answer=answer.body,
        bytes_out=answer.size,
        steps=_steps(request, answer),
    )


def _steps(request: _Message, answer: _Message) -> dict[str, int]:
    if answer.time < A_TIME:
        return {"done": answer.time}
    first = max(0, answer.time - request.time)
    return {"first_byte": first, "done": first + answer.took}
