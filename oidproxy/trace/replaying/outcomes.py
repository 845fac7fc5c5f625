"""What became of a request of a replay in real time, from its line and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oidproxy.trace.results.outcome import Outcome

if TYPE_CHECKING:
    from oidproxy.trace.filling import Prepared
    from oidproxy.trace.line import Line
    from oidproxy.trace.replaying.sending import Answer

OF_IMPORTS = frozenset({"at", "made", "service", "token", "user"})
"""What an import made up (`Line.made_up`) that a replay sends; bodies it makes up itself."""


class Times(NamedTuple):
    """Nanoseconds of the replay's clock."""

    intended: int
    waited: int = 0
    sent: int = 0
    done: int = 0


def sent(
    line: Line, loop: int, times: Times, answer: Answer, prepared: Prepared | None = None, *, explained: bool
) -> Outcome:
    """Of a request that was sent; `explained`: the proxy was asked which cloud serves it."""
    cloud = _cloud(answer) if explained else line.cloud
    return Outcome(
        n=line.n,
        loop=loop,
        intended_ns=times.intended,
        waited_ns=times.waited,
        sent_ns=times.sent,
        first_byte_ns=answer.first_byte,
        done_ns=times.done,
        method=line.method,
        service=line.service,
        template=line.template or line.path,
        clouds=() if explained else tuple(line.clouds),
        cloud=cloud,
        home=line.home,
        status=answer.status,
        recorded_status=line.status,
        bytes_in=answer.bytes_in,
        bytes_out=answer.bytes_out,
        moved=_moved(line.home, cloud, answer),
        error=answer.field("X-Oidproxy-Error") or answer.error,
        made_up=_made_up(line, prepared),
    )


def unmatched(line: Line, loop: int, times: Times, why: str) -> Outcome:
    """Of one that was not."""
    return Outcome(
        n=line.n,
        loop=loop,
        intended_ns=times.intended,
        waited_ns=times.waited,
        method=line.method,
        service=line.service,
        template=line.template or line.path,
        clouds=tuple(line.clouds),
        cloud=line.cloud,
        home=line.home,
        recorded_status=line.status,
        unmatched=why,
    )


def _cloud(answer: Answer) -> str:
    """What served it, as the proxy says."""
    for pair in answer.field("X-Scope-Why").split("; "):
        key, _, value = pair.partition("=")
        if key == "cloud":
            return value
    return ""


def _made_up(line: Line, prepared: Prepared | None) -> tuple[str, ...]:
    """What is not the trace's own: by the import, by the remapping."""
    of_import = [one for one in line.made_up if one in OF_IMPORTS]
    return tuple(sorted({*of_import, *(prepared.made_up if prepared else ())}))


def _moved(home: str, cloud: str, answer: Answer) -> tuple[tuple[str, str, int], ...]:
    """Between the user's cloud and the one that served; what services move among themselves is not seen."""
    if not home or not cloud or cloud in {home, "*"}:
        return ()
    both = ((home, cloud, answer.bytes_in), (cloud, home, answer.bytes_out))
    return tuple(one for one in both if one[2])
