"""From a trace to a file of another format, a line at a time."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.errors import TraceInvalid
from oidproxy.trace.exporting import har, parquet, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from oidproxy.trace.line import Header, Line
    from oidproxy.trace.reading import Trace

TOLD_EVERY = 5000

WRITERS: Mapping[str, Callable[[Path, Header, Iterable[Line], bool], int]] = MappingProxyType(
    {"har": har.write, "csv": table.write, "parquet": parquet.write}
)
"""Format -> what writes it, and returns how many lines there were."""


def export(
    trace: Trace,
    out: Path,
    form: str,
    *,
    replace: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write the trace to `out`; returns how many requests it has.

    Raises:
        TraceInvalid: a line of the trace is none.
        OSError: a file cannot be read or written; also where `out` is there and not to be replaced.
    """

    def told() -> Iterable[Line]:
        for number, line in enumerate(trace.lines()):
            if not number % TOLD_EVERY:
                progress(number)
            yield line

    return WRITERS[form](out, trace.header, told(), replace)


def format_of(path: Path) -> str:
    """The format that a file's name tells. Raises TraceInvalid: it tells none."""
    form = path.suffix.lower().lstrip(".")
    if form not in WRITERS:
        raise TraceInvalid(
            f"its name does not tell which format it is to have: give --format ({', '.join(WRITERS)})",
            file=str(path),
        )
    return form
