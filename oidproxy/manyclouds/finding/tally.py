"""What the clouds of a search said so far, sorted by what it means. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oidproxy.errors import NotAdmitted, TokenRefused
from oidproxy.manyclouds.legs import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from oidproxy.clouds.plan import One
    from oidproxy.errors import OidproxyError
    from oidproxy.manyclouds.parts import Unanswered

NOT_HERE = frozenset({403, 404, 410})
_NOT_MODIFIED = 304
_TOO_MANY = 429
_SERVER_ERRORS = 500


@dataclass(slots=True)
class Tally:
    """By cloud. Answers in it are open: whoever takes one hands it over, the others are dropped."""

    found: dict[One, Opened] = field(default_factory=dict)
    """2xx, and 304 where the client asked for that."""
    others: dict[One, Opened] = field(default_factory=dict)
    """The request itself is not to this cloud's liking: 400, 406 …"""
    refusals: dict[One, Opened] = field(default_factory=dict)
    """The cloud does not accept the token that it got: 401."""
    without: set[One] = field(default_factory=set)
    """It is not there, or not for this user."""
    unwelcome: dict[One, OidproxyError] = field(default_factory=dict)
    """There is no token for this cloud: it was not asked, and shows nothing to this user."""
    silent: set[One] = field(default_factory=set)
    """Whether it is there is not known."""

    @property
    def answered(self) -> int:
        """How many said whether it is there."""
        return len(self.found) + len(self.without) + len(self.others)

    def add(self, part: Opened | Unanswered) -> None:
        """Take an answer. Only those are kept open that may be passed on."""
        one = part.leg.one
        if isinstance(part, Opened):
            self._answer(one, part)
        elif isinstance(part.error, NotAdmitted | TokenRefused):
            self.unwelcome[one] = part.error
        else:
            self.silent.add(one)

    def _answer(self, one: One, opened: Opened) -> None:
        status = opened.status
        if is_found(opened):
            self.found[one] = opened
        elif status == 401:
            self.refusals[one] = opened
        elif status in NOT_HERE:
            self.without.add(one)
            opened.drop()
        elif status < 400 or status == _TOO_MANY or status >= _SERVER_ERRORS:
            self.silent.add(one)
            opened.drop()
        else:
            self.others[one] = opened

    def and_also(self, later: Tally) -> Tally:
        """What was said in two searches, of which the first found nothing."""
        return Tally(
            later.found,
            self.others | later.others,
            self.refusals | later.refusals,
            self.without | later.without,
            self.unwelcome | later.unwelcome,
            self.silent | later.silent,
        )

    def take(self, opened: Opened) -> Opened:
        """This one is passed on: all others are dropped."""
        for one in self._open():
            if one is not opened:
                one.drop()
        return opened

    def drop(self) -> None:
        """None is passed on."""
        for one in self._open():
            one.drop()

    @property
    def heard(self) -> set[One]:
        """Of whom something is known."""
        return {*self.found, *self.others, *self.refusals, *self.without, *self.unwelcome, *self.silent}

    def _open(self) -> Iterator[Opened]:
        for answers in (self.found, self.others, self.refusals):
            yield from answers.values()


@dataclass(frozen=True, slots=True)
class Begun:
    """One cloud was asked already when a search begins."""

    one: One
    said: Tally | None = None
    """What it said; or …"""
    coming: Callable[[], Coroutine[Any, Any, Opened | Unanswered]] | None = None
    """… what gives its answer, which is awaited. Nothing of both: it has to be asked again."""


def is_found(part: Opened | Unanswered) -> bool:
    """Whether this is an answer with what was asked for."""
    return isinstance(part, Opened) and has_it(part.status)


def has_it(status: int) -> bool:
    """Whether a cloud that answers so has what was asked for. A redirection says nothing of that."""
    return 200 <= status < 300 or status == _NOT_MODIFIED
