"""Neutron's default policies: who is privileged, and which attributes a caller may set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Document
    from oidproxy.sim.neutron.kinds import Kind


def privileged(caller: Caller) -> bool:
    """Administrators and services."""
    return caller.is_admin or "service" in caller.roles


def refused(rule: str) -> ApiError:
    """A policy's refusal."""
    message = f"(rule:{rule}) is disallowed by policy"
    return ApiError(403, message, kind="PolicyNotAuthorized")


def check(kind: Kind, given: Document, caller: Caller, *, creating: bool) -> None:
    """What a caller may not set is refused: unknown and read-only attributes with 400, privileged ones with
    403."""
    for name, value in given.items():
        attribute = kind.attributes.get(name)
        if attribute is None:
            raise ApiError(400, f"Unrecognized attribute(s) '{name}'", kind="HTTPBadRequest")
        if not (attribute.post if creating else attribute.put):
            raise ApiError(
                400,
                f"Attribute '{name}' not allowed in {'POST' if creating else 'PUT'}",
                kind="HTTPBadRequest",
            )
        restricted = attribute.privileged or (attribute.admin_set and value != attribute.default)
        if restricted and not privileged(caller):
            raise refused(f"{'create' if creating else 'update'}_{kind.member}:{name}")
    for name in kind.required if creating else ():
        if given.get(name) is None:
            raise ApiError(
                400,
                f"Failed to parse request. Required attribute '{name}' not specified",
                kind="HTTPBadRequest",
            )
