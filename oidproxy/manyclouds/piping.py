"""The data of an image on its way from one cloud to another: at no time more of it than fits in a buffer.

Theory of operation. Two calls run at once, and each tells a receiver here of what it hears: `_From` of the
answer that is being read, `_Into` of the request that is being written. The answer is paused from its head on
until the other cloud takes data, and whenever that one reads more slowly than this one sends. The first
failure of either ends both, and so does a byte more than the image has, or a transfer that hardly moves:
it holds connections, a turn and a lease that others wait for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from oidproxy.errors import BadAnswer, StagingTooSlow, UpstreamError
from oidproxy.http.head import Chunked, Length
from oidproxy.manyclouds.asking import Said

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oidproxy.http.head import Framing, ResponseHead
    from oidproxy.upstream.call import Call, Request
    from oidproxy.upstream.pools import Upstreams

ERROR_AT_MOST = 64 * 1024
"""Bytes of an error's text that are kept."""

SLOWEST = 16 * 1024
"""Bytes per second, as the average of any …"""

SLOWEST_OVER = 60.0
"""… so many seconds."""

LOOKED_EVERY = SLOWEST_OVER / 6


class Pipe:
    """One transfer of `size` bytes. `passed` counts those so far."""

    __slots__ = ("_from", "_into", "_source", "_upstreams", "passed", "size")

    def __init__(self, upstreams: Upstreams, loop: asyncio.AbstractEventLoop, size: int) -> None:
        self._upstreams = upstreams
        self._source = ""
        self.size = size
        self.passed = 0
        self._from = _From(self, loop)
        self._into = _Into(self, loop)

    async def run(self, get: Request, put: Callable[[Framing], Awaitable[Request]]) -> Said:
        """Send what `get` is answered with by what `put` makes; what the second cloud answers.

        Raises:
            Refused: the first cloud does not give the data.
            UpstreamError: one of both failed on the way, or is too slow.
        """
        self._source = get.endpoint.cloud
        watching = asyncio.ensure_future(self._watch())
        try:
            self._from.call = self._upstreams.start(get, self._from)
            head = await self._from.head
            framing = self._framing(head)
            request = await put(framing)
            # What was read before may have failed meanwhile.
            if not self._into.result.done():
                self._into.begin(self._upstreams.start(request, self._into))
            return await self._into.result
        finally:
            watching.cancel()
            self._from.cancel()
            self._into.cancel()

    def _framing(self, head: ResponseHead) -> Framing:
        """How the data are sent on: with their length, where it is known."""
        match head.framing:
            case Length(length) if length == self.size:
                return Length(length)
            case Length(length):
                raise self._another_size(f"{length}")
            case _:
                return Chunked()

    def _another_size(self, sent: str) -> BadAnswer:
        return BadAnswer(
            f"The image service of {self._source} sends {sent} bytes of an image of {self.size}.",
            cloud=self._source,
            sent=True,
        )

    async def _watch(self) -> None:
        """Ends what is too slow. What the second cloud does after the last byte is not this one's concern."""
        seen: deque[int] = deque([self.passed], maxlen=round(SLOWEST_OVER / LOOKED_EVERY) + 1)
        while True:
            await asyncio.sleep(LOOKED_EVERY)
            if self.passed >= self.size:
                return
            seen.append(self.passed)
            if len(seen) == seen.maxlen and seen[-1] - seen[0] < SLOWEST * SLOWEST_OVER:
                self._end(
                    StagingTooSlow(
                        f"The copy of the image was given up after {self.passed} of {self.size} bytes: for "
                        f"{SLOWEST_OVER:.0f} seconds it was slower than {SLOWEST // 1024} KiB per second.",
                        cloud=self._source,
                        sent=True,
                    )
                )
                return

    def _end(self, error: UpstreamError) -> None:
        self._from.fail(error)
        self._into.fail(error)

    # Between both sides.

    def give(self, data: bytes) -> None:
        """A piece of the data came."""
        if self.passed + len(data) > self.size:
            self._end(self._another_size("more than the"))
            return
        self.passed += len(data)
        self._into.send(data)

    def complete(self) -> None:
        """All of it came."""
        if self.passed < self.size:
            self._into.fail(self._another_size(f"only {self.passed}"))
        else:
            self._into.finish()

    def hold(self) -> None:
        """No more for now."""
        self._from.pause()

    def go_on(self) -> None:
        """Room for more."""
        self._from.resume()

    def broken(self, error: UpstreamError) -> None:
        """The data end too early."""
        self._into.fail(error)

    def stop(self) -> None:
        """The second cloud takes no more."""
        self._from.cancel()


