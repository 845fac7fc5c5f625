"""How many clouds one request, and all requests of one token, may go to at one time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Self

from oidproxy.errors import TooManyClouds

if TYPE_CHECKING:
    from collections.abc import Hashable

    from oidproxy.clouds.limits import Limits

RETRY_AFTER = "1"
"""Seconds. Requests of the same token end all the time; which one next, nobody knows."""


class Grant:
    """What one request has taken; `close` gives it back. Used as a context."""

    __slots__ = ("_allowances", "_limits", "_token", "taken")

    def __init__(self, allowances: Allowances, limits: Limits, token: Hashable) -> None:
        self._allowances = allowances
        self._limits = limits
        self._token = token
        self.taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, clouds: int) -> None:
        """Go to this many clouds more.

        Raises:
            TooManyClouds: they would be too many for one request, or for its token just now.
        """
        limits = self._limits
        if self.taken + clouds > limits.fan_out_clouds:
            raise TooManyClouds(
                f"This request goes to {self.taken + clouds} clouds, at most {limits.fan_out_clouds} are "
                "allowed: name a group, or some of them.",
                fields={"Retry-After": RETRY_AFTER},
            )
        self._allowances.take(self._token, clouds, limits.fan_out_token)
        self.taken += clouds

    def handed_over(self) -> Grant:
        """All of it, for what goes on when the request is over: a client that leaves gains nothing by it."""
        other = Grant(self._allowances, self._limits, self._token)
        other.taken, self.taken = self.taken, 0
        return other

    def close(self) -> None:
        """Give everything back."""
        taken, self.taken = self.taken, 0
        self._allowances.give_back(self._token, taken)


class Allowances:
    """Those of one worker, by token."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()

    def begin(self, token: Hashable, limits: Limits) -> Grant:
        """The grant of one more request, which goes nowhere yet."""
        return Grant(self, limits, token)

    def take(self, token: Hashable, clouds: int, at_most: int) -> None:
        """Raises TooManyClouds."""
        if self._taken[token] + clouds > at_most:
            raise TooManyClouds(
                f"The requests of this token go to {self._taken[token]} clouds now, and this one would add "
                f"{clouds}; at most {at_most} are allowed at one time.",
                fields={"Retry-After": RETRY_AFTER},
            )
        self._taken[token] += clouds

    def give_back(self, token: Hashable, clouds: int) -> None:
        """A request is over."""
        self._taken[token] -= clouds
        if self._taken[token] <= 0:
            del self._taken[token]
