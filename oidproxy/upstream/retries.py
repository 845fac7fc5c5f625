"""Whether a failed call may be tried once more, and how many such tries may be under way."""

from __future__ import annotations

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""A replayed DELETE would answer 404 for a delete that worked, a replayed POST would do it twice."""


class RetryBudget:
    """Retries under way, bounded by a share of the active calls; one is always allowed.

    Without the bound an endpoint in trouble would get twice the load in the moment it can bear it least.
    """

    __slots__ = ("active", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self.active = 0

    def take(self, calls: int) -> bool:
        """Take one, of as many as `calls` active calls allow; whoever takes one gives it back."""
        if self.active >= max(1, int(self.share * calls)):
            return False
        self.active += 1
        return True

    def give_back(self) -> None:
        """The call of a retry is over."""
        self.active -= 1