class Refused(Exception):
    """The first cloud answered with something else than the data."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.status)
        self.said = said


class _From:
    """Implements `upstream.call.Receiver` for the data's origin."""

    __slots__ = ("_error", "_held", "_pipe", "call", "head")

    def __init__(self, pipe: Pipe, loop: asyncio.AbstractEventLoop) -> None:
        self._pipe = pipe
        self._held = True
        self._error: tuple[int, bytearray] | None = None
        self.call: Call | None = None
        self.head: asyncio.Future[ResponseHead] = loop.create_future()

    def ready(self) -> None:
        """There is no body to send."""

    def hold(self) -> None:
        """There is none."""

    def informational(self, head: ResponseHead) -> None:
        """Nobody waits for it."""

    def answer(self, head: ResponseHead) -> None:
        """Wait with the data until somebody takes them."""
        if head.status != 200:
            self._error = (head.status, bytearray())
        elif not self.head.done():
            if self._held and self.call is not None:
                self.call.pause()
            self.head.set_result(head)

    def data(self, data: bytes) -> None:
        """A piece."""
        if self._error is None:
            self._pipe.give(data)
        elif len(self._error[1]) < ERROR_AT_MOST:
            self._error[1].extend(data)

    def end(self) -> None:
        """That was all."""
        self.call = None
        if self._error is None:
            self._pipe.complete()
        elif not self.head.done():
            status, text = self._error
            self.head.set_exception(Refused(Said.of(status, bytes(text))))

    def failure(self, error: UpstreamError) -> None:
        """There will be no more."""
        self.call = None
        if self.head.done():
            self._pipe.broken(error)
        else:
            self.head.set_exception(error)

    def pause(self) -> None:
        self._held = True
        if self.call is not None:
            self.call.pause()

    def resume(self) -> None:
        self._held = False
        if self.call is not None:
            self.call.resume()

    def fail(self, error: UpstreamError) -> None:
        if not self.head.done():
            self.head.set_exception(error)
        self._drop()

    def cancel(self) -> None:
        self._drop()
        _close(self.head)

    def _drop(self) -> None:
        call, self.call = self.call, None
        if call is not None:
            call.cancel()


class _Into:
    """Implements `upstream.call.Receiver` for the data's destination."""

    __slots__ = ("_answer", "_call", "_complete", "_early", "_over", "_pipe", "_ready", "_text", "result")

    def __init__(self, pipe: Pipe, loop: asyncio.AbstractEventLoop) -> None:
        self._pipe = pipe
        self._call: Call | None = None
        self._ready = False
        self._early: list[bytes] = []
        """What came before there was room for it: no more than was read at once."""
        self._complete = False
        self._over = False
        self._answer: ResponseHead | None = None
        self._text = bytearray()
        self.result: asyncio.Future[Said] = loop.create_future()

    def begin(self, call: Call) -> None:
        """The call, which may have told of itself before it was known here."""
        self._call = call
        if self._ready:
            self.ready()

    def send(self, data: bytes) -> None:
        if self._over:
            return
        if self._call is not None and self._ready:
            self._call.send(data)
        else:
            self._early.append(data)

    def finish(self) -> None:
        self._complete = True
        if self._call is not None and self._ready and not self._over and not self._early:
            self._call.finish()

    def fail(self, error: UpstreamError) -> None:
        if not self.result.done():
            self.result.set_exception(error)
        self._over = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def cancel(self) -> None:
        self._over = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        self._early.clear()
        _close(self.result)

    # From the call.

    def ready(self) -> None:
        """It takes data, or takes them again."""
        self._ready = True
        call = self._call
        if call is None or self._over:
            return
        while self._early and self._ready:
            call.send(self._early.pop(0))
        if not self._ready:
            return
        if self._complete:
            call.finish()
        else:
            self._pipe.go_on()

    def hold(self) -> None:
        """It takes them too slowly."""
        self._ready = False
        self._pipe.hold()

    def informational(self, head: ResponseHead) -> None:
        """Nobody waits for it."""

    def answer(self, head: ResponseHead) -> None:
        """It has stored them, or wants no more of them."""
        self._answer = head
        self._over = True
        self._pipe.stop()

    def data(self, data: bytes) -> None:
        """A piece of its answer."""
        if len(self._text) < ERROR_AT_MOST:
            self._text += data

    def end(self) -> None:
        """Its answer is complete."""
        self._call = None
        if self._answer is not None and not self.result.done():
            self.result.set_result(Said.of(self._answer.status, bytes(self._text)))

    def failure(self, error: UpstreamError) -> None:
        """It failed."""
        self._call = None
        self._over = True
        self._pipe.stop()
        if not self.result.done():
            self.result.set_exception(error)


def _close(future: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more; an error that nobody saw is no bug to be warned of."""
    if not future.cancel() and not future.cancelled():
        future.exception()
