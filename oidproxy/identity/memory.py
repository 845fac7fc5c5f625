"""What is remembered of tokens: by home and digest, never by the token; bounded, and each for its own time.

The home is part of every key: an envelope can name any home, and what one Keystone said of a token says
nothing of the same text presented as another cloud's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from oidproxy.identity.expiring import Expiring
from oidproxy.tokens.digest import digest
from oidproxy.tokens.presented import Use

if TYPE_CHECKING:
    from oidproxy.identity.subject import Subject

CAPACITY = 4096
"""Tokens; each takes some 3 KiB."""

KEPT = 300.0
"""Seconds: nothing that a Keystone said is kept longer (checklist G4)."""

REFUSED_KEPT = 5.0
"""Seconds for which a refusal is believed: a bad token in a loop asks its home once, not each time."""

CLOSINGS = 65_536
"""Closed texts of all tokens, of some 450 bytes each: a list of a thousand clouds takes a thousand of one."""

_FORMS = 8

Key = tuple[str, bytes]
"""Home, and digest of the bare token."""


@dataclass(frozen=True, slots=True)
class Form:
    """In which way a home was asked; the answers differ."""

    access_rules: str = "1"
    """OpenStack-Identity-Access-Rules; without it, application credentials with access rules are unknown."""
    allow_expired: bool = False


PLAIN = Form()
LATE = Form(allow_expired=True)

Audience = tuple[str, str, Use, str]
"""Cloud, service, use, canonical scope: what a token is closed for."""


@dataclass(slots=True)
class _Record:
    subjects: dict[Form, Subject] = field(default_factory=dict)
    plain: Subject | None = None
    """Of these, what its home said when it was asked as it mostly is."""
    serial: int = 0
    """What was made of the token under another serial was made of what its home said before."""


def key(home: str, token: str) -> Key:
    """Under what a token is remembered."""
    return home, digest(token)


class Memory:
    """One worker's memory. No method asks anybody."""

    __slots__ = ("_closings", "_records", "_refused", "_revoked", "_serials", "_services")

    def __init__(self, capacity: int = CAPACITY, closings: int = CLOSINGS) -> None:
        self._serials = count(1)
        self._closings: Expiring[tuple[Key, Audience], tuple[int, str]] = Expiring(closings)
        self._records: Expiring[Key, _Record] = Expiring(capacity)
        self._refused: Expiring[tuple[Key, Form], bool] = Expiring(capacity)
        self._revoked: Expiring[Key, bool] = Expiring(capacity)
        self._services: Expiring[Key, str] = Expiring(capacity)

    # Who a token is.

    def subject(self, name: Key, form: Form, age: float, now: float) -> Subject | None:
        """Who this token is, if its home said so at most `age` seconds ago and it has not ended since."""
        record = self._records.get(name, now)
        found = record.subjects.get(form) if record else None
        if found is None or found.seen + age <= now:
            return None
        return found if form.allow_expired or found.expires > now else None

    def remember(self, name: Key, form: Form, subject: Subject, now: float) -> None:
        """What a home said. Said before a revocation but heard after it, it is not believed."""
        if self.revoked(name, now):
            return
        self._refused.drop((name, form))
        record = self._records.get(name, now) or _Record(serial=next(self._serials))
        earlier = record.subjects.get(form)
        if earlier is not None and earlier.token != subject.token:
            # Its roles may be others now, so what was allowed before has to be allowed again.
            record.serial = next(self._serials)
        if len(record.subjects) >= _FORMS:
            record.subjects.clear()
        record.subjects[form] = subject
        record.plain = record.subjects.get(PLAIN)
        self._records.put(name, record, now + KEPT)
        if subject.serves and subject.expires > now:
            self._services.put(name, subject.user_name, subject.expires)

    def service(self, name: Key, now: float) -> str | None:
        """The user's name of a token that its home called a service, for as long as the token lives."""
        return self._services.get(name, now)

    # What a token is not.

    def refuse(self, name: Key, form: Form, now: float) -> None:
        """Its home does not know it (any more); without access rules in the question, that says little."""
        if form.access_rules:
            self.forget(name)
        self._refused.put((name, form), True, now + REFUSED_KEPT)

    def refused(self, name: Key, form: Form, now: float) -> bool:
        """Whether its home refused it a moment ago, or it was revoked here."""
        return self.revoked(name, now) or self._refused.get((name, form), now) is not None

    def revoked(self, name: Key, now: float) -> bool:
        """Whether it was revoked here, for as long as something said before could still be under way."""
        return self._revoked.get(name, now) is not None

    def revoke(self, name: Key, now: float) -> None:
        """Forget this token and all that were made from it or with it (Keystone revokes the whole chain)."""
        record = self._records.get(name, now)
        chains = {subject.chain for subject in record.subjects.values()} - {None} if record else set()
        self.forget(name)
        self._revoked.put(name, True, now + KEPT)
        if chains:
            self._records.drop_where(
                lambda other, kin: (
                    other[0] == name[0] and any(subject.chain in chains for subject in kin.subjects.values())
                )
            )

    def forget(self, name: Key) -> None:
        """Ask its home again before anything is done with this token."""
        self._records.drop(name)
        self._services.drop(name)

    # What was made of it.

    def closing(self, name: Key, audience: Audience, now: float) -> str | None:
        """The text that this token was closed to for this audience."""
        record = self._records.get(name, now)
        made = self._closings.get((name, audience), now) if record else None
        return made[1] if made is not None and record is not None and made[0] == record.serial else None

    def closed_before(self, name: Key, audience: Audience, age: float, now: float) -> str | None:
        """The same, while the home's word that this token is good is at most `age` seconds old."""
        record = self._records.peek(name, now)
        if record is None or (found := record.plain) is None:
            return None
        if found.seen + age <= now or found.expires <= now:
            return None
        made = self._closings.peek((name, audience), now)
        return made[1] if made is not None and made[0] == record.serial else None

    @property
    def knows_services(self) -> bool:
        """Whether any token is known to be a service's."""
        return bool(self._services)

    def keep_closing(self, name: Key, audience: Audience, text: str, now: float) -> None:
        """Keep a text that was made while its subject is remembered; it goes when the subject goes."""
        record = self._records.get(name, now)
        if record is not None:
            self._closings.put((name, audience), (record.serial, text), now + KEPT)

    def forget_closings(self) -> None:
        """A new registry: who is admitted where may have changed."""
        self._closings.clear()
