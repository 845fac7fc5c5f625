"""An account of ours at a cloud: an entry of clouds.yaml as the request that signs in with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PASSWORD = frozenset({"password", "v3password"})
_APPLICATION_CREDENTIAL = frozenset({"v3applicationcredential"})


@dataclass(frozen=True, slots=True)
class Credential:
    """What is sent to a Keystone to sign in (Identity API v3, "Authentication and token management")."""

    entry: str
    """Its name in clouds.yaml: what may be shown of it."""
    body: bytes = field(repr=False)
    """The body of `POST /v3/auth/tokens`."""


def credential(entry: str, auth_type: str, auth: Mapping[str, str]) -> Credential:
    """The credential of an entry.

    `auth_type` and `auth` are as openstacksdk reads them. ValueError, without any value, says what is missing
    or cannot be used.
    """
    if auth_type in _APPLICATION_CREDENTIAL:
        return _credential(entry, _application_credential(auth), None)
    if auth_type in _PASSWORD:
        return _credential(entry, _password(auth), _project(auth))
    raise ValueError(f"its auth_type is {auth_type}: expected password or v3applicationcredential")


def _credential(entry: str, method: tuple[str, object], scope: object) -> Credential:
    name, filled = method
    told: dict[str, object] = {"identity": {"methods": [name], name: filled}}
    if scope is not None:
        told["scope"] = {"project": scope}
    return Credential(entry, json.dumps({"auth": told}).encode())


def _password(auth: Mapping[str, str]) -> tuple[str, object]:
    user = _named(auth, "user_id", "username", "user") | {"password": _needed(auth, "password")}
    return "password", {"user": user}


def _application_credential(auth: Mapping[str, str]) -> tuple[str, object]:
    found: dict[str, object] = {"secret": _needed(auth, "application_credential_secret")}
    if auth.get("application_credential_id"):
        found["id"] = auth["application_credential_id"]
    else:
        found["name"] = _needed(auth, "application_credential_name", or_="application_credential_id")
        found["user"] = _named(auth, "user_id", "username", "user")
    return "application_credential", found


def _project(auth: Mapping[str, str]) -> dict[str, object]:
    return _named(auth, "project_id", "project_name", "project")


def _named(auth: Mapping[str, str], id_key: str, name_key: str, what: str) -> dict[str, object]:
    """A user or project by its id, or by its name and domain."""
    if auth.get(id_key):
        return {"id": auth[id_key]}
    return {"name": _needed(auth, name_key, or_=id_key), "domain": _domain(auth, what)}


def _domain(auth: Mapping[str, str], what: str) -> dict[str, str]:
    for prefix in (what, "default"):
        if auth.get(f"{prefix}_domain_id"):
            return {"id": auth[f"{prefix}_domain_id"]}
        if auth.get(f"{prefix}_domain_name"):
            return {"name": auth[f"{prefix}_domain_name"]}
    raise ValueError(f"it names its {what} without a domain: give {what}_domain_name or {what}_domain_id")


def _needed(auth: Mapping[str, str], key: str, *, or_: str = "") -> str:
    if auth.get(key):
        return str(auth[key])
    raise ValueError(f"it has no {key}" + (f" (and no {or_})" if or_ else ""))
