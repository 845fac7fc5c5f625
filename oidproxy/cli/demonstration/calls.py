"""The table of calls: what the proxy's access log says of one command."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_IDENTIFIER = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_CLIENTS = ("openstacksdk", "python-openstackclient", "osc-lib", "keystoneauth1")


@dataclass(frozen=True, slots=True)
class Call:
    """One line of the access log."""

    caller: str
    service: str
    cloud: str
    method: str
    path: str
    why: str
    status: int
    size: int
    """Bytes of the answer's body, or of the request's where that is larger."""
    ms: float

    @classmethod
    def read(cls, line: dict[str, Any]) -> Call:
        """From the log's own terms."""
        return cls(
            caller=_caller(line),
            service=line.get("service") or "-",
            cloud=line.get("cloud") or "-",
            method=line.get("method") or "-",
            path=line.get("path") or "-",
            why=line.get("carrier") or "-",
            status=line["status"],
            size=max(line["bytes_out"], line["bytes_in"]),
            ms=line["ms"],
        )

    @property
    def reads_image(self) -> bool:
        """Whether it brought an image's bytes."""
        return self.method == "GET" and self.service == "image" and self.path.endswith("/file")


def calls(log: Path, start: int = 0) -> list[Call]:
    """The calls logged behind an offset (bytes)."""
    with log.open("rb") as file:
        file.seek(start)
        return [Call.read(json.loads(line)) for line in file if line.endswith(b"\n")]


def table(rows: Sequence[Call], notes: dict[int, str]) -> str:
    """Readable text; `notes` (row -> text) follow their rows."""
    heads = ("#", "from", "to", "cloud", "call", "why", "status", "bytes", "ms")
    cells = [_cells(number, row) for number, row in enumerate(rows, 1)]
    widths = [max(len(line[column]) for line in [heads, *cells]) for column in range(len(heads))]
    return "\n".join(_lines(heads, cells, widths, notes))


def _lines(
    heads: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], notes: dict[int, str]
) -> Iterator[str]:
    yield _line(heads, widths)
    yield "  ".join("-" * width for width in widths)
    for number, line in enumerate(cells):
        yield _line(line, widths)
        if number in notes:
            yield " " * (widths[0] + 2) + "^ " + notes[number]


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    right = {0, 6, 7, 8}
    padded = (
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _cells(number: int, row: Call) -> tuple[str, ...]:
    path = _IDENTIFIER.sub(lambda found: f"{found[0][:6]}…", row.path)
    call = f"{row.method} {path if len(path) <= 48 else path[:47] + '…'}"
    return (
        str(number),
        row.caller,
        row.service,
        row.cloud,
        call,
        row.why,
        str(row.status),
        f"{row.size:,}",
        f"{row.ms:.1f}",
    )


def _caller(line: dict[str, Any]) -> str:
    """Who called: a service known by its token, else whoever the agent says it is."""
    if line.get("caller"):
        return str(line["caller"])
    agent = str(line.get("agent") or "")
    return "client" if agent.startswith(_CLIENTS) or not agent else agent.partition(" ")[0].partition("/")[0]
