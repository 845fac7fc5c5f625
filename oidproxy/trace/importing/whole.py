"""A line of what a format has whole: request and answer with their fields and bodies."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oidproxy.errors import OidproxyError
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.telemetry import redact
from oidproxy.tokens.sealed import MARK, unseal
from oidproxy.trace.documents import CREATES, ids_in, ids_of, made
from oidproxy.trace.hiding import hidden, is_json, read
from oidproxy.trace.importing.services import place_of
from oidproxy.trace.line import Line
from oidproxy.trace.templates import template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.trace.importing.terms import Options, Users

_SENDING = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it was seen on the wire. Names of fields are in lower case."""

    at: int
    """Nanoseconds since the epoch."""
    method: str
    url: str
    """Absolute, or a target; then `fields` has Host."""
    fields: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    bytes_in: int = 0
    status: int = 0
    answer_fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    answer: bytes = field(default=b"", repr=False)
    bytes_out: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    """What the format did not tell of this one."""


def line_of(seen: Seen, users: Users, options: Options) -> Line | None:
    """The line; None for what is no call of an OpenStack service (a page's pictures).

    Raises ValueError: the URL cannot be read.
    """
    parts = urlsplit(seen.url)
    port = parts.port if parts.netloc else urlsplit("//" + seen.fields.get("host", "")).port
    service, path, guessed = place_of(parts.path or "/", port)
    lacks = list(seen.lacks)
    if not service:
        service = options.service
        if not service:
            return None
    elif guessed:
        lacks.append("service")
    shown, _, query = redact.target(f"{path}?{parts.query}" if parts.query else path).partition("?")
    named, used = template(service, shown)
    kind = seen.fields.get("content-type", "")
    body = seen.body if is_json(kind) or not kind else b""
    if seen.method in _SENDING and not seen.body and seen.bytes_in:
        lacks.append("request_body")
    asked = _shown(body)
    used = list(dict.fromkeys([*used, *ids_in(query), *ids_of(asked)]))
    who = _who(seen.fields)
    if not who and "/auth/tokens" not in path:
        lacks.append("user")
    home, scope = _bound(seen.fields)
    return Line(
        at=seen.at,
        method=seen.method,
        path=shown,
        template=named,
        query=query,
        service=service,
        scope=scope,
        carrier=_carrier(seen.fields, scope),
        home=home or options.cloud,
        cloud=options.cloud,
        clouds=[options.cloud] if options.cloud else [],
        asked=[options.cloud] if options.cloud else [],
        status=seen.status,
        bytes_in=seen.bytes_in,
        bytes_out=seen.bytes_out,
        steps=dict(seen.steps),
        made=_made(seen, used),
        used=used,
        request_id=_request_id(seen),
        user=users.name(who),
        content_type=redact.text(kind)[:128],
        request_body=asked,
        answer_body=_shown(seen.answer),
        made_up=lacks,
    )


def _shown(body: bytes) -> object | None:
    document = read(body)
    return None if document is None else hidden(document)


def _made(seen: Seen, used: list[str]) -> list[str]:
    if seen.method != "POST" or seen.status not in CREATES:
        return []
    return made(read(seen.answer), seen.answer_fields.get("location", ""), used)


def _request_id(seen: Seen) -> str:
    name = "x-openstack-request-id"
    return redact.text(seen.answer_fields.get(name) or seen.fields.get(name, ""))[:64]


def _who(fields: Mapping[str, str]) -> bytes:
    """What stands for the token: the bare one, so that its scopes make no other user of it."""
    token = fields.get("x-auth-token", "").partition(MARK)[0]
    return blake2b(token.encode("utf-8", "surrogatepass")).digest() if token else b""


def _bound(fields: Mapping[str, str]) -> tuple[str, str]:
    """Home and scope, as far as the fields tell."""
    home, scopes = "", []
    try:
        _, home, sealed = unseal(fields.get("x-auth-token", ""))
        scopes.append(canonical(sealed))
    except OidproxyError:
        pass  # a bare token, which says nothing
    try:
        if fields.get("x-scope"):
            scopes.append(canonical(parse(fields["x-scope"])))
    except OidproxyError:
        pass  # a scope that the proxy refused
    return home, scopes[-1] if scopes else ""


def _carrier(fields: Mapping[str, str], scope: str) -> str:
    if not scope:
        return ""
    return "header" if fields.get("x-scope") else "token"
