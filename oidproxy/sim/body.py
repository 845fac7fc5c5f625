"""Reading a request's JSON body, with the checks that every service makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from oidproxy.sim.faults import ApiError
from oidproxy.sim.messages import JSON, Document, Request
from oidproxy.sim.steps import Procedure, read_body

if TYPE_CHECKING:
    from oidproxy.sim.routes import Exchange


def document(_exchange: Exchange) -> Procedure[Document]:
    """The body as an object; 400 when it is none."""
    body = yield from read_body()
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise ApiError(400, "Malformed request body") from None
    if not isinstance(value, dict):
        raise ApiError(400, "Malformed request body: an object is expected")
    return value


def member(exchange: Exchange, name: str) -> Procedure[dict[str, Any]]:
    """The one object that the body wraps under this name; 400 when it is not there."""
    whole = yield from document(exchange)
    value = whole.get(name)
    if not isinstance(value, dict):
        raise ApiError(400, f"Invalid input for field/attribute {name}: an object is required")
    return value


def refuse_foreign_type(request: Request) -> None:
    """Nova's and Cinder's WSGI layer: any Content-Type but JSON is a 415, even on a request without a
    body."""
    content_type = request.field("content-type").partition(";")[0].strip().lower()
    if content_type not in {"", "text/plain", JSON}:
        raise ApiError(415, "Unsupported Content-Type")
