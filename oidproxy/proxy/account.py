"""What one exchange has to account for: its id, times and counts, and the access line made of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from oidproxy.proxy.ended import Ended, Taken
from oidproxy.rewrite.request import client_request_id
from oidproxy.scope.canonical import canonical
from oidproxy.telemetry.access import AccessLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.clouds.plan import One
    from oidproxy.http.head import Field, RequestHead
    from oidproxy.identity.service import Exchanged
    from oidproxy.manyclouds.record import Record
    from oidproxy.proxy.serving import Serving
    from oidproxy.proxy.terms import Client
    from oidproxy.routing.decision import Route
    from oidproxy.tokens.presented import Presented

REQUEST_ID = b"x-openstack-request-id"


class Account:
    """Filled in as the exchange goes on; `close` writes it, once. Times are of `time.perf_counter`."""

    __slots__ = (
        "_began",
        "_caller",
        "_connection",
        "_head",
        "_listener",
        "_request_id",
        "_route",
        "_serving",
        "_since_epoch",
        "beside",
        "bytes_in",
        "bytes_out",
        "chosen",
        "decided",
        "error",
        "exchanged",
        "first_byte",
        "lost",
        "received",
        "record",
        "sent",
        "status",
        "taken",
        "token",
        "why",
    )

    def __init__(self, connection: Client, serving: Serving, head: RequestHead | None) -> None:
        self._connection = connection
        self._serving = serving
        self._head = head
        # The loop's own clock is coarser: uvloop reads it once a turn, in milliseconds.
        self._began = time.perf_counter()
        self._since_epoch = time.time_ns()
        self._request_id = ""
        self._route: Route | None = None
        self._caller: str | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        self.status = 0
        self.first_byte: float | None = None
        self.error: str | None = None
        self.lost = False
        self.exchanged: Exchanged | None = None
        """Which token went to the cloud instead of the user's."""
        self.why: str | None = None
        """What X-Scope-Why says, if the client asked for it."""
        # For recordings; steps that did not happen are 0.
        self.decided = self.received = self.sent = 0.0
        self.token: Presented | None = None
        """The user's."""
        self.beside = ""
        """The cloud beside which the listener stands."""
        self.chosen: Sequence[One] = ()
        """The clouds of a request of several."""
        self.record: Record | None = None
        """What became of them."""
        recorder = serving.recorder
        self.taken: Taken | None = None
        if recorder is not None and head is not None:
            self.taken = Taken(head, bodies=recorder.bodies)

    @property
    def request_id(self) -> str:
        """The client's own id of this request, where it has OpenStack's form; else ours."""
        if not self._request_id:
            given = client_request_id(self._head) if self._head else None
            self._request_id = given or self._serving.request_id()
        return self._request_id

    def resume(self, began: float, since_epoch: int, request_id: str) -> None:
        """Go on for a request that began then, under this id."""
        self._began, self._since_epoch, self._request_id = began, since_epoch, request_id

    def goes(self, route: Route, caller: str | None) -> None:
        """It goes to a cloud; `caller` is the service that called, None for a user."""
        self._route = route
        self._caller = caller

    def begins_answer(self) -> None:
        """The first byte of the answer goes out now."""
        self.first_byte = time.perf_counter()

    def own_fields(self, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """What is added to an answer: the request id where the cloud gave none, and the explanation."""
        own: tuple[Field, ...] = ()
        if not any(name.lower() == REQUEST_ID for name, _ in fields):
            own = ((b"X-Openstack-Request-Id", self.request_id.encode()),)
        return (*own, *self.explanation)

    @property
    def explanation(self) -> tuple[Field, ...]:
        """X-Scope-Why, if the client asked for it."""
        return () if self.why is None else ((b"X-Scope-Why", self.why.encode("ascii", "replace")),)

    def close(self) -> None:
        """Count it and write its line."""
        route = self._route
        seconds = time.perf_counter() - self._began
        self._serving.counters.answered(
            route.service_type if route else "",
            route.cloud if route else "",
            self.status,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            seconds=seconds,
        )
        self._serving.access.write(self._line(route, seconds))
        recorder = self._serving.recorder
        if recorder is not None:
            recorder.ended(self._ended(route, seconds))

    def _ended(self, route: Route | None, seconds: float) -> Ended:
        return Ended(
            epoch=self._since_epoch,
            began=self._began,
            decided=self.decided,
            received=self.received,
            sent=self.sent,
            first_byte=self.first_byte or 0.0,
            done=self._began + seconds,
            head=self._head,
            route=route,
            token=self.token,
            request_id=self.request_id,
            caller=self._caller,
            status=self.status,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            error=self.error,
            lost=self.lost,
            listener=self.beside,
            chosen=self.chosen,
            record=self.record,
            taken=self.taken,
        )

    def _line(self, route: Route | None, seconds: float) -> AccessLine:
        head, exchanged = self._head, self.exchanged
        return AccessLine(
            time=self._since_epoch,
            request_id=self.request_id,
            listener=self._connection.address,
            peer=self._connection.peer,
            method=head.method if head else "-",
            path=head.target.decode("latin-1") if head else "-",
            status=self.status,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            ms=_milliseconds(seconds),
            first_byte_ms=None if self.first_byte is None else _milliseconds(self.first_byte - self._began),
            agent=head.text(b"user-agent") if head else None,
            caller=self._caller,
            service=route.service_type if route else None,
            cloud=route.cloud if route else None,
            home=route.home if route else None,
            carrier=route.carrier.value if route else None,
            scope=canonical(route.effective) or None if route else None,
            error=self.error,
            lost=self.lost,
            exchanged=exchanged.way if exchanged else None,
            user=exchanged.user if exchanged else None,
            project=exchanged.projects.home if exchanged else None,
        )


def _milliseconds(seconds: float) -> float:
    """To three digits; `round` finds its way by way of text, which takes ten times as long."""
    return int(seconds * 1_000_000 + 0.5) / 1000
