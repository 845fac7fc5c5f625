"""The one door to identity: what to send, and the answers to issuing, validating and revoking tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import TokenRefused
from oidproxy.identity.closing import Closing, Outgoing
from oidproxy.identity.companions import Companions
from oidproxy.identity.current import Current
from oidproxy.identity.exchanging import Exchanged, Projects
from oidproxy.identity.issuing import Issuing
from oidproxy.identity.logins import YOUNG, Login, LoginRefused, Logins
from oidproxy.identity.memory import PLAIN, Memory, key
from oidproxy.identity.question import Fetch, Question, WriteHead
from oidproxy.identity.reply import Reply
from oidproxy.identity.revocation import Revocation
from oidproxy.identity.subject import Subject
from oidproxy.identity.subjects import FOR_ASKING, FOR_SENDING, Subjects
from oidproxy.identity.validation import Validation
from oidproxy.tokens.presented import Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.http.head import RequestHead
    from oidproxy.identity.memory import Audience
    from oidproxy.routing.decision import Forward, Issue, Revoke, Snapshot, Validate
    from oidproxy.store.terms import Store
    from oidproxy.tokens.presented import Presented

__all__ = [
    "Exchanged",
    "Identity",
    "Login",
    "LoginRefused",
    "Outgoing",
    "Projects",
    "Reply",
    "Subject",
    "WriteHead",
]


class Identity:
    """One worker's identity room.

    `fetch` is `Upstreams.fetch`, `clock` gives seconds since the epoch, `pseudonym` is this instance's name
    in Via: a Keystone address that is our own listener is then a 508 and no endless loop.
    """

    __slots__ = (
        "_clock",
        "_closing",
        "_current",
        "_issuing",
        "_logins",
        "_memory",
        "_revocation",
        "_subjects",
        "_validation",
    )

    def __init__(
        self,
        *,
        fetch: Fetch,
        clock: Callable[[], float],
        snapshot: Snapshot,
        store: Store,
        pseudonym: str,
    ) -> None:
        self._clock = clock
        self._current = Current(snapshot)
        self._memory = memory = Memory()
        self._subjects = subjects = Subjects(Question(fetch, pseudonym), memory, self._current, clock)
        companions = Companions(store)
        self._logins = logins = Logins(fetch, self._current, clock, pseudonym)
        self._closing = Closing(subjects, logins, memory, self._current, companions=companions, clock=clock)
        self._issuing = Issuing(fetch, subjects, self._current, clock)
        self._validation = Validation(
            fetch, subjects, memory, self._current, logins=logins, companions=companions, clock=clock
        )
        self._revocation = Revocation(fetch, subjects, self._current)

    def swap(self, snapshot: Snapshot) -> None:
        """Decide by this snapshot from now on: what homes said stays, what was allowed on it does not."""
        self._current.snapshot = snapshot
        self._memory.forget_closings()
        self._logins.clear()

    # Who a token is.

    def is_service(self, token: Presented | None) -> bool:
        """Whether Keystone called this token a service's, through this worker; an unknown one is a user's."""
        return self.caller(token) is not None

    def caller(self, token: Presented | None) -> str | None:
        """The user name of a token that Keystone called a service's: `nova`."""
        return self._memory.service(token.key, self._clock()) if token else None

    async def subject(self, token: Presented) -> Subject:
        """Who this token is, as its home said at most a minute ago.

        Raises TokenRefused, also for a closed token: it is for validation and its service's own calls only;
        UpstreamError.
        """
        if token.form is Form.CLOSED:
            raise TokenRefused("A token of another cloud cannot be used here.")
        return await self._subjects.known(token, age=FOR_ASKING)

    def unaccepted(self, forward: Forward, sent: Outgoing) -> None:
        """The cloud answered 401 (rule G4): whoever vouched for what was sent is asked again before the next.

        That is the token's home, and after an exchange also the cloud that issued what was sent instead.
        """
        names = [] if forward.token is None else [forward.token.key]
        if sent.exchanged is not None:
            names.append(key(forward.route.cloud, sent.exchanged.token))
            self._logins.forget(forward.route.cloud, sent.exchanged.token)
            # Whatever a service there has against an account of many: a home that has just vouched for its
            # user is not asked at each 401.
            now = self._clock()
            names = [name for name in names if self._memory.subject(name, PLAIN, YOUNG, now) is None]
        for name in names:
            self._memory.forget(name)

    # What to send.

    def outgoing_now(self, forward: Forward, method: str) -> Outgoing | None:
        """What to send, where nobody has to be asked; None means: await `outgoing`. Never raises."""
        return self._closing.at_once(forward, method)

    def closed_before(self, home: str, token: str, audience: Audience) -> str | None:
        """The text that a user's bare token was closed to for an audience; None where that has to be seen to.

        That is where its home has not vouched for it lately, where it is a service's, or was not closed yet.
        """
        memory, name, now = self._memory, key(home, token), self._clock()
        if memory.knows_services and memory.service(name, now) is not None:
            return None
        return memory.closed_before(name, audience, FOR_SENDING, now)

    def may_serve(self, home: str, token: str) -> bool:
        """Whether a bare token may be a service's."""
        memory = self._memory
        return memory.knows_services and memory.service(key(home, token), self._clock()) is not None

    async def outgoing(self, forward: Forward, method: str) -> Outgoing:
        """What to send with this request.

        Raises TokenRefused (401), NotAdmitted (403), ScopeError (400: the scopes of all carriers together
        are too long to travel), UpstreamError (the home could not be asked).
        """
        return await self._closing.later(forward, method)

    async def login(self, cloud: str, entry: str) -> Login:
        """An account of the operator's at a cloud, signed in.

        Raises LoginRefused: its Keystone does not accept the credentials; UpstreamError.
        """
        return await self._logins.login(cloud, entry)

    # Keystone's own calls.

    async def issue(self, issue: Issue, head: RequestHead, write_head: WriteHead) -> Reply:
        """Have a token issued. Raises TokenRefused, NotAdmitted, ScopeError, UpstreamError."""
        return await self._issuing.issue(issue, head, write_head)

    async def validate(self, validate: Validate, head: RequestHead, write_head: WriteHead) -> Reply:
        """Say who a token is. Raises TokenRefused, NotAdmitted, TokenNotFound, UpstreamError."""
        return await self._validation.validate(validate, head, write_head)

    async def revoke(self, revoke: Revoke, head: RequestHead, write_head: WriteHead) -> Reply:
        """Have a token revoked. Raises TokenRefused, NotAdmitted, UpstreamError."""
        return await self._revocation.revoke(revoke, head, write_head)
