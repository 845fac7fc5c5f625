"""What a client asks of a collection: order, limit, marker and filters, and what to ask the clouds for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, unquote_plus

from oidproxy.errors import BadRequest, NotSupported
from oidproxy.manyclouds.merging import cursor as cursors
from oidproxy.manyclouds.merging.ranking import Ranking, rankings

if TYPE_CHECKING:
    from oidproxy.manyclouds.merging.collections import Collection, SortKey
    from oidproxy.manyclouds.merging.cursor import Cursor

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")
_OWN = frozenset({"limit", "marker"})
_NO = frozenset({"", "0", "false", "no", "off", "n", "f"})


@dataclass(frozen=True, slots=True)
class Question:
    """A GET of a collection, read."""

    collection: Collection
    kept: tuple[bytes, ...]
    """The query's parts as they came, without limit and marker."""
    limit: int | None
    """Rows in a page, at most what the API gives; None is all there are."""
    marker: str
    keys: tuple[SortKey, ...]
    """The order asked for, or the API's own."""
    binding: bytes
    """Stands for the user, the collection and the query but for limit and marker."""
    cut: frozenset[str] = frozenset()
    """The members that the client wants of each row, where the clouds are asked for more; else empty."""
    path: bytes = b""
    """The path below the service that the clouds are asked for."""
    added: tuple[bytes, ...] = ()
    """What is added to the query, so that rows show what merging needs."""
    counted: bool = False
    """Whether the client wants to know how many there are in all."""

    @classmethod
    def of(cls, collection: Collection, query: bytes, user: bytes) -> Question:
        """The question in this query (without `?`); `user` is whatever stands for who may use the markers.

        Raises:
            BadRequest: a limit that is no number.
            NotSupported: a part that means something only within one cloud: `offset`, `page_reverse`.
        """
        parts = tuple(part for part in query.split(b"&") if part)
        pairs = [(part, *_pair(part)) for part in parts]
        given = {name: value for _, name, value in pairs}
        _supported(given)
        kept = tuple(part for part, name, _ in pairs if name not in _OWN)
        question = cls(
            collection,
            kept,
            collection.page_size(_limit(given.get("limit", ""))),
            given.get("marker", ""),
            _keys(collection, [(name, value) for _, name, value in pairs]),
            _binding(collection, kept, user),
            path=collection.rest,
            counted=given.get("with_count", "").lower() not in _NO,
        )
        return question._narrowed([value for _, name, value in pairs if name == "fields" and value])

    @property
    def members(self) -> tuple[str, ...]:
        """The row's member for every key of the order; empty where none shows it."""
        return tuple(key.member for key in self.keys)

    def rankings(self) -> tuple[Ranking, ...]:
        """How databases may order the rows."""
        return rankings(self.keys)

    def target(self, limit: int | None, marker: str) -> bytes:
        """Path and query, below the service, of a cloud's rows behind a marker of its own."""
        parts = [*self.kept, *self.added]
        if limit is not None:
            parts.append(b"limit=%d" % limit)
        if marker:
            parts.append(b"marker=" + _quoted(marker))
        return self.path + b"?" + b"&".join(parts) if parts else self.path

    def page_query(self, marker: str) -> bytes:
        """The query of a page of our own: the client's, with another marker or none."""
        parts = list(self.kept)
        if self.limit is not None:
            parts.append(b"limit=%d" % self.limit)
        if marker:
            parts.append(b"marker=" + _quoted(marker))
        return b"&".join(parts)

    def begin(self) -> Begin:
        """Where the client's marker says that the page begins; BadRequest if it is not this user's."""
        if not self.marker:
            return Begin(self, cursors.Cursor(self.binding))
        if cursors.is_stored(self.marker):
            return Begin(self, lookup=self.marker)
        if cursors.is_ours(self.marker):
            return Begin(self, self._checked(cursors.opened(self.marker, self.binding)))
        return Begin(self, lookup=cursors.alias(self.binding, self.marker))

    def _checked(self, cursor: Cursor) -> Cursor:
        """A cursor that fits: a client may have changed a marker that holds everything itself."""
        places = [*cursor.places.values(), *([cursor.start] if cursor.start else [])]
        if any(len(place.values) != len(self.keys) for place in places) or not (
            0 <= cursor.ranking < len(self.rankings())
        ):
            raise BadRequest("The marker is not one that this proxy gave: begin at the first page.")
        return cursor

    def _narrowed(self, fields: list[str]) -> Question:
        """With what the clouds must show beyond what the client wants, for rows to be compared."""
        collection = self.collection
        needed = {collection.id_path[-1], *filter(None, self.members)}
        if collection.brief and not needed <= collection.brief:
            # Only the details show what the list is sorted by.
            return replace(self, path=collection.rest.rstrip(b"/") + b"/detail", cut=collection.brief)
        if collection.service_type == "network" and fields and not needed <= set(fields):
            added = tuple(b"fields=" + _quoted(name) for name in sorted(needed - set(fields)))
            return replace(self, cut=frozenset(fields), added=added)
        return self


