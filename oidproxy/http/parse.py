"""Heads from bytes: llhttp scans them, and every rule that it lacks or takes laxly is applied to the values.

What a message may look like is decided here, before anything routes it. `request_head` and `response_head`
are all that the rest of the proxy knows of parsing, so that a compiled scanner can stand in for the two
`_scan_…`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, HttpResponseParser

from oidproxy.errors import BadAnswer, BadRequest, ExpectationFailed, FieldsTooLarge, OidproxyError
from oidproxy.http.fields import END_TO_END, SINGLE_FIELDS, connection_tokens, steers_scope
from oidproxy.http.framing import NO_BODY, UNTIL_CLOSE, request_framing, response_framing
from oidproxy.http.head import Field, Framing, RequestHead, ResponseHead
from oidproxy.http.start_line import RequestLine, StatusLine, check_line_length, request_line, status_line
from oidproxy.http.target import check_authority, split_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.limits import Limits

# WSGI turns `_` into the same CGI variable as `-`: X_Auth_Token would be X-Auth-Token to a service (RFC 3875
# section 4.1.18). The other token characters have no use here. Names are judged in lower case.
_NAME_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789-"
_BARE_LF = re.compile(rb"(?<!\r)\n")
_KEEP_ALIVE = frozenset({b"keep-alive", b"Keep-Alive"})


class _Scan:
    """Collects the fields that llhttp reports."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: list[Field] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp leaves blanks behind a value in it; RFC 9110 section 5.5 takes them off.
        self.fields.append((name, value.strip()))


def find_head_end(buffer: bytes | bytearray, start: int) -> int:
    """The index just behind the empty line that ends a head, or -1 while there is none.

    The search begins at `start`; when more bytes came, that may be three before the former end of the buffer.
    """
    found = buffer.find(b"\r\n\r\n", start)
    return -1 if found < 0 else found + 4


def check_unfinished(buffer: bytes | bytearray, limits: Limits, start: int = 0) -> None:
    """Refuse the beginning of a request head that can never end well, instead of waiting for the rest of it.

    What stands before `start` was looked at before: a head that comes byte by byte is not to be read anew
    with each.

    Raises FieldsTooLarge or TargetTooLong over the limits, BadRequest where a line ends in a bare LF.
    """
    if _BARE_LF.search(buffer, max(0, start - 1)):
        raise BadRequest("A line of the request's head does not end in CRLF.")
    check_line_length(buffer, limits)
    if len(buffer) > limits.request_head:
        raise _head_too_large(limits)


def request_head(data: bytes, limits: Limits) -> RequestHead:
    """Read exactly one head, its empty line included.

    Raises the refusal with the status to answer: 400, 405 (with Allow), 414, 417, 431, 501, 505. No message
    repeats anything of the request. After each the connection must be closed: its next byte means nothing.
    """
    if len(data) > limits.request_head:
        check_line_length(data, limits)
        raise _head_too_large(limits)
    line = request_line(data, limits)
    fields = _scan_request(data)
    if fields is None:
        raise _why_refused(data, line, limits)
    return _request(len(data), line, fields, limits)


def response_head(data: bytes, *, method: str, limits: Limits) -> ResponseHead:
    """Read exactly one head of an answer to `method`, its empty line included. Raises BadAnswer."""
    if len(data) > limits.answer_head:
        raise BadAnswer(f"The head of the answer is larger than {limits.answer_head} bytes.")
    line = status_line(data)
    fields = _scan_response(data)
    if fields is None:
        raise BadAnswer("The answer's header fields are malformed.")
    return _response(line, fields, method)


def _scan_request(data: bytes) -> list[Field] | None:
    scan = _Scan()
    try:
        HttpRequestParser(scan).feed_data(data)
    except HttpParserUpgrade:
        pass  # an Upgrade that is asked for; it is not forwarded, so the request is an ordinary one
    except HttpParserError:
        return None
    return scan.fields


def _scan_response(data: bytes) -> list[Field] | None:
    scan = _Scan()
    try:
        HttpResponseParser(scan).feed_data(data)
    except HttpParserUpgrade:
        pass
    except HttpParserError:
        return None
    return scan.fields


def _request(size: int, line: RequestLine, fields: list[Field], limits: Limits) -> RequestHead:
    method, target, minor = line
    index = {name.lower(): value for name, value in reversed(fields)}
    _check_fields(fields, index, limits, size)
    authority, target = split_target(method, target)
    host = _host(index, authority, minor)
    framing = request_framing(index, minor)
    keep_alive = _client_keeps(fields, index, minor)
    expects = _expects_continue(index, minor, framing)
    return RequestHead(
        method,
        target,
        host,
        minor,
        tuple(fields),
        framing,
        keep_alive,
        expects,
        index,
        absolute=authority is not None,
    )


