"""CSV of any make: a mapping says which column is what."""

from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oidproxy.errors import OidproxyError, TraceInvalid
from oidproxy.scope.canonical import canonical
from oidproxy.scope.nearest import nearest
from oidproxy.scope.parse import parse
from oidproxy.scope.services import official
from oidproxy.telemetry import redact
from oidproxy.trace.documents import ids_in, ids_of
from oidproxy.trace.hiding import hidden
from oidproxy.trace.hiding import read as read_body
from oidproxy.trace.importing.files import opened
from oidproxy.trace.importing.mapping import OWN, UNITS
from oidproxy.trace.importing.services import place_of
from oidproxy.trace.importing.terms import Broken, Found, Options, Users
from oidproxy.trace.line import Line
from oidproxy.trace.templates import template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oidproxy.trace.importing.mapping import Mapping

_SENDING = frozenset({"POST", "PUT", "PATCH"})


def read(path: Path, options: Options) -> Iterator[Found]:
    """The rows, each a request. Raises TraceInvalid: a column is not there; OSError."""
    mapping = options.mapping or OWN
    csv.field_size_limit(min(sys.maxsize, 16 * 1024 * 1024))
    with opened(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="")
        rows = csv.reader(text, delimiter=mapping.delimiter)
        try:
            reader = _Reader(path, next(rows, []), mapping, options)
            while (row := next(rows, None)) is not None:
                yield reader.read(rows.line_num, row) if row else None
        except csv.Error as error:
            raise TraceInvalid(f"this is no CSV: {error}", file=str(path), line=rows.line_num) from None


