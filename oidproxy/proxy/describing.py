"""Lines of a trace for requests that took the whole way; made by the recording's own thread."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import msgspec

from oidproxy.errors import TokenRefused
from oidproxy.proxy.lane_lines import microversion
from oidproxy.proxy.ways_told import of_route
from oidproxy.telemetry import redact
from oidproxy.tokens.sealed import unseal
from oidproxy.trace.documents import CREATES, ids_in, ids_of, made, names_in
from oidproxy.trace.hiding import READ_AT_MOST, hidden, read
from oidproxy.trace.line import Line
from oidproxy.trace.templates import template

if TYPE_CHECKING:
    from oidproxy.http.head import RequestHead
    from oidproxy.proxy.ended import Ended, Taken
    from oidproxy.proxy.riders import Riders
    from oidproxy.trace.recording import Recording

_SUBJECT = re.compile(rb"\r\nX-Subject-Token: *([^\r\n]+)", re.IGNORECASE)

_LOGIN = "/auth/tokens"


class Describing:
    """One recording's."""

    __slots__ = ("_began", "_bodies", "_encode", "_riders")

    def __init__(self, recording: Recording, riders: Riders) -> None:
        self._began = recording.began
        self._bodies = recording.bodies
        self._riders = riders
        self._encode = msgspec.json.Encoder().encode

    def line(self, ended: Ended) -> bytes:
        """One line; empty where the request began before the recording."""
        at = ended.epoch - self._began
        return self._encode(self._line(ended, at)) + b"\n" if at >= 0 else b""

    # Inside.

    def _line(self, ended: Ended, at: int) -> Line:
        head, route, taken = ended.head, ended.route, ended.taken
        path, query = _target(ended)
        named, used = template(route.service_type if route else "", path)
        body, answer = _bodies(taken)
        document, asked = read(answer), read(body)
        asked = None if asked is None else hidden(asked)
        used = list(dict.fromkeys([*used, *ids_in(query), *ids_of(asked)]))
        return Line(
            at=at,
            method=head.method if head else "-",
            path=path,
            template=named,
            query=query,
            status=ended.status,
            bytes_in=ended.bytes_in,
            bytes_out=ended.bytes_out,
            steps=_steps(ended),
            made=_made(ended, document, used),
            used=used,
            request_id=ended.request_id,
            caller=ended.caller or _logged_in(ended, document),
            user=self._user(ended, path),
            content_type=_field(head, b"content-type"),
            microversion=_microversion(head),
            listener=ended.listener,
            names=names_in(document),
            request_body=asked if self._bodies else None,
            answer_body=self._shown(document),
            error=ended.error or "",
            lost=ended.lost,
            **of_route(route, ended.chosen, ended.record),
        )

    def _shown(self, document: object | None) -> object | None:
        return hidden(document) if self._bodies and document is not None else None

    def _user(self, ended: Ended, path: str) -> str:
        """Of whom asks for a token, the one that was issued."""
        issued = _issued(ended) if path.endswith(_LOGIN) else None
        if issued is not None:
            return self._riders.name(*issued)
        token = ended.token
        if token is None:
            return ""
        return self._riders.name(token.home, token.token.encode("latin-1", "replace"))


def _target(ended: Ended) -> tuple[str, str]:
    """Path below the service, and query, redacted."""
    if ended.head is None:
        return "-", ""
    path, mark, query = ended.head.target.decode("latin-1").partition("?")
    if ended.route is not None:
        path = ended.route.rest.decode("latin-1") or "/"
    path, _, query = redact.target(path + mark + query).partition("?")
    return path, query


def _steps(ended: Ended) -> dict[str, int]:
    times = {
        "decided": ended.decided,
        "received": ended.received,
        "sent": ended.sent,
        "first_byte": ended.first_byte,
        "done": ended.done,
    }
    return {name: int((time - ended.began) * 1e9) for name, time in times.items() if time}


def _bodies(taken: Taken | None) -> tuple[bytes, bytes]:
    """The request's and the answer's, as far as they are JSON and were gathered."""
    if taken is None:
        return b"", b""
    answer = bytes(taken.answer or b"")
    if taken.encoding and answer:
        answer = _plain(answer)
    return bytes(taken.body or b""), answer


def _plain(data: bytes) -> bytes:
    """A body without its encoding, gzip or deflate; nothing of any other."""
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(data, READ_AT_MOST)
    except zlib.error:
        return b""


def _made(ended: Ended, document: object | None, used: list[str]) -> list[str]:
    head, taken = ended.head, ended.taken
    if head is None or taken is None or head.method != "POST" or ended.status not in CREATES:
        return []
    return made(document, taken.location.decode("latin-1"), used)


def _field(head: RequestHead | None, name: bytes) -> str:
    value = head.text(name) if head else None
    return redact.text(value)[:128] if value else ""


def _microversion(head: RequestHead | None) -> str:
    value = _field(head, b"openstack-api-version") or _field(head, b"x-openstack-nova-api-version")
    return microversion(value)


def _issued(ended: Ended) -> tuple[str, bytes] | None:
    """Home and bare token of what an identity service issued."""
    found = _SUBJECT.search(ended.taken.head) if ended.taken is not None and ended.route is not None else None
    if found is None or ended.route is None:
        return None
    try:
        token, home, _ = unseal(found[1].decode("latin-1"))
    except TokenRefused:
        return ended.route.cloud, found[1]
    return home, token.encode("latin-1")


def _logged_in(ended: Ended, document: object | None) -> str:
    """The service that this is the login of, as calls with its token will name it."""
    token = document.get("token") if isinstance(document, dict) else None
    if not isinstance(token, dict) or ended.route is None:
        return ""
    roles, user = token.get("roles"), token.get("user")
    if not isinstance(roles, list) or not isinstance(user, dict):
        return ""
    if not any(isinstance(role, dict) and role.get("name") == "service" for role in roles):
        return ""
    return f"{user.get('name')}@{ended.route.home}"
