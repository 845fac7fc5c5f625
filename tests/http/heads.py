"""Request heads as bytes, for tests that change one thing about a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.clouds.limits import Limits
from oidproxy.http.parse import request_head

if TYPE_CHECKING:
    from oidproxy.http.head import RequestHead

LIMITS = Limits()


def head_bytes(
    *lines: str | bytes, line: str | bytes = "GET /v2/images HTTP/1.1", host: bool = True
) -> bytes:
    """A head with these lines behind a Host."""
    first = [line, "Host: 127.0.2.1:9292"] if host else [line]
    raw = [text if isinstance(text, bytes) else text.encode("latin-1") for text in (*first, *lines)]
    return b"\r\n".join(raw) + b"\r\n\r\n"


def read(
    *lines: str | bytes, line: str | bytes = "GET /v2/images HTTP/1.1", host: bool = True
) -> RequestHead:
    """What such a head is read as."""
    return request_head(head_bytes(*lines, line=line, host=host), LIMITS)
