"""Heads like one that was rewritten before, as patterns: one match takes the next one apart.

Clients and services repeat themselves. From one head to the next only a few values change, and most of those
are passed on unread. So what was found out about one head, field by field, is kept as a regular expression in
which such values are free and every other byte is as it was. Its groups are the values that mean something,
and the runs of lines between them that pass as they are; to rewrite a head is to join these.

A stencil never decides: a head that it does not match takes the whole way, and one that it matches is
rewritten to the bytes that the whole way gives. It holds no secret: a head with one beside its token has no
stencil.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from oidproxy.http.fields import SECRET_FIELDS
from oidproxy.http.head import Length, NoBody
from oidproxy.rewrite import answer, request
from oidproxy.rewrite.answer import OF_THE_BYTES, URLS, hides_links, is_encoded, is_json
from oidproxy.rewrite.request import FOR_REWRITING, PLAIN_CONNECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oidproxy.http.head import Field, RequestHead, ResponseHead

Groups = tuple[bytes, ...]
"""What a stencil's match found, by the places that the stencil names."""

HEAD_AT_MOST = 4096
"""Bytes of the fields of a head that may become a stencil."""

# Nothing that was matched is tried again in another way (`++`, `(?>`): of several stencils tried, most do not
# match, and to fail has to be quick.

# A path of two segments at least, without anything that would have to be decoded, escaped, hidden or judged.
_CHARACTERS = rb"!$&'()*+,.0-9:;=A-Z_a-z"
_SEGMENT = rb"[" + _CHARACTERS + rb"-]++"
_REST = rb"(/" + _SEGMENT + rb"/++[" + _CHARACTERS + rb"-][/" + _CHARACTERS + rb"-]*+)"
_QUERY = rb"((?:\?[?/" + _CHARACTERS + rb"-]*+)?)"
_SCOPED = rb"/s/" + _SEGMENT + rb"/" + _SEGMENT

_VALUE = rb"[!-~]++(?>(?: [!-~]++)*)"
"""A plain value, which no reader could take for anything but the value of its field."""
_PLAIN = re.compile(_VALUE)

_TOKEN = rb"(?!oid1~)([A-Za-z0-9_.=-]++)((?:~[A-Za-z0-9_-]++)?)"
"""A bare token and its envelope, which may be missing; a closed token has to be opened, and is none."""
_REQUEST_ID = rb"(req-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"

_READ = {
    b"x-auth-token": _TOKEN,
    b"x-scope": rb"(" + _VALUE + rb")",
    b"x-openstack-request-id": _REQUEST_ID,
}
"""Fields of a request that are read and written anew -> what they look like."""

_DECIDING = frozenset({b"accept-encoding", b"connection", b"host", b"user-agent"})
"""Their values stay as they were."""
_NEVER = SECRET_FIELDS | FOR_REWRITING - {b"accept-encoding"} | {b"max-forwards"}
"""Secrets, and fields of which it depends on more than the head what is done with them."""

