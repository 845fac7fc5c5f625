"""What a service may ask of a Keystone with a closed token: the same project's token again, and no more.

Cinder asks so before it calls Nova. The check is an exact match of the whole body. What is not looked at
could be a scope, a method or a trust that a later Keystone understands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from oidproxy.errors import NotAdmitted, TokenRefused


def check(body: Mapping[str, object], box_text: str, header_text: str | None) -> str:
    """The project asked for, as `is_project` compares it: an id, or the JSON of a name and its domain.

    `body` is the decoded JSON of `POST /v3/auth/tokens`, `box_text` the box found in it as it came,
    `header_text` the X-Auth-Token of the same request. TokenRefused if they are not the same box;
    NotAdmitted for any other method or scope than the one exact form.
    """
    if header_text is None or header_text != box_text:
        raise TokenRefused(
            "a token of another cloud must be both in the body and in X-Auth-Token, and the same"
        )
    auth = _one(body, "auth")
    identity, scope = _two(auth, "identity", "scope")
    methods, token = _two(identity, "methods", "token")
    if methods != ["token"] or _one(token, "id") != box_text:
        raise _refusal()
    return _asked(_one(scope, "project"))


def is_project(asked: str, project: Mapping[str, object]) -> bool:
    """Whether what was asked for is this project (as a validated token shows it: id, name, domain)."""
    if not asked.startswith("{"):
        return asked == project.get("id")
    domain = project.get("domain")
    if not isinstance(domain, Mapping):
        return False
    ways = [_named(project.get("name"), key, domain.get(key)) for key in ("id", "name")]
    return asked in ways


def _asked(project: object) -> str:
    if isinstance(project, Mapping) and project.keys() == {"id"}:
        return _plain(project["id"])
    name, domain = _two(project, "name", "domain")
    if isinstance(domain, Mapping) and len(domain) == 1 and domain.keys() <= {"id", "name"}:
        key, value = next(iter(domain.items()))
        return _named(_text(name), key, _text(value))
    raise _refusal()


def _named(name: object, key: str, value: object) -> str:
    return json.dumps({"domain": {key: value}, "name": name}, sort_keys=True)


def _plain(value: object) -> str:
    """An id, which never looks like the JSON of a name."""
    text = _text(value)
    if text.startswith("{"):
        raise _refusal()
    return text


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _refusal()
    return value


def _one(holder: object, key: str) -> object:
    if not isinstance(holder, Mapping) or holder.keys() != {key}:
        raise _refusal()
    return holder[key]


def _two(holder: object, first: str, second: str) -> tuple[object, object]:
    if not isinstance(holder, Mapping) or holder.keys() != {first, second}:
        raise _refusal()
    return holder[first], holder[second]


def _refusal() -> NotAdmitted:
    return NotAdmitted(
        "A token of another cloud can only be exchanged for one of the same project: "
        "methods exactly [token], scope exactly that project."
    )
