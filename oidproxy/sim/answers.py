"""A cloud's answers to reading, kept until something changes: writing a list is most of what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from oidproxy.sim.caller import Caller
    from oidproxy.sim.messages import Request, Response

KEPT = 64
"""Answers of one cloud."""
SEEN = ("accept", "content-type", "host", "openstack-api-version", "x-openstack-nova-api-version")
"""Fields that an answer may depend on, beside who asks."""


class Answers:
    """Answers that were computed from the cloud's state alone. Whoever may have changed it says so."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Response] = {}

    def get(self, key: Hashable) -> Response | None:
        """The answer to this very question."""
        return self._kept.get(key)

    def keep(self, key: Hashable, response: Response) -> None:
        """Remember an answer; the oldest makes room."""
        if len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = response

    def forget(self) -> None:
        """Something may have changed."""
        self._kept.clear()


def question(service: str, request: Request, caller: Caller) -> Hashable:
    """All that the answer to a GET depends on, but for the cloud's state."""
    fields = tuple(request.fields.get(name) for name in SEEN)
    who = caller.user_id, caller.project_id, caller.domain_id, caller.system, caller.roles
    return service, request.method, request.path, request.query, fields, who
