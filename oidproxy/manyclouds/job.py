"""One request of several clouds, as those who carry it out need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from oidproxy.errors import BadRequest, UpstreamError
from oidproxy.manyclouds.record import Record
from oidproxy.tokens.presented import Form

if TYPE_CHECKING:
    from oidproxy.clouds.registry import Registry
    from oidproxy.http.head import RequestHead
    from oidproxy.identity.service import Subject
    from oidproxy.manyclouds.allowances import Grant
    from oidproxy.manyclouds.legs import Legs
    from oidproxy.routing.decision import FanOut
    from oidproxy.tokens.presented import Presented
    from oidproxy.upstream.call import Call


class Users(Protocol):
    """What is asked of `identity.service.Identity`."""

    async def subject(self, token: Presented) -> Subject:
        """Who a token is."""
        ...


class Giving(Protocol):
    """A client whose request's body is passed on as it comes."""

    def ready(self) -> None:
        """It is wanted."""
        ...

    def hold(self) -> None:
        """No more of it for now."""
        ...

    def give_to(self, call: Call) -> None:
        """Send it there, from `ready` on."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """What there is to do, and with what."""

    fanout: FanOut
    head: RequestHead
    legs: Legs
    registry: Registry
    """Of the snapshot that the request began with."""
    users: Users
    request_id: str
    deadline: float
    """A time of the loop."""
    grant: Grant
    """`take` counts the clouds that are gone to; it has taken none yet."""
    record: Record = field(default_factory=Record)
    client: Giving | None = None
    """Who gives the data of a `Kind.DATA`."""

    async def user(self) -> bytes:
        """What stands for user and project in whatever is kept for them; empty without a token.

        Raises:
            TokenRefused: the token's home does not know it.
        """
        return await user_of(self.fanout.token, self.users)

    def wish(self, name: bytes, *allowed: str) -> str:
        """What a field X-Scope-… of the request says; the first of `allowed` where there is none.

        Raises:
            BadRequest: it says something else.
        """
        said = self.head.text(name)
        if said is None:
            return allowed[0]
        value = said.strip().lower()
        if value not in allowed:
            raise BadRequest(f"{name.decode().title()} takes one of: {', '.join(filter(None, allowed))}.")
        return value


async def user_of(token: Presented | None, users: Users) -> bytes:
    """As `Job.user`. A token whose home is silent, or that is closed, stands for itself alone."""
    if token is None:
        return b""
    if token.form is not Form.CLOSED:
        try:
            who = await users.subject(token)
        except UpstreamError:
            pass
        else:
            return _digest(who.home, who.user_id, who.project_id or "")
    home, digest = token.key
    return _digest(home, digest.hex())


def _digest(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
