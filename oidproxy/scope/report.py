"""How an error is shown: the message, the line, a caret at the column, what was expected, what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import combining, east_asian_width

if TYPE_CHECKING:
    from oidproxy.errors import ScopeError

_WIDTH = 72
"""Characters of a line that are shown; of a longer one, those around the caret."""


def render(error: ScopeError) -> str:
    """Some lines of text, without a final line break, and without anything that a terminal would act upon."""
    place = f"line {error.line}, column {error.column}: " if error.text else ""
    lines = [f"{place}{_printable(error.message)}"]
    if error.text:
        lines.extend(_excerpt(error.text, error.line, error.column))
    if error.expected:
        lines.append(f"expected {_list(error.expected)}")
    if error.suggestion:
        lines.append(f"did you mean: {_printable(error.suggestion)}")
    return "\n".join(lines)


def _excerpt(text: str, line: int, column: int) -> list[str]:
    shown = _printable(text.split("\n")[line - 1].rstrip("\r"))
    start = max(0, min(column - 1 - _WIDTH // 2, len(shown) - _WIDTH))
    head = "…" if start else ""
    tail = "…" if start + _WIDTH < len(shown) else ""
    indent = " " * sum(map(_columns, head + shown[start : column - 1]))
    return [f"  {head}{shown[start : start + _WIDTH]}{tail}", f"  {indent}^"]


def _list(words: tuple[str, ...]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else _stand_in(character) for character in text)


def _stand_in(character: str) -> str:
    return " " if character in "\t\r\n" else "\N{REPLACEMENT CHARACTER}"


def _columns(character: str) -> int:
    """How many columns of a terminal a character takes (Unicode Standard Annex 11)."""
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1
