"""Whether a cloud has what an attempt may have made there: asked by its id, or by its mark in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oidproxy.manyclouds.replicating.marking import mark_of

if TYPE_CHECKING:
    from oidproxy.manyclouds.replicating.heard import Heard, Speaker
    from oidproxy.manyclouds.replicating.journal import Attempt, Intent
    from oidproxy.manyclouds.replicating.kinds import Kind

PAGE = 200
PAGES_AT_MOST = 100
"""Of a collection; in a longer one nothing is known to be absent."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found. With neither an id nor `absent` it is as unknown as before."""

    id: str = ""
    absent: bool = False
    said: str = ""


async def look(speaker: Speaker, kind: Kind, intent: Intent, attempt: Attempt, *, everyone: bool) -> Found:
    """Look for what this attempt made. `everyone`: in all projects, as an administrator."""
    if not intent.marked:
        # An older one of the same name would look the same.
        return Found(absent=True, said="what it made could not be told from other resources")
    if intent.chosen:
        return await _by_id(speaker, kind, intent, attempt)
    return await _by_mark(speaker, kind, intent, attempt, everyone=everyone)


async def _by_id(speaker: Speaker, kind: Kind, intent: Intent, attempt: Attempt) -> Found:
    path = f"{intent.collection}/{quote(intent.chosen, safe='')}"
    heard = await speaker.call(attempt.cloud, intent.service_type, "GET", path)
    if heard.missing:
        return Found(absent=True)
    resource = _resource(kind, heard.document)
    if not heard.fine or resource is None:
        return Found(said=_why(heard))
    if intent.bears_mark and mark_of(kind, resource) != intent.id:
        return Found(absent=True, said="another resource has this id")
    return Found(intent.chosen)


async def _by_mark(
    speaker: Speaker, kind: Kind, intent: Intent, attempt: Attempt, *, everyone: bool
) -> Found:
    base = f"{intent.collection}{kind.detailed}?limit={PAGE}"
    if everyone and intent.service_type in {"compute", "block-storage"}:
        base += "&all_tenants=1"
    if intent.service_type == "network":
        base += "&fields=id&fields=description"
    marker = ""
    for _ in range(PAGES_AT_MOST):
        heard = await speaker.call(attempt.cloud, intent.service_type, "GET", base + marker)
        rows = _rows(kind, heard.document)
        if not heard.fine or rows is None:
            return Found(said=_why(heard))
        for row in rows:
            if mark_of(kind, row) == intent.id:
                return Found(str(row[kind.key]))
        last = f"&marker={quote(str(rows[-1][kind.key]), safe='')}" if rows else ""
        # A service without pages gives the same rows again.
        if not last or last == marker:
            return Found(absent=True)
        marker = last
    return Found(said=f"{attempt.cloud} has too many {kind.name} to look through")


def _rows(kind: Kind, document: Any) -> list[dict[str, Any]] | None:  # noqa: ANN401 - JSON of any shape
    rows = document.get(kind.rows) if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and kind.key in row for row in rows):
        return None
    return rows


def _resource(kind: Kind, document: Any) -> dict[str, Any] | None:  # noqa: ANN401 - JSON of any shape
    found = document.get(kind.member) if kind.member and isinstance(document, dict) else document
    return found if isinstance(found, dict) else None


def _why(heard: Heard) -> str:
    return heard.recorded
