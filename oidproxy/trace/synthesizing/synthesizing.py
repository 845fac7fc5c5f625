"""From a workload to a trace that can be replayed: what is read was made before, and taken away last.

The same workload gives the same bytes. An operation that has nothing to work on yet becomes the one that
makes what it needs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate, count
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from oidproxy.trace.documents import ids_in
from oidproxy.trace.line import SCHEMA_VERSION, Header, Line
from oidproxy.trace.synthesizing.arrivals import SECOND, times
from oidproxy.trace.synthesizing.operations import MAKES, OPERATIONS, SHOWING, TAKES_AWAY, Operation
from oidproxy.trace.templates import template
from oidproxy.trace.writing import TraceWriter
from oidproxy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from oidproxy.trace.synthesizing.workload import Workload

BEGAN = "2000-01-01T00:00:00Z"
"""When synthesized traces begin: the same for all, so that equal ones are equal to the byte."""

TOLD_EVERY = 5000


@dataclass(slots=True)
class _Thing:
    """Something that a user made."""

    id: str
    ready: int
    """When it can be used."""
    size: int = 0


@dataclass(slots=True)
class _User:
    name: str
    project: str
    home: str
    scope: str
    before: Mapping[str, str]
    """Kind -> id of what was there."""
    first: deque[str]
    """What is done before anything else: to sign in, and to look for what is there."""
    things: dict[str, list[_Thing]] = field(default_factory=dict)
    """Kind -> what was made and is there, the oldest first."""


def synthesize(
    workload: Workload, out: Path, *, replace: bool = False, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Write the trace; returns how many requests it has.

    Raises:
        TraceInvalid: the trace whose arrivals are wanted cannot be read.
        OSError: a file cannot be read or written.
    """
    header = Header(
        oidproxy_trace=SCHEMA_VERSION,
        began=BEGAN,
        source="synthesized",
        versions={"oidproxy": VERSION},
        clouds=list(workload.clouds),
        bodies=True,
        seed=workload.seed,
        notes=["nobody sent these requests: statuses and sizes are what such requests usually get"],
    )
    with TraceWriter(out, header, replace=replace) as writer:
        for number, line in enumerate(_Synthesis(workload).lines()):
            writer.add(line)
            if not number % TOLD_EVERY:
                progress(number)
        return writer.count


