"""What clients created, as the answers that pass by say: from then on it is found without a search."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from oidproxy.routing.decision import Kind
from oidproxy.routing.resources import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oidproxy.http.head import ResponseHead
    from oidproxy.routing.decision import Route

    Learn = Callable[[str, str, Iterable[bytes]], None]

READ_AT_MOST = 64 * 1024
"""Bytes of an answer; what is made is told in some hundreds."""

_MADE = frozenset({201, 202})


class Reads(Protocol):
    """What the pieces of an answer's body pass."""

    @property
    def learned(self) -> tuple[str, ...]:
        """URLs that it told of."""
        ...

    def feed(self, data: bytes) -> bytes:
        """A piece; what of it is passed on."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...


def reading_along(
    scanner: Reads | None, route: Route, head: ResponseHead, learn: Learn | None
) -> Reads | None:
    """`scanner`, with what reads the answer to a POST along, if it created something.

    Nova and Glance name what they made in Location, which is all that has to be looked at.
    """
    if learn is None or head.status not in _MADE:
        return scanner
    asked = read(route.service_type, "POST", route.rest)
    if asked is None or asked[0] is not Kind.CREATE:
        return scanner
    made = Creation(route, learn, scanner)
    location = head.index.get(b"location")
    if location is not None:
        made.named(location)
        return scanner
    return made


class Creation:
    """Gathers the answer's body as the cloud sent it, and learns at its end whose ids it tells."""

    __slots__ = ("_learn", "_pieces", "_room", "_route", "_scanner")

    def __init__(self, route: Route, learn: Learn, scanner: Reads | None) -> None:
        self._scanner = scanner
        self._route = route
        self._learn = learn
        self._pieces: list[bytes] = []
        self._room = READ_AT_MOST

    def named(self, location: bytes) -> None:
        """What was made is here."""
        item = location.partition(b"?")[0].rstrip(b"/").rpartition(b"/")[2]
        self._learn(self._route.cloud, self._route.service_type, [item])

    @property
    def learned(self) -> tuple[str, ...]:
        """URLs that the document says its service has."""
        return () if self._scanner is None else self._scanner.learned

    def feed(self, data: bytes) -> bytes:
        """A piece of the body, as the cloud sent it."""
        self._room -= len(data)
        if self._room >= 0:
            self._pieces.append(data)
        return data if self._scanner is None else self._scanner.feed(data)

    def finish(self) -> bytes:
        """The answer is complete."""
        if self._room >= 0:
            self._read()
        return b"" if self._scanner is None else self._scanner.finish()

    def _read(self) -> None:
        try:
            document = json.loads(b"".join(self._pieces))
        except (ValueError, RecursionError):
            return
        self._learn(self._route.cloud, self._route.service_type, list(_ids(document)))


def _ids(document: object) -> Iterator[bytes]:
    """Of what was made: `{"volume": {"id": …}}`, `{"ports": [{"id": …}]}` or `{"id": …}`."""
    if not isinstance(document, dict):
        return
    inside = next(iter(document.values())) if len(document) == 1 else document
    for one in inside if isinstance(inside, list) else [inside]:
        if isinstance(one, dict) and isinstance(one.get("id"), str):
            yield one["id"].encode("utf-8", "surrogatepass")
