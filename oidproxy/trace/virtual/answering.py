"""What a simulated cloud answers: as the trace has it where that still makes sense, else by its own state.

The recorded status is the cloud's own unless a proxy made it up, or the cloud does not hold what is asked for
in this run. Bodies are as long as the recorded ones, of as many clouds as were asked then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oidproxy.manyclouds.merging.collections import collection
from oidproxy.trace.templates import template
from oidproxy.trace.virtual import shapes

if TYPE_CHECKING:
    from oidproxy.trace.line import Line
    from oidproxy.trace.virtual.holdings import Holdings
    from oidproxy.trace.virtual.keystone import Keystone
    from oidproxy.trace.virtual.ledger import Entry

SHORT = 64 * 1024
"""Bytes of data that are sent at most for an image's or an object's; they take the time of all of them."""

_BY_METHOD = {"POST": 201, "DELETE": 204, "PUT": 200, "PATCH": 200, "GET": 200, "HEAD": 200}
_OF_PROXIES = frozenset({0, 207, 300, 429, 502, 503, 504, 508})
"""What proxies, and not clouds, answer in recordings."""
_EMPTY = b""
_JSON = b"application/json"
_DATA = b"application/octet-stream"


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes = _EMPTY
    content_type: bytes = _JSON
    weight: int = -1
    """Bytes that the body stands for; -1: as many as it has."""
    fields: bytes = b""
    """Further lines of its head."""


class Asked(NamedTuple):
    """One request, as it came to a cloud."""

    method: str
    path: str
    """Below the service's root."""
    query: str
    subject: str
    """X-Subject-Token."""
    entry: Entry | None
    """Of the replayed request that it belongs to."""

    def line(self, service: str) -> Line | None:
        """The recorded request, if this one is it and no question of a proxy's own on its behalf."""
        entry = self.entry
        if entry is None or entry.line.method != self.method or entry.line.service != service:
            return None
        line = entry.line
        if self.path == entry.path:
            return line
        # A replica has an id of its own.
        return line if template(service, self.path)[0] == template(service, line.path)[0] else None


class Answering:
    """One service of one cloud."""

    def __init__(self, cloud: str, service: str, holdings: Holdings, keystone: Keystone) -> None:
        self.cloud = cloud
        self.service = service
        self._holdings = holdings
        self._keystone = keystone

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request whose body has come."""
        if self.service == "identity" and asked.path.rstrip("/") == "/v3/auth/tokens":
            return self._token(asked)
        line = asked.line(self.service)
        shape = line.template if line is not None and line.template else template(self.service, asked.path)[0]
        named = _named(shape, asked.path)
        holdings, cloud = self._holdings, self.cloud
        for one in named:
            if holdings.elsewhere(cloud, one):
                return _missing()
        status, deletes = _status(asked, line), asked.method == "DELETE"
        for one in named:
            if holdings.gone(cloud, one) and (deletes or line is None or line.status in _OF_PROXIES):
                return _missing()
        if status >= 400:
            return Answer(status, shapes.anything(_size(line)))
        if deletes:
            if named and shape.endswith("}"):
                holdings.drop(cloud, named[-1])
            return Answer(status)
        return self._found(asked, line, shape, named, status)

    def _found(self, asked: Asked, line: Line | None, shape: str, named: list[str], status: int) -> Answer:
        size, method = _size(line), asked.method
        if method == "POST" and line is not None and line.made:
            return self._made(line, shape, status, size)
        if status == 204:
            return Answer(204)
        if method in {"GET", "HEAD"} and asked.path.endswith("/file"):
            return Answer(status, b"\0" * min(size, SHORT), _DATA, max(size, 0))
        if shape.endswith("}") and named:
            kind = shape.rsplit("/", 2)[1]
            return Answer(status, shapes.item(self.service, kind, named[-1], size))
        if method == "GET":
            found = collection(self.service, asked.path.encode())
            if found is not None:
                key = found.list_key or asked.path.rstrip("/").rpartition("/")[2].replace("-", "_")
                return Answer(status, self._listing(asked, line, key))
        return Answer(status, shapes.anything(size) if line is None or line.bytes_out else _EMPTY)

    def _listing(self, asked: Asked, line: Line | None, key: str) -> bytes:
        size = _size(line)
        query = dict(pair.partition("=")[::2] for pair in asked.query.split("&")) if asked.query else {}
        if "marker" in query:
            # One page holds all that there is.
            return shapes.listing(self.cloud, self.service, key, 0, None)
        limit = query.get("limit", "")
        return shapes.listing(self.cloud, self.service, key, size, int(limit) if limit.isdigit() else None)

    def _made(self, line: Line, shape: str, status: int, size: int) -> Answer:
        ids = [self._holdings.make(self.cloud, one) for one in line.made]
        kind = shape.rstrip("/").rpartition("/")[2]
        return Answer(status, shapes.item(self.service, kind, ids[0], size))

    def _token(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            token = self._keystone.issue(asked.entry.key if asked.entry is not None else 0)
            field = b"X-Subject-Token: %b\r\n" % token.encode()
            return Answer(201, self._keystone.describe(token), fields=field)
        if asked.method == "DELETE":
            return Answer(204)
        return Answer(200, self._keystone.describe(asked.subject))


def _named(shape: str, path: str) -> list[str]:
    """The ids in a path."""
    if "{" not in shape:
        return []
    segments = path.split("/")
    places = [place for place, name in enumerate(shape.split("/")) if name[:1] == "{"]
    return [segments[place] for place in places if place < len(segments)]


def _status(asked: Asked, line: Line | None) -> int:
    if line is not None and not line.error and line.status not in _OF_PROXIES and line.status < 500:
        return line.status
    if asked.method == "POST" and asked.path.endswith("/action"):
        return 202
    return _BY_METHOD.get(asked.method, 200)


def _size(line: Line | None) -> int:
    """Bytes of the recorded answer, for one of the clouds that gave it."""
    if line is None:
        return 0
    return line.bytes_out // max(1, len(line.asked) or len(line.clouds))


def _missing() -> Answer:
    return Answer(404, b'{"itemNotFound": {"code": 404, "message": "It is not here."}}')
