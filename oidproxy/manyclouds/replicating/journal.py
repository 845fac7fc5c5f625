"""What was begun in several clouds, as values: which step is to be taken next follows from what is recorded.

Theory of operation. A request that changes something in several clouds is an *intent* with an *attempt* for
each of them. The record is written before the first byte goes out, and what every cloud answers is added to
it. So whoever reads a record after a crash knows of each attempt whether it was decided; one that may have
been sent is looked for by its mark, and never sent again: no step that can be derived from a record creates
anything. Only `begin` and `instead` say what is to be sent, and only to whoever writes the record first.

An attempt goes one of these ways:

    RESERVED ─> SENDING ─> MADE ─> UNDOING ─> UNDONE
                   │ ├───> NOT_MADE
                   │ └───> UNCERTAIN ─> MADE | NOT_MADE     looked for, and not there (yet)

Attempts of one *slot* are alternatives: one of them is to be made. All-of has a slot for each cloud, k-of has
k slots, the other clouds reserved for any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

SETTLED_AFTER = 900.0
"""Seconds after which a request is over in its cloud, whatever became of it: who then looks for what it may
have made, and finds nothing, may say that it made nothing."""

ANY_SLOT = -1

_NOT_THERE = "nothing was found there"


class State(StrEnum):
    """How far an attempt has come."""

    RESERVED = "reserved"
    """Nobody was asked: it takes another's place if need be."""
    SENDING = "sending"
    """It may have been sent, and may have made something."""
    MADE = "made"
    NOT_MADE = "not made"
    """It is known to have made nothing."""
    UNCERTAIN = "uncertain"
    """It was looked for and not found, which proves nothing yet."""
    UNDOING = "undoing"
    """What it made is to be deleted. Deleting what is gone does no harm, so that this may be sent again."""
    UNDONE = "undone"


class Verb(StrEnum):
    """What was begun."""

    CREATE = "create"
    DELETE = "delete"


class Policy(StrEnum):
    """What becomes of those that were made where not all could be (`X-Scope-On-Partial`)."""

    UNDO = "undo"
    KEEP = "keep"


class Phase(StrEnum):
    """How far an intent has come."""

    OPEN = "open"
    """It is not decided whether it succeeded."""
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who began it, as their home knows them."""

    home: str
    project: str
    user: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one cloud was or will be asked, and what became of it."""

    cloud: str
    region: str | None = None
    slot: int = ANY_SLOT
    state: State = State.RESERVED
    id: str = ""
    """What it made, or what is to be deleted."""
    path: str = ""
    """Where that is, below the service, with the project's id as at home; empty: of the kind's collection."""
    status: int = 0
    """Of the cloud's answer; 0 where there was none."""
    said: str = ""
    """Why it is as it is, in words that hold no secret."""
    entry: str = ""
    """The operator's account that the request went with, where it went with one: it may go on alone."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One request to several clouds."""

    id: str
    """Also its mark."""
    verb: Verb
    owner: Owner
    service_type: str
    name: str
    """Of the collection (`replicating.kinds`)."""
    collection: str
    """Its path below the service, with the project's id as at home."""
    begun: float
    """Seconds since the epoch."""
    attempts: tuple[Attempt, ...]
    slots: int
    policy: Policy = Policy.UNDO
    phase: Phase = Phase.OPEN
    chosen: str = ""
    """The id that the request itself gives to what it makes; empty: each cloud gives its own."""
    marked: bool = True
    """Whether what is made can be told from anything else: by its mark, or an id that nobody else chose."""
    bears_mark: bool = True
    """Whether it is the mark that tells it."""
    likeness: str = ""
    """Of what bears a name that its user chose: what tells it from another one of that name."""

    def attempt(self, cloud: str) -> Attempt:
        """The attempt at a cloud; KeyError if there is none."""
        for one in self.attempts:
            if one.cloud == cloud:
                return one
        raise KeyError(cloud)

    def with_attempt(self, changed: Attempt) -> Intent:
        """The same with another attempt at its cloud."""
        return replace(
            self, attempts=tuple(changed if one.cloud == changed.cloud else one for one in self.attempts)
        )

    def of(self, *states: State) -> tuple[Attempt, ...]:
        """The attempts in these states."""
        return tuple(one for one in self.attempts if one.state in states)

    @property
    def replicas(self) -> dict[str, str]:
        """Cloud -> the id of what was made there, in the order of the plan."""
        return {one.cloud: one.id for one in self.of(State.MADE)}

    @property
    def regions(self) -> dict[str, str | None]:
        """Cloud -> the region in which it is or was asked, where one was named."""
        return {one.cloud: one.region for one in self.attempts}

    @property
    def over(self) -> bool:
        """Whether nothing is left to be found out or to be done."""
        return self.phase is not Phase.OPEN and not self.of(State.SENDING, State.UNCERTAIN, State.UNDOING)


