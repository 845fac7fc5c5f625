"""A trace as HAR 1.2. Traces have no URLs, so that they are a gateway's: `http://oidproxy.invalid/<service>/…`."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from oidproxy.trace.writing import created
from oidproxy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from oidproxy.trace.line import Header, Line

HOST = "http://oidproxy.invalid"


def write(path: Path, header: Header, lines: Iterable[Line], replace: bool) -> int:
    """Write them. Raises OSError."""
    began = datetime.fromisoformat(header.began).astimezone(UTC)
    encode = msgspec.json.Encoder().encode
    creator = encode({"name": "oidproxy", "version": VERSION})
    count = 0
    with os.fdopen(created(path, replace=replace), "wb") as file:
        file.write(b'{"log":{"version":"1.2","creator":%b,"entries":[\n' % creator)
        for line in lines:
            file.write((b",\n" if count else b"") + encode(_entry(line, began)))
            count += 1
        file.write(b"\n]}}\n")
    return count


def _entry(line: Line, began: datetime) -> dict[str, Any]:
    steps = line.steps
    done = steps.get("done", 0)
    first = min(steps.get("first_byte", done), done)
    sent = min(steps.get("sent", 0), first)
    return {
        "startedDateTime": (began + timedelta(microseconds=line.at / 1000)).isoformat(),
        "time": done / 1e6,
        "request": _request(line),
        "response": _answer(line),
        "cache": {},
        "timings": {
            "blocked": sent / 1e6,
            "dns": -1,
            "connect": -1,
            "send": 0,
            "wait": (first - sent) / 1e6,
            "receive": (done - first) / 1e6,
        },
        "_oidproxy": {
            "n": line.n,
            "template": line.template,
            "cloud": line.cloud,
            "home": line.home,
            "user": line.user,
            "made": line.made,
            "made_up": line.made_up,
        },
    }


def _request(line: Line) -> dict[str, Any]:
    url = f"{HOST}/{line.service}{line.path}" if line.service else HOST + line.path
    fields = {"X-Scope": line.scope, "X-Openstack-Request-Id": line.request_id}
    request: dict[str, Any] = {
        "method": line.method,
        "url": f"{url}?{line.query}" if line.query else url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _fields({**fields, "Content-Type": line.content_type}),
        "queryString": _query(line.query),
        "headersSize": -1,
        "bodySize": line.bytes_in,
    }
    if line.request_body is not None:
        kind = line.content_type or "application/json"
        request["postData"] = {"mimeType": kind, "text": _text(line.request_body)}
    return request


def _answer(line: Line) -> dict[str, Any]:
    content: dict[str, Any] = {"size": line.bytes_out, "mimeType": ""}
    if line.answer_body is not None:
        content |= {"mimeType": "application/json", "text": _text(line.answer_body)}
    return {
        "status": line.status,
        "statusText": _words(line.status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _fields({"X-Openstack-Request-Id": line.request_id}),
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": line.bytes_out,
    }


def _fields(fields: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in fields.items() if value]


def _query(query: str) -> list[dict[str, str]]:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [{"name": name, "value": value} for name, _, value in pairs]


def _text(body: object) -> str:
    return msgspec.json.encode(body).decode()


def _words(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