class _Reader:
    def __init__(self, path: Path, head: list[str], mapping: Mapping, options: Options) -> None:
        self._width = len(head)
        self._mapping = mapping
        self._options = options
        self._users = Users()
        self._count = 0
        self._place: dict[str, int] = {}
        self._lacks = ["token"]
        wanted = mapping.columns.items()
        for field, column in wanted:
            if column in head:
                self._place[field] = head.index(column)
            elif mapping is not OWN:
                hint = nearest(column, head)
                said = f"did you mean {hint}?" if hint else f"there are {', '.join(head)}"
                raise TraceInvalid(f"no column is called {column!r} ({said})", file=str(path), line=1)
        if not {"path", "url"} & {*self._place, *mapping.constants}:
            raise TraceInvalid(
                "no column is called path: say which one is, with --mapping FILE", file=str(path), line=1
            )
        self._times = self._clock()
        self._lacks += [
            name for name in ("status", "bytes_in", "bytes_out", "user", "method") if not self._has(name)
        ]
        if "at" not in self._place:
            self._lacks.append("gap")

    def read(self, number: int, row: list[str]) -> Found:
        """The line of a row."""
        if len(row) != self._width:
            return Broken(number, f"{len(row)} columns, where the first line has {self._width}")
        try:
            return self._line(row)
        except ValueError as error:
            return Broken(number, str(error)[:200])

    # Inside.

    def _has(self, field: str) -> bool:
        return field in self._place or field in self._mapping.constants

    def _get(self, row: list[str], field: str) -> str:
        place = self._place.get(field)
        found = row[place].strip() if place is not None else ""
        return found or self._mapping.constants.get(field, "")

    def _line(self, row: list[str]) -> Line:
        get = self._get
        service, path, query, guessed = self._target(row)
        method = get(row, "method").upper() or "GET"
        if not method.isalpha():
            raise ValueError(f"{method[:20]!r} is no method")
        named, used = template(service, path)
        at, done = self._at(row)
        body, answer = _body(get(row, "request_body")), _body(get(row, "answer_body"))
        if body is not None or query:
            used = list(dict.fromkeys([*used, *ids_in(query), *ids_of(body)]))
        cloud = get(row, "cloud") or self._options.cloud
        return Line(
            at=at,
            method=method,
            path=path,
            template=named,
            query=query,
            service=service,
            scope=_scope(get(row, "scope")),
            home=get(row, "home") or self._options.cloud,
            cloud=cloud,
            clouds=[cloud] if cloud else [],
            asked=[cloud] if cloud else [],
            status=_number(get(row, "status"), "status"),
            bytes_in=_number(get(row, "bytes_in"), "bytes_in"),
            bytes_out=_number(get(row, "bytes_out"), "bytes_out"),
            steps={"done": done} if done else {},
            used=used,
            request_id=redact.text(get(row, "request_id"))[:64],
            caller=redact.text(get(row, "caller"))[:128],
            user=self._users.name(get(row, "user")),
            content_type=redact.text(get(row, "content_type"))[:128],
            request_body=body,
            answer_body=answer,
            made_up=self._lacking(method, body, answer, guessed=guessed),
        )

    def _target(self, row: list[str]) -> tuple[str, str, str, bool]:
        """Service, path, query; whether the service was guessed."""
        url, given = self._get(row, "url"), self._get(row, "service")
        text = url or self._get(row, "path")
        if not text:
            raise ValueError("no path stands here")
        parts = urlsplit(text if url or text.startswith("/") else "/" + text)
        query = parts.query or self._get(row, "query").lstrip("?")
        path, guessed = parts.path or "/", False
        service = official(given) if given else ""
        if not service:
            service, path, guessed = place_of(path, parts.port)
            service = service or self._options.service
        if not service:
            raise ValueError("which service this is cannot be told: give a column, a constant, or --service")
        path, _, query = redact.target(f"{path}?{query}" if query else path).partition("?")
        return service, path, query, guessed

    def _at(self, row: list[str]) -> tuple[int, int]:
        """When it began, and how long it took."""
        took = self._get(row, "duration")
        done = round(_decimal(took, "duration") * UNITS[self._mapping.duration]) if took else 0
        if "at" not in self._place:
            self._count += 1
            return (self._count - 1) * self._mapping.gap, done
        return self._times(self._get(row, "at")), done

    def _clock(self) -> Callable[[str], int]:
        """Text of a time -> nanoseconds since the epoch; raises ValueError."""
        form = self._mapping.at
        if form == "iso":
            return _iso
        if form in UNITS:
            unit = UNITS[form]
            return lambda text: _scaled(text, unit)
        return lambda text: _nanoseconds(datetime.strptime(text, form))  # noqa: DTZ007 - UTC where it has no zone

    def _lacking(self, method: str, body: object, answer: object, *, guessed: bool) -> list[str]:
        lacks = self._lacks
        if guessed:
            lacks = [*lacks, "service"]
        if method in _SENDING and body is None:
            lacks = [*lacks, "request_body"]
        return [*lacks, "answer_body"] if method == "POST" and answer is None else lacks


def _iso(text: str) -> int:
    moment = datetime.fromisoformat(text)
    # Python keeps microseconds; what is behind them is added here.
    digits = text.partition(".")[2]
    rest = digits[6:9] if digits[6:9].isdigit() else "0"
    return _nanoseconds(moment) + int(rest.ljust(3, "0"))


def _nanoseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000


def _scaled(text: str, unit: int) -> int:
    """A number of units in nanoseconds; whole numbers are exact."""
    whole, _, fraction = text.partition(".")
    if not whole.lstrip("-").isdigit():
        raise ValueError(f"{text[:40]!r} is no number")
    found = int(whole) * unit
    return found + int(float(f"0.{fraction}") * unit) if fraction.isdigit() else found


def _decimal(text: str, name: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e12:
        raise ValueError(f"{name} is {text[:40]!r}, which is no number of this kind")
    return found


def _number(text: str, name: str) -> int:
    return int(_decimal(text, name)) if text else 0


def _scope(text: str) -> str:
    if not text:
        return ""
    try:
        return canonical(parse(text))
    except OidproxyError as error:
        raise ValueError(f"this scope cannot be read: {error.message}") from None


def _body(text: str) -> object | None:
    document = read_body(text.encode("utf-8", "surrogatepass")) if text else None
    return None if document is None else hidden(document)
