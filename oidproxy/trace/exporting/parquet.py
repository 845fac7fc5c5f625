"""A trace as Parquet: typed columns, in groups of rows, so that a long one takes no more memory."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from oidproxy.trace.line import STEPS, Line
from oidproxy.trace.writing import created

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from oidproxy.trace.line import Header

ROWS = 50_000
"""In a group."""

_WORDS = (
    "method",
    "template",
    "service",
    "scope",
    "carrier",
    "home",
    "cloud",
    "caller",
    "user",
    "content_type",
)
"""Texts of which there are few: stored once for each group."""
_TEXTS = ("path", "query", "request_id", "error")
_NUMBERS = ("status", "bytes_in", "bytes_out")
_LISTS = ("clouds", "asked", "made", "used", "made_up")
_BODIES = ("request_body", "answer_body")


def write(path: Path, header: Header, lines: Iterable[Line], replace: bool) -> int:
    """Write them. Raises OSError."""
    schema = _schema(header)
    count, remaining = 0, iter(lines)
    with (
        os.fdopen(created(path, replace=replace), "wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        while some := list(islice(remaining, ROWS)):
            writer.write_table(pa.Table.from_arrays(_columns(some, schema), schema=schema))
            count += len(some)
    return count


def _schema(header: Header) -> Any:
    return pa.schema(
        [
            ("n", pa.int64()),
            ("at_ns", pa.int64()),
            *((name, pa.dictionary(pa.int32(), pa.string())) for name in _WORDS),
            *((name, pa.string()) for name in _TEXTS),
            *((name, pa.int64()) for name in _NUMBERS),
            *((f"{step}_ns", pa.int64()) for step in STEPS),
            *((name, pa.list_(pa.string())) for name in _LISTS),
            ("lost", pa.bool_()),
            *((name, pa.string()) for name in _BODIES),
        ],
        metadata={"oidproxy_trace": msgspec.json.encode(header)},
    )


def _columns(lines: Sequence[Line], schema: Any) -> list[Any]:
    values: dict[str, list[Any]] = {
        "n": [line.n for line in lines],
        "at_ns": [line.at for line in lines],
        "lost": [line.lost for line in lines],
    }
    for name in (*_WORDS, *_TEXTS, *_NUMBERS, *_LISTS):
        values[name] = [getattr(line, name) for line in lines]
    for step in STEPS:
        values[f"{step}_ns"] = [line.steps.get(step) for line in lines]
    for name in _BODIES:
        values[name] = [_json(getattr(line, name)) for line in lines]
    return [_array(values[field.name], field.type) for field in schema]


def _array(values: list[Any], kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, kind)


def _json(body: object | None) -> str | None:
    return None if body is None else msgspec.json.encode(body).decode()
