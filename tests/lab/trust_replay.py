"""Presents at a cloud what another one saw, as somebody who runs the latter and wishes the former harm."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from tests.lab.trust_calls import LISTS, TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.lab.trust_calls import Answer, Lines
    from tests.lab.wiretap import Stream

FIELD = re.compile(
    rb"(?im)^(x-auth-token|x-subject-token|x-service-token|x-storage-token|authorization|cookie|set-cookie)"
    rb":[ \t]*([^\r\n]+?)[ \t]*\r?$"
)
WORD = re.compile(rb"[A-Za-z0-9_~.=!%+-]{32,}")
"""Whatever could be a token. Ids and digests are among it; no Keystone has issued shorter ones."""

LONG = 60
"""Characters; everything that is no id."""

_BETWEEN = re.compile(r"[~.!%=+]+|(?=gAAAA)|(?<=oid1)")
"""Where one may have been put together, or where what a Fernet token begins with stands."""

_DEPTH = 2


def token_like(streams: Iterable[Stream]) -> set[str]:
    """Everything that could be a token in all that was received, sent and answered."""
    found: set[bytes] = set()
    for stream in streams:
        for text in stream.texts:
            found.update(WORD.findall(text))
            found.update(value.split()[-1] for _, value in FIELD.findall(text))
    return {text.decode("latin-1") for text in found}


def parts(text: str, depth: int = _DEPTH) -> set[str]:
    """What is left of it with its prefix or suffix cut off, wherever something ends or begins in it, and
    what is in these pieces if they are base64."""
    edges = sorted({0, len(text), *(edge for one in _BETWEEN.finditer(text) for edge in one.span())})
    pieces = {text[start:end] for at, start in enumerate(edges) for end in edges[at + 1 :]}
    whole = {piece for piece in pieces if len(piece) >= 8}
    if depth:
        inner = {word for piece in whole for data in decoded(piece) for word in _words(data)}
        whole |= inner | {part for word in inner for part in parts(word, depth - 1)}
    return whole - {text}


def cuts(text: str) -> set[str]:
    """It with any number of its first or last characters cut off."""
    places = range(1, len(text))
    return {text[:place] for place in places} | {text[place:] for place in places}


def decoded(text: str) -> Iterator[bytes]:
    """What this is if it is base64 of either alphabet, from any of its first four characters on."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    for start in range(4):
        piece = plain[start:]
        piece = piece[: len(piece) - (len(piece) % 4 == 1)]
        try:
            yield base64.b64decode(piece + "=" * (-len(piece) % 4), validate=True)
        except binascii.Error:
            return


def _words(data: bytes) -> set[str]:
    return {word.decode("latin-1") for word in WORD.findall(data)}


def by_token(text: str, scope: Any = None) -> Mapping[str, Any]:
    """The body of a call for another token."""
    identity = {"methods": ["token"], "token": {"id": text}}
    return {"auth": {"identity": identity} | ({} if scope is None else {"scope": scope})}


class Replay:
    """One cloud's own addresses: no proxy between.

    `askers` are tokens that a Keystone is asked with, too; `forget` empties the services' cache of a token.
    """

    def __init__(
        self, lines: Lines, host: str, askers: Sequence[str] = (), forget: Callable[[str], None] | None = None
    ) -> None:
        self._lines = lines
        self._forget = forget
        self._host = host
        self._askers = askers

    def at_keystone(self, text: str) -> list[str]:
        """The ways in which its Keystone takes this for a token."""
        own = {"X-Auth-Token": text, "X-Subject-Token": text}
        ways = {
            "GET": self._identity("GET", TOKENS, own),
            "HEAD": self._identity("HEAD", TOKENS, own),
            "expired": self._identity("GET", f"{TOKENS}?allow_expired=1", own),
            "its projects": self._identity("GET", "/v3/auth/projects", {"X-Auth-Token": text}),
            "method token": self._identity("POST", TOKENS, {}, by_token(text)),
        }
        return [way for way, answer in ways.items() if answer.status < 400]

    def is_alive(self, text: str) -> bool:
        """Whether its Keystone takes it, asked once."""
        return self._identity("HEAD", TOKENS, {"X-Auth-Token": text, "X-Subject-Token": text}).status == 200

    def asked_by_others(self, text: str) -> list[str]:
        """The same, where somebody else asks about it."""
        ways = {
            f"asked by {number}, {method} {query}": self._identity(
                method, f"{TOKENS}{query}", {"X-Auth-Token": asker, "X-Subject-Token": text}
            )
            for number, asker in enumerate(self._askers)
            for method, query in (("GET", "?allow_expired=1"), ("HEAD", ""))
        }
        return [way for way, answer in ways.items() if answer.status < 400]

    def at_services(self, text: str) -> list[str]:
        """The services that do something for it."""
        return [service for service, path in LISTS.items() if self._service(service, path, text) < 400]

    def _service(self, service: str, path: str, text: str) -> int:
        if self._forget:
            self._forget(text)
        return self._lines.send(self._host, service, "GET", path, {"X-Auth-Token": text}).status

    def _identity(self, method: str, path: str, fields: Mapping[str, str], body: Any = None) -> Answer:
        return self._lines.send(self._host, "identity", method, path, fields, body)
