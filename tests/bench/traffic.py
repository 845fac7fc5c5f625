"""What is asked: a thousand tokens, 256 scopes, ten thousand URLs, as the same requests for everybody.

Only the envelope of the token differs: sealed for us (as identity issues it), JSON behind a mark for the Lua
candidates, as the prototype had it. X-Scope is the same JSON for all.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from oidproxy.scope.parse import parse
from oidproxy.scope.tag import tag
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens.sealed import seal
from tests.bench.layout import PROXY_HOST, cloud

HOME = 1
"""The cloud of every token: the local one."""

TOKENS, SCOPES, URLS = 1_000, 256, 10_000
TOKEN_LENGTH = 200
"""Characters of a token with the envelope that it is issued with."""

MARK = "!"
"""Before the JSON envelope of a Lua candidate's token."""

BOUND = ("compute", "image", "network")
"""What scopes bind; block-storage is asked for, too, and stays at home."""

PATHS = {
    "compute": "/v2.1/servers/{id}",
    "image": "/v2/images/{id}",
    "network": "/v2.0/ports/{id}",
    "block-storage": "/v3/5f2d8c1e7a9b4c3d8e6f0a1b2c3d4e5f/volumes/{id}",
}
_MIX = ("compute", "compute", "image", "network", "block-storage")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, before it is written for somebody, and where it belongs."""

    number: int
    service: str
    path: str
    """Behind the service's prefix: what the cloud is to be asked for."""
    token: str
    """Bare."""
    scope: tuple[tuple[str, int], ...]
    in_header: bool
    """Whether the scope is in X-Scope; else it is in the token."""

    @property
    def cloud(self) -> int:
        """Which cloud is meant."""
        return dict(self.scope).get(self.service, HOME)


def calls(clouds: int, urls: int = URLS) -> list[Call]:
    """The requests of a run, in an order that looks like chance and is always the same."""
    chance = random.Random(20261120)
    scopes = _scopes(chance, clouds)
    tokens = [_token(chance) for _ in range(TOKENS)]
    made = []
    for number in range(urls):
        token = number % TOKENS
        service = _MIX[number // TOKENS % len(_MIX)]
        path = PATHS[service].format(id=UUID(int=chance.getrandbits(128), version=4))
        made.append(Call(number, service, path, tokens[token], scopes[token % len(scopes)], bool(number & 1)))
    chance.shuffle(made)
    return made


def _scopes(chance: random.Random, clouds: int) -> list[tuple[tuple[str, int], ...]]:
    """Different ones, as many as wanted or as there are."""
    if clouds < 1:
        raise ValueError("a scope needs a cloud")
    wanted = min(SCOPES, clouds ** len(BOUND))
    found: dict[tuple[tuple[str, int], ...], None] = {}
    while len(found) < wanted:
        found[tuple((service, chance.randint(1, clouds)) for service in BOUND)] = None
    return list(found)


def _token(chance: random.Random) -> str:
    """A text as long as, and of the characters of, a Fernet token with its envelope taken off."""
    bare = TOKEN_LENGTH - len(seal("x", cloud(HOME), NO_SCOPE)) + 1
    begin = "gAAAAAB"
    return begin + base64.urlsafe_b64encode(chance.randbytes(bare)).decode()[: bare - len(begin)]


def json_scope(scope: tuple[tuple[str, int], ...]) -> str:
    """OpenStackoid's form."""
    return json.dumps({service: cloud(number) for service, number in scope})


@cache
def _tree(text: str):
    return parse(text)


def sealed(call: Call) -> str:
    """The token as this proxy's clients have it."""
    scope = NO_SCOPE if call.in_header else _tree(json_scope(call.scope))
    return seal(call.token, cloud(HOME), scope)


def marked(call: Call) -> str:
    """The token as the prototype's clients had it."""
    return call.token if call.in_header else call.token + MARK + json_scope(call.scope)


def in_url(call: Call) -> str:
    """The path's prefix that carries the scope: a tag, as the client's plugin writes it."""
    return f"/s/{tag(_tree(json_scope(call.scope)))}"


def request(call: Call, *, token: str, port: int, host: str = PROXY_HOST, prefix: str = "") -> bytes:
    """The whole request. With a prefix the scope is in the URL, and in nothing else."""
    lines = [
        f"GET {prefix}/{call.service}{call.path} HTTP/1.1",
        f"Host: {host}:{port}",
        f"X-Auth-Token: {token}",
        *([f"X-Scope: {json_scope(call.scope)}"] if call.in_header and not prefix else ["DNT: 1"]),
        "User-Agent: openstacksdk/4.4.0 keystoneauth1/5.10.0 python-requests/2.32.3 CPython/3.11.2",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        "Accept-Language: en",
        "Cache-Control: no-cache",
        "Pragma: no-cache",
        "Connection: keep-alive",
        "OpenStack-API-Version: compute 2.96",
        "X-OpenStack-Nova-API-Version: 2.96",
        f"X-OpenStack-Request-ID: req-{UUID(int=call.number, version=4)}",
        f"Traceparent: 00-{call.number:032x}-{call.number + 1:016x}-01",
        "X-Roundtrip: 1",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
