"""One line of a trace is one request; the first line of each file says what the trace is.

This is the published form (`docs/trace.schema.json`). A reader of version 1 skips fields that it does not
know; a change that it could not skip is another version.
"""

from __future__ import annotations

from typing import Any

import msgspec

SCHEMA_VERSION = 1

STEPS = ("decided", "received", "sent", "first_byte", "done")
"""What `Line.steps` may tell: it was decided where the request goes, its body was here whole, it was given to
the cloud's connections, the first byte of the answer went out, and the last one."""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a trace's file."""

    oidproxy_trace: int
    """The version of the form: 1."""
    began: str
    """When the trace began, in ISO 8601 with a zone; `Line.at` counts from here."""
    source: str
    """Where the lines come from: `serve`, `har`, `gor`, `wsgi`, `csv`, `synthesized`."""
    sorted: bool = True
    """Whether lines stand in the order of `at` and have numbers. In a recording they stand as they ended."""
    recording: str = ""
    """The files with the same name here belong together: several workers wrote them."""
    part: str = ""
    """Which of the recording's files this is."""
    versions: dict[str, str] = {}
    """Program -> version, of what made the trace."""
    clouds: list[str] = []
    """The clouds that lines name, as far as they were known at the beginning."""
    bodies: bool = False
    """Whether bodies were taken down."""
    seed: int | None = None
    """What a synthesized trace was made from."""
    notes: list[str] = []
    """What a reader should know: what the source did not have."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request. What is not known is left out. Secrets stand nowhere; digests may stand in their place."""

    n: int = 0
    """Its number in the trace, from 0; a reader gives it where `Header.sorted` is false."""
    at: int
    """When its head had come, in nanoseconds since the trace began."""
    method: str
    path: str
    """Below the service's root, as the client sent it: `/v2.1/servers/9f…`. No query."""
    template: str = ""
    """The path with ids named: `/v2.1/servers/{server_id}`."""
    query: str = ""
    """Without its question mark."""
    service: str = ""
    """Official service type; empty for what the proxy answered itself."""
    scope: str = ""
    """Canonical; of header, URL and token together."""
    carrier: str = ""
    """What bound the service to its cloud: `header`, `url`, `token`, `listener`, `config`, `home` …"""
    home: str = ""
    """The cloud of the user's token."""
    clouds: list[str] = []
    """The clouds that the scope chose for this service."""
    asked: list[str] = []
    """The clouds that were asked, in the order in which they were."""
    cloud: str = ""
    """The cloud that served it; `*` where several did."""
    status: int
    """0 where no answer began."""
    bytes_in: int = 0
    """Of the request's body; likewise `bytes_out` of the answer's."""
    bytes_out: int = 0
    steps: dict[str, int] = {}
    """Step (`STEPS`) -> nanoseconds since `at`."""
    made: list[str] = []
    """Ids that the answer was the first to tell: what this request made."""
    used: list[str] = []
    """Ids in path, query and body."""
    request_id: str = ""
    caller: str = ""
    """The service that called; empty for a user."""
    user: str = ""
    """Digest of the token, keyed for each recording: the same user is the same text in one recording."""
    content_type: str = ""
    """Of the request's body."""
    microversion: str = ""
    """Which version of its API the client asked for, as in `OpenStack-API-Version`: `compute 2.90`."""
    listener: str = ""
    """The cloud beside which the listener stands that it came in at; empty for a gateway's."""
    names: dict[str, str] = {}
    """Id -> name, of what a list in the answer showed."""
    request_body: Any | None = None
    """JSON, redacted."""
    answer_body: Any | None = None
    """JSON, redacted."""
    error: str = ""
    """Code of an error of the proxy's own."""
    lost: bool = False
    """The client was gone before the answer's end."""
    made_up: list[str] = []
    """What an import had to invent: names of fields, `token` or `gap`."""
