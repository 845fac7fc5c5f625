"""The auth URL that carries a scope, for clients without a plugin.

Readable where every client carries it, else with a tag. openstackclient, the SDK and the service clients pass
on as it stands what is percent-encoded. gophercloud (`utils.BaseEndpoint`) cuts the decoded path at the first
`v` that a digit or dot follows, and encodes what is left: that takes the `/v3` away, but also all that
follows the `v2` of a cloud called `dev2`; and a `%2F` has become a slash.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

from oidproxy.errors import ScopeError
from oidproxy.scope.canonical import bounded_canonical, canonical_expr
from oidproxy.scope.tag import is_tag, tag
from oidproxy.scope.tree import EVERY_SERVICE, Scope

_SAFE = ":;=,@+&()!~-._"
"""Seen to pass unescaped through every client, as letters and digits do."""

_UNCARRIED = re.compile(r"v[0-9.]|/")
_ENDING = re.compile(r"(/s/[^/]*)?(/identity)?(/v3)?/*\Z")
"""What the auth URL of a proxy ends with."""


def segment(scope: Scope) -> str:
    """What stands after `/s/`: the readable form if every client carries it, else the tag."""
    short = tag(scope)
    text = _text(scope)
    readable = quote(text, safe=_SAFE)
    carried = _UNCARRIED.search(text) is None and not is_tag(text)
    return readable if carried and len(readable) <= len(short) else short


def auth_url(scope: Scope, base: str) -> str:
    """The scoped auth URL of a proxy, given its plain one or only its address. Raises ScopeError."""
    try:
        parts = urlsplit(base)
        complete = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    if not complete or parts.query or parts.fragment or "@" in parts.netloc or not base.isprintable():
        raise ScopeError("the base is not the address of a proxy, as https://proxy.example:8888")
    root = _ENDING.sub("", parts.path, count=1)
    return urlunsplit((parts.scheme, parts.netloc, f"{root}/s/{segment(scope)}/identity/v3", "", ""))


def _text(scope: Scope) -> str:
    """The canonical text, or the expression alone where it is for every service: both mean the same."""
    if [each.service for each in scope.bindings] != [EVERY_SERVICE]:
        return bounded_canonical(scope)
    return canonical_expr(scope.bindings[0].expr)
