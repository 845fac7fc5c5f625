"""Traces in our own form: a recording of many files becomes one, in order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import structs

from oidproxy.errors import TraceInvalid
from oidproxy.trace.reading import open_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oidproxy.trace.importing.terms import Found, Options


def read(path: Path, options: Options) -> Iterator[Found]:  # noqa: ARG001 - the terms of all readers
    """Its lines. Raises TraceInvalid: it is no trace; OSError."""
    trace = open_trace(path)
    began = nanoseconds(trace.header.began, path)
    for line in trace.lines():
        structs.force_setattr(line, "at", line.at + began)
        yield line


def nanoseconds(text: str, path: Path) -> int:
    """A header's time since the epoch. Raises TraceInvalid."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TraceInvalid(
            f"the header's `began` is no time of ISO 8601: {text[:40]}", file=str(path)
        ) from None
    return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000


def source(path: Path) -> str:
    """Where its lines came from at first."""
    return open_trace(path).header.source


def clouds(path: Path) -> list[str]:
    """The clouds that it names in its header."""
    return open_trace(path).header.clouds


def has_bodies(path: Path) -> bool:
    """Whether bodies were taken down."""
    return open_trace(path).header.bodies
