"""The table as a Parquet file, a row for each request, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from oidproxy.errors import ConfigError
from oidproxy.trace.results.table import NUMBERS, WORDS, Moved, Table

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 65_536
"""Rows of a row group: so many are in memory at once."""

_LISTS = ("clouds", "made_up")
_MOVED = pa.list_(pa.struct([("source", pa.string()), ("target", pa.string()), ("bytes", pa.int64())]))
_WORD = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        *((name, getattr(pa, kind)()) for name, kind in NUMBERS.items()),
        ("latency_ns", pa.int64()),
        ("lag_ns", pa.int64()),
        *((name, pa.list_(pa.string()) if name in _LISTS else _WORD) for name in WORDS),
        ("moved", _MOVED),
    ]
)
"""`latency_ns` and `lag_ns` are null where there are none."""


def write(table: Table, path: Path) -> None:
    """Write it, replacing what is there. Equal tables make equal bytes."""
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", write_statistics=True) as writer:
        for begin in range(0, max(len(table), 1), ROWS):
            writer.write_batch(_batch(table, begin, min(begin + ROWS, len(table))), row_group_size=ROWS)


def read(path: Path) -> Table:
    """The table that was written.

    Raises:
        ConfigError: it is none of ours. OSError: it cannot be read.
    """
    try:
        found = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"this is no Parquet file: {error}", file=str(path)) from None
    missing = [name for name in SCHEMA.names if name not in found.column_names]
    if missing:
        raise ConfigError(f"these are no results of a replay: no column {missing[0]}", file=str(path))
    numbers = {name: found[name].to_numpy().astype(kind) for name, kind in NUMBERS.items()}
    codes: dict[str, Any] = {}
    words: dict[str, tuple[Any, ...]] = {}
    for name in WORDS:
        codes[name], words[name] = _lists(found[name]) if name in _LISTS else _words(found[name])
    return Table(numbers, codes, words, _moved(found["moved"]))


def to_csv(requests: Path, path: Path) -> None:
    """The same rows as CSV, piece by piece; lists are joined by `;`, bytes moved as `from>to=bytes`."""
    file = pq.ParquetFile(requests)
    names = [name for name in SCHEMA.names if name != "moved"]
    schema = pa.schema(
        [(name, pa.string() if name in (*_LISTS, *WORDS) else SCHEMA.field(name).type) for name in names]
    )
    schema = schema.append(pa.field("moved", pa.string()))
    with pcsv.CSVWriter(path, schema) as writer:
        for batch in file.iter_batches(ROWS):
            columns = [_flat(batch.column(name)) for name in names]
            moved = [
                ";".join(f"{one['source']}>{one['target']}={one['bytes']}" for one in row)
                for row in batch["moved"].to_pylist()
            ]
            writer.write_batch(
                pa.RecordBatch.from_arrays([*columns, pa.array(moved, type=pa.string())], schema=schema)
            )


def _flat(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type):
        return pa.array([";".join(one) for one in column.to_pylist()], type=pa.string())
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _batch(table: Table, begin: int, end: int) -> pa.RecordBatch:
    columns: list[pa.Array] = [pa.array(table.numbers[name][begin:end]) for name in NUMBERS]
    none = ~table.timed[begin:end]
    columns += [pa.array(one[begin:end], mask=none) for one in (table.latency, table.lag)]
    for name in WORDS:
        codes = table.codes[name][begin:end]
        if name in _LISTS:
            values = pa.array([list(one) for one in table.words[name]], type=pa.list_(pa.string()))
            columns.append(values.take(pa.array(codes)))
        else:
            columns.append(
                pa.DictionaryArray.from_arrays(codes, pa.array(table.words[name], type=pa.string()))
            )
    columns.append(_moved_batch(table.moved, begin, end))
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _moved_batch(moved: Moved, begin: int, end: int) -> pa.Array:
    first, last = np.searchsorted(moved.row, (begin, end))
    offsets = np.searchsorted(moved.row[first:last], np.arange(begin, end + 1)).astype("int32")
    names = pa.array(moved.names, type=pa.string())
    items = pa.StructArray.from_arrays(
        [
            names.take(pa.array(moved.source[first:last])),
            names.take(pa.array(moved.target[first:last])),
            pa.array(moved.count[first:last]),
        ],
        names=["source", "target", "bytes"],
    )
    return pa.ListArray.from_arrays(pa.array(offsets), items)


def _words(column: pa.ChunkedArray) -> tuple[Any, tuple[str, ...]]:
    whole = column.cast(pa.string()).combine_chunks().dictionary_encode()
    words = whole.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    renamed = np.zeros(max(len(words), 1), dtype="int32")
    renamed[order] = np.arange(len(words))
    return renamed[whole.indices.to_numpy(zero_copy_only=False)], tuple(words[one] for one in order)


def _lists(column: pa.ChunkedArray) -> tuple[Any, tuple[tuple[str, ...], ...]]:
    known: dict[tuple[str, ...], int] = {}
    codes = [known.setdefault(tuple(one), len(known)) for chunk in column.chunks for one in chunk.to_pylist()]
    words = sorted(known)
    renamed = np.zeros(max(len(words), 1), dtype="int32")
    for new, word in enumerate(words):
        renamed[known[word]] = new
    return renamed[np.array(codes, dtype="int32")], tuple(words)


def _moved(column: pa.ChunkedArray) -> Moved:
    whole = column.combine_chunks()
    lengths = whole.value_lengths().to_numpy(zero_copy_only=False)
    items = whole.flatten()
    names, rows = set(), np.repeat(np.arange(len(lengths)), lengths.astype("int64"))
    ends = {}
    for name in ("source", "target"):
        ends[name] = items.field(name).to_pylist()
        names.update(ends[name])
    order = tuple(sorted(names))
    place = {name: at for at, name in enumerate(order)}
    source, target = (
        np.array([place[one] for one in ends[name]], dtype="int64") for name in ("source", "target")
    )
    return Moved(rows, source, target, items.field("bytes").to_numpy(zero_copy_only=False), order)
