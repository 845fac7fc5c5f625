"""What one of several clouds contributes to a request: its whole answer, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from oidproxy.errors import UpstreamError
from oidproxy.quickly import quickly
from oidproxy.rewrite.ids import NO_IDS, Ids

if TYPE_CHECKING:
    from oidproxy.errors import OidproxyError
    from oidproxy.http.head import Field, ResponseHead
    from oidproxy.routing.decision import Leg, Route

_TOO_MANY = 429
_SERVER_ERRORS = 500


class Happened(Enum):
    """Whether a request may have changed something at a cloud (scope-language: "known not …")."""

    NO = auto()
    """No connection, failed TLS, not one byte written, our own queue full, ejection, a refusal of our own,
    429."""
    PERHAPS = auto()
    """A timeout, an end after the first byte, any 5xx."""
    YES = auto()
    """It was answered, and not by 429 or a 5xx: the status says what became of it."""


@quickly
@dataclass(frozen=True, slots=True)
class Answered:
    """The whole answer of a cloud, as it came; `Legs.shown` makes of it what a client may see."""

    leg: Leg
    head: ResponseHead
    body: bytes = field(repr=False)
    route: Route
    """What was asked: its path is that of the request to this cloud."""
    ids: Ids = NO_IDS
    """Ids of the cloud's that the client knows by other names."""

    @property
    def cloud(self) -> str:
        """Whose answer this is."""
        return self.leg.one.cloud

    @property
    def status(self) -> int:
        """Its status."""
        return self.head.status

    @property
    def happened(self) -> Happened:
        """What a request that changes something may have done, by this answer."""
        return happened(self.head.status)


@quickly
@dataclass(frozen=True, slots=True)
class Unanswered:
    """A cloud gave no (complete) answer, or was not asked at all."""

    leg: Leg
    error: OidproxyError
    happened: Happened

    @property
    def cloud(self) -> str:
        """Who did not answer."""
        return self.leg.one.cloud

    @classmethod
    def of(cls, leg: Leg, error: OidproxyError) -> Unanswered:
        """What this error means for a request to this cloud."""
        sent = isinstance(error, UpstreamError) and error.sent
        return cls(leg, error, Happened.PERHAPS if sent else Happened.NO)


Part = Answered | Unanswered


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer as the client may see it: links lead to the proxy, ids are those that the client knows."""

    status: int
    fields: tuple[Field, ...]
    """Without framing."""
    body: bytes = field(repr=False)


def happened(status: int) -> Happened:
    """What a request that changes something may have done, by the status of its answer."""
    if status == _TOO_MANY:
        return Happened.NO
    return Happened.PERHAPS if status >= _SERVER_ERRORS else Happened.YES
