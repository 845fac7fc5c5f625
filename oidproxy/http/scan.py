"""The fields of a head as llhttp finds them; a compiled scanner can stand in for these two functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, HttpResponseParser

if TYPE_CHECKING:
    from oidproxy.http.head import Field


class _Scan:
    """Collects the fields that llhttp reports."""

    __slots__ = ("fields",)

    # llhttp's wrapper asks for all of these; what is missing costs it an error each time.
    on_message_begin = on_url = on_status = on_headers_complete = on_body = None
    on_message_complete = on_chunk_header = on_chunk_complete = None

    def __init__(self) -> None:
        self.fields: list[Field] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp leaves blanks behind a value in it; RFC 9110 section 5.5 takes them off.
        self.fields.append((name, value.strip()))


def request_fields(data: bytes) -> list[Field] | None:
    """The fields of a request head; None where it is malformed."""
    scan = _Scan()
    try:
        HttpRequestParser(scan).feed_data(data)
    except HttpParserUpgrade:
        pass  # an Upgrade that is asked for; it is not forwarded, so the request is an ordinary one
    except HttpParserError:
        return None
    return scan.fields


def response_fields(data: bytes) -> list[Field] | None:
    """The same of a head of an answer."""
    scan = _Scan()
    try:
        HttpResponseParser(scan).feed_data(data)
    except HttpParserUpgrade:
        pass
    except HttpParserError:
        return None
    return scan.fields
