"""From a file of another format to a trace: in order, numbered, and with an account of what was made up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from oidproxy.errors import TraceInvalid
from oidproxy.trace.importing import gor, har, recorded, rows, wsgi
from oidproxy.trace.importing.files import kind_of
from oidproxy.trace.importing.terms import Broken, Options
from oidproxy.trace.line import SCHEMA_VERSION, Header, Line
from oidproxy.trace.recording import iso
from oidproxy.trace.sorting import in_order
from oidproxy.trace.writing import TraceWriter
from oidproxy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from oidproxy.trace.importing.terms import Found

NAMED = 20
"""Broken lines that are told one by one."""

TOLD_EVERY = 5000
"""Lines between two words of progress."""

READERS: Mapping[str, Callable[[Path, Options], Iterator[Found]]] = MappingProxyType(
    {"har": har.read, "gor": gor.read, "wsgi": wsgi.read, "csv": rows.read, "oidproxy": recorded.read}
)
"""Format -> what reads it."""

_OF_SUFFIX = MappingProxyType(
    {".har": "har", ".gor": "gor", ".log": "wsgi", ".csv": "csv", ".jsonl": "oidproxy", "": "oidproxy"}
)

_WITH_BODIES = frozenset({"har", "gor"})

NOTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "wsgi": ("such a log has no bodies and no tokens; its times have no zone and were taken for UTC's",),
        "csv": ("a table has no tokens",),
    }
)
"""What holds for every trace out of a format."""


@dataclass(slots=True)
class Account:
    """What became of a file's lines."""

    lines: int = 0
    others: int = 0
    """What is no request."""
    broken: int = 0
    named: list[Broken] = field(default_factory=list)
    """The first of them."""
    made_up: Counter[str] = field(default_factory=Counter)
    """What -> in how many lines."""
    services: Counter[str] = field(default_factory=Counter)
    nanoseconds: int = 0
    """From the first request to the last."""


def format_of(path: Path) -> str:
    """The format that a file's name tells. Raises TraceInvalid: it tells none."""
    if path.is_dir():
        return "oidproxy"
    found = _OF_SUFFIX.get(kind_of(path))
    if found is None:
        raise TraceInvalid(
            f"its name does not tell which format it has: give --format ({', '.join(READERS)})",
            file=str(path),
        )
    return found


def import_trace(
    source: Path,
    out: Path,
    form: str,
    options: Options,
    *,
    strict: bool = False,
    replace: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Account:
    """Read `source`, of the format `form`, and write the trace `out`.

    Raises:
        TraceInvalid: it has no request at all; or, where `strict`, a line of it is broken.
        OSError: a file cannot be read or written.
    """
    account = Account()
    encode = msgspec.json.Encoder().encode
    found = _counted(READERS[form](source, options), source, account, strict=strict, progress=progress)
    ordered = in_order((line.at, encode(line)) for line in found)
    first = next(ordered, None)
    if first is None:
        raise TraceInvalid(_nothing(account, form), file=str(source))
    began = _at(first)
    header = Header(
        oidproxy_trace=SCHEMA_VERSION,
        began=iso(began // 1000 * 1000),
        source=_source(source, form),
        versions={"oidproxy": VERSION},
        clouds=_clouds(source, form, options),
        bodies=form in _WITH_BODIES or (form == "oidproxy" and recorded.has_bodies(source)),
        notes=list(NOTES.get(form, ())),
    )
    began = began // 1000 * 1000
    last = began
    with TraceWriter(out, header, replace=replace) as writer:
        for number, data in enumerate(_with(first, ordered)):
            last = _at(data)
            writer.add_encoded(b'{"n":%d,"at":%d%b' % (number, last - began, data[data.index(b",") :]))
    account.nanoseconds = last - began
    return account


def _counted(
    found: Iterator[Found],
    source: Path,
    account: Account,
    *,
    strict: bool,
    progress: Callable[[int], None],
) -> Iterator[Line]:
    made_up, services = account.made_up, account.services
    for number, one in enumerate(found):
        if not number % TOLD_EVERY:
            progress(number)
        if one is None:
            account.others += 1
        elif isinstance(one, Broken):
            if strict:
                raise TraceInvalid(one.why, file=str(source), line=one.line)
            account.broken += 1
            if len(account.named) < NAMED:
                account.named.append(one)
        else:
            account.lines += 1
            services[one.service] += 1
            for name in one.made_up:
                made_up[name] += 1
            yield _unnumbered(one)


def _unnumbered(line: Line) -> Line:
    """Its number is written again."""
    if line.n:
        msgspec.structs.force_setattr(line, "n", 0)
    return line


def _at(data: bytes) -> int:
    """`at` of an encoded line, which is what it begins with."""
    return int(data[6 : data.index(b",")])


def _with(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _nothing(account: Account, form: str) -> str:
    if account.broken:
        one = account.named[0]
        return f"none of its {account.broken} lines can be read as {form}; line {one.line}: {one.why}"
    return f"there is no request in it (read as {form})"


def _source(source: Path, form: str) -> str:
    return recorded.source(source) if form == "oidproxy" else form


def _clouds(source: Path, form: str, options: Options) -> list[str]:
    if form == "oidproxy":
        return recorded.clouds(source)
    return [options.cloud] if options.cloud else []
