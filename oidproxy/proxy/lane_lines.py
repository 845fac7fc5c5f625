"""Lines of a trace for requests on the express lane; made by the recording's own thread.

Such a request is one of many alike, so its line is filled into a form, as its access line is: that takes a
third of the time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from oidproxy.proxy.ways_told import of_route
from oidproxy.telemetry import redact
from oidproxy.trace.documents import ids_in
from oidproxy.trace.hiding import hidden, read
from oidproxy.trace.line import Line
from oidproxy.trace.templates import template_of_bytes

if TYPE_CHECKING:
    from oidproxy.proxy.riders import Riders
    from oidproxy.proxy.way import Way
    from oidproxy.trace.recording import Recording

WAYS_KEPT = 1024
USERS_KEPT = 8192
VERSIONS_KEPT = 1024
"""What is remembered; then all of it is made anew. Users for each way."""

_TOKEN = re.compile(rb"\r\n[Xx]-[Aa][Uu][Tt][Hh]-[Tt][Oo][Kk][Ee][Nn]:[ \t]*([A-Za-z0-9_.=-]+)")

_VERSION_FIELD = re.compile(rb"\r\n(?:OpenStack|X-OpenStack-Nova)-API-Version:[ \t]*", re.IGNORECASE)
"""Requests of one way have the same fields in the same order, so that it is looked for once."""

_FORM = (
    b'{"at":%%d,"method":"GET","path":"%%b","template":"%%b"%%b,%b,"status":200,"bytes_out":%%d,'
    b'"steps":{"first_byte":%%d,"done":%%d}%%b,"request_id":"%%b","user":"%%b"%%b}\n'
)
"""What a line is filled into; what is the same for all of one way is filled in first."""


Passed: TypeAlias = "tuple[Way, int, bytes, bytes, bytes, bytes, int, bytes, float]"
"""What is kept of a request until it is written: its way; when it began, in nanoseconds since the epoch; its
target, redacted; what went out as its token; its id; its head as it came; how long the answer's body was, and
the body itself where bodies are recorded; the seconds that it took. Nothing in it needs an escape in JSON."""


class _Form(NamedTuple):
    """What all lines of one way have in common."""

    begin: int
    """Where the path below the service begins in what is shown."""
    service: str
    form: bytes
    users: dict[bytes, bytes]
    """Token that went out -> digest of the one that came in."""
    version: bytes
    """How the field with the microversion is spelled, up to its value; empty where there is none."""


class LaneLines:
    """One recording's."""

    __slots__ = ("_began", "_encode", "_forms", "_riders", "_versions")

    def __init__(self, recording: Recording, riders: Riders) -> None:
        self._began = recording.began
        self._riders = riders
        self._forms: dict[Way, _Form] = {}
        self._versions: dict[bytes, bytes] = {}
        self._encode = msgspec.json.Encoder().encode

    def line(self, passed: Passed) -> bytes:
        """One line; empty where the request began before the recording."""
        way, epoch, path, token, request_id, data, size, body, seconds = passed
        at = epoch - self._began
        if at < 0:
            return b""
        begin, service, form, users, version = self._forms.get(way) or self._form(way, path, data)
        path, query, more = path[begin:], b"", b""
        if b"?" in path:
            path, _, query = path.partition(b"?")
        named, used = template_of_bytes(service, path)
        if query:
            used = [*used, *(one.encode() for one in ids_in(query.decode("latin-1")))]
            query = b',"query":"' + query + b'"'
        ids = b',"used":["' + b'","'.join(used) + b'"]' if used else b""
        user = users.get(token) or self._rider(way, token, data, users)
        if body:
            more = self._body(body)
        if version:
            more += self._version(data, version)
        done = int(seconds * 1e9)
        return form % (at, path, named, query, size, done, done, ids, request_id, user, more)

    # Inside.

    def _form(self, way: Way, shown: bytes, data: bytes) -> _Form:
        version = _VERSION_FIELD.search(data)
        constant = Line(
            at=0,
            method="",
            path="",
            status=0,
            listener=way.arrival.listener.cloud or "",
            **of_route(way.route, way.chosen),
        )
        fields = msgspec.to_builtins(constant)
        for name in ("at", "method", "path", "status"):
            # These are in every form.
            fields.pop(name)
        text = self._encode(fields)[1:-1].replace(b"%", b"%%")
        if len(self._forms) >= WAYS_KEPT:
            self._forms.clear()
        made = self._forms[way] = _Form(
            _begin(way, shown), way.route.service_type, _FORM % text, {}, version[0] if version else b""
        )
        return made

    def _rider(self, way: Way, sent: bytes, data: bytes, users: dict[bytes, bytes]) -> bytes:
        """Whose token came in, remembered by what went out; abroad that is another text."""
        if len(users) >= USERS_KEPT:
            users.clear()
        token = sent.partition(b"~")[0]
        if way.abroad:
            found = _TOKEN.search(data)
            token = found[1] if found else b""
        users[sent] = self._riders.name(way.route.home, token).encode()
        return users[sent]

    def _version(self, data: bytes, name: bytes) -> bytes:
        """The microversion as the line has it."""
        begin = data.find(name) + len(name)
        value = data[begin : data.find(b"\r\n", begin)][:64]
        known = self._versions.get(value)
        if known is None:
            if len(self._versions) >= VERSIONS_KEPT:
                self._versions.clear()
            text = microversion(value.decode("latin-1"))
            known = self._versions[value] = b',"microversion":' + self._encode(text)
        return known

    def _body(self, body: bytes) -> bytes:
        document = read(body)
        return b"" if document is None else b',"answer_body":' + self._encode(hidden(document))


def _begin(way: Way, shown: bytes) -> int:
    """Where the path below the service begins: behind `/s/<scope>/<service>`, `/<service>`, or at once.

    That is the same for all requests of one way (`rewrite.stencil`), as they are shown, too.
    """
    before = 3 if shown.startswith(b"/s/") else int(way.arrival.service_type is None)
    return len(b"/".join(shown.split(b"/", before + 1)[: before + 1]))


def microversion(value: str) -> str:
    """As OpenStack-API-Version has it; Nova's older field has the number alone."""
    value = redact.text(value.strip())[:64]
    return f"compute {value}" if value and " " not in value else value