@dataclass(frozen=True, slots=True)
class Look:
    """Look whether an attempt made something."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete what an attempt made, or what it is to delete."""

    attempt: Attempt


Step = Look | Remove


def begin(intent: Intent) -> Intent:
    """The record to be written before anything is sent; its attempts in SENDING are then to be sent, once.

    Of each slot the first attempt; one without a slot is reserved.
    """
    taken: set[int] = set()
    attempts: list[Attempt] = []
    for one in intent.attempts:
        goes = one.slot != ANY_SLOT and one.slot not in taken
        taken |= {one.slot} if goes else set()
        attempts.append(replace(one, state=State.SENDING if goes else State.RESERVED))
    return replace(intent, attempts=tuple(attempts))


def instead(intent: Intent, failed: str) -> tuple[Intent, Attempt | None]:
    """Who takes the place of an attempt that is *known* not to have happened; None where nobody can.

    The record is to be written before it is sent.
    """
    before = intent.attempt(failed)
    if before.state is not State.NOT_MADE:
        return intent, None
    for one in intent.of(State.RESERVED):
        if one.slot in {before.slot, ANY_SLOT}:
            next_one = replace(one, state=State.SENDING, slot=before.slot)
            return intent.with_attempt(next_one), next_one
    return intent, None


# What clouds say.


def made(intent: Intent, cloud: str, made_id: str, status: int = 0) -> Intent:
    """A cloud made it, or it was found there. Where the intent failed it is undone, if that is the policy."""
    state = State.MADE
    if intent.phase is Phase.FAILED and intent.policy is Policy.UNDO:
        state = State.UNDOING
    return intent.with_attempt(
        replace(intent.attempt(cloud), state=state, id=made_id, status=status, said="")
    )


def not_made(intent: Intent, cloud: str, said: str, status: int = 0) -> Intent:
    """A cloud is known not to have made it."""
    return intent.with_attempt(replace(intent.attempt(cloud), state=State.NOT_MADE, status=status, said=said))


def unknown(intent: Intent, cloud: str, said: str, status: int = 0) -> Intent:
    """It may have made it: it stays as it is, and why is noted."""
    before = intent.attempt(cloud)
    return intent.with_attempt(replace(before, status=status or before.status, said=said))


def absent(intent: Intent, cloud: str, now: float, said: str = "") -> Intent:
    """It was looked for in the whole of its collection, and is not there.

    That proves that nothing was made only where it would be known by its mark, and after some time: the
    request may still be under way in the cloud.
    """
    before = intent.attempt(cloud)
    sure = intent.marked and now - intent.begun >= SETTLED_AFTER
    state = State.NOT_MADE if sure else State.UNCERTAIN
    return intent.with_attempt(replace(before, state=state, said=said or before.said or _NOT_THERE))


def gone(intent: Intent, cloud: str) -> Intent:
    """What was to be deleted is not there (any more)."""
    return intent.with_attempt(replace(intent.attempt(cloud), state=State.UNDONE, said=""))


def decided(intent: Intent) -> Intent:
    """The same once nothing is unknown that could be found out: complete, or failed and what follows.

    An attempt that is still SENDING leaves it undecided.
    """
    if intent.phase is not Phase.OPEN or intent.of(State.SENDING):
        return intent
    return _decided(intent)


def given_up(intent: Intent) -> Intent:
    """The same for whoever waits no longer: what is unknown now counts as a failure."""
    return intent if intent.phase is not Phase.OPEN else _decided(intent)


def _decided(intent: Intent) -> Intent:
    if intent.verb is Verb.DELETE:
        return replace(intent, phase=Phase.COMPLETE)
    filled = {one.slot for one in intent.of(State.MADE)}
    if len(filled - {ANY_SLOT}) == intent.slots:
        return replace(intent, phase=Phase.COMPLETE)
    failed = replace(intent, phase=Phase.FAILED)
    if intent.policy is Policy.KEEP:
        return failed
    return replace(
        failed,
        attempts=tuple(
            replace(one, state=State.UNDOING) if one.state is State.MADE else one for one in failed.attempts
        ),
    )


def steps(intent: Intent) -> tuple[Step, ...]:
    """What is to be done next by whoever finds this record. Never anything that creates."""
    looks: list[Step] = [Look(one) for one in intent.of(State.SENDING, State.UNCERTAIN)]
    removals: list[Step] = [Remove(one) for one in intent.of(State.UNDOING)]
    return (*looks, *removals)
