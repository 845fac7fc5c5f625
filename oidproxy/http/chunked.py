"""The chunked transfer coding (RFC 9112 section 7.1) as a stream, strict where a lax one could be led astray.

Sizes are hexadecimal digits only, every line ends in CRLF, a chunk ends where its size says. Extensions and
trailers are read, counted and dropped.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest, OidproxyError

if TYPE_CHECKING:
    from oidproxy.clouds.limits import Limits

LAST = b"0\r\n\r\n"
"""The chunk that ends a body, and no trailers."""

_DIGITS = 16
# RFC 9112 section 7.1.1 asks to take blanks before an extension; blanks without one are not legal.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})([ \t]*;[\t -~\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")


def encode(data: bytes) -> bytes:
    """One chunk; nothing for no data, since a chunk of size 0 would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class _Expects(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    NOTHING = auto()


class Decoder:
    """Takes the stream in any pieces and gives the data in it; `error` is what malformed streams raise."""

    __slots__ = ("_error", "_expects", "_extensions", "_held", "_left", "_trailers", "rest")

    def __init__(self, limits: Limits, error: type[OidproxyError] = BadRequest) -> None:
        self._error = error
        self._expects = _Expects.SIZE
        self._extensions = limits.chunk_extensions
        self._trailers = limits.trailers
        self._left = 0
        self._held = b""
        self.rest = b""
        """What followed the body."""

    @property
    def done(self) -> bool:
        """Whether the body is complete."""
        return self._expects is _Expects.NOTHING

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of data found so far. Raises the error it was made with; it cannot go on after that."""
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and self._expects is not _Expects.NOTHING:
            if self._expects is _Expects.DATA:
                position = self._take_data(data, position, pieces)
                continue
            end = self._line_end(data, position)
            if end < 0:
                self._held = data[position:]
                return pieces
            self._take_line(data[position:end])
            position = end + 2
        self.rest += data[position:]
        return pieces

    def _take_data(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        end = min(position + self._left, len(data))
        piece = data[position:end]  # all of it is the same object, not a copy
        pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._expects = _Expects.DATA_END
        return end

    def _line_end(self, data: bytes, position: int) -> int:
        """Where the line's CRLF begins, or -1; a line that nothing could make right any more is refused."""
        allowed = self._longest_line()
        end = data.find(b"\r\n", position, position + allowed + 2)
        if end < 0 and (len(data) - position > allowed + 1 or b"\n" in data[position:]):
            raise self._malformed()
        return end

    def _longest_line(self) -> int:
        if self._expects is _Expects.SIZE:
            return _DIGITS + self._extensions
        return 0 if self._expects is _Expects.DATA_END else self._trailers

    def _take_line(self, line: bytes) -> None:
        if self._expects is _Expects.SIZE:
            self._take_size(line)
        elif self._expects is _Expects.DATA_END:
            self._expects = _Expects.SIZE
        elif line:
            self._take_trailer(line)
        else:
            self._expects = _Expects.NOTHING

    def _take_size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise self._malformed()
        digits, extension = match.groups()
        self._extensions -= len(extension or b"")
        if self._extensions < 0:
            raise self._error("The chunk extensions of the body are too long.")
        self._left = int(digits, 16)
        self._expects = _Expects.DATA if self._left else _Expects.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        self._trailers -= len(line) + 2
        if self._trailers < 0:
            raise self._error("The trailers of the body are too long.")
        if not _TRAILER.fullmatch(line):
            raise self._malformed()

    def _malformed(self) -> OidproxyError:
        return self._error("The chunks of the body are malformed.")
