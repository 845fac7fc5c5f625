"""`oidproxy scope explain`: where requests under a scope would go, by the code that serves them."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from oidproxy.clouds.loading.load import load
from oidproxy.clouds.registry import Listener, Registry
from oidproxy.errors import BadRequest
from oidproxy.http.parse import request_head
from oidproxy.routing.decide import decide, decide_body
from oidproxy.routing.decision import Arrival, Issue, Snapshot
from oidproxy.routing.explain import explain
from oidproxy.routing.scopes import header_scope
from oidproxy.scope.canonical import canonical
from oidproxy.scope.parse import parse
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.closed import Keyring
from oidproxy.tokens.sealed import seal

if TYPE_CHECKING:
    from oidproxy.http.head import RequestHead

COLUMNS = ("service", "carrier", "plan", "cloud", "endpoint", "token")

LOGIN = "/identity/v3/auth/tokens"

PLACEHOLDER = "explained"
"""Routing reads a token's home and scope, and never the token."""


def run_explain(text: str, config: str, method: str, path: str | None, as_json: bool) -> int:
    """Print what the proxy of this configuration would do with a user's requests under this scope.

    With `path` (as at a gateway: `/image/v2/images`) it is about that one request, else about every service.
    The user is one who logged in under the scope. Returns the exit status; a refusal is an answer too, so
    that is 0.

    Raises:
        ScopeError: the text is no scope, or means nothing in this configuration.
        ConfigError: the configuration cannot be used.
        BadRequest: the path does not begin with a slash.
        OidproxyError: the method or the path could not be served at all.
    """
    if path is not None and not path.startswith("/"):
        raise BadRequest("--path is a path at the proxy and begins with a slash, as /compute/v2.1/servers")
    scope = canonical(parse(text))
    registry = load(config)
    snapshot = Snapshot(registry, Keyring(registry.fleet_keys))
    header_scope(scope.encode(), snapshot)
    told = _told(scope, snapshot, method, path)
    if as_json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(told, sys.stdout)
    return 0


def _told(scope: str, snapshot: Snapshot, method: str, path: str | None) -> dict[str, Any]:
    arrival, now = _gateway(snapshot.registry), time.time()
    home = _home(scope, arrival, snapshot, now)
    token = None if home is None else seal(PLACEHOLDER, home, NO_SCOPE)
    head = _head(snapshot.registry, method, path or "/", scope, token)
    return explain(head, arrival, snapshot, now, every_service=path is None, operator=True)


def _gateway(registry: Registry) -> Arrival:
    """The first gateway listener; where there is none, what one would be."""
    listener = next((each for each in registry.listeners if each.port is not None), None)
    if listener is None or listener.port is None:
        return Arrival(Listener("127.0.0.1", 80), 80, "127.0.0.1")
    return Arrival(listener, listener.port, "127.0.0.1")


def _home(scope: str, arrival: Arrival, snapshot: Snapshot, now: float) -> str | None:
    """The cloud where a user logs in under this scope; None where that is refused."""
    head = _head(snapshot.registry, "POST", LOGIN, scope, None)
    decision = decide(head, arrival, snapshot, now)
    if not isinstance(decision, Issue):
        decision = decide_body(head, b"", arrival, snapshot, now)
    return decision.route.cloud if isinstance(decision, Issue) else None


def _head(registry: Registry, method: str, path: str, scope: str, token: str | None) -> RequestHead:
    lines = [f"{method} {path} HTTP/1.1", "Host: proxy", f"X-Scope: {scope}"]
    if token is not None:
        lines.append(f"X-Auth-Token: {token}")
    return request_head("\r\n".join([*lines, "", ""]).encode(), registry.limits)


def _show(told: dict[str, Any], out: TextIO) -> None:
    rows = told["services"]
    print(f"scope  {told['scope']}\nhome   {told['home']}", file=out)
    if "request" in told:
        asked = told["request"]
        print(f"does   {asked['decision']}" + (f" {asked['target']}" if asked["target"] else ""), file=out)
    if rows:
        print(file=out)
        _table([COLUMNS, *([str(row[key] or "-") for key in COLUMNS] for row in rows)], out)
    if not rows and "request" in told and told["request"]["status"] is not None:
        print(f"\n{told['request']['status']} {told['request']['error']}", file=out)
    for row in rows:
        if row["status"] is not None:
            print(f"\n{row['service']}: {row['status']} {row['error']}", file=out)
        for cloud, why in (row["left_out"] or {}).items():
            print(f"\n{row['service']}: {cloud} is left out: {why}", file=out)
        for cloud, away in (row["round_trips_us"] or {}).items():
            print(f"\n{row['service']}: {cloud} is {away / 1000:g} ms from {told['home']}", file=out)
        if row["status"] is None and row["admitted"] is False:
            print(f"\n{row['service']}: {row['cloud']} does not admit users of {told['home']}.", file=out)


def _table(rows: list[Any], out: TextIO) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=out
        )
