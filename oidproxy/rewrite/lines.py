"""Joins the lines of a head, and guarantees that no value brought a line of its own."""

from __future__ import annotations

from oidproxy.errors import InternalError

# Of a byte it is asked quickly whether it is in some bytes. Of bytes it is not: Python 3.11 first takes them
# for a number, and throws away the error of that.
_NUL, _LF, _CR = b"\0\n\r"


def join(lines: list[bytes]) -> bytes:
    """The head, with the empty line behind it.

    Every value was checked where it came from. This is the last look, which does not depend on who made a
    value: a head with one line more than was meant would be a request or an answer of an attacker's.

    Raises:
        InternalError: a line holds CR, LF or NUL.
    """
    text = b"".join(lines)
    if _LF in text or _CR in text or _NUL in text:
        raise InternalError("A header field held a line break and was not sent.")
    return b"\r\n".join(lines) + b"\r\n\r\n"
