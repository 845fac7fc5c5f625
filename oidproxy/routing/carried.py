"""`X-Scope-Tokens: cloud=token, …`: tokens that a client has of clouds whose services ask their own Keystone.

Each is for its own cloud only (identity.md, Gateway): the others are not even looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, TokenRefused
from oidproxy.tokens.opening import present
from oidproxy.tokens.presented import Form, Presented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.http.head import RequestHead
    from oidproxy.routing.decision import Snapshot

FIELD = b"x-scope-tokens"

_NAME = r'(?:"(?P<quoted>(?:[^"\\]|\\["\\])*)"|(?P<name>[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?))'
_PAIR = re.compile(rf"[ \t]*{_NAME}[ \t]*=[ \t]*(?P<token>[!-+\--}}~]+)[ \t]*(?:,|\Z)")
_ESCAPE = re.compile(r"\\(.)")


def carried_token(head: RequestHead, cloud: str, snapshot: Snapshot) -> Presented | None:
    """The token of this cloud that came with the request.

    Raises:
        BadRequest: the field cannot be read, or names the cloud twice.
        TokenRefused: it is another cloud's token, or no client's.
    """
    found = [token for name, token in _pairs(head.text(FIELD) or "") if name == cloud]
    if not found:
        return None
    if len(found) > 1:
        raise BadRequest(f"X-Scope-Tokens has more than one token for {cloud}.")
    token = present(found[0], snapshot.keyring, default_home=cloud)
    if token.form is Form.CLOSED or token.home != cloud:
        raise TokenRefused(f"X-Scope-Tokens has a token for {cloud} that is none of {cloud}'s own.")
    return token


def carried_tokens(head: RequestHead, snapshot: Snapshot) -> Mapping[str, Presented]:
    """All tokens that came with the request, by their clouds; those of unknown clouds are nobody's.

    Raises:
        BadRequest, TokenRefused: as `carried_token`.
    """
    text = head.text(FIELD)
    names = (
        dict.fromkeys(name for name, _ in _pairs(text) if name in snapshot.registry.clouds) if text else {}
    )
    found = {name: carried_token(head, name, snapshot) for name in names}
    return {name: token for name, token in found.items() if token is not None}


def _pairs(text: str) -> list[tuple[str, str]]:
    """Cloud and token, in their order. Names are written as in a scope."""
    pairs: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            raise BadRequest(
                f"X-Scope-Tokens cannot be read behind its {len(pairs)}. token: expected cloud=token, …"
            )
        quoted = found["quoted"]
        name = found["name"] if quoted is None else _ESCAPE.sub(r"\1", _utf8(quoted))
        pairs.append((name, found["token"]))
        at = found.end()
    return pairs


def _utf8(text: str) -> str:
    """A name as its sender wrote it: fields come byte for byte as Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("X-Scope-Tokens names a cloud in bytes that are not UTF-8.") from None
