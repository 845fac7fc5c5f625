"""`DELETE /v3/auth/tokens`: told to the token's home, and forgotten here at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import NotAdmitted, TokenRefused
from oidproxy.http.head import NoBody
from oidproxy.identity.reply import Reply, relayed
from oidproxy.tokens.presented import Form
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from oidproxy.http.head import RequestHead
    from oidproxy.identity.current import Current
    from oidproxy.identity.question import Fetch, WriteHead
    from oidproxy.identity.subjects import Subjects
    from oidproxy.routing.decision import Revoke


class Revocation:
    """Takes tokens back."""

    __slots__ = ("_current", "_fetch", "_subjects")

    def __init__(self, fetch: Fetch, subjects: Subjects, current: Current) -> None:
        self._fetch = fetch
        self._subjects = subjects
        self._current = current

    async def revoke(self, revoke: Revoke, head: RequestHead, write_head: WriteHead) -> Reply:
        """Keystone's answer. Raises TokenRefused, NotAdmitted, UpstreamError."""
        asker, subject, route = revoke.token, revoke.subject, revoke.route
        if subject.form is Form.CLOSED:
            raise NotAdmitted("A token of another cloud can be revoked at its home only.")
        if asker.form is Form.CLOSED or not asker.home == subject.home == route.cloud:
            raise TokenRefused(f"The identity service of {subject.home} takes its own tokens only.")
        request = Request(
            route.endpoint,
            head.method,
            write_head(NoBody(), token=asker.token, subject=subject.token),
            NoBody(),
        )
        registry = self._current.snapshot.registry
        whole = await self._fetch(request, limit=registry.limits.token_answer)
        if whole.head.status == 204:
            self._subjects.revoked(subject)
        return Reply(whole.head.status, relayed(whole.head, route, registry), whole.body)
