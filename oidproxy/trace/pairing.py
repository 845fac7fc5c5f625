"""Ids of two answers to one request, the recorded one and the one of now, brought together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidproxy.trace.kinds import ID

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEP = 12
"""Levels of JSON that are looked at."""


def pairs(recorded: Any, here: Any, deep: int = DEEP) -> Iterator[tuple[str, str]]:
    """Recorded id, id of now, wherever both answers have one at the same place.

    Rows of lists are brought together by name where names are unique, else in their order if there are as
    many.
    """
    if not deep:
        return
    if isinstance(recorded, str) and isinstance(here, str):
        if ID.fullmatch(recorded):
            yield recorded, here
    elif isinstance(recorded, dict) and isinstance(here, dict):
        for key, value in recorded.items():
            if key in here:
                yield from pairs(value, here[key], deep - 1)
    elif isinstance(recorded, list) and isinstance(here, list):
        for one, other in _rows(recorded, here):
            yield from pairs(one, other, deep - 1)


def ids(answer: Any, deep: int = DEEP) -> Iterator[str]:
    """Every id in a recorded answer that `pairs` may find a counterpart of."""
    if not deep:
        return
    if isinstance(answer, str):
        if ID.fullmatch(answer):
            yield answer
    elif isinstance(answer, dict | list):
        for one in answer.values() if isinstance(answer, dict) else answer:
            yield from ids(one, deep - 1)


def rows(answer: Any) -> list[tuple[str, str]]:
    """Id and name of each row of a list's answer (`{"images": [{"id": …, "name": …}]}`)."""
    found = answer if isinstance(answer, list) else _list_of(answer)
    return [
        (str(one["id"]), str(one.get("name") or ""))
        for one in found
        if isinstance(one, dict) and one.get("id")
    ]


def _list_of(answer: Any) -> list[Any]:
    if not isinstance(answer, dict):
        return []
    return next(
        (one for key, one in answer.items() if isinstance(one, list) and not key.endswith("links")), []
    )


def _rows(recorded: list[Any], here: list[Any]) -> Iterator[tuple[Any, Any]]:
    ours, theirs = _by_name(recorded), _by_name(here)
    if ours is not None and theirs is not None:
        return ((one, theirs[name]) for name, one in ours.items() if name in theirs)
    return zip(recorded, here, strict=False) if len(recorded) == len(here) else iter(())


def _by_name(found: list[Any]) -> dict[str, Any] | None:
    """Name -> row, if every row has one of its own."""
    names = {str(one["name"]): one for one in found if isinstance(one, dict) and one.get("name")}
    return names if found and len(names) == len(found) else None
