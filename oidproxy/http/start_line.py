"""The first line of a message: which ones are taken, and the status that each wrong one deserves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidproxy.errors import (
    BadAnswer,
    BadRequest,
    MethodNotAllowed,
    NotSupported,
    OidproxyError,
    TargetTooLong,
    VersionNotSupported,
)

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "COPY")
"""What OpenStack's services speak; COPY is Swift's."""

_METHOD_OF = {name.encode(): name for name in METHODS}
_ALLOW = ", ".join(METHODS)

# One empty line before it is forgiven, as RFC 9112 section 2.2 asks; llhttp forgives any number of CR and LF,
# several blanks between the parts, a `#` and other versions, so the line is judged here and not there.
_REQUEST_LINE = re.compile(rb"(?:\r\n)?([A-Z]+) ([!\"$-~]+) HTTP/1\.([01])\r\n")
# A reason may be missing, with the blank before it: services do that, and nobody reads it.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t -~\x80-\xff]*))?\r\n")

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"[!\"$-~]+")
_VERSION = re.compile(rb"HTTP/[0-9]+(?:\.[0-9]+)?")
_AROUND_TARGET = 64
"""More bytes than a leading CRLF, the longest method and the version take."""
_VERSIONS = frozenset({b"HTTP/1.0", b"HTTP/1.1"})


RequestLine = tuple[str, bytes, int]
"""Method, target and minor version of a line that was taken. Plain tuples: one is made for every message."""

StatusLine = tuple[int, bytes, int]
"""Status, reason and minor version."""


def request_line(data: bytes, limits: Limits) -> RequestLine:
    """Read the line that `data` begins with. Raises the refusal with its status."""
    match = _REQUEST_LINE.match(data)
    if match is None:
        raise _refusal(data, limits)
    method, target, minor = match.groups()
    if len(target) > limits.target:
        raise TargetTooLong(f"The request target is longer than {limits.target} bytes.")
    name = _METHOD_OF.get(method)
    if name is None:
        raise _unknown_method(method)
    return name, target, 1 if minor == b"1" else 0


def status_line(data: bytes) -> StatusLine:
    """Read the line that `data` begins with. Raises BadAnswer."""
    match = _STATUS_LINE.match(data)
    if match is None:
        raise BadAnswer("The answer does not begin with a valid HTTP/1.x status line.")
    minor, status, reason = match.groups()
    return int(status), reason or b"", 1 if minor == b"1" else 0


def check_line_length(data: bytes | bytearray, limits: Limits) -> None:
    """Refuse a request line, complete or not, whose target must be too long."""
    end = data.find(b"\r\n", 2)
    if (len(data) if end < 0 else end) > limits.target + _AROUND_TARGET:
        raise TargetTooLong(f"The request target is longer than {limits.target} bytes.")


def _unknown_method(method: bytes) -> OidproxyError:
    if method in {b"TRACE", b"CONNECT"}:
        return MethodNotAllowed("TRACE and CONNECT are not served here.", fields={"Allow": _ALLOW})
    return NotSupported("The request's method is not known here.")


def _refusal(data: bytes, limits: Limits) -> OidproxyError:
    """Why a first line that is no request line is refused: 400, unless it is well-formed but for a part."""
    line = data.removeprefix(b"\r\n").partition(b"\r\n")[0]
    parts = line.split(b" ")
    if len(parts) != 3:
        return BadRequest("The request line is not a method, a target and a version with one blank between.")
    method, target, version = parts
    if _VERSION.fullmatch(version) and version not in _VERSIONS:
        return VersionNotSupported("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    if version not in _VERSIONS or not _TOKEN.fullmatch(method) or not target:
        return BadRequest("The request line is malformed.")
    if len(target) > limits.target:
        return TargetTooLong(f"The request target is longer than {limits.target} bytes.")
    if not _TARGET.fullmatch(target):
        return BadRequest("The request target holds a byte that is not allowed in it.")
    return _unknown_method(method)
