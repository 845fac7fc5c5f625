"""What is refused before any parsing, so that no text costs much: too long, not UTF-8, nested too deep."""

from __future__ import annotations

import re

from oidproxy.errors import ScopeError
from oidproxy.scope.position import refusal

MOST_TEXT = 4096
"""Bytes of text as written."""

MOST_CANONICAL = 1024
"""Bytes of canonical text, so that a tag and the envelope of a token always fit where they have to travel."""

MOST_NESTED = 16
"""Parentheses inside each other."""

MOST_CLOUDS = 999_999
"""The largest number in `any(n, …)` and `nearest(…, n)`."""

MOST_MICROSECONDS = 86_400_000_000
"""The longest round-trip time: a day."""

BLANKS = " \t\r\n"

_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[()]', re.DOTALL)


def decoded(raw: bytes) -> str:
    """The characters of a text that is short enough, UTF-8 and printable. Raises ScopeError."""
    if len(raw) > MOST_TEXT:
        raise ScopeError(f"the scope is {len(raw)} bytes long, at most {MOST_TEXT} are allowed")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = len(raw[: error.start].decode())
        shown = raw.decode(errors="replace")
        raise refusal(shown, before, f"the byte 0x{raw[error.start]:02X} is not UTF-8") from None
    check_printable(text)
    return text


def check_printable(text: str) -> None:
    """Raise ScopeError at the first character that nobody could see in a log."""
    if text.isprintable():
        return
    for offset, character in enumerate(text):
        if not character.isprintable() and character not in BLANKS:
            raise refusal(text, offset, f"the character U+{ord(character):04X} cannot stand in a scope")


def check_nesting(text: str) -> None:
    """Raise ScopeError at the first parenthesis that stands too deep."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += {"(": 1, ")": -1}.get(bracket[0], 0)
        if depth > MOST_NESTED:
            message = f"the parentheses are nested deeper than {MOST_NESTED}"
            raise refusal(text, bracket.start(), message)
