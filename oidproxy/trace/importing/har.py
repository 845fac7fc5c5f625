"""HAR 1.2: what browsers and proxies save of their traffic, one document of JSON, read entry by entry."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oidproxy.errors import TraceInvalid
from oidproxy.trace.importing.files import opened
from oidproxy.trace.importing.terms import Broken, Found, Options, Users
from oidproxy.trace.importing.whole import Seen, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PIECE = 256 * 1024
ENTRY_AT_MOST = 256 * 1024 * 1024
"""Characters of one entry: an answer's whole body may be in it."""

_ENTRIES = re.compile(r'(?<!\\)"entries"\s*:\s*\[')
_BLANK = re.compile(r"[\s,]*")


def read(path: Path, options: Options) -> Iterator[Found]:
    """The requests of a HAR file. Raises TraceInvalid: it is none; OSError."""
    users = Users()
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")
        for number, line, entry in _entries(text, path):
            try:
                seen = _seen(entry)
                yield line_of(seen, users, options) if seen is not None else None
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                yield Broken(line, f"entry {number} is no request of HAR 1.2: {_said(error)}")


def _entries(text: io.TextIOWrapper, path: Path) -> Iterator[tuple[int, int, Any]]:
    """Number, line and value of each entry; a part of the file is held at a time."""
    buffer, place, line = "", -1, 1
    while place < 0:
        piece = text.read(PIECE)
        if not piece:
            raise TraceInvalid('this is no HAR file: it has no log with "entries"', file=str(path))
        buffer += piece
        found = _ENTRIES.search(buffer)
        place = found.end() if found else -1
    decode = json.JSONDecoder().raw_decode
    line += buffer.count("\n", 0, place)
    number, more = 0, PIECE
    while True:
        begin = _behind_blanks(buffer, place)
        line += buffer.count("\n", place, begin)
        if buffer.startswith("]", begin):
            return
        try:
            entry, end = decode(buffer, begin)
        except (ValueError, RecursionError) as error:
            piece = text.read(more)
            buffer, place = buffer[begin:] + piece, 0
            # Each time as much again: an entry of many pieces is not read from its beginning for each.
            more = max(PIECE, len(buffer))
            if piece and len(buffer) <= ENTRY_AT_MOST:
                continue
            raise TraceInvalid(
                f"the file ends, or is no JSON any more, in entry {number + 1}: {_said(error)}",
                file=str(path),
                line=line,
            ) from None
        yield number + 1, line, entry
        line += buffer.count("\n", begin, end)
        number, place, more = number + 1, end, PIECE
        if place > PIECE:
            buffer, place = buffer[place:], 0


def _behind_blanks(buffer: str, place: int) -> int:
    found = _BLANK.match(buffer, place)
    return found.end() if found else place


def _seen(entry: Any) -> Seen | None:
    request, answer, timings = entry["request"], entry["response"], entry.get("timings", {})
    url = str(request["url"])
    if not url.startswith(("http://", "https://")):
        return None
    body = _text_of(request.get("postData", {}))
    told = _text_of(answer.get("content", {}))
    size_in, size_out = _size(request, len(body)), _size(answer, len(told))
    lacks = ["bytes_out"] if size_out < 0 else []
    if size_in < 0:
        lacks.append("bytes_in")
    return Seen(
        at=_nanoseconds(entry["startedDateTime"]),
        method=str(request["method"]).upper(),
        url=url,
        fields=_fields(request),
        body=body,
        bytes_in=max(0, size_in),
        status=max(0, int(answer["status"])),
        answer_fields=_fields(answer),
        answer=told,
        bytes_out=max(0, size_out),
        steps=_steps(timings, float(entry.get("time", 0))),
        lacks=tuple(lacks),
    )


def _fields(message: Mapping[str, Any]) -> dict[str, str]:
    return {str(one["name"]).lower(): str(one["value"]) for one in message.get("headers", ())}


def _text_of(content: Mapping[str, Any]) -> bytes:
    text = content.get("text") or ""
    if content.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            return b""
    return str(text).encode("utf-8", "surrogatepass")


def _size(message: Mapping[str, Any], read: int) -> int:
    """Of the body; -1 is HAR's word for "not known"."""
    size = int(message.get("bodySize", -1))
    if size < 0:
        size = int(message.get("content", {}).get("size", -1))
    return read if size < 0 and (read or "content" not in message) else size


def _steps(timings: Mapping[str, Any], whole: float) -> dict[str, int]:
    """HAR has milliseconds for each phase, and -1 for one that there was not."""
    before = sum(max(0.0, float(timings.get(name) or 0)) for name in ("blocked", "dns", "connect"))
    first = before + sum(max(0.0, float(timings.get(name) or 0)) for name in ("send", "wait"))
    steps = {"done": whole}
    if "wait" in timings:
        steps = {"sent": before, "first_byte": first, "done": max(whole, first)}
    return {name: round(value * 1e6) for name, value in steps.items()}


def _nanoseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"startedDateTime {text!r} has no zone")
    whole = moment.replace(microsecond=0)
    return round(whole.timestamp()) * 10**9 + moment.microsecond * 1000


def _said(error: Exception) -> str:
    """Of a decoder the place it stopped at, and never what stood there."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)[:200]
