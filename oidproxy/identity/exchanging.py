"""Tokens of a cloud whose services ask their own Keystone, for users of another home (identity.md, Gateway).

Theory of operation. Like closing, one synchronous pass over memory decides everything and raises where
somebody must be asked first. Who may get a token is decided by what home said at most a minute ago and by the
cloud's policy; which token, by the cloud's `exchange`, in its order of preference.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oidproxy.errors import IdentityUnavailable, NotAdmitted, TokenRefused
from oidproxy.identity.subjects import FOR_ASKING, Subjects
from oidproxy.tokens.trust import Refusal, admit, roles_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidproxy.clouds.registry import Admission, Cloud
    from oidproxy.identity.current import Current
    from oidproxy.identity.logins import Login, Logins
    from oidproxy.identity.subject import Subject
    from oidproxy.routing.decision import Forward
    from oidproxy.tokens.presented import Presented

_log = logging.getLogger("oidproxy.identity")


@dataclass(frozen=True, slots=True)
class Projects:
    """One project's id at the user's home, and what stands for it where the token was exchanged."""

    home: str
    here: str


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What goes to the cloud instead of the user's token."""

    token: str = field(repr=False)
    projects: Projects
    way: str
    """`mapped`, `carried` or `same`."""
    user: str
    """The user's id at home: the cloud may see one account for many."""
    entry: str = ""
    """With `mapped`: which of the operator's accounts it is."""


class NeedsLogin(Exception):  # no failure: the slow way is to be taken
    """An account of ours must sign in first."""

    def __init__(self, cloud: str, entry: str) -> None:
        super().__init__()
        self.cloud = cloud
        self.entry = entry


class NeedsSubject(Exception):  # no failure: the slow way is to be taken
    """A Keystone must be asked about this token first."""

    def __init__(self, token: Presented) -> None:
        super().__init__()
        self.token = token


