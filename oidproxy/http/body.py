"""Bodies as streams: what of the bytes behind a head belongs to its body, and when the body is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from oidproxy.errors import BadRequest, OidproxyError
from oidproxy.http.chunked import Decoder
from oidproxy.http.head import Chunked, Framing, Length, UntilClose

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits


class Fed(NamedTuple):
    """What some bytes were."""

    pieces: list[bytes]
    """Body data without framing."""
    done: bool
    """Whether the body is complete."""
    rest: bytes
    """What came behind it."""


class BodyReader(Protocol):
    """Takes the bytes behind a head, in any pieces; nothing may be fed to one that is done."""

    done: bool

    def feed(self, data: bytes) -> Fed:
        """Read on. Raises what `body_reader` was told to raise on malformed chunks."""

    def ends_with_stream(self) -> bool:
        """Whether the body is complete when the connection ends now."""


def body_reader(framing: Framing, limits: Limits, error: type[OidproxyError] = BadRequest) -> BodyReader:
    """The reader for a body framed so; one that is `done` at once where no byte is to come."""
    if isinstance(framing, Length):
        return _LengthReader(framing.size)
    if isinstance(framing, Chunked):
        return _ChunkedReader(limits, error)
    if isinstance(framing, UntilClose):
        return _UntilCloseReader()
    return _LengthReader(0)


class _LengthReader:
    __slots__ = ("_left", "done")

    def __init__(self, size: int) -> None:
        self._left = size
        self.done = size == 0

    def feed(self, data: bytes) -> Fed:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return Fed([data], False, b"")
        self.done = True
        if left == 0:
            return Fed([data], True, b"")
        mine, self._left = data[: self._left], 0
        return Fed([mine] if mine else [], True, data[len(mine) :])

    def ends_with_stream(self) -> bool:
        return self.done


class _ChunkedReader:
    __slots__ = ("_decoder", "done")

    def __init__(self, limits: Limits, error: type[OidproxyError]) -> None:
        self._decoder = Decoder(limits, error)
        self.done = False

    def feed(self, data: bytes) -> Fed:
        pieces = self._decoder.feed(data)
        self.done = self._decoder.done
        return Fed(pieces, self.done, self._decoder.rest)

    def ends_with_stream(self) -> bool:
        return self.done


class _UntilCloseReader:
    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> Fed:
        return Fed([data], False, b"")

    def ends_with_stream(self) -> bool:
        self.done = True
        return True
