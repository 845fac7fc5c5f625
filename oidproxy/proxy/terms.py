"""The terms between an exchange and its connection, and between connections and their worker."""

from __future__ import annotations

from typing import Protocol


class Client(Protocol):
    """What an exchange needs of the connection that it serves."""

    peer: str
    """The client's address, without port."""

    @property
    def address(self) -> str:
        """Where the client connected to: `host:port`."""
        ...

    @property
    def body_unread(self) -> bool:
        """Whether some of the current request's body was not received yet."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes of an answer."""
        ...

    def hold(self) -> None:
        """Read no more of the body for now."""
        ...

    def release(self) -> None:
        """Read on."""
        ...

    def ask_to_continue(self) -> None:
        """Let a client that expects 100 send its body."""
        ...

    def done(self, *, keep_alive: bool) -> None:
        """The answer is complete: on to the next request, or close."""
        ...

    def abort(self) -> None:
        """Close at once, so that the client can tell that its answer is cut short."""
        ...


class Swept(Protocol):
    """What a worker needs of each of its connections."""

    def sweep(self, now: float) -> None:
        """Look after the times; `now` is the loop's, in seconds."""
        ...

    def drain(self) -> None:
        """Close if nothing is under way; what is under way closes when it ends."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...
