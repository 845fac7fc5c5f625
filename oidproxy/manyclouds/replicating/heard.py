"""What a cloud said to one small call, and the terms under which clouds are asked, in whose name ever."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from oidproxy.manyclouds.parts import Answered, Happened, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

SAID_AT_MOST = 300

ID_AT_MOST = 255
"""Characters: as long as the names of key pairs and flavors."""

_MARKUP = re.compile(r"<[^<>]*>|\s+|[^ -~]+")


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, or why there is none."""

    status: int
    """0 where there was no answer."""
    happened: Happened
    """What it may have done."""
    said: str
    """In one line, for whoever asked: a cloud's own words, which may repeat anything of the request."""
    body: bytes = field(default=b"", repr=False)

    @property
    def fine(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    @property
    def recorded(self) -> str:
        """The same without a cloud's words: what it repeats of a request must not be written down."""
        return f"it answered {self.status}" if self.status else self.said

    @property
    def missing(self) -> bool:
        """Whether there is no such thing."""
        return self.status in {404, 410}

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON of any shape
        """The body as JSON; None where it is none."""
        return read(self.body)

    @classmethod
    def of(cls, part: Part) -> Heard:
        """What this part of an answer says."""
        if isinstance(part, Answered):
            return cls(part.status, part.happened, said(part.status, part.body), part.body)
        return cls(0, part.happened, part.error.message)


class Speaker(Protocol):
    """Asks clouds in somebody's name."""

    async def call(self, cloud: str, service_type: str, method: str, target: str, body: bytes = b"") -> Heard:
        """One call; `target` is path and query below the service. Never raises but CancelledError."""
        ...


def read(body: bytes) -> Any:  # noqa: ANN401 - JSON of any shape
    """A body as JSON; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def id_of(resource: Mapping[str, Any], key: str = "id") -> str:
    """The id that a cloud gives to a resource; empty where it gives none that could stand in a path.

    Whatever a cloud says: what is written down, asked for and answered has a length, and is text.
    """
    found = resource.get(key)
    return found if isinstance(found, str) and len(found) <= ID_AT_MOST and found.isprintable() else ""


def said(status: int, body: bytes) -> str:
    """A cloud's own words about an error, as far as they can be shown; empty for a success."""
    if status < 400:
        return ""
    document = read(body)
    found = _message(document) if isinstance(document, dict) else None
    text = found if found is not None else body[:4096].decode("utf-8", "replace")
    return _MARKUP.sub(" ", text).strip()[:SAID_AT_MOST] or f"status {status}"


def _message(document: dict[str, Any]) -> str | None:
    """Each service puts it below another key (`badRequest`, `NeutronError`, `error`)."""
    for holder in (document, *document.values()):
        if isinstance(holder, dict):
            for key in ("message", "detail"):
                if isinstance(holder.get(key), str):
                    return str(holder[key])
    return None