@dataclass(frozen=True, slots=True)
class Begin:
    """Where a page begins, or what has to be looked up to know.

    While there is a `lookup`, call `found` with what the store holds under it, or None.
    """

    question: Question
    cursor: Cursor | None = None
    lookup: str = ""
    after: str = ""
    """With neither: a plain row id of which nothing is known; `Union` finds the row."""

    def found(self, data: bytes | None) -> Begin:
        """With what the store holds under `lookup`. BadRequest: expired, another user's, or changed."""
        question = self.question
        if data is None:
            if cursors.is_stored(self.lookup):
                raise cursors.expired()
            return Begin(question, after=question.marker)
        if data.startswith(MARKER):
            return replace(question, marker=data.removeprefix(MARKER).decode()).begin()
        return Begin(question, question._checked(cursors.decoded(data, question.binding)))


MARKER = b"marker "
"""Begins what the store holds for a row's id: the marker of the page that ended with it."""


def _pair(part: bytes) -> tuple[str, str]:
    name, _, value = part.decode("latin-1").partition("=")
    return unquote_plus(name), unquote_plus(value)


def _quoted(text: str) -> bytes:
    return text.encode() if _PLAIN.fullmatch(text) else quote_plus(text, errors="surrogatepass").encode()


def _supported(given: dict[str, str]) -> None:
    if given.get("page_reverse", "").lower() not in _NO:
        raise NotSupported("page_reverse: a list of several clouds is read forwards only.")
    if given.get("offset", "0").strip() not in {"", "0"}:
        raise NotSupported("offset: a list of several clouds is paged by marker only.")


def _limit(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("limit must be a number, 0 or greater.")
    return int(text)


def _keys(collection: Collection, pairs: list[tuple[str, str]]) -> tuple[SortKey, ...]:
    """The order that the client asked for. What its API makes of a wrong one, the clouds will say."""
    sorting = collection.sorting
    compact = [value for name, value in pairs if name == "sort" and value]
    if sorting.compact and compact:
        named = [part.strip().partition(":")[::2] for part in compact[-1].split(",")]
    else:
        directions = [value for name, value in pairs if name == "sort_dir" and value]
        names = [value for name, value in pairs if name == "sort_key" and value]
        # oslo.db: keys without a direction of their own follow the first one's.
        directions += directions[:1] * len(names) or [""] * len(names)
        named = list(zip(names, directions, strict=False))
    keys: dict[str, SortKey] = {}
    for name, direction in named:
        if sorting.takes(name):
            descending = direction == "desc" if direction else sorting.descending
            keys.setdefault(name, sorting.key(name, descending=descending))
    return tuple(keys.values()) or sorting.default


def _binding(collection: Collection, kept: tuple[bytes, ...], user: bytes) -> bytes:
    said = b"\0".join((collection.service_type.encode(), collection.rest.rstrip(b"/"), *sorted(kept)))
    return sha256(len(user).to_bytes(4, "big") + user + said).digest()[:12]
