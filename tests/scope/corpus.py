"""Reads the corpus of the scope language, as grammar/corpus/README.md describes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "grammar" / "corpus"


@dataclass(frozen=True)
class Valid:
    texts: tuple[bytes, ...]
    canonical: str


@dataclass(frozen=True)
class Invalid:
    text: bytes
    line: int
    column: int
    error: str
    expected: str | None
    suggestion: str | None


def valid() -> list[Valid]:
    """The entries of valid.txt."""
    return [Valid(tuple(_texts(entry)), dict(entry)["canonical"]) for entry in _entries("valid.txt")]


def invalid() -> list[Invalid]:
    """The entries of invalid.txt."""
    return [_invalid(entry) for entry in _entries("invalid.txt")]


def _invalid(entry: list[tuple[str, str]]) -> Invalid:
    (text,) = _texts(entry)
    keys = dict(entry)
    line, column = map(int, keys["at"].split(":"))
    return Invalid(text, line, column, keys["error"], keys.get("expected"), keys.get("suggestion"))


def _entries(name: str) -> list[list[tuple[str, str]]]:
    blocks = (FOLDER / name).read_text(encoding="utf-8").split("\n\n")
    lines = [[line for line in block.splitlines() if line and not line.startswith("#")] for block in blocks]
    return [[_pair(line) for line in block] for block in lines if block]


def _pair(line: str) -> tuple[str, str]:
    key, mark, value = line.partition(": ")
    assert mark, line
    assert key in {"text", "escaped", "canonical", "at", "error", "expected", "suggestion"}, line
    return key, value


def _texts(entry: list[tuple[str, str]]) -> list[bytes]:
    return [
        _unescaped(value) if key == "escaped" else value.encode()
        for key, value in entry
        if key in {"text", "escaped"}
    ]


def _unescaped(value: str) -> bytes:
    # What is not ASCII passes as Latin-1 and so comes out as the UTF-8 that it was.
    return value.encode().decode("unicode_escape").encode("latin-1")
