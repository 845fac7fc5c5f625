"""A cloud's whole answer without a task that awaits it: of a thousand clouds that is a third of the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from oidproxy.manyclouds.parts import Answered, Part, Unanswered
from oidproxy.upstream.fetching import Collecting

if TYPE_CHECKING:
    from oidproxy.errors import UpstreamError
    from oidproxy.http.head import ResponseHead
    from oidproxy.manyclouds.sending import Identities, Ready
    from oidproxy.routing.decision import Leg

Told = Callable[[Part], None]


class Telling(Collecting):
    """For a request without body; tells its part once."""

    __slots__ = ("_identity", "_leg", "_ready", "_tell")

    def __init__(self, leg: Leg, ready: Ready, limit: int, told: Told, identity: Identities) -> None:
        super().__init__(leg.one.cloud, limit)
        self._leg = leg
        self._ready = ready
        self._tell = told
        self._identity = identity

    def ready(self) -> None:
        """There is no body to be sent."""

    def collected(self, head: ResponseHead, body: bytes) -> None:
        """This is the answer."""
        ready = self._ready
        if head.status == 401:
            self._identity.unaccepted(ready.forward, ready.outgoing)
        self._tell(Answered(self._leg, head, body, ready.forward.route, ready.ids))

    def failed(self, error: UpstreamError) -> None:
        """There will be none."""
        self._tell(Unanswered.of(self._leg, error))