def _check_fields(fields: list[Field], index: Mapping[bytes, bytes], limits: Limits, size: int) -> None:
    if len(fields) > limits.fields:
        raise FieldsTooLarge(f"The request has more than {limits.fields} header fields.")
    # A field cannot be larger than its head: the usual small head needs no look at each.
    if size > limits.field and any(len(name) + len(value) > limits.field for name, value in fields):
        raise FieldsTooLarge(f"A header field of the request is larger than {limits.field} bytes.")
    if b"".join(index).translate(None, _NAME_BYTES):
        raise BadRequest("The name of a header field holds more than letters, digits and `-`.")
    if len(index) != len(fields):
        _check_repeated(fields)


def _check_repeated(fields: list[Field]) -> None:
    seen: set[bytes] = set()
    for name, _ in fields:
        lower = name.lower()
        if lower in seen and lower in SINGLE_FIELDS:
            raise BadRequest(f"The header field {lower.decode('ascii')} occurs more than once.")
        seen.add(lower)


def _host(index: Mapping[bytes, bytes], authority: bytes | None, minor: int) -> bytes:
    """RFC 9112 section 3.2: one valid Host in every HTTP/1.1 request; an absolute target goes before it."""
    host = index.get(b"host")
    if host is not None:
        check_authority(host)
    elif minor == 1:
        raise BadRequest("The request has no Host.")
    return authority if authority is not None else host or b""


def _client_keeps(fields: list[Field], index: Mapping[bytes, bytes], minor: int) -> bool:
    """Whether the client's connection may stay open.

    HTTP/1.0 never: RFC 9112 section 9.3 forbids a proxy to keep a connection to such a client.
    """
    value = index.get(b"connection")
    if value is None or (value in _KEEP_ALIVE and len(index) == len(fields)):
        return minor == 1
    tokens = connection_tokens(fields)
    if any(token in END_TO_END or steers_scope(token) for token in tokens):
        raise BadRequest("Connection lists a field that must reach the service or this proxy.")
    return minor == 1 and b"close" not in tokens


def _expects_continue(index: Mapping[bytes, bytes], minor: int, framing: Framing) -> bool:
    """RFC 9110 section 10.1.1: only one exists; in HTTP/1.0 it is ignored, without a body it is moot."""
    value = index.get(b"expect")
    if value is None or minor == 0:
        return False
    if value.lower() != b"100-continue":
        raise ExpectationFailed("The only expectation that can be met is 100-continue.")
    return framing is not NO_BODY


def _response(line: StatusLine, fields: list[Field], method: str) -> ResponseHead:
    status, reason, minor = line
    index = {name.lower(): value for name, value in reversed(fields)}
    if len(index) != len(fields):
        _check_one_length(fields)
    framing = response_framing(index, method=method, status=status, minor=minor)
    keep_alive = framing is not UNTIL_CLOSE and _server_keeps(fields, index, minor)
    return ResponseHead(status, reason, minor, tuple(fields), framing, keep_alive, index)


def _check_one_length(fields: list[Field]) -> None:
    names = [name.lower() for name, _ in fields]
    if names.count(b"content-length") > 1 or names.count(b"transfer-encoding") > 1:
        raise BadAnswer("The answer names its length more than once.")


def _server_keeps(fields: list[Field], index: Mapping[bytes, bytes], minor: int) -> bool:
    value = index.get(b"connection")
    if value is None or (value in _KEEP_ALIVE and minor == 1 and len(index) == len(fields)):
        return minor == 1
    tokens = connection_tokens(fields)
    return b"close" not in tokens and (minor == 1 or b"keep-alive" in tokens)


def _head_too_large(limits: Limits) -> OidproxyError:
    return FieldsTooLarge(f"The head of the request is larger than {limits.request_head} bytes.")


def _why_refused(data: bytes, line: RequestLine, limits: Limits) -> OidproxyError:
    """The status that a head refused by llhttp deserves, which only says that it is wrong.

    A lax reading of the fields goes through our own rules; whatever they do not find fault with is malformed.
    """
    try:
        _request(len(data), line, _lax_fields(data), limits)
    except OidproxyError as refusal:
        return refusal
    return BadRequest("A header field of the request is malformed.")


def _lax_fields(data: bytes) -> list[Field]:
    lines = data.removeprefix(b"\r\n").split(b"\r\n")[1:-2]
    parts = (line.partition(b":") for line in lines)
    return [(name, value.strip(b" \t")) for name, _, value in parts]
