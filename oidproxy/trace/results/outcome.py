"""What became of one request of a replay."""

from __future__ import annotations

import msgspec


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request of a trace in one loop of a replay. Times count nanoseconds since the replay's start.

    Latency counts from `intended_ns`: an answer that is late because the request before it was, is late all
    the same.
    """

    n: int
    """The request's number in the trace."""
    loop: int = 0
    intended_ns: int
    """When it was to be sent."""
    sent_ns: int = 0
    """When it was sent, before a connection was looked for; 0 with `unmatched`."""
    waited_ns: int = 0
    """How long it waited for the ids that other requests make; `sent - intended - waited` is the send lag."""
    first_byte_ns: int = 0
    """The answer's first byte; 0 where none came."""
    done_ns: int = 0
    """The answer's last byte, or when it was given up."""
    method: str
    service: str
    """Official type, as "image"."""
    template: str
    """Path with its ids taken out."""
    clouds: tuple[str, ...] = ()
    """Those that were chosen, where known."""
    cloud: str = ""
    """The one that served it; "" where unknown."""
    home: str = ""
    """The cloud of the caller's token; "" where unknown."""
    status: int = 0
    """0 where no answer came."""
    recorded_status: int = 0
    """As the trace has it; 0 where it has none."""
    bytes_in: int = 0
    """Of the request's body; likewise `bytes_out` of the answer's."""
    bytes_out: int = 0
    moved: tuple[tuple[str, str, int], ...] = ()
    """Bytes between clouds on behalf of this request: from, to, how many."""
    error: str = ""
    """Why no answer came ("timeout", "refused", …), or code of an error of the proxy's own."""
    unmatched: str = ""
    """Why it was not sent: an id of the trace that has no counterpart here, no sensible body …"""
    made_up: tuple[str, ...] = ()
    """What of it is not from the trace ("body", "user", …)."""
