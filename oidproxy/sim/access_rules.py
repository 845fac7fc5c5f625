"""Whether an application credential's access rules allow a request (keystonemiddleware's
`validate_allowed_request`)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oidproxy.sim.messages import Document

# `{tag}` and `*` stand for one segment, `**` for any text; everything else is literal.
_PARTS = re.compile(r"(?P<any>\*\*)|(?P<segment>\{[^}]*\}|\*)|(?P<literal>.)", re.DOTALL)


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> re.Pattern[str]:
    text = ""
    for part in _PARTS.finditer(pattern):
        if part["segment"]:
            text += "[^/]+"
        elif part["any"]:
            text += ".*"
        else:
            text += re.escape(part["literal"])
    return re.compile(text)


def allows(
    document: Document, service_type: str, method: str, path: str, *, has_service_token: bool = False
) -> bool:
    """Whether a token may make a request at a service of this type.

    A service token in the request means that the user did not make it, so the rules, which speak of the
    user's own requests, do not apply to it.
    """
    rules = (document.get("application_credential") or {}).get("access_rules")
    if rules is None:
        return True
    if service_type == "identity" and method == "GET" and path.endswith("/v3/auth/tokens"):
        return True
    if not any(service["type"] == service_type for service in document["catalog"]):
        return False
    return has_service_token or any(_matches(rule, service_type, method, path) for rule in rules)


def _matches(rule: dict[str, Any], service_type: str, method: str, path: str) -> bool:
    return (
        rule["method"] == method
        and rule["service"] == service_type
        and _compile(rule["path"]).fullmatch(path) is not None
    )
