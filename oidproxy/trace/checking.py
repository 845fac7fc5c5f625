"""Whether every line of a trace has the published form, and says nothing that cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from oidproxy.trace.line import STEPS, Line
from oidproxy.trace.reading import UNREADABLE, open_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEPT = 100
"""Faults that are told one by one."""

TOLD_EVERY = 5000


@dataclass(slots=True)
class Checked:
    """What was found."""

    lines: int = 0
    faults: int = 0
    shown: list[str] = field(default_factory=list)
    """The first of them: `file:line: what is wrong`."""
    cut: list[Path] = field(default_factory=list)


def check(path: Path, progress: Callable[[int], None] = lambda _: None) -> Checked:
    """All lines, whatever is wrong with some. Raises TraceInvalid: it is no trace at all; OSError."""
    trace, checked = open_trace(path), Checked()
    decode = msgspec.json.Decoder(Line).decode
    expected = 0
    for file, number, data in trace.raw():
        if not checked.lines % TOLD_EVERY:
            progress(checked.lines)
        checked.lines += 1
        try:
            line = decode(data)
        except UNREADABLE as error:
            _note(checked, file, number, str(error))
            continue
        for fault in _faults(line):
            _note(checked, file, number, fault)
        if trace.header.sorted:
            if line.at < expected:
                _note(checked, file, number, "it began before the line above it, and the header says sorted")
            expected = max(expected, line.at)
    checked.cut = trace.cut
    return checked


def _faults(line: Line) -> Iterator[str]:
    if line.at < 0:
        yield f"at is {line.at}: a request begins after its trace"
    if not line.path.startswith(("/", "*", "-")):
        yield "the path does not begin with a slash"
    if "?" in line.path:
        yield "the query stands in the path"
    if line.status and not 100 <= line.status <= 599:
        yield f"{line.status} is no status"
    if min(line.bytes_in, line.bytes_out) < 0:
        yield "a size is less than nothing"
    for name, at in line.steps.items():
        if name not in STEPS:
            yield f"no step is called {name!r}"
        elif at < 0:
            yield f"step {name} is before the request's beginning"


def _note(checked: Checked, file: Path, number: int, fault: str) -> None:
    checked.faults += 1
    if len(checked.shown) < KEPT:
        checked.shown.append(f"{file}:{number}: {fault}")
