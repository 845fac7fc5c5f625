"""Answers of our own as bytes: OpenStack-shaped errors, and whatever else the proxy answers itself."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidproxy.errors import OidproxyError
    from oidproxy.http.head import Field

_RENAMED = {413: b"Content Too Large", 414: b"URI Too Long", 422: b"Unprocessable Content"}
"""RFC 9110 renamed them after Python 3.11 took their names over."""
_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus} | _RENAMED
_NO_CONTENT = frozenset({204, 304})


def reason(status: int) -> bytes:
    """The reason phrase of a status; nothing for an unknown one (RFC 9112 section 4: nobody relies on it)."""
    return _REASONS.get(status, b"")


def own_answer(
    status: int,
    body: bytes,
    fields: Iterable[Field] = (),
    *,
    head_only: bool = False,
    close: bool = False,
    date: bytes | None = None,
) -> bytes:
    """A complete answer with its Content-Length; `head_only` (an answer to HEAD) leaves out the body's bytes.

    `fields` are ours and go out as they are; Content-Type is among them where there is a body. No Server is
    sent. `date` is an IMF-fixdate, which RFC 9110 section 6.6.1 asks of whoever has a clock.
    """
    lines = [b"HTTP/1.1 %d %b" % (status, reason(status))]
    if date is not None:
        lines.append(b"Date: " + date)
    lines += [b"%b: %b" % field for field in fields]
    empty = status in _NO_CONTENT
    if not empty:
        lines.append(b"Content-Length: %d" % len(body))
    if close:
        lines.append(b"Connection: close")
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    return head if empty or head_only else head + body


def error_answer(
    error: OidproxyError,
    *,
    request_id: str,
    head_only: bool = False,
    close: bool = False,
    fields: Iterable[Field] = (),
    date: bytes | None = None,
) -> bytes:
    """A refusal in OpenStack's error shape; `X-Oidproxy-Error` tells it from a cloud's own."""
    body = error_body(error)
    own = [
        (b"Content-Type", b"application/json"),
        (b"X-Oidproxy-Error", error.code.encode("ascii")),
        (b"X-Openstack-Request-Id", request_id.encode("ascii")),
        *((name.encode("ascii"), value.encode("latin-1")) for name, value in error.fields.items()),
        *fields,
    ]
    return own_answer(error.status, body, own, head_only=head_only, close=close, date=date)


def error_body(error: OidproxyError) -> bytes:
    """The JSON of a refusal."""
    said = {"code": error.status, "title": error.title, "message": error.message}
    return json.dumps({"error": said}).encode("ascii")
