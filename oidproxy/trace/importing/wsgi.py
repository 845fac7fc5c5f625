"""The log of an eventlet API server (nova-api, as in LogHub's OpenStack set): a line a request, at its end.

Nova, and the others alike: `<time> <pid> INFO nova.osapi_compute.wsgi.server [<request id> <user> <project>
…] <peer> "GET /v2/… HTTP/1.1" status: 200 len: 1893 time: 0.2477829`, with or without a file's name before
it. Under other servers Nova's `requestlog` writes the same, with the microversion and without the version of
HTTP.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from oidproxy.telemetry import redact
from oidproxy.trace.documents import ids_in
from oidproxy.trace.importing.files import opened
from oidproxy.trace.importing.services import place_of
from oidproxy.trace.importing.terms import Broken, Found, Options, Users
from oidproxy.trace.line import Line
from oidproxy.trace.templates import template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LINE_AT_MOST = 64 * 1024

_LINE = re.compile(
    r"(?:\S+\s+)?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s+(?:\d+\s+)?[A-Z]+\s+"
    r"([\w.-]+)\s+\[([^\]]*)\]\s"
    r'[^"]*"([A-Z]+) ([^\s"]+)(?: HTTP/[\d.]+)?"\s+status: (\d+)\s+len: (\d+)\s+'
    r"(?:microversion: (\S+)\s+)?time: (\d+(?:\.\d+)?)"
)

_IS_REQUEST = ('" status: ', " HTTP/1.")
"""The line of a request has one of these …"""
_LOGGERS = ("wsgi", "requestlog")
"""… and one of these, or it is one of a client's."""

_SERVICES: Mapping[str, str] = MappingProxyType(
    {
        "nova": "compute",
        "cinder": "block-storage",
        "glance": "image",
        "neutron": "network",
        "keystone": "identity",
        "manila": "shared-file-system",
        "heat": "orchestration",
        "ironic": "baremetal",
        "placement": "placement",
    }
)
"""First part of the logger's name -> the service."""

_OF_GET = ["token"]
_OF_OTHERS = ["token", "bytes_in"]
_OF_SENDING = ["token", "bytes_in", "request_body", "answer_body"]
"""What such a log does not have."""


def read(path: Path, options: Options) -> Iterator[Found]:
    """The requests of a log; times without a zone are taken for UTC's. Raises OSError."""
    reader = _Reader(options)
    with opened(path) as file:
        text = io.TextIOWrapper(file, "utf-8", "replace", newline="\n")
        for number, line in enumerate(text, 1):
            yield reader.read(number, line) if any(mark in line for mark in _IS_REQUEST) else None


class _Reader:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._users = Users()
        self._second = ""
        self._epoch = 0
        self._clouds = [options.cloud] if options.cloud else []

    def read(self, number: int, line: str) -> Found:
        found = _LINE.match(line) if len(line) <= LINE_AT_MOST else None
        if found is None:
            if not any(logger in line for logger in _LOGGERS):
                return None
            return Broken(number, 'expected `… "GET /path HTTP/1.1" status: … len: … time: …` here')
        day, clock, fraction, logger, context, method, target, status, size, version, took = found.groups()
        try:
            ended = self._seconds(f"{day} {clock}") + int((fraction or "0")[:9].ljust(9, "0"))
        except ValueError as error:
            return Broken(number, str(error))
        service, path, query = self._place(logger, target)
        if not service:
            return Broken(number, f"which service {logger} is cannot be told: give --service")
        words = context.split()
        named, used = template(service, path)
        done = int(float(took) * 1e9)
        cloud = self._options.cloud
        return Line(
            at=ended - done,
            method=method,
            path=path,
            template=named,
            query=query,
            service=service,
            home=cloud,
            cloud=cloud,
            clouds=self._clouds,
            asked=self._clouds,
            status=int(status),
            bytes_out=int(size),
            steps={"done": done},
            used=[*used, *ids_in(query)] if query else used,
            request_id=words[0] if words and words[0].startswith("req-") else "",
            user=self._users.name(words[1]) if len(words) > 1 and words[1] != "-" else "",
            microversion=f"{service} {version}" if version and version[0].isdigit() else "",
            made_up=_lacking(method),
        )

    def _place(self, logger: str, target: str) -> tuple[str, str, str]:
        """Service, path and query, redacted."""
        service = _SERVICES.get(logger.partition(".")[0]) or self._options.service
        path, _, query = redact.target(target).partition("?")
        if not service:
            service, path, _ = place_of(path, None)
        return service, path, query

    def _seconds(self, text: str) -> int:
        """Nanoseconds since the epoch. Many lines have the same second."""
        if text != self._second:
            moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
            self._second, self._epoch = text, int(moment.timestamp()) * 10**9
        return self._epoch


def _lacking(method: str) -> list[str]:
    if method in {"GET", "HEAD"}:
        return _OF_GET
    return _OF_SENDING if method in {"POST", "PUT", "PATCH"} else _OF_OTHERS
