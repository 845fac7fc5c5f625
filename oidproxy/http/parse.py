"""Heads from bytes: llhttp scans them, and every rule that it lacks or takes laxly is applied to the values.

What a message may look like is decided here, before anything routes it. `request_head` and `response_head`
are all that the rest of the proxy knows of parsing. Heads like one that was read before (`http.shapes`) are
put together from it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer, BadRequest, ExpectationFailed, FieldsTooLarge, OidproxyError
from oidproxy.http.fields import END_TO_END, SINGLE_FIELDS, connection_tokens, steers_scope
from oidproxy.http.framing import NO_BODY, UNTIL_CLOSE, is_length, request_framing, response_framing
from oidproxy.http.head import Field, Framing, RequestHead, ResponseHead, share_memo
from oidproxy.http.scan import request_fields, response_fields
from oidproxy.http.shapes import OF_ANSWERS, OF_REQUESTS, Shape, Shapes
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
_END = b"\r\n\r\n"

_requests: Shapes[RequestHead] = Shapes(OF_REQUESTS)
_answers: Shapes[ResponseHead] = Shapes(OF_ANSWERS)


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
    # The first line differs each time; one empty line may stand before it.
    lines = data[data.find(b"\r\n", 2) :]
    key, values = _requests.cut(lines) if data.endswith(_END) else ((), [])
    shape = _requests.get(key)
    if shape is not None and (again := _request_again(shape, values, len(data), line, limits)) is not None:
        return again
    fields = request_fields(data)
    if fields is None:
        raise _why_refused(data, line, limits)
    head = _request(len(data), line, fields, limits)
    if key and head.minor == 1 and not head.absolute:
        _requests.keep(key, replace(head, target=b"/"), lines)
    return head


def response_head(data: bytes, *, method: str, limits: Limits) -> ResponseHead:
    """Read exactly one head of an answer to `method`, its empty line included. Raises BadAnswer."""
    if len(data) > limits.answer_head:
        raise BadAnswer(f"The head of the answer is larger than {limits.answer_head} bytes.")
    key, values = _answers.cut(data) if data.endswith(_END) else ((), [])
    shape = _answers.get(key)
    if shape is not None and (again := _response_again(shape, values, method)) is not None:
        return again
    line = status_line(data)
    fields = response_fields(data)
    if fields is None:
        raise BadAnswer("The answer's header fields are malformed.")
    head = _response(line, fields, method)
    if key:
        _answers.keep(key, head, data)
    return head


def _request_again(
    shape: Shape[RequestHead], values: list[bytes], size: int, line: RequestLine, limits: Limits
) -> RequestHead | None:
    """A head of this shape; None where it has to be looked at closer."""
    method, target, minor = line
    if (
        minor == 0
        or size > limits.field
        or len(shape.head.fields) > limits.fields
        or not target.startswith(b"/")
    ):
        return None
    split_target(method, target)
    read, (fields, index) = shape.head, shape.filled(values)
    head = RequestHead(
        method,
        target,
        read.host,
        1,
        fields,
        read.framing,
        read.keep_alive,
        read.expects_continue,
        index,
    )
    share_memo(head, read)
    return head


def _request(size: int, line: RequestLine, found: list[Field], limits: Limits) -> RequestHead:
    method, target, minor = line
    fields, index = tuple(found), {name.lower(): value for name, value in reversed(found)}
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
        fields,
        framing,
        keep_alive,
        expects,
        index,
        absolute=authority is not None,
    )


def _check_fields(fields: tuple[Field, ...], index: Mapping[bytes, bytes], limits: Limits, size: int) -> None:
    if len(fields) > limits.fields:
        raise FieldsTooLarge(f"The request has more than {limits.fields} header fields.")
    # A field cannot be larger than its head: the usual small head needs no look at each.
    if size > limits.field and any(len(name) + len(value) > limits.field for name, value in fields):
        raise FieldsTooLarge(f"A header field of the request is larger than {limits.field} bytes.")
    if b"".join(index).translate(None, _NAME_BYTES):
        raise BadRequest("The name of a header field holds more than letters, digits and `-`.")
    if len(index) != len(fields):
        _check_repeated(fields)


def _check_repeated(fields: tuple[Field, ...]) -> None:
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


def _client_keeps(fields: tuple[Field, ...], index: Mapping[bytes, bytes], minor: int) -> bool:
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


def _response_again(shape: Shape[ResponseHead], values: list[bytes], method: str) -> ResponseHead | None:
    """The same for an answer. Its length was cut out, and what that means depends on `method`."""
    read, (fields, index) = shape.head, shape.filled(values)
    if not is_length(index.get(b"content-length", b"0")):
        return None
    status, minor = read.status, read.minor
    framing = response_framing(index, method=method, status=status, minor=minor)
    keep_alive = framing is not UNTIL_CLOSE and _server_keeps(fields, index, minor)
    head = ResponseHead(status, read.reason, minor, fields, framing, keep_alive, index)
    share_memo(head, read)
    return head


def _response(line: StatusLine, found: list[Field], method: str) -> ResponseHead:
    status, reason, minor = line
    fields, index = tuple(found), {name.lower(): value for name, value in reversed(found)}
    if len(index) != len(fields):
        _check_one_length(fields)
    framing = response_framing(index, method=method, status=status, minor=minor)
    keep_alive = framing is not UNTIL_CLOSE and _server_keeps(fields, index, minor)
    return ResponseHead(status, reason, minor, fields, framing, keep_alive, index)


def _check_one_length(fields: tuple[Field, ...]) -> None:
    names = [name.lower() for name, _ in fields]
    if names.count(b"content-length") > 1 or names.count(b"transfer-encoding") > 1:
        raise BadAnswer("The answer names its length more than once.")


def _server_keeps(fields: tuple[Field, ...], index: Mapping[bytes, bytes], minor: int) -> bool:
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
