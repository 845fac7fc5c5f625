"""A page of a union: its rows, what is to be said of it, and the answer's bytes with links of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from oidproxy.manyclouds.merging.collections import Links
from oidproxy.manyclouds.merging.cursor import alias, marker_of
from oidproxy.manyclouds.merging.question import MARKER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oidproxy.manyclouds.merging.cursor import Cursor
    from oidproxy.manyclouds.merging.question import Question

ANNOTATION = "oid:cloud"
"""The member that says of a row which cloud it is from, where the client asked for it."""


@dataclass(frozen=True, slots=True)
class Next:
    """The page behind this one."""

    marker: str
    """As it stands in the link."""
    keep: tuple[tuple[str, bytes], ...]
    """What the store should hold for an hour, by key: the marker, where it is too long to hold everything
    itself, and what a client means that gives the last row's id instead of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows of a page, as they came."""

    legs: Sequence[str]
    ids: Sequence[str]
    raws: Sequence[msgspec.Raw | bytes]

    def made(
        self, question: Question, per_row: Callable[[str, bytes], bytes] | None, *, annotate: bool
    ) -> Shown:
        """As they go to the client: links rewritten by `per_row`, cut down, and annotated."""
        raws: Sequence[msgspec.Raw | bytes] = self.raws
        if question.cut:
            raws = [_cut(raw, question.cut) for raw in raws]
        if per_row is not None:
            raws = [per_row(leg, bytes(raw)) for leg, raw in zip(self.legs, raws, strict=True)]
        if annotate and question.collection.annotatable:
            notes = {leg: _note(leg) for leg in set(self.legs)}
            raws = [_annotated(raw, notes[leg]) for leg, raw in zip(self.legs, raws, strict=True)]
        return Shown(self.legs, self.ids, raws)


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what it lacks."""

    question: Question
    shown: Shown
    list_key: str
    unknown: Sequence[tuple[str, str]]
    """Rows (cloud, id) of silent clouds, shown behind the others with status UNKNOWN."""
    failed: tuple[str, ...]
    """The clouds that did not answer, or whose answer was of no use."""
    disordered: tuple[str, ...]
    """The clouds whose rows come in another order than the page's: merged as they came."""
    count: int
    """How many rows there are in all, as the clouds say (Cinder's `with_count`)."""
    next: Next | None
    """The page behind this one; also behind the last, where a client that reads page by page asks once more,
    with the last row's id. None if it is of no use."""
    last: bool
    """Whether there is no further page that a link should lead to."""

    def body(self, base: str) -> bytes:
        """The answer. `base` is the URL of the service as the client sees it, without a slash at its end."""
        list_key = self.list_key or self._default_key()
        rows: list[msgspec.Raw | bytes] = [*self.shown.raws, *map(_unknown, self.unknown)]
        members = {list_key: msgspec.Raw(b"[" + b", ".join(rows) + b"]")}
        return msgspec.json.encode(members | self._links(list_key, base))

    def _default_key(self) -> str:
        """Where no cloud told the list's name: the path's."""
        rest = self.question.collection.rest.rstrip(b"/").removesuffix(b"/detail").removesuffix(b".json")
        return rest.rpartition(b"/")[2].decode("latin-1").replace("-", "_")

    def _links(self, list_key: str, base: str) -> dict[str, object]:
        """What stands beside the list, in this API's form."""
        question = self.question
        path = question.collection.rest.decode("latin-1")
        here, first = _url(path, question, question.marker), _url(path, question, "")
        behind = _url(path, question, self.next.marker) if self.next and not self.last else ""
        found: dict[str, object] = {}
        match question.collection.links:
            case Links.PATHS:
                found = {"first": first, "schema": _schema(path)}
                found |= {"next": behind} if behind else {}
            case Links.RELATIONS:
                found = {
                    "links": {
                        "next": base + behind if behind else None,
                        "self": base + here,
                        "previous": None,
                    }
                }
            case Links.BARE:
                found = {"next": base + behind} if behind else {}
            case Links.NAMED if behind:
                found = {f"{list_key}_links": [{"rel": "next", "href": base + behind}]}
        return found | ({"count": self.count} if question.counted else {})


def next_of(question: Question, cursor: Cursor, last: str) -> Next:
    """The page behind the one that ends with the row of this id."""
    marker = marker_of(cursor)
    return Next(marker.text, (*marker.kept, (alias(question.binding, last), MARKER + marker.text.encode())))


def _url(path: str, question: Question, marker: str) -> str:
    query = question.page_query(marker).decode("latin-1")
    return f"{path}?{query}" if query else path


def _schema(path: str) -> str:
    version, _, name = path.rstrip("/").rpartition("/")
    return f"{version}/schemas/{name}"


def _cut(raw: msgspec.Raw | bytes, members: frozenset[str]) -> bytes:
    row = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: value for name, value in row.items() if name in members})


def _note(leg: str) -> bytes:
    return b', "%s": %s}' % (ANNOTATION.encode(), msgspec.json.encode(leg))


def _annotated(raw: msgspec.Raw | bytes, note: bytes) -> bytes:
    """Ours comes last: of two members of one name readers take the last, so no cloud can give another's."""
    row = bytes(raw)[:-1]
    return row + note if row[1:].strip() else b"{" + note.removeprefix(b", ")


def _unknown(row: tuple[str, str]) -> bytes:
    """As Nova shows a server of a cell that is down (microversion 2.69)."""
    leg, identity = row
    return msgspec.json.encode({"id": identity, "status": "UNKNOWN", ANNOTATION: leg})
