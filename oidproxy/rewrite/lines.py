"""Joins the lines of a head, and guarantees that no value brought a line of its own."""

from __future__ import annotations

from oidproxy.errors import InternalError


def join(lines: list[bytes]) -> bytes:
    """The head, with the empty line behind it.

    Every value was checked where it came from. This is the last look, which does not depend on who made a
    value: a head with one line more than was meant would be a request or an answer of an attacker's.

    Raises:
        InternalError: a line holds CR, LF or NUL.
    """
    text = b"".join(lines)
    if b"\n" in text or b"\r" in text or b"\0" in text:
        raise InternalError("A header field held a line break and was not sent.")
    return b"\r\n".join(lines) + b"\r\n\r\n"
