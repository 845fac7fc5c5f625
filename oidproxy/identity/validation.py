"""`GET` and `HEAD /v3/auth/tokens`: who a token is, told to the services of the cloud that it came to."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from oidproxy.errors import InternalError, NotAdmitted, TokenNotFound, TokenRefused
from oidproxy.http.head import NoBody
from oidproxy.identity import catalogs
from oidproxy.identity.body import token_in, written
from oidproxy.identity.logins import LoginRefused
from oidproxy.identity.memory import Form, Memory
from oidproxy.identity.reply import JSON, VARY, Reply, relayed, subject_field
from oidproxy.identity.subjects import FOR_ANSWERING, FOR_ASKING, Subjects, understood
from oidproxy.scope.tree import NO_SCOPE
from oidproxy.tokens import presented
from oidproxy.tokens.digest import shown
from oidproxy.tokens.trust import Refusal, admit
from oidproxy.upstream.call import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidproxy.clouds.registry import Admission
    from oidproxy.http.head import RequestHead
    from oidproxy.identity.companions import Companions
    from oidproxy.identity.current import Current
    from oidproxy.identity.logins import Logins
    from oidproxy.identity.question import Fetch, WriteHead
    from oidproxy.identity.subject import Subject
    from oidproxy.routing.decision import Validate
    from oidproxy.tokens.presented import Presented
    from oidproxy.upstream.call import Whole

_log = logging.getLogger("oidproxy.identity")

MAY_ASK = frozenset({"service", "admin"})
"""Roles at the asking cloud of which one is needed to ask about a token of another; else any member could."""

_RULES_VERSION = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
"""What oslo.utils.strutils.bool_from_string, which Keystone reads `allow_expired` by, takes for true."""


class Validation:
    """Answers services that ask their own Keystone about a token."""

    __slots__ = ("_clock", "_companions", "_current", "_fetch", "_logins", "_memory", "_subjects")

    def __init__(
        self,
        fetch: Fetch,
        subjects: Subjects,
        memory: Memory,
        current: Current,
        *,
        logins: Logins,
        companions: Companions,
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._logins = logins
        self._companions = companions
        self._subjects = subjects
        self._memory = memory
        self._current = current
        self._clock = clock

    async def validate(self, asked: Validate, head: RequestHead, write_head: WriteHead) -> Reply:
        """The answer for whoever asks.

        Raises TokenRefused (the asker), NotAdmitted (may not ask), TokenNotFound (the subject),
        UpstreamError.
        """
        asker, subject = asked.asker, asked.subject
        if asker.form is presented.Form.CLOSED or asker.home != asked.asking_cloud:
            raise TokenRefused(f"The identity service of {asked.asking_cloud} does not accept this token.")
        if asked.route.cloud != subject.home:
            raise InternalError("A validation was routed to a cloud other than the subject's home.")
        if subject.box is not None and subject.box.cloud != asked.asking_cloud:
            raise _not_found(subject, "it was closed for another cloud")
        if subject.home == asker.home:
            return await self._plain(asked, head, write_head)
        return await self._foreign(asked, head)

    # At home Keystone itself decides who may ask what.

    async def _plain(self, asked: Validate, head: RequestHead, write_head: WriteHead) -> Reply:
        route, asker, subject = asked.route, asked.asker, asked.subject
        request = Request(
            route.endpoint,
            head.method,
            write_head(NoBody(), token=asker.token, subject=subject.token),
            NoBody(),
            from_service=self._memory.service(asker.key, self._clock()) is not None,
        )
        registry = self._current.snapshot.registry
        whole = await self._fetch(request, limit=registry.limits.token_answer)
        status, text = whole.head.status, subject_field(subject.text)
        if status == 401:
            self._memory.forget(asker.key)
        elif status == 404:
            self._memory.forget(subject.key)
        if status != 200 or head.method == "HEAD":
            more = [text] if status == 200 else []
            return Reply(status, relayed(whole.head, route, registry, *more), whole.body)
        return Reply(200, relayed(whole.head, route, registry, text), self._at_home(asked, head, whole))

    def _at_home(self, asked: Validate, head: RequestHead, whole: Whole) -> bytes:
        home, facade = asked.subject.home, asked.route.facade
        told = token_in(whole, home)
        self._subjects.learn(asked.subject.key, understood(home, told, self._clock()), _form(head))
        registry = self._current.snapshot.registry
        if facade.listener.cloud is None:
            return written(catalogs.for_client(told, registry, home, asked.subject.scope, facade))
        body = dict(told)
        if "catalog" in body and "project" in body:
            body["catalog"] = catalogs.for_service(told, registry, home, facade)
        elif "catalog" in body:
            body = catalogs.for_client(told, registry, home, NO_SCOPE, facade)
        return written(body)

    # Abroad the home says who it is, and this cloud's operator whether that is anybody here.

    async def _foreign(self, asked: Validate, head: RequestHead) -> Reply:
        subject, cloud = asked.subject, asked.asking_cloud
        await self._check_asker(asked)
        admission = self._admission(cloud, subject.home)
        if admission is None:
            raise _not_found(subject, f"{cloud} admits nobody of {subject.home}")
        who = await self._who(subject, cloud, _form(head))
        body = self._admitted(who, subject, admission)
        fields = (JSON, VARY, subject_field(subject.text))
        if head.method == "HEAD":
            return Reply(200, fields)
        if not _has(head, "nocatalog"):
            registry = self._current.snapshot.registry
            body["catalog"] = catalogs.for_service(body, registry, cloud, asked.route.facade)
        return Reply(200, fields, written(body))

    async def _check_asker(self, asked: Validate) -> None:
        asker = await self._subjects.known(asked.asker, age=FOR_ASKING, from_service=True)
        if not asker.roles & MAY_ASK:
            raise NotAdmitted(
                f"Only a service or an admin of {asked.asking_cloud} may ask about a token of another cloud."
            )

    async def _who(self, subject: Presented, cloud: str, form: Form) -> Subject:
        """As its home says. A 401 there is a 404 here.

        Told 401, keystonemiddleware would think its own token bad, try four times and make Nova answer 503.
        """
        who: Subject | None = None
        with suppress(TokenRefused):
            who = await self._subjects.known(subject, age=FOR_ANSWERING, form=form, from_service=True)
        if who is not None and who.expires > self._clock():
            return who
        if not form.allow_expired:
            raise _not_found(subject, f"{subject.home} does not accept it")
        return await self._late(subject, cloud)

    async def _late(self, subject: Presented, cloud: str) -> Subject:
        """An ended token cannot ask about itself.

        The service of its home that came with it can; between two services of the same cloud none comes, so
        that an account of ours at its home has to ask, if the operator declared one.
        """
        service = self._companion(subject, cloud)
        if service is not None:
            with suppress(TokenRefused):
                return await self._subjects.late(subject, service, age=FOR_ANSWERING)
        account = self._current.snapshot.registry.clouds[cloud].service_accounts.get(subject.home)
        if account is None:
            reason = (
                "no service of its home came with it that is still known there, and no account is declared"
            )
            raise _not_found(subject, f"it has ended; {reason} in the service_accounts of {cloud}")
        try:
            login = await self._logins.login(subject.home, account)
            return await self._subjects.late(subject, login.token, age=FOR_ANSWERING)
        except LoginRefused:
            raise _not_found(subject, f"it has ended, and {account} cannot sign in to ask about it") from None
        except TokenRefused:
            raise _not_found(
                subject, f"{subject.home} does not accept it, not even as an ended one"
            ) from None

    def _companion(self, subject: Presented, cloud: str) -> str | None:
        """The bare token of the home's service that came along when this token came to this cloud."""
        text = self._companions.of(subject.key, cloud, self._clock())
        try:
            return self._current.snapshot.keyring.open(text).token if text else None
        except TokenRefused:  # closed under a key that is gone
            return None

    def _admitted(self, who: Subject, subject: Presented, admission: Admission) -> dict[str, object]:
        try:
            return admit(who.token, admission)
        except Refusal as refusal:
            raise _not_found(subject, refusal.reason) from None

    def _admission(self, cloud: str, home: str) -> Admission | None:
        asking = self._current.snapshot.registry.clouds.get(cloud)
        return asking.admits.get(home) if asking else None


def _form(head: RequestHead) -> Form:
    """In which way the asker asks, to be passed on: the answer depends on it."""
    rules = head.text(b"openstack-identity-access-rules") or ""
    version = rules if _RULES_VERSION.fullmatch(rules) else ""
    late = parse_qs(head.query.decode("latin-1"), keep_blank_values=True).get("allow_expired", [""])
    return Form(version, late[0].strip().lower() in _TRUE)


def _has(head: RequestHead, name: str) -> bool:
    return name in parse_qs(head.query.decode("latin-1"), keep_blank_values=True)


def _not_found(subject: Presented, reason: str) -> TokenNotFound:
    """One answer for every reason; which one it was stands in our log."""
    _log.info("validation of %s of %s refused: %s", shown(subject.token), subject.home, reason)
    return TokenNotFound("The subject token is not known here.")
