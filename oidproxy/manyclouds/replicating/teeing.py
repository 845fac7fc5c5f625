"""The data of one upload to several clouds at once: as fast as the slowest of them, and never held here.

Theory of operation. A `Tee` is the call that the client's body is given to, and has a call of its own to each
cloud. It takes data while all of them do; one that reads slowly holds the client. When one fails, the others
are cut off, so that none of them takes half an image for a whole one and all can be tried again; or go on,
where the request keeps what can be had.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from oidproxy.manyclouds.parts import Happened, happened
from oidproxy.manyclouds.replicating.heard import Heard, said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.errors import UpstreamError
    from oidproxy.http.head import ResponseHead
    from oidproxy.upstream.call import Call, Receiver, Request

TEXT_AT_MOST = 64 * 1024
"""Bytes of an answer that are kept."""

STOPPED = "it was stopped, since another cloud failed"


class Starts(Protocol):
    """What is asked of `upstream.pools.Upstreams`."""

    def start(self, request: Request, receiver: Receiver) -> Call:
        """Begin a call."""
        ...


class Source(Protocol):
    """Where the data come from."""

    def ready(self) -> None:
        """They are wanted."""
        ...

    def hold(self) -> None:
        """No more for now."""
        ...


class Tee:
    """Implements `upstream.call.Call` towards the client's side. `result` is what each cloud answered."""

    __slots__ = ("_arms", "_finished", "_keep", "_over", "_source", "ending", "result", "sent")

    def __init__(self, source: Source, *, keep: bool) -> None:
        """`keep`: go on with the others where one fails."""
        self._arms: dict[str, _Arm] = {}
        self._finished = False
        self._keep = keep
        self._over = False
        self._source = source
        self.ending = False
        self.sent = False
        self.result: asyncio.Future[Mapping[str, Heard]] = asyncio.get_running_loop().create_future()

    def start(self, upstreams: Starts, requests: Mapping[str, Request]) -> None:
        """Begin the calls, by their clouds."""
        self._arms = {cloud: _Arm(self) for cloud in requests}
        for cloud, request in requests.items():
            arm = self._arms[cloud]
            if arm.heard is None:
                arm.begin(upstreams.start(request, arm))

    # From the client's side: upstream.call.Call.

    def send(self, data: bytes) -> None:
        """A piece, to all."""
        for arm in self._open():
            arm.send(data)

    def finish(self) -> None:
        """The data are complete."""
        self._finished = True
        for arm in self._open():
            arm.finish()

    def pause(self) -> None:
        """Answers are small and read whole."""

    def resume(self) -> None:
        """They are not held."""

    def cancel(self) -> None:
        """The client is gone: what came is not the whole."""
        self._over = True
        for arm in self._arms.values():
            arm.cancel()
        self.result.cancel()

    # From the arms.

    def taking(self) -> None:
        """One cloud takes data (again)."""
        if not self._over and not self._finished and all(arm.is_ready for arm in self._open()):
            self._source.ready()

    def holding(self) -> None:
        """One cloud takes no more for now."""
        if not self._over and not self._finished:
            self._source.hold()

    def heard(self, arm: _Arm) -> None:
        """One cloud answered, or failed."""
        if self._over:
            return
        if not self._keep and arm.heard is not None and not arm.heard.fine:
            self._stop()
        if all(one.heard is not None for one in self._arms.values()):
            self._over = True
            if not self.result.done():
                self.result.set_result({cloud: one.heard for cloud, one in self._arms.items() if one.heard})
            return
        # The one that was waited for may be the one that is gone.
        self.taking()

    def _stop(self) -> None:
        """Cut off all whose data are not complete."""
        if self._finished:
            return
        for arm in self._open():
            arm.cancel()
            arm.heard = Heard(0, Happened.NO, STOPPED)

    def _open(self) -> list[_Arm]:
        return [arm for arm in self._arms.values() if arm.heard is None]


class _Arm:
    """Implements `upstream.call.Receiver` for one cloud."""

    __slots__ = ("_call", "_head", "_tee", "_text", "heard", "takes")

    def __init__(self, tee: Tee) -> None:
        self._call: Call | None = None
        self._head: ResponseHead | None = None
        self._tee = tee
        self._text = bytearray()
        self.heard: Heard | None = None
        self.takes = False

    def begin(self, call: Call) -> None:
        """The call, which may have told of itself before it was known here."""
        self._call = call
        if self.takes:
            self._tee.taking()

    @property
    def is_ready(self) -> bool:
        """Whether it takes data."""
        return self._call is not None and self.takes

    def send(self, data: bytes) -> None:
        if self._call is not None:
            self._call.send(data)

    def finish(self) -> None:
        if self._call is not None:
            self._call.finish()

    def cancel(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    # From the call.

    def ready(self) -> None:
        """It takes data (again)."""
        self.takes = True
        if self._call is not None:
            self._tee.taking()

    def hold(self) -> None:
        """It takes them too slowly."""
        self.takes = False
        self._tee.holding()

    def informational(self, head: ResponseHead) -> None:
        """Nobody waits for it."""

    def answer(self, head: ResponseHead) -> None:
        """The head of its answer."""
        self._head = head

    def data(self, data: bytes) -> None:
        """A piece of it."""
        if len(self._text) < TEXT_AT_MOST:
            self._text += data

    def end(self) -> None:
        """All of it."""
        status = self._head.status if self._head is not None else 0
        text = bytes(self._text)
        self._tell(Heard(status, happened(status), said(status, text), text))

    def failure(self, error: UpstreamError) -> None:
        """There will be none."""
        self._tell(Heard(0, Happened.PERHAPS if error.sent else Happened.NO, error.message))

    def _tell(self, heard: Heard) -> None:
        self._call = None
        if self.heard is None:
            self.heard = heard
            self._tee.heard(self)
