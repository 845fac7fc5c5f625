"""What the logs of services and proxy say since a moment: the services' own word, not the proxy's alone."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from devstack.lab.layout import CloudPlace, Lab

SECONDS = 10.0


class Evidence:
    """Logs from the moment of its making on."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        services = [log for place in lab.made() for log in place.logs.glob("*.log")]
        proxies = [log for log in (lab.access_log, lab.edge_access_log) if log.exists()]
        self._from = {log: log.stat().st_size for log in (*proxies, *services)}

    def service(self, place: CloudPlace, name: str, text: str) -> list[str]:
        """The lines of a service's log with this text; waits some seconds for the first."""
        return self._found(place.logs / f"{name}.log", lambda line: text in line)

    def silent(self, place: CloudPlace, name: str, text: str) -> bool:
        """Whether a service's log has no line with this text until now."""
        return not any(text in line for line in self._lines(place.logs / f"{name}.log"))

    def calls(self, **wanted: Any) -> list[dict[str, Any]]:
        """The proxy's access lines with these fields; waits some seconds for the first."""
        return self._calls(self._lab.access_log, wanted)

    def edge_calls(self, **wanted: Any) -> list[dict[str, Any]]:
        """The same of the proxy in front of the clouds that nobody reconfigured."""
        return self._calls(self._lab.edge_access_log, wanted)

    def _calls(self, log: Path, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        def matches(line: str) -> bool:
            told = json.loads(line)
            return all(told.get(name) == value for name, value in wanted.items())

        return [json.loads(line) for line in self._found(log, matches)]

    def _found(self, log: Path, matches: Any) -> list[str]:
        deadline = time.monotonic() + SECONDS
        while not (found := [line for line in self._lines(log) if matches(line)]):
            if time.monotonic() > deadline:
                return []
            time.sleep(0.2)
        return found

    def _lines(self, log: Path) -> Iterator[str]:
        with log.open("rb") as file:
            file.seek(self._from.get(log, 0))
            yield from (line for line in file.read().decode(errors="replace").splitlines() if line)
