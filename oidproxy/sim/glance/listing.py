"""Listing images: which a caller sees, filters, order, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.sim.faults import ApiError
from oidproxy.sim.glance.views import plain
from oidproxy.sim.paging import Page, in_order, limit_of, page, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oidproxy.sim.caller import Caller
    from oidproxy.sim.glance.model import Image
    from oidproxy.sim.messages import Request

CONTROLS = frozenset(
    {"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "visibility", "os_hidden", "tag"}
)
SORTABLE = frozenset(
    {
        "name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at",
    }
)  # fmt: skip
BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "size_min": lambda size, bound: size >= bound,
    "size_max": lambda size, bound: size <= bound,
}
DEFAULT_LIMIT = 25


def listing(images: Iterable[Image], caller: Caller, request: Request) -> Page[Image]:
    """One page of what the caller asked for."""
    seen = [image for image in images if _listed(image, caller, request) and _passes(image, request)]
    ordered = in_order(seen, _order(request), _sort_value)
    limit = limit_of(request, default=DEFAULT_LIMIT)
    return page(ordered, lambda image: image.id, request.parameter("marker"), limit)


def _listed(image: Image, caller: Caller, request: Request) -> bool:
    """Community images are listed only when asked for, shared ones when accepted (or as `member_status`
    says)."""
    wanted = request.parameter("visibility")
    if wanted not in {"", "all"} and image.visibility != wanted:
        return False
    if image.owned_by(caller):
        return True
    if image.visibility == "community":
        return wanted in {"community", "all"}
    if image.visibility == "shared":
        member = image.members.get(caller.project_id)
        status = request.parameter("member_status", "accepted")
        return member is not None and status in {"all", member.status}
    return image.visibility == "public"


def _passes(image: Image, request: Request) -> bool:
    if image.os_hidden != truth(request.parameter("os_hidden", "false")):
        return False
    if not set(request.parameters("tag")) <= set(image.tags):
        return False
    return all(_matches(image, key, value) for key, value in request.query if key not in CONTROLS)


def _matches(image: Image, key: str, value: str) -> bool:
    if key in BOUNDS:
        if not value.isdecimal():
            raise ApiError(400, f"Cannot convert image {key} {value!r} to an integer.")
        return BOUNDS[key](image.content.size if image.content else 0, int(value))
    held = plain(image).get(key)
    if isinstance(held, bool):
        return held == truth(value)
    if value.startswith("in:"):
        return str(held) in {one.strip('"') for one in value.removeprefix("in:").split(",")}
    return held is not None and str(held) == value


def _order(request: Request) -> list[tuple[str, bool]]:
    """`sort=name:asc,size:desc`, or pairs of sort_key and sort_dir; newest first by default, the id decides
    ties."""
    if sort := request.parameter("sort"):
        split = [part.strip().partition(":") for part in sort.split(",")]
        keys = [(key, direction or "desc") for key, _, direction in split]
    else:
        names = request.parameters("sort_key") or ("created_at",)
        directions = request.parameters("sort_dir") or ("desc",)
        if len(directions) not in {1, len(names)}:
            raise ApiError(400, "Number of sort dirs does not match the number of sort keys")
        keys = list(zip(names, directions * len(names), strict=False))
    for key, direction in keys:
        if key not in SORTABLE or direction not in {"asc", "desc"}:
            raise ApiError(400, f"Invalid sort: {key}:{direction}")
    descending = keys[0][1] == "desc"
    return [*((key, direction == "desc") for key, direction in keys), ("id", descending)]


def _sort_value(image: Image, key: str) -> object:
    if key == "size":
        return image.content.size if image.content else None
    return getattr(image, key)
