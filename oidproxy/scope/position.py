"""Where in a text: offsets, and the lines and columns that people count; and the error that stands there."""

from __future__ import annotations

from oidproxy.errors import ScopeError


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """The line and column of a character, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def offset_of(text: str, line: int, column: int) -> int:
    """The offset of a line and column, both counted from 1; at most the length of the text."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    return min(start + column - 1, len(text))


def shown(piece: str) -> str:
    """A piece of a text as a message quotes it, shortened."""
    short = piece if len(piece) <= 40 else f"{piece[:39]}…"
    return short if short.startswith('"') else f'"{short}"'


def refusal(
    text: str, offset: int, message: str, *, expected: tuple[str, ...] = (), suggestion: str | None = None
) -> ScopeError:
    """The error that stands at `offset` of `text`."""
    line, column = line_and_column(text, offset)
    return ScopeError(message, text=text, line=line, column=column, expected=expected, suggestion=suggestion)
