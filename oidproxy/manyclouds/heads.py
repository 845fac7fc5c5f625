"""Heads of one request to many clouds: all that is alike in them is written once.

The first of each kind is written by `rewrite.request`, which judges every field; from cloud to cloud only the
target, the host and the token differ, so the others are made of the first one's lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oidproxy.rewrite.request import keeps_cookies, request_head

if TYPE_CHECKING:
    from collections.abc import Hashable

    from oidproxy.http.head import Framing, RequestHead
    from oidproxy.manyclouds.asker import Asker
    from oidproxy.routing.decision import Route

_TOKEN = b"\r\nX-Auth-Token: "
_END = b"\r\n"
_WORD = re.compile(rb"[!-~\x80-\xff]+")
"""Without anything that would begin another word or line."""


class Heads:
    """Those of one asker."""

    __slots__ = ("_asker", "_known", "_pseudonym")

    def __init__(self, asker: Asker, pseudonym: str) -> None:
        self._asker = asker
        self._pseudonym = pseudonym
        self._known: dict[Hashable, tuple[bytes, bytes]] = {}

    def written(
        self,
        head: RequestHead,
        route: Route,
        framing: Framing,
        *,
        token: str | None,
        service_token: str | None,
        plain: bool,
    ) -> bytes:
        """The head for this cloud; `plain` asks for an answer without encoding.

        Raises what `rewrite.request.request_head` does.
        """
        if token is None:
            return self._whole(head, route, framing, None, service_token, plain=plain)
        # A head lives as long as its asker, so its identity stands for it.
        key = id(head), framing, service_token, plain, route.home == route.cloud, keeps_cookies(route)
        known = self._known.get(key)
        if known is None:
            whole = self._whole(head, route, framing, token, service_token, plain=plain)
            self._known[key] = _parts(whole)
            return whole
        target, written = route.target, token.encode() if token.isascii() else b""
        if _WORD.fullmatch(target) is None or _WORD.fullmatch(written) is None:
            # Whatever is unusual is judged where everything is.
            return self._whole(head, route, framing, token, service_token, plain=plain)
        host = route.endpoint.origin.authority.encode("ascii")
        return b"%b %b HTTP/1.1\r\nHost: %b%b%b%b" % (
            head.method.encode("ascii"),
            target,
            host,
            known[0],
            written,
            known[1],
        )

    def _whole(
        self,
        head: RequestHead,
        route: Route,
        framing: Framing,
        token: str | None,
        service_token: str | None,
        *,
        plain: bool,
    ) -> bytes:
        asker = self._asker
        return request_head(
            head,
            route,
            framing,
            token=token,
            service_token=service_token,
            peer=asker.peer,
            peer_trusted=asker.peer_trusted,
            pseudonym=self._pseudonym,
            request_id=asker.request_id,
            identity_encoding=plain,
            via_depth=asker.via_depth,
        )


def _parts(whole: bytes) -> tuple[bytes, bytes]:
    """What stands between the host and the token, and behind the token. The lines before are two."""
    host = whole.index(_END, whole.index(_END) + len(_END))
    begin = whole.index(_TOKEN, host) + len(_TOKEN)
    return whole[host:begin], whole[whole.index(_END, begin) :]
