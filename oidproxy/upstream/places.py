"""How many calls one service of one cloud may have under way, and how many of them users'."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits


class Places:
    """Counts calls under way; each has one connection at most, so it bounds the connections too."""

    __slots__ = ("busy", "for_users", "size", "users")

    def __init__(self) -> None:
        self.size = self.for_users = 0
        self.busy = 0
        self.users = 0

    def configure(self, limits: Limits, *, identity: bool, workers: int) -> None:
        """Go by these limits, shared among the worker processes.

        A cloud counts connections from all of them: an eventlet service with 100 open ones answers nobody.
        """
        size = limits.identity_pool if identity else limits.pool
        self.size = max(1, size // workers)
        self.for_users = max(1, self.size - limits.pool_reserved // workers)

    def free(self, *, from_service: bool) -> bool:
        """Whether a call may begin."""
        return self.busy < self.size and (from_service or self.users < self.for_users)

    def take(self, *, from_service: bool) -> None:
        """A call begins."""
        self.busy += 1
        if not from_service:
            self.users += 1

    def give_back(self, *, from_service: bool) -> None:
        """A call is over."""
        self.busy -= 1
        if not from_service:
            self.users -= 1