class _Synthesis:
    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._random = Random(workload.seed)  # noqa: S311 - reproducible is what it has to be
        self._settle = round(workload.settle * SECOND)
        self._names = count(1)
        self._operations = list(workload.mix)
        self._weights = list(accumulate(workload.mix.values()))
        self._before: dict[tuple[str, str], dict[str, str]] = {}
        first = ["login", *_to_look_for(workload.mix)]
        self._users = [self._user(number, first) for number in range(1, workload.users + 1)]

    def lines(self) -> Iterator[Line]:
        """All of it, in order."""
        random, numbers, last = self._random, count(), 0
        # The arrivals have a generator of their own, so that another mix comes at the same times.
        for at in times(self._workload, Random(f"{self._workload.seed} arrivals")):  # noqa: S311 - as above
            user = self._users[random.randrange(len(self._users))]
            yield self._line(next(numbers), self._next(user, at), user, at)
            last = at
        if self._workload.tidy:
            yield from self._tidied(numbers, last)

    # Who there is.

    def _user(self, number: int, first: list[str]) -> _User:
        home = self._chosen(self._workload.clouds)
        scope = self._chosen(self._workload.scopes)
        known = self._before.get((home, scope))
        if known is None:
            known = self._before[home, scope] = {kind: self._id() for kind in self._workload.before}
        return _User(f"user-{number}", self._id().replace("-", ""), home, scope, known, deque(first))

    def _chosen(self, weights: Mapping[str, float]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    # What they do.

    def _next(self, user: _User, at: int) -> str:
        """The operation that a user does now."""
        if user.first:
            return user.first.popleft()
        name = self._random.choices(self._operations, cum_weights=self._weights)[0]
        while (needed := OPERATIONS[name].needs) and not self._ready(user, needed, at):
            name = MAKES[needed]
        return name

    def _ready(self, user: _User, kind: str, at: int) -> int:
        """How many things of a kind can be used."""
        return bisect_right(user.things.get(kind, ()), at, key=_ready_at)

    def _line(self, number: int, name: str, user: _User, at: int) -> Line:
        operation = OPERATIONS[name]
        thing = self._thing(operation, user, at)
        words = self._words(operation, user, thing)
        path = operation.path
        for word, value in words.items():
            path = path.replace(word, value)
        body = _filled(operation.body, words)
        data = msgspec.json.encode(body) if body is not None else b""
        named, used = template(operation.service, path)
        made = self._made(operation, user, at)
        return Line(
            n=number,
            at=at,
            method=operation.method,
            path=path,
            template=named,
            query=operation.query,
            service=operation.service,
            scope=user.scope,
            carrier="token" if user.scope else "home",
            home=user.home,
            cloud="" if user.scope else user.home,
            clouds=[] if user.scope else [user.home],
            status=operation.status,
            bytes_in=thing.size if operation.data and thing else len(data),
            bytes_out=thing.size if operation.bytes_out < 0 and thing else max(0, operation.bytes_out),
            made=made,
            used=list(dict.fromkeys([*used, *ids_in(data.decode())])),
            user=user.name,
            content_type=_type_of(operation),
            names=self._shown(operation, user),
            request_body=body,
        )

    def _thing(self, operation: Operation, user: _User, at: int) -> _Thing | None:
        """What the operation works on; taken away, if it does that."""
        if not operation.needs:
            return None
        things = user.things[operation.needs]
        place = self._random.randrange(self._ready(user, operation.needs, at))
        thing = things[place]
        if operation.takes:
            del things[place]
            if operation.makes:
                thing.ready = at + self._settle
                user.things.setdefault(operation.makes, []).append(thing)
        return thing

    def _made(self, operation: Operation, user: _User, at: int) -> list[str]:
        if not operation.makes or operation.takes:
            return []
        thing = _Thing(self._id(), at + self._settle, self._workload.image_size)
        user.things.setdefault(operation.makes, []).append(thing)
        return [thing.id]

    def _words(self, operation: Operation, user: _User, thing: _Thing | None) -> dict[str, str]:
        """What stands for the words in braces."""
        words = {"{project}": user.project, "{user}": user.name}
        if operation.body is not None:
            words["{name}"] = f"synthesized-{next(self._names)}"
        if thing is not None:
            words[f"{{{operation.needs}}}"] = thing.id
        return {**words, **{f"{{base {kind}}}": found for kind, found in user.before.items()}}

    def _shown(self, operation: Operation, user: _User) -> dict[str, str]:
        """The names by which a replay finds what was there before."""
        kind = operation.shows
        return {user.before[kind]: self._workload.before[kind]} if kind else {}

    def _tidied(self, numbers: Iterator[int], last: int) -> Iterator[Line]:
        """All that is left is taken away, at the pace of before."""
        at = last + self._settle
        pace = round(SECOND / self._workload.arrivals.rate)
        for kind, name in TAKES_AWAY.items():
            for user in self._users:
                while user.things.get(kind):
                    at += pace
                    yield self._line(next(numbers), name, user, at)


def _to_look_for(mix: Mapping[str, float]) -> list[str]:
    """The lists in which users find what was there before, as far as what they do needs it."""
    wanted = [name for name in mix if "{base " in str(OPERATIONS[name].body)]
    needed = {OPERATIONS[name].needs for name in mix} - {""}
    wanted += [MAKES[kind] for kind in sorted(needed)]
    text = str([OPERATIONS[name].body for name in wanted])
    return [name for kind, name in SHOWING.items() if f"{{base {kind}}}" in text]


def _ready_at(thing: _Thing) -> int:
    return thing.ready


def _filled(body: Any, words: Mapping[str, str]) -> Any:
    if isinstance(body, dict):
        return {key: _filled(value, words) for key, value in body.items()}
    if isinstance(body, list):
        return [_filled(one, words) for one in body]
    return words.get(body, body) if isinstance(body, str) else body


def _type_of(operation: Operation) -> str:
    if operation.data:
        return "application/octet-stream"
    return "application/json" if operation.body is not None else ""
