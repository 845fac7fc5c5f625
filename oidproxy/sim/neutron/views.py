"""Neutron's answers: resources as a caller sees them, errors, version documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.messages import Document, Request, Response, json_response
from oidproxy.sim.neutron.kinds import SECURITY_GROUP, SECURITY_GROUP_RULE, Kind

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.faults import ApiError
    from oidproxy.sim.neutron.model import Neutron


def view(
    neutron: Neutron, kind: Kind, document: Document, caller: Caller, fields: tuple[str, ...]
) -> Document:
    """A resource: all that the caller may see, or of that only the fields asked for."""
    privileged = caller.is_admin or "service" in caller.roles
    shown = {
        name: value
        for name, value in document.items()
        if (not fields or name in fields)
        and (privileged or name not in kind.attributes or not kind.attributes[name].privileged)
    }
    if kind is SECURITY_GROUP and (not fields or "security_group_rules" in fields):
        rules = neutron.table(SECURITY_GROUP_RULE).where(security_group_id=document["id"])
        shown["security_group_rules"] = rules
    return shown


def error(fault: ApiError, _request: Request, _request_id: str) -> Response:
    """Neutron's error answers."""
    kinds = {404: "HTTPNotFound", 401: "HTTPUnauthorized", 403: "PolicyNotAuthorized", 400: "BadRequest"}
    kind = fault.kind or kinds.get(fault.status, "HTTPInternalServerError")
    return json_response(
        fault.status, {"NeutronError": {"type": kind, "message": fault.message, "detail": ""}}
    )


def versions(request: Request) -> Document:
    """The version document; links are absolute."""
    links = [{"rel": "self", "href": f"{request.origin}/v2.0/"}]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}
