"""Filtering, sorting and paging a list as OpenStack's APIs do: `limit`, `marker`, `sort_key`, `sort_dir`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlencode

from oidproxy.sim.faults import ApiError

if TYPE_CHECKING:
    from oidproxy.sim.messages import Request

T = TypeVar("T")
Getter = Callable[[T, str], object]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. `more` tells whether something follows."""

    items: tuple[T, ...]
    more: bool


def in_order(items: Iterable[T], keys: Sequence[tuple[str, bool]], get: Getter[T]) -> list[T]:
    """Sort by several keys, the first one foremost; True means descending. Equal items keep their order."""
    ordered = list(items)
    for key, descending in reversed(keys):
        ordered.sort(key=lambda item: _rank(get(item, key)), reverse=descending)
    return ordered


def _rank(value: object) -> tuple[int, float, str]:
    """Missing values before numbers before text, so that any two can be compared."""
    if value is None:
        return 0, 0.0, ""
    if isinstance(value, bool | int | float):
        return 1, float(value), ""
    return 2, 0.0, str(value)


def page(items: Sequence[T], identity: Callable[[T], str], marker: str, limit: int | None) -> Page[T]:
    """What follows the marker, at most `limit` items; 400 for a marker that is not in the list."""
    start = 0
    if marker:
        start = next((place for place, item in enumerate(items, 1) if identity(item) == marker), 0)
        if not start:
            raise ApiError(400, f"marker [{marker}] not found")
    if limit is None:
        return Page(tuple(items[start:]), more=False)
    end = start + limit
    return Page(tuple(items[start:end]), more=end < len(items))


def limit_of(request: Request, *, default: int | None = None, maximum: int = 1000) -> int | None:
    """The page size asked for, at most the service's maximum; 400 when it is no number."""
    text = request.parameter("limit")
    if not text:
        return default
    if not text.isdecimal():
        raise ApiError(400, f"Invalid input received: limit must be an integer, got {text!r}")
    return min(int(text), maximum) or default


def next_query(request: Request, marker: str) -> str:
    """The query of the next page: this request's, with another marker."""
    pairs = [(key, value) for key, value in request.query if key != "marker"]
    return urlencode([*pairs, ("marker", marker)])


def next_href(request: Request, marker: str) -> str:
    """The absolute URL of the next page."""
    return f"{request.origin}{request.path}?{next_query(request, marker)}"


def truth(text: str) -> bool:
    """oslo.utils' `bool_from_string`."""
    return text.strip().lower() in {"1", "t", "true", "on", "y", "yes"}
