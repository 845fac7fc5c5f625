"""Where an answer ends, and how long its body is; for all of the loads. Pure."""

from __future__ import annotations

_END = b"\r\n\r\n"
_LENGTH = b"ength: "
"""The end of `Content-Length: `, which HAProxy writes small."""
_CHUNKED = b"ransfer-encoding: chunked"
_LAST = b"0\r\n\r\n"


class Wrong(Exception):
    """An answer that does not count; its text says why."""


def body_of(data: bytes, status: bytes = b"200") -> bytes | None:
    """The body of the one answer that these bytes are; None while its end is still to come.

    Raises Wrong for another status, and for bytes behind the answer.
    """
    end = data.find(_END)
    if end < 0:
        return None
    if data[9:12] != status:
        raise Wrong(f"answered {data[:300]!r}")
    end += 4
    at = data.find(_LENGTH, 0, end)
    if at < 0:
        return _chunked(data, end)
    size = int(data[at + len(_LENGTH) : data.index(b"\r", at)])
    if len(data) > end + size:
        raise Wrong(f"{len(data) - end - size} bytes behind an answer")
    return data[end:] if len(data) == end + size else None


def _chunked(data: bytes, at: int) -> bytes | None:
    if _CHUNKED not in data[:at].lower():
        raise Wrong(f"an answer without a length: {data[:300]!r}")
    if not data.endswith(_LAST):
        return None
    pieces = []
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(data[at:line], 16)
        at = line + 2
        if not size:
            break
        pieces.append(data[at : at + size])
        at += size + 2
    if at + 2 != len(data):
        # The last bytes only looked like the end.
        if at + 2 > len(data):
            return None
        raise Wrong(f"{len(data) - at - 2} bytes behind an answer")
    return b"".join(pieces)
