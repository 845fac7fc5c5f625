"""Whether a cloud has what an attempt may have made there: asked by its id, or by its mark in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oidproxy.manyclouds.replicating.heard import id_of
from oidproxy.manyclouds.replicating.kinds import Naming
from oidproxy.manyclouds.replicating.marking import likeness, mark_of, shows_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    if everyone and kind.naming is Naming.USER:
        # An administrator has key pairs of his own.
        return Found(said="only its user can look for it")
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
    if not is_meant(kind, intent, resource):
        return Found(absent=True, said="another resource has this id")
    return Found(intent.chosen)


async def is_another(speaker: Speaker, kind: Kind, intent: Intent, attempt: Attempt) -> bool | str:
    """Whether what has the name of what was made is something else by now; a text: why that is unknown."""
    path = f"{intent.collection}/{quote(attempt.id, safe='')}"
    heard = await speaker.call(attempt.cloud, intent.service_type, "GET", path)
    if heard.missing:
        return True
    resource = _resource(kind, heard.document)
    return _why(heard) if not heard.fine or resource is None else not is_meant(kind, intent, resource)


def is_meant(kind: Kind, intent: Intent, resource: Mapping[str, Any]) -> bool:
    """Whether a resource with the id that the request chose is the one that it made."""
    if intent.likeness:
        return likeness(kind, resource) == intent.likeness
    return not intent.bears_mark or mark_of(kind, resource) == intent.id


async def _by_mark(
    speaker: Speaker, kind: Kind, intent: Intent, attempt: Attempt, *, everyone: bool
) -> Found:
    base = f"{intent.collection}{kind.detailed}?limit={PAGE}"
    if everyone and intent.service_type in {"compute", "block-storage"}:
        base += "&all_tenants=1"
    if intent.service_type == "network":
        base += "&fields=id&fields=description"
    marker, hidden = "", False
    for _ in range(PAGES_AT_MOST):
        heard = await speaker.call(attempt.cloud, intent.service_type, "GET", base + marker)
        rows = _rows(kind, heard.document)
        if not heard.fine or rows is None:
            return Found(said=_why(heard))
        for row in rows:
            if mark_of(kind, row) == intent.id:
                return Found(id_of(row, kind.key))
        hidden = hidden or not all(shows_mark(kind, row) for row in rows)
        last = f"&marker={quote(id_of(rows[-1], kind.key), safe='')}" if rows else ""
        # A service without pages gives the same rows again.
        if not last or last == marker:
            # Nova shows but the ids of a cell that is down (Compute API, microversion 2.69).
            return Found(said="not all of it is shown there now") if hidden else Found(absent=True)
        marker = last
    return Found(said=f"{attempt.cloud} has too many {kind.name} to look through")


def _rows(kind: Kind, document: Any) -> list[dict[str, Any]] | None:  # noqa: ANN401 - JSON of any shape
    rows = document.get(kind.rows) if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and id_of(row, kind.key) for row in rows):
        return None
    return rows


def _resource(kind: Kind, document: Any) -> dict[str, Any] | None:  # noqa: ANN401 - JSON of any shape
    found = document.get(kind.member) if kind.member and isinstance(document, dict) else document
    return found if isinstance(found, dict) else None


def _why(heard: Heard) -> str:
    return heard.recorded
