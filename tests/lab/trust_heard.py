"""Which requests the services of a cloud say that they got, in their own logs."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.trust_calls import until

if TYPE_CHECKING:
    from pathlib import Path

    from devstack.lab.layout import CloudPlace
    from tests.lab.trust_calls import Lines

LOGS = {
    "identity": "keystone",
    "image": "glance-api",
    "compute": "nova-api-os-compute",
    "network": "neutron-server",
    "block-storage": "cinder-api",
    "placement": "placement",
}
_REQUEST = re.compile(
    r'"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/1\.[01]"(?: status:)? (?P<status>\d{3})\b'
    r'(?: \d+ "[^"]*" "(?P<agent>[^"]*)")?'
)
"""The line of an access log: eventlet's, and gunicorn's, which names the caller."""


@dataclass(frozen=True, slots=True)
class Got:
    """One request, as the service that answered it wrote it down."""

    method: str
    target: str
    status: int
    agent: str = ""
    """Who called, as far as the log says (Keystone's and Placement's)."""


class Heard:
    """What the services of a cloud heard since this was made."""

    def __init__(self, lines: Lines, place: CloudPlace) -> None:
        self._lines = lines
        self._place = place
        self._from = {service: self._log(service).stat().st_size for service in LOGS}
        for service in LOGS:
            self._from[service] = self._until_now(service)[1]

    def requests(self, service: str) -> list[Got]:
        """All of them until now."""
        return [
            Got(one["method"], one["target"], int(one["status"]), one["agent"] or "")
            for one in _REQUEST.finditer(self._until_now(service)[0])
            if not one["target"].startswith("/?fence=")
        ]

    def _until_now(self, service: str) -> tuple[str, int]:
        """What was logged, and where it ends. A service writes a line when it has answered: one more request
        shows where now is."""
        fence = f"/?fence={uuid.uuid4().hex}"
        self._lines.send(self._place.address, service, "GET", fence, {})
        return until(lambda: self._read(service, fence), f"{LOGS[service]} writes no log", pause=0.02)

    def _read(self, service: str, fence: str) -> tuple[str, int] | None:
        with self._log(service).open("rb") as file:
            file.seek(self._from[service])
            text, end = file.read().decode(errors="replace"), file.tell()
        return (text, end) if f"{fence} HTTP/1." in text else None

    def _log(self, service: str) -> Path:
        return self._place.logs / f"{LOGS[service]}.log"
