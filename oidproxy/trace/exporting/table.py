"""A trace as CSV: a row a request, which this program's own import reads again."""

from __future__ import annotations

import csv
import io
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from oidproxy.trace.line import STEPS
from oidproxy.trace.writing import created

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from oidproxy.trace.line import Header, Line

COLUMNS = (
    "n",
    "time",
    "at_ns",
    "method",
    "path",
    "template",
    "query",
    "service",
    "scope",
    "carrier",
    "home",
    "clouds",
    "asked",
    "cloud",
    "status",
    "bytes_in",
    "bytes_out",
    "duration_ms",
    *(f"{step}_ns" for step in STEPS),
    "made",
    "used",
    "request_id",
    "caller",
    "user",
    "content_type",
    "error",
    "lost",
    "made_up",
    "request_body",
    "answer_body",
)
"""Lists stand in one cell, with blanks between; bodies are JSON. An empty cell is what is not known."""


def write(path: Path, header: Header, lines: Iterable[Line], replace: bool) -> int:
    """Write them. Raises OSError."""
    began = datetime.fromisoformat(header.began).astimezone(UTC)
    epoch = int(began.replace(microsecond=0).timestamp()) * 10**9 + began.microsecond * 1000
    count = 0
    with os.fdopen(created(path, replace=replace), "wb") as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        rows = csv.writer(text)
        rows.writerow(COLUMNS)
        for line in lines:
            rows.writerow(_row(line, epoch + line.at))
            count += 1
        text.flush()
        text.detach()
    return count


def _row(line: Line, epoch: int) -> list[str | int | float]:
    steps = line.steps
    return [
        line.n,
        _time(epoch),
        line.at,
        line.method,
        line.path,
        line.template,
        line.query,
        line.service,
        line.scope,
        line.carrier,
        line.home,
        " ".join(line.clouds),
        " ".join(line.asked),
        line.cloud,
        line.status,
        line.bytes_in,
        line.bytes_out,
        steps["done"] / 1e6 if "done" in steps else "",
        *(steps.get(step, "") for step in STEPS),
        " ".join(line.made),
        " ".join(line.used),
        line.request_id,
        line.caller,
        line.user,
        line.content_type,
        line.error,
        int(line.lost),
        " ".join(line.made_up),
        _json(line.request_body),
        _json(line.answer_body),
    ]


def _time(epoch: int) -> str:
    seconds, rest = divmod(epoch, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _json(body: object | None) -> str:
    return "" if body is None else msgspec.json.encode(body).decode()