_DECIDING_OF_ANSWERS = frozenset({b"connection", b"content-encoding", b"content-type"})
_NEVER_OF_ANSWERS = SECRET_FIELDS | OF_THE_BYTES | URLS | {b"trailer", b"transfer-encoding", b"upgrade"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What heads have in common that one stencil can stand for."""

    names: tuple[bytes, ...]
    same: tuple[bytes, ...]
    """What decides and therefore has to be the same in all."""


class RequestStencil:
    """A kind of request: `GET`, without a body, with a token."""

    __slots__ = ("agent", "identity", "match", "read", "request_id", "scope", "whole")

    def __init__(self, written: _Pattern, places: dict[bytes, int], agent: str | None) -> None:
        self.match = re.compile(written.text()).fullmatch
        token = places[b"x-auth-token"]
        self.read: Callable[[Groups], Groups] = itemgetter(0, 1, 2, token, token + 1)
        """The path down to the service, its rest, the query; the bare token, its envelope behind a mark."""
        self.scope = places.get(b"x-scope")
        """The place of X-Scope, if there is one."""
        self.request_id = places.get(b"x-openstack-request-id")
        """The place of the client's own request id, if there is one."""
        self.whole = _joined(written.runs)
        """Joins the lines that pass."""
        encoding = places.get(b"accept-encoding")
        self.identity = _joined([run for run in written.runs if run != encoding])
        """The same without Accept-Encoding."""
        self.agent = agent
        """The value of User-Agent, which is the same in all."""


class AnswerStencil:
    """A kind of answer: 200, with a body of known length, on a connection that is kept."""

    __slots__ = ("has_request_id", "hides_links", "is_json", "length", "match", "whole")

    def __init__(self, written: _Pattern, length: int, head: ResponseHead) -> None:
        self.match = re.compile(written.text()).match
        self.length = length
        """The place of the body's length."""
        self.whole = _joined(written.runs)
        """Joins the status line and the lines that pass. The length is not among them."""
        self.is_json = is_json(head)
        self.hides_links = hides_links(head)
        self.has_request_id = b"x-openstack-request-id" in head.index


class _Pattern:
    """A regular expression on its way, and the groups that it will have."""

    __slots__ = ("_groups", "_pieces", "_run", "runs")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._run: list[bytes] = []
        self._groups = 0
        self.runs: list[int] = []
        """Places of the groups that pass."""

    def passing(self, line: bytes) -> None:
        """A line that passes, with those around it."""
        self._run.append(line)

    def alone(self, line: bytes, groups: int = 0) -> int:
        """A line that does not, or not always. The place of the first of its groups."""
        self._close()
        self._pieces.append(line)
        self._groups += groups
        return self._groups - groups

    def text(self) -> bytes:
        """The whole expression, for a head with its empty line."""
        self._close()
        return b"".join([*self._pieces, rb"\r\n"])

    def _close(self) -> None:
        if self._run:
            self._pieces.append(rb"(" + b"".join(self._run) + rb")")
            self.runs.append(self._groups)
            self._groups += 1
            self._run.clear()


def request_shape(head: RequestHead, *, port_of_service: bool) -> Shape | None:
    """The shape of a request that a stencil can stand for; None of any other.

    `port_of_service` says that the port stands for a service, so that the path need not name one.
    """
    if (
        head.method != "GET"
        or head.minor != 1
        or head.absolute
        or not isinstance(head.framing, NoBody)
        or not head.keep_alive
        or head.expects_continue
        or b"x-auth-token" not in head.index
        or not all(name.lower() in _READ or _stands(name.lower(), name) for name, _ in head.fields)
        or not _is_plain(head)
    ):
        return None
    same = (value for name, value in head.fields if name.lower() in _DECIDING)
    return Shape(_names(head), (b"port" if port_of_service else b"path", *same))


def _stands(lower: bytes, name: bytes) -> bool:
    return lower in _DECIDING or (request.passes(name) and lower not in _NEVER)


def _is_plain(head: RequestHead | ResponseHead) -> bool:
    return (
        len(head.index) == len(head.fields)
        and head.index.get(b"connection", b"keep-alive") in PLAIN_CONNECTION
        and sum(len(name) + len(value) for name, value in head.fields) <= HEAD_AT_MOST
        and all(_PLAIN.fullmatch(value) for _, value in head.fields)
    )


def _names(head: RequestHead | ResponseHead) -> tuple[bytes, ...]:
    return tuple(name for name, _ in head.fields)


def request_stencil(head: RequestHead, shape: Shape, free: frozenset[bytes]) -> RequestStencil:
    """The stencil of a head of this shape. `free` are the names, in lower case, whose values may differ."""
    unscoped = rb"(?!/s/)/" + _SEGMENT if shape.same[0] == b"path" else rb"(?!/s/)"
    written, places = _Pattern(), {}
    written.alone(rb"GET (" + _SCOPED + rb"|" + unscoped + rb")" + _REST + _QUERY + rb" HTTP/1\.1\r\n", 3)
    for field in head.fields:
        lower, line = field[0].lower(), _line(field, free)
        if lower in _READ:
            value = _READ[lower]
            line = re.escape(field[0]) + rb": " + value + rb"\r\n"
            places[lower] = written.alone(line, re.compile(value).groups)
        elif lower == b"accept-encoding":
            places[lower] = written.alone(rb"(" + line + rb")", 1)
            written.runs.append(places[lower])
        elif request.passes(field[0]):
            written.passing(line)
        else:
            written.alone(line)
    return RequestStencil(written, places, head.text(b"user-agent"))


def answer_shape(head: ResponseHead) -> Shape | None:
    """The shape of an answer that a stencil can stand for; None of any other."""
    if (
        head.status != 200
        or head.minor != 1
        or not _PLAIN.fullmatch(head.reason)
        or not isinstance(head.framing, Length)
        or not head.keep_alive
        or not head.index.keys().isdisjoint(_NEVER_OF_ANSWERS)
        or is_encoded(head)
        or not _is_plain(head)
    ):
        return None
    same = (value for name, value in head.fields if name.lower() in _DECIDING_OF_ANSWERS)
    return Shape(_names(head), (b"%d %b" % (head.status, head.reason), *same))


def answer_stencil(head: ResponseHead, shape: Shape, free: frozenset[bytes]) -> AnswerStencil:
    """The stencil of a head of this shape; `free` as for requests."""
    written, length = _Pattern(), 0
    written.passing(rb"HTTP/1\.1 " + re.escape(shape.same[0]) + rb"\r\n")
    for field in head.fields:
        lower, line = field[0].lower(), _line(field, free)
        if lower == b"content-length":
            length = written.alone(re.escape(field[0]) + rb": ([0-9]{1,18})\r\n", 1)
        elif answer.passes(field[0]):
            written.passing(line)
        else:
            written.alone(line)
    return AnswerStencil(written, length, head)


def may_differ(name: bytes, *, of_answers: bool) -> bool:
    """Whether the value of a field, named in lower case, may differ within one stencil, and passes unread."""
    if of_answers:
        return name not in _DECIDING_OF_ANSWERS
    return name not in _DECIDING and name not in _READ


def _line(field: Field, free: frozenset[bytes]) -> bytes:
    name, value = field
    return re.escape(name) + rb": " + (_VALUE if name.lower() in free else re.escape(value)) + rb"\r\n"


def _joined(places: Iterable[int]) -> Callable[[Groups], bytes]:
    chosen = sorted(places)
    if not chosen:
        return lambda _: b""
    if len(chosen) == 1:
        return itemgetter(chosen[0])
    each = itemgetter(*chosen)
    return lambda groups: b"".join(each(groups))
