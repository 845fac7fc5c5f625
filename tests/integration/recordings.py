"""What the clouds saw: their own records of every request that they received, made, and were answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oidproxy.cli.demonstration.embedded import Embedded

CLIENTS = ("openstacksdk", "python-openstackclient", "osc-lib")
"""What begins the User-Agent of a user's client; services' clients call themselves otherwise."""


@dataclass(frozen=True)
class Seen:
    """A request and its answer, at a cloud."""

    cloud: str
    line: dict[str, Any]

    @property
    def received(self) -> bool:
        """Whether a service of the cloud received it, and not made it."""
        return self.line["direction"] == "in"

    @property
    def service(self) -> str:
        return self.line["service"] if self.received else self.line["process"]

    @property
    def call(self) -> str:
        return f"{self.line['method']} {self.line['target'] if self.received else self.line['url']}"

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case. Repeated ones are joined, so that none is overlooked."""
        found: dict[str, str] = {}
        for name, value in self.line["headers"]:
            key = name.lower()
            found[key] = f"{found[key]}, {value}" if key in found else value
        return found

    @property
    def of_a_client(self) -> bool:
        return self.headers.get("user-agent", "").startswith(CLIENTS)

    @property
    def body(self) -> str:
        return self.line["body"] or ""

    def texts(self) -> Iterable[str]:
        """Every string in it: where it went, fields, bodies, both ways."""
        yield self.call
        for name, value in [*self.line["headers"], *self.line["answer_headers"]]:
            yield name
            yield value
        yield from (self.body, self.line["answer_body"] or "")


class Recordings:
    """Both clouds' records; tests that share a lab read from a mark on."""

    def __init__(self, lab: Embedded) -> None:
        self._paths = {place.name: lab.record(place.name) for place in lab.places.clouds}

    def mark(self) -> dict[str, int]:
        return {cloud: path.stat().st_size for cloud, path in self._paths.items()}

    def since(self, mark: Mapping[str, int]) -> list[Seen]:
        return [seen for cloud, offset in mark.items() for seen in self._read(cloud, offset)]

    def issued_by(self, cloud: str) -> set[str]:
        """Every token that a cloud's Keystone has issued so far, as it wrote it."""
        return {
            value
            for seen in self._read(cloud, 0)
            if seen.received and seen.service == "keystone" and seen.line["status"] == 201
            for name, value in seen.line["answer_headers"]
            if name.lower() == "x-subject-token"
        }

    def _read(self, cloud: str, offset: int) -> Iterable[Seen]:
        with self._paths[cloud].open("rb") as file:
            file.seek(offset)
            for line in file.read().splitlines():
                yield Seen(cloud, json.loads(line))


def visited(seen: Iterable[Seen]) -> dict[str, set[str]]:
    """Service -> the clouds at which clients' own requests with a token arrived.

    Without a token they ask for version documents, also of clouds that they then do not use.
    """
    found: dict[str, set[str]] = {}
    for one in seen:
        if one.received and one.of_a_client and "x-auth-token" in one.headers:
            found.setdefault(one.service, set()).add(one.cloud)
    return found
