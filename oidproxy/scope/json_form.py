"""The JSON form, OpenStackoid's: an object of services and expressions, `{"compute": "CloudOne & CloudTwo"}`.

Its values are strings and nothing else, so it is read in one pass without recursion, and an error inside an
expression is shown where it stands in the JSON text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder

from oidproxy.errors import ScopeError
from oidproxy.scope.bindings import Written
from oidproxy.scope.limits import BLANKS, check_printable
from oidproxy.scope.position import offset_of, refusal, shown
from oidproxy.scope.syntax import read_expression
from oidproxy.scope.tree import EVERY_SERVICE, Expr

_BLANKS = re.compile(f"[{BLANKS}]*")
_JSON = re.compile(rf'[{BLANKS}]*\{{[{BLANKS}]*"(?:[^"\\]|\\.)*"[{BLANKS}]*:', re.DOTALL)
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
"""What stands for one character inside of a JSON string (RFC 8259 section 7)."""

_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\w.+-]+|.', re.DOTALL)

_PROBLEMS = (
    ("Unterminated string", "the string that begins here has no closing quote"),
    ("Invalid control character", "a string stays on one line and holds no tab"),
    ("Invalid \\u", "\\u takes four hexadecimal digits"),
    ("Invalid \\", "this is no escape of JSON"),
)
"""What Python's decoder says of a string, and what we say."""


@dataclass(frozen=True, slots=True)
class _String:
    """A string of the text, quotes included in its place."""

    value: str
    begin: int
    end: int


def is_json(text: str) -> bool:
    """Whether JSON is meant: a brace, a string and a colon come first. Then there is no falling back."""
    return _JSON.match(text) is not None


def read_bindings(text: str) -> list[Written]:
    """What a text in this form binds, in its order. Raises ScopeError with positions of the JSON text."""
    written: list[Written] = []
    offset = text.index("{")
    while text[offset] != "}":
        key = _string(text, offset + 1, "a service in quotes")
        offset = _mark(text, key.end, ":")
        value = _string(text, offset + 1, "an expression in quotes")
        written.append(_binding(text, key, value))
        offset = _mark(text, value.end, ",}")
    end = _skip(text, offset + 1)
    if end < len(text):
        raise _unexpected(text, end, ("the end",))
    return written


def _binding(text: str, key: _String, value: _String) -> Written:
    if not key.value:
        raise refusal(text, key.begin, "a name cannot be empty", expected=("a service in quotes",))
    if not key.value.isprintable():
        raise refusal(text, key.begin, "the name of a service is printable and stays on one line")
    return Written(key.value, _expression(text, value), key.begin, quoted=key.value != EVERY_SERVICE)


def _expression(text: str, value: _String) -> Expr:
    try:
        check_printable(value.value)
        return read_expression(value.value)
    except ScopeError as error:
        inside = offset_of(value.value, error.line, error.column)
        places = [each.start() for each in _CHARACTER.finditer(text, value.begin + 1, value.end - 1)]
        offset = [*places, value.end - 1][inside]
        raise refusal(
            text, offset, error.message, expected=error.expected, suggestion=error.suggestion
        ) from None


def _string(text: str, offset: int, expected: str) -> _String:
    begin = _skip(text, offset)
    if text[begin : begin + 1] != '"':
        raise _unexpected(text, begin, (expected,))
    try:
        value, end = JSONDecoder().raw_decode(text, begin)
    except JSONDecodeError as error:
        message = next(ours for theirs, ours in (*_PROBLEMS, ("", error.msg)) if error.msg.startswith(theirs))
        raise refusal(text, error.pos, message) from None
    return _String(value, begin, end)


def _mark(text: str, offset: int, marks: str) -> int:
    at = _skip(text, offset)
    if at == len(text) or text[at] not in marks:
        raise _unexpected(text, at, tuple(f'"{mark}"' for mark in marks))
    return at


def _skip(text: str, offset: int) -> int:
    blanks = _BLANKS.match(text, offset)
    return blanks.end() if blanks else offset


def _unexpected(text: str, offset: int, expected: tuple[str, ...]) -> ScopeError:
    found = _VALUE.match(text, offset)
    message = f"unexpected {shown(found[0])}" if found else "the JSON text ends too early"
    return refusal(text, offset, message, expected=expected)
