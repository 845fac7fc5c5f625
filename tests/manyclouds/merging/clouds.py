"""Clouds whose databases order rows each in its own way, and a reader of whole unions page by page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qs

from oidproxy.manyclouds.merging.collections import collection
from oidproxy.manyclouds.merging.locating import Locating
from oidproxy.manyclouds.merging.question import Question
from oidproxy.manyclouds.merging.union import Union

BASE = "http://proxy/compute"
SERVERS = b"/v2.1/servers/detail"
USER = b"demo"


class Down(Exception):
    """The cloud does not answer."""


@dataclass
class Database:
    """How one cloud's database compares."""

    fold: object = str.upper
    nulls_high: bool = False
    ids_descending: bool | None = None
    """None: as the first key."""
    scrambled: bool = False
    """By a collation that nobody knows."""

    def sort(self, rows, keys):
        """Rows in the order of (member, descending) pairs."""
        first = keys[0][1] if keys else False
        down = first if self.ids_descending is None else self.ids_descending
        rows = sorted(rows, key=lambda row: row["id"], reverse=down)
        for member, descending in reversed(keys):
            rows.sort(key=lambda row, member=member: self._rank(row.get(member)), reverse=descending)
        return rows

    def _rank(self, value):
        if value is None:
            return (9 if self.nulls_high else 0, "")
        if not isinstance(value, str):
            return (1, value)
        if self.scrambled:
            return (2, sha256(value.encode()).hexdigest())
        return (2, self.fold(value))


@dataclass
class Cloud:
    """A cloud with one collection in pages, as Nova gives it."""

    rows: list
    database: Database = field(default_factory=Database)
    keys: tuple = (("created", True),)
    missing: int = 400
    """What it answers to the marker of a row that is gone."""
    list_key: str = "servers"
    longest: int = 1000
    down: bool = False
    before: object = None
    """Called with the cloud before each of its answers."""
    asked: list = field(default_factory=list)
    given: int = 0
    deleted: int = 0

    def answer(self, target: bytes):
        """Status and body."""
        if self.down:
            raise Down
        if self.before:
            self.before(self)
        self.asked.append(target)
        path, _, query = target.decode().partition("?")
        found = parse_qs(query)
        ordered = self.database.sort(self.rows, self.keys)
        ids = [row["id"] for row in ordered]
        name = path.rpartition("/")[2]
        if name not in {"detail", self.list_key}:
            one = next((row for row in ordered if row["id"] == name), None)
            return (404, b"{}") if one is None else (200, json.dumps({"server": one}).encode())
        start = 0
        if marker := found.get("marker", [""])[0]:
            if marker not in ids:
                return self.missing, b'{"badRequest": {"message": "marker not found"}}'
            start = ids.index(marker) + 1
        end = start + min(int(found.get("limit", [self.longest])[0]), self.longest)
        page = ordered[start:end]
        self.given += len(page)
        document = {self.list_key: page}
        if page and end < len(ordered):
            href = f"http://cloud{path}?marker={page[-1]['id']}"
            document[f"{self.list_key}_links"] = [{"rel": "next", "href": href}]
        return 200, json.dumps(document).encode()


def drive(machine, clouds):
    """Ask until nothing is left to be asked, the last asked first."""
    waiting = []
    while True:
        waiting += machine.asks()
        if not waiting:
            break
        ask = waiting.pop()
        try:
            machine.answered(ask, *clouds[ask.leg].answer(ask.target))
        except Down:
            machine.failed(ask.leg)
    assert machine.done


def begin(question, legs, clouds, store):
    """The cursor that the question's marker means."""
    found = question.begin()
    while found.lookup:
        found = found.found(store.get(found.lookup))
    if found.cursor is not None:
        return found.cursor
    locating = Locating(question, legs, found.after)
    drive(locating, clouds)
    return locating.cursor()


def read(
    clouds, query: bytes = b"", *, service="compute", rest=SERVERS, store=None, annotate=False, **options
):
    """One page of all clouds."""
    store = {} if store is None else store
    question = Question.of(collection(service, rest), query, USER)
    union = Union(question, list(clouds), begin(question, list(clouds), clouds, store), **options)
    drive(union, clouds)
    page = union.page(annotate=annotate)
    if page.next:
        store.update(page.next.keep)
    return page


def with_marker(query: bytes, marker: str) -> bytes:
    """The query of the page behind."""
    return b"&".join(part for part in (query, b"marker=" + marker.encode()) if part)


def pages(clouds, query: bytes = b"", *, between=lambda: None, ids=False, most=500, **options):
    """All pages; `between` runs between two, `ids` goes on by the last row's id as novaclient does."""
    store: dict = {}
    marker = ""
    found = []
    while len(found) < most:
        page = read(clouds, with_marker(query, marker) if marker else query, store=store, **options)
        found.append(page)
        if page.last:
            return found
        marker = page.shown.ids[-1] if ids else page.next.marker
        between()
    raise AssertionError("it never ends")


def server(identity, name="", created="2025-01-01T00:00:00Z", **more):
    """A row."""
    return {"id": identity, "name": name or identity, "created": created, "status": "ACTIVE", **more}


def stamp(day):
    return f"2025-01-{day:02}T00:00:00Z"


def three(**options):
    """Three clouds, whose rows take turns: the newest is 9."""
    return {
        f"cloud-{number}": Cloud(
            [server(f"{day}", created=stamp(day)) for day in range(number, 10, 3)], **options
        )
        for number in (1, 2, 3)
    }


def shown(page):
    return list(page.shown.ids)


def document(page, base=BASE):
    return json.loads(page.body(base))


def union_of(service, rest, query=b"", legs=("a", "b")):
    return Union(Question.of(collection(service, rest), query, USER), legs)


def told(union, answers):
    """Answers by leg, in this order."""
    asks = {ask.leg: ask for ask in union.asks()}
    return {leg: union.answered(asks[leg], 200, body) for leg, body in answers.items()}
