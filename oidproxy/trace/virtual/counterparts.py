"""What the ids of a trace are in this run, and which requests have to wait for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.trace.line import Line

_FIRST_ID = re.compile(rb'"(?:id|uuid)" ?: ?"([^"]{1,64})"')


class Counterparts:
    """Of one loop of a replay. Clouds here make an id for each that the trace says was made, and no other."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._pending: dict[str, list[Callable[[], None]]] = {}
        self._lost: dict[str, str] = {}

    def expects(self, line: Line) -> None:
        """It is about to be sent."""
        if line.made and line.status < 400:
            for one in line.made[:1]:
                self._pending.setdefault(one, [])

    def waits(self, line: Line, go: Callable[[], None]) -> bool:
        """Whether it has to wait for an id; `go` is then called when that is there, or will never be."""
        if self._pending:
            for one in line.used:
                waiting = self._pending.get(one)
                if waiting is not None and one not in line.made:
                    waiting.append(go)
                    return True
        return False

    def lacks(self, line: Line) -> str:
        """Why it cannot be sent; "" if it can."""
        if self._lost:
            for one in line.used:
                if one in self._lost:
                    return f"{one}: {self._lost[one]}"
        return ""

    def answered(self, line: Line, status: int, body: bytes) -> None:
        """What came for it: whoever waited goes on."""
        if not line.made or line.status >= 400:
            return
        recorded = line.made[0]
        found = _FIRST_ID.search(body) if 200 <= status < 300 else None
        if found is not None:
            self._ids[recorded] = found[1].decode("latin-1")
        else:
            self._lost[recorded] = f"request {line.n}, which makes it, was answered {status}"
        for go in self._pending.pop(recorded, ()):
            go()

    def path(self, line: Line) -> str:
        """Its path with the ids of now."""
        return self._replaced(line.path, line) if line.used else line.path

    def query(self, line: Line) -> str:
        """Likewise its query."""
        return self._replaced(line.query, line) if line.used and line.query else line.query

    def body(self, line: Line) -> object:
        """Likewise its body, if it was recorded."""
        return self._walked(line.request_body) if line.used and self._ids else line.request_body

    def _replaced(self, text: str, line: Line) -> str:
        for one in line.used:
            here = self._ids.get(one)
            if here is not None and one in text:
                text = text.replace(one, here)
        return text

    def _walked(self, value: object) -> object:
        if isinstance(value, dict):
            return {key: self._walked(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._walked(one) for one in value]
        return self._ids.get(value, value) if isinstance(value, str) else value
