"""HTTP messages as values: what a simulated service is asked, what it answers, what it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = tuple[tuple[str, str], ...]
Document = dict[str, Any]
"""A JSON object."""

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request that a service received; its body is asked for by a step."""

    method: str
    path: str
    """Raw, as it came: nothing decoded, without query."""
    query: tuple[tuple[str, str], ...]
    """Decoded, in order."""
    fields: Mapping[str, str] = field(repr=False)
    """By lower-case name."""
    scheme: str = "http"

    def field(self, name: str) -> str:
        """A header's value, or nothing."""
        return self.fields.get(name, "")

    @property
    def host(self) -> str:
        """The authority that this service's links are built from."""
        return self.fields.get("host", "localhost")

    @property
    def origin(self) -> str:
        """What absolute links of this answer begin with."""
        return f"{self.scheme}://{self.host}"

    @property
    def segments(self) -> tuple[str, ...]:
        """The decoded segments of the path; empty ones are left out, as OpenStack's routers do."""
        return tuple(unquote(segment) for segment in self.path.split("/") if segment)

    def parameter(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        for key, value in reversed(self.query):
            if key == name:
                return value
        return default

    def parameters(self, name: str) -> tuple[str, ...]:
        """Every value of a query parameter."""
        return tuple(value for key, value in self.query if key == name)


@dataclass(frozen=True, slots=True)
class Response:
    """What a service answers. With `blob` the body is streamed from the store under that name."""

    status: int
    fields: Fields = ()
    body: bytes = field(default=b"", repr=False)
    blob: str = ""
    size: int = 0
    """Length of the blob."""

    def adding(self, *fields: tuple[str, str]) -> Response:
        """The same with further fields."""
        return Response(self.status, self.fields + fields, self.body, self.blob, self.size)


@dataclass(frozen=True, slots=True)
class Answer:
    """What another service answered."""

    status: int
    fields: Mapping[str, str] = field(repr=False)
    """By lower-case name."""
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body's document; ValueError when it is none."""
        return msgspec.json.decode(self.body)

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Content:
    """The size and digests of bytes that were streamed."""

    size: int
    md5: str
    sha256: str
    sha512: str


def json_response(status: int, document: object, *fields: tuple[str, str]) -> Response:
    """An answer that holds a JSON document."""
    return Response(status, (("Content-Type", JSON), *fields), msgspec.json.encode(document))


def empty(status: int = 204, *fields: tuple[str, str]) -> Response:
    """An answer without a body."""
    return Response(status, fields)