class Exchanging:
    """Decides which token of a direct cloud a user gets."""

    __slots__ = ("_current", "_logins", "_subjects")

    def __init__(self, subjects: Subjects, logins: Logins, current: Current) -> None:
        self._subjects = subjects
        self._logins = logins
        self._current = current

    def exchanged(self, forward: Forward, token: Presented) -> Exchanged:
        """The token for this call.

        Raises NeedsSubject, NeedsLogin; NotAdmitted, with what is missing; TokenRefused.
        """
        who = self._known(token)
        target = self._current.snapshot.registry.clouds[forward.route.cloud]
        kept, admission = self._admitted(who, target)
        ways = {"mapped": self._mapped, "carried": self._carried, "same": self._same}
        missing: list[str] = []
        broken = False
        for way in target.exchange or ():
            try:
                return ways[way](_Asked(forward, token, who, target, admission, kept))
            except _Unusable as reason:
                missing.append(f"{way}: {reason}")
                broken |= isinstance(reason, _Broken)
        if broken:
            raise IdentityUnavailable(
                f"No account that this proxy has at {target.name} could sign in: ask the proxy's operator to "
                "look at its log.",
                cloud=target.name,
                sent=True,
            )
        raise NotAdmitted(
            f"{target.name} checks tokens itself, and there is none of its own for this user of {who.home}"
            + (f" ({'; '.join(missing)})." if missing else ": its operator names no way of exchange.")
        )

    def _known(self, token: Presented) -> Subject:
        found = self._subjects.recalled(token, age=FOR_ASKING)
        if found is None:
            raise NeedsSubject(token)
        return found

    def _admitted(self, who: Subject, target: Cloud) -> tuple[Mapping[str, object], Admission]:
        admission = target.admits.get(who.home)
        try:
            body = admit(who.token, admission)
        except Refusal as refusal:
            raise NotAdmitted(
                f"{target.name} does not admit this token of {who.home}: {refusal.reason}. Ask the operator "
                f"of {target.name} what it admits of {who.home}."
            ) from None
        if admission is None:  # pragma: no cover - `admit` has refused
            raise NotAdmitted(f"{target.name} admits nobody of {who.home}.")
        return body, admission

    # The ways.

    def _mapped(self, asked: _Asked) -> Exchanged:
        """An account that the operator keeps for this project: the first whose roles the user has here."""
        asked.refuse_access_rules()
        entries = asked.target.mapped.get(asked.who.home, {}).get(asked.project, ())
        if not entries:
            raise _Unusable(f"no credentials for project {asked.project}")
        refused = 0
        for entry in entries:
            login = self._logins.kept(asked.target.name, entry)
            if login is None and self._logins.refused(asked.target.name, entry):
                refused += 1
                continue
            if login is None:
                raise NeedsLogin(asked.target.name, entry)
            if self._suits(login, entry, asked):
                return asked.exchanged(login.token, login.who, "mapped", entry)
        if refused:
            raise _Broken("an account there cannot sign in")
        raise _Unusable("every account there may do more than this user")

    def _suits(self, login: Login, entry: str, asked: _Asked) -> bool:
        """Nobody gets a credential with a role that the policy would have stripped."""
        beyond = login.who.roles - roles_of(asked.kept)
        if beyond:
            _log.info(
                "%s for %s: %s has roles that its user has not there: %s",
                asked.target.name,
                asked.who.home,
                entry,
                ", ".join(sorted(beyond)),
            )
            return False
        expected = asked.project_there
        if login.who.project_id is None or expected not in {None, login.who.project_id}:
            _log.error("%s: %s is not scoped to the project that admits names", asked.target.name, entry)
            return False
        return True

    def _carried(self, asked: _Asked) -> Exchanged:
        """The client's own token there: whatever it may do, its user could do without us."""
        asked.refuse_access_rules()
        carried = asked.forward.carried
        if carried is None:
            raise _Unusable(
                f"no token of {asked.target.name} came in X-Scope-Tokens (openstack --scope-carry "
                f"{asked.target.name})"
            )
        try:
            there = self._known(carried)
        except TokenRefused:
            raise _Unusable(f"{asked.target.name} does not accept the token in X-Scope-Tokens") from None
        if there.project_id is None or asked.project_there not in {None, there.project_id}:
            raise _Unusable(
                f"the token in X-Scope-Tokens is not scoped to the project that {asked.target.name} admits"
            )
        return asked.exchanged(carried.token, there, "carried")

    def _same(self, asked: _Asked) -> Exchanged:
        """The user's token itself, where both clouds accept the same; no role can be stripped from it."""
        if asked.project_there is not None:
            raise _Unusable("another project stands for this one there, and the token cannot change its own")
        if asked.who.roles != roles_of(asked.kept):
            raise _Unusable("this token has roles that may not be used there, and cannot lose them")
        return asked.exchanged(asked.token.token, asked.who, "same")


class _Unusable(Exception):
    """A way of exchange that does not lead there; the text says why, without any secret."""


class _Broken(_Unusable):
    """The same, but it would if the operator's accounts were in order."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who wants what."""

    forward: Forward
    token: Presented
    who: Subject
    target: Cloud
    admission: Admission
    kept: Mapping[str, object]
    """The token's body as the policy leaves it."""

    @property
    def project(self) -> str:
        return self.who.project_id or ""

    @property
    def project_there(self) -> str | None:
        """The project that the policy maps the user's to; None where it maps none."""
        there = (self.admission.projects or {}).get(self.project)
        return None if there == self.project else there

    def refuse_access_rules(self) -> None:
        """What an application credential may call is written in its token; another token has it not."""
        credential = self.who.token.get("application_credential")
        if isinstance(credential, dict) and credential.get("access_rules") is not None:
            raise _Unusable("the access rules of the application credential would be lost")

    def exchanged(self, token: str, there: Subject, way: str, entry: str = "") -> Exchanged:
        return Exchanged(token, Projects(self.project, there.project_id or ""), way, self.who.user_id, entry)
