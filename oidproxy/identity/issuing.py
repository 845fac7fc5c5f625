"""New tokens: Keystone issues them; they leave sealed to clients, and closed to a foreign service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BadAnswer, NotAdmitted, TokenRefused
from oidproxy.http.head import Length, NoBody
from oidproxy.identity import catalogs
from oidproxy.identity.bare import for_keystone
from oidproxy.identity.body import token_in, written
from oidproxy.identity.memory import key
from oidproxy.identity.reply import Reply, relayed, subject_field
from oidproxy.identity.subjects import FOR_ASKING, Subjects, understood
from oidproxy.scope.canonical import bounded_canonical
from oidproxy.tokens.opening import is_bare
from oidproxy.tokens.presented import Box, Presented, Use
from oidproxy.tokens.reauthentication import is_project
from oidproxy.tokens.sealed import MARK, seal
from oidproxy.tokens.trust import Refusal, admit
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidproxy.http.head import RequestHead
    from oidproxy.identity.current import Current
    from oidproxy.identity.question import Fetch, WriteHead
    from oidproxy.identity.subject import Subject
    from oidproxy.routing.decision import Issue
    from oidproxy.upstream.call import Whole

_ISSUED = frozenset({200, 201})


class Issuing:
    """`POST /v3/auth/tokens` and its kin."""

    __slots__ = ("_clock", "_current", "_fetch", "_subjects")

    def __init__(
        self, fetch: Fetch, subjects: Subjects, current: Current, clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._subjects = subjects
        self._current = current
        self._clock = clock

    async def issue(self, issue: Issue, head: RequestHead, write_head: WriteHead) -> Reply:
        """The answer for whoever asked for a token.

        Raises TokenRefused, NotAdmitted, ScopeError, UpstreamError.
        """
        if issue.reauthenticates is not None:
            return await self._renew(issue, issue.reauthenticates, head, write_head)
        bounded_canonical(issue.bound)  # too long to be sealed: say so before Keystone makes a token
        whole = await self._post(issue, head, write_head, for_keystone(issue.token, issue.route))
        token = _issued(whole)
        if token is None:
            return self._refused(issue, whole)
        sealed = subject_field(seal(token, issue.route.cloud, issue.bound))
        fields = relayed(whole.head, issue.route, self._current.snapshot.registry, sealed)
        return Reply(whole.head.status, fields, self._for_client(issue, token, whole))

    def _refused(self, issue: Issue, whole: Whole) -> Reply:
        """Keystone's answer where it gave no token."""
        fields = relayed(whole.head, issue.route, self._current.snapshot.registry)
        return Reply(whole.head.status, fields, whole.body)

    def _for_client(self, issue: Issue, token: str, whole: Whole) -> bytes:
        """The body with the client's own catalog. WebSSO answers with a page, which has none."""
        if not _is_json(whole):
            return whole.body
        home = issue.route.cloud
        told = token_in(whole, home)
        self._learn(home, token, told)
        registry = self._current.snapshot.registry
        return written(catalogs.for_client(told, registry, home, issue.bound, issue.route.facade))

    # Re-authentication: a foreign service renews its user's token (identity.md, Two forms).

    async def _renew(
        self, issue: Issue, presented: Presented, head: RequestHead, write_head: WriteHead
    ) -> Reply:
        box = self._checked(issue, presented)
        old = await self._subjects.known(presented, age=FOR_ASKING)
        self._check_project(issue, old.token)
        self._admitted(old, box)
        whole = await self._post(issue, head, write_head, presented.token)
        token = _issued(whole)
        if token is None:
            return self._refused(issue, whole)
        new = self._learn(box.home, token, token_in(whole, box.home))
        self._check_project(issue, new.token)
        body = self._admitted(new, box)
        registry = self._current.snapshot.registry
        if b"nocatalog" not in head.query:
            body["catalog"] = catalogs.for_service(body, registry, box.cloud, issue.route.facade)
        closed = subject_field(self._closed(token, new, box))
        return Reply(whole.head.status, relayed(whole.head, issue.route, registry, closed), written(body))

    def _checked(self, issue: Issue, presented: Presented) -> Box:
        """Routing looked at all this; a box is worth a second look where it is turned into a token."""
        box, route = presented.box, issue.route
        usable = (
            box is not None
            and box.use is Use.CALL
            and box.expires > self._clock()
            and box.home == route.cloud
            and box.cloud == route.facade.listener.cloud
        )
        if box is None or not usable:
            raise TokenRefused("This token cannot be renewed here.")
        return box

    def _check_project(self, issue: Issue, token: Mapping[str, object]) -> None:
        asked, project = issue.project_id, token.get("project")
        if asked is None or not isinstance(project, dict) or not is_project(asked, project):
            raise NotAdmitted("A token of another cloud can only be renewed for its own project.")

    def _admitted(self, who: Subject, box: Box) -> dict[str, object]:
        cloud = self._current.snapshot.registry.clouds.get(box.cloud)
        try:
            return admit(who.token, cloud.admits.get(box.home) if cloud else None)
        except Refusal as refusal:
            raise NotAdmitted(f"{box.cloud} does not admit this token: {refusal.reason}.") from None

    def _closed(self, token: str, who: Subject, old: Box) -> str:
        box = Box(
            token=token,
            home=old.home,
            scope=old.scope,
            cloud=old.cloud,
            service=old.service,
            use=Use.CALL,
            expires=who.expires,
        )
        return self._current.snapshot.keyring.close(box)

    # Keystone.

    async def _post(self, issue: Issue, head: RequestHead, write_head: WriteHead, token: str | None) -> Whole:
        bodiless = not issue.body and isinstance(head.framing, NoBody)
        framing = NoBody() if bodiless else Length(len(issue.body))
        request = Request(issue.route.endpoint, head.method, write_head(framing, token=token), framing)
        limit = self._current.snapshot.registry.limits.token_answer
        return await self._fetch(request, issue.body, limit=limit)

    def _learn(self, home: str, token: str, told: Mapping[str, object]) -> Subject:
        """Who a new token is needs no second question."""
        who = understood(home, told, self._clock())
        self._subjects.learn(key(home, token), who)
        return who


def _issued(whole: Whole) -> str | None:
    """The bare token that this answer brings, if it does."""
    value = whole.head.get(b"x-subject-token")
    if value is None or whole.head.status not in _ISSUED:
        return None
    token = value.decode("latin-1")
    # A Keystone that seals is another proxy like this one, or this one: a loop in the configuration.
    if MARK in token or not is_bare(token):
        raise BadAnswer("An identity service issued a token that is none of Keystone's.", sent=True)
    return token


def _is_json(whole: Whole) -> bool:
    kind = whole.head.get(b"content-type")
    return kind is not None and kind.partition(b";")[0].strip().lower() == b"application/json"
