"""How the end of a message is found: Content-Length and Transfer-Encoding (RFC 9112 section 6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer, BadRequest, NotSupported
from oidproxy.http.head import Chunked, Framing, Length, NoBody, UntilClose

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_BODY = NoBody()
CHUNKED = Chunked()
UNTIL_CLOSE = UntilClose()

# Fewer digits than 2^63 has: whoever counts in signed 64-bit numbers behind us cannot wrap.
_LENGTH = re.compile(rb"[0-9]{1,18}")


def is_length(value: bytes) -> bool:
    """Whether this is the value of a Content-Length that is taken."""
    return _LENGTH.fullmatch(value) is not None


def request_framing(index: Mapping[bytes, bytes], minor: int) -> Framing:
    """The framing of a request in which neither field stands twice.

    Raises BadRequest where two readers could disagree about the body's end, NotSupported for another coding.
    """
    length = index.get(b"content-length")
    coding = index.get(b"transfer-encoding")
    if coding is None:
        return NO_BODY if length is None else Length(_request_length(length))
    if length is not None:
        raise BadRequest("The request has both Content-Length and Transfer-Encoding.")
    if minor == 0:
        raise BadRequest("Transfer-Encoding does not exist in HTTP/1.0.")
    coding = coding.lower()
    if coding == b"chunked":
        return CHUNKED
    if {part.strip(b" \t") for part in coding.split(b",")} == {b"chunked"}:
        raise BadRequest("The request is chunked more than once.")
    raise NotSupported("The only transfer coding taken here is chunked.")


def _request_length(value: bytes) -> int:
    if not is_length(value):
        raise BadRequest("Content-Length is not one decimal number of at most 18 digits.")
    return int(value)


def response_framing(index: Mapping[bytes, bytes], *, method: str, status: int, minor: int) -> Framing:
    """The framing of an answer in which neither field stands twice (RFC 9112 section 6.3).

    Raises BadAnswer.
    """
    length = index.get(b"content-length")
    coding = index.get(b"transfer-encoding")
    if length is not None and (coding is not None or not is_length(length)):
        raise BadAnswer("The answer's length is ambiguous or not a number.")
    if coding is not None and (minor == 0 or coding.lower() != b"chunked"):
        raise BadAnswer("The answer's transfer coding is not chunked.")
    if method == "HEAD" or status in {204, 304} or status < 200:
        return NO_BODY
    if coding is not None:
        return CHUNKED
    return UNTIL_CLOSE if length is None else Length(int(length))
