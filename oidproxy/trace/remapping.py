"""What the ids, names and projects of a trace are in this replay: learned from the first answers. Pure.

For each request, in the trace's order: `waits_for`, then `expects`; once nothing is waited for, `request`;
then `answered` with what came, or `failed`. Whoever waits goes on when everything that it waits for was among
what some request was expected to bring, and that one is over. One object serves one loop of a replay, all its
users.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from oidproxy.trace import documents, kinds, pairing
from oidproxy.trace.filling import READS, Filling
from oidproxy.trace.kinds import ID, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oidproxy.trace.filling import Prepared, Unmatched, Who
    from oidproxy.trace.line import Line

NONE: frozenset[str] = frozenset()

LISTS = 256
"""Answers with lists that are kept, to find in them what the trace goes on to use …"""
LIST_AT_MOST = 1024 * 1024
"""… if they have at most so many bytes."""


class Remapping:
    """Recorded -> of now."""

    def __init__(
        self,
        *,
        loop: int = 0,
        suffix: str = "",
        learned: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """`suffix` is put behind the name of whatever the trace makes, as is the number of each loop but the
        first. `learned`, `names`: recorded -> of now, of a run that is resumed.
        """
        self.suffix = suffix + (f"-{loop}" if loop else "")
        """Behind the names of what is made."""
        self._ids: dict[str, str] = dict(learned or {})
        self._pending: dict[str, int] = {}
        self._listing: dict[tuple[str, Kind], set[int]] = {}
        """User and kind -> the requests under way that list it."""
        self._changing: dict[str, dict[int, int]] = {}
        """Recorded id -> the requests under way that change it -> when they had ended in the trace."""
        self._lost: dict[str, str] = {}
        self._names: dict[str, str] = dict(names or {})
        self._called: dict[str, str] = {}
        self._lists: OrderedDict[tuple[str, Kind], bytes | list[tuple[str, str]]] = OrderedDict()
        self._known: dict[tuple[str, Kind], list[tuple[str, str]]] = {}
        self._taken: dict[Kind, set[str]] = {}
        self._latest: dict[tuple[str, Kind], str] = {}
        """User and kind -> what was made last."""

    @property
    def learned(self) -> Mapping[str, str]:
        """Recorded id -> id of now, all that is known."""
        return self._ids

    @property
    def names(self) -> Mapping[str, str]:
        """Recorded name -> name of now, of what the trace makes."""
        return self._names

    def know(self, scope: str, kind: Kind, rows: Sequence[tuple[str, str]]) -> None:
        """What was there before the replay, as id and name, for requests of this scope."""
        self._known[scope, kind] = list(rows)

    def waits_for(self, line: Line) -> frozenset[str]:
        """What it uses that requests before it have yet to bring: ids that they make, or show in answers, and
        the end of what they do to the same things, where it began after that.
        """
        pending = self._pending
        if not pending and not self._listing and not self._changing:
            return NONE
        found = set()
        for kind, one in kinds.ids_of(line):
            for number, ended in self._changing.get(one, {}).items():
                if ended <= line.at:
                    found.add(_change_key(number))
            if one in pending:
                found.add(one)
            elif one not in self._ids and one not in self._lost:
                found |= set(map(_list_key, self._listing.get((line.user, kind), ())))
        return frozenset(found) if found else NONE

    def expects(self, line: Line) -> tuple[str, ...]:
        """It is about to be sent: what it will bring, for `waits_for` of later requests."""
        told: dict[str, None] = {}
        if line.status < 400:
            told |= dict.fromkeys(line.made) | dict.fromkeys(line.names)
            self._called |= line.names
            if line.answer_body is not None:
                told |= dict.fromkeys(pairing.ids(line.answer_body))
        brings = [one for one in told if one not in self._ids and one not in self._pending]
        self._pending |= dict.fromkeys(brings, line.n)
        if _lists(line):
            self._listing.setdefault((line.user, _kind(line)), set()).add(line.n)
            brings.append(_list_key(line.n))
        if line.method not in READS:
            for one in _changed(line):
                self._changing.setdefault(one, {})[line.n] = line.at + line.steps.get("done", 0)
            brings.append(_change_key(line.n))
        return tuple(brings)

    def request(self, line: Line, who: Who) -> Prepared | Unmatched:
        """How it is to be sent by this account."""
        return Filling(self, line, who).prepared()

    def answered(self, line: Line, status: int, body: bytes, location: str = "") -> None:
        """Learn from an answer; `location` is its field of that name."""
        if (line.made or line.answer_body is not None) and 200 <= status < 300:
            self._learn(line, body, location)
        if _lists(line) and status == 200 and len(body) <= LIST_AT_MOST:
            self._keep(line, body)
        self._settle(line, f"request {line.n}, which makes it, was answered {status}")

    def failed(self, line: Line, why: str) -> None:
        """No answer will come: what it makes will not be there."""
        self._settle(line, f"request {line.n}, which makes it, {why}")

    # What is learned.

    def _learn(self, line: Line, body: bytes, location: str) -> None:
        try:
            answer = msgspec.json.decode(body) if body else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = None
        if line.made:
            used = [self._ids.get(one, one) for one in line.used]
            for recorded, here in zip(line.made, documents.made(answer, location, used), strict=False):
                self._ids.setdefault(recorded, here)
            self._latest[line.user, _kind(line)] = self._ids.get(line.made[0], "")
        if line.answer_body is not None:
            for recorded, here in pairing.pairs(line.answer_body, answer):
                self._ids.setdefault(recorded, here)

    def _settle(self, line: Line, why: str) -> None:
        if line.made or line.names or line.answer_body is not None:
            shown = pairing.ids(line.answer_body) if line.answer_body is not None else ()
            for one in (*line.made, *line.names, *shown):
                if self._pending.get(one) == line.n:
                    del self._pending[one]
        for one in line.made:
            if one not in self._ids and line.status < 400:
                self._lost[one] = why
        if line.method not in READS:
            for one in _changed(line):
                under_way_there = self._changing.get(one, {})
                under_way_there.pop(line.n, None)
                if not under_way_there:
                    self._changing.pop(one, None)
        if _lists(line):
            key = (line.user, _kind(line))
            under_way = self._listing.get(key, set())
            under_way.discard(line.n)
            if not under_way:
                self._listing.pop(key, None)

    def _keep(self, line: Line, body: bytes) -> None:
        """The newest list of each kind that each user was shown; read when something in it is looked for."""
        key = (line.user, _kind(line))
        self._lists[key] = body
        self._lists.move_to_end(key)
        if len(self._lists) > LISTS:
            self._lists.popitem(last=False)

    # Which id it is.

    def here(self, recorded: str, kind: Kind, filling: Filling) -> str:
        """The id of now, or the recorded one with a reason in `filling.why`."""
        found = self._ids.get(recorded)
        if found is not None:
            return found
        if kind is kinds.PROJECT and filling.who.project_id:
            return filling.who.project_id
        if kind is kinds.USER and filling.who.user_id:
            return filling.who.user_id
        if recorded in self._lost:
            filling.why = f"{kind.collection} {recorded}: {self._lost[recorded]}"
        elif self._pending.get(recorded, filling.line.n) < filling.line.n:
            filling.why = (
                f"{kind.collection} {recorded}: request {self._pending[recorded]} was not answered in time"
            )
        elif filling.line.status != 404:
            return self._of_before(recorded, kind, filling)
        return recorded

    def _of_before(self, recorded: str, kind: Kind, filling: Filling) -> str:
        """Something that was there before the trace began: by its name, else by its place in a list."""
        lists = self._rows(filling.line, kind)
        called = self._called.get(recorded)
        if filling.marks and called is None and lists and lists[0]:
            # The next page: it goes on behind the last row of the page before.
            return lists[0][-1][0]
        found = _by_name(lists, called) if called else None
        if found is None:
            found = self._by_place(lists, kind) if filling.may_guess(kind) else None
            if found is None:
                filling.why = f"{kind.collection} {recorded}: nothing here is known to be its counterpart"
                return recorded
            filling.made_up.append("id")
        self._ids[recorded] = found
        return found

    def _by_place(self, lists: Sequence[list[tuple[str, str]]], kind: Kind) -> str | None:
        """The first that stands for no other recorded id; if all do, the first."""
        taken = self._taken.setdefault(kind, set())
        for shown in lists:
            if shown:
                chosen = next((found for found, _ in shown if found not in taken), shown[0][0])
                taken.add(chosen)
                return chosen
        return None

    def any(self, kind: Kind, line: Line) -> str | None:
        """Some id of a kind, for a body that is made up: of what the trace made, or what all may use."""
        if (line.user, kind) in self._latest:
            return self._latest[line.user, kind]
        if kind not in kinds.SHARED:
            return None
        return next((shown[0][0] for shown in self._rows(line, kind) if shown), None)

    def renamed(self, name: str) -> str:
        """What something that the trace makes is called here."""
        if not self.suffix:
            return name
        return self._names.setdefault(name, name + self.suffix)

    def _rows(self, line: Line, kind: Kind) -> Sequence[list[tuple[str, str]]]:
        """What is known to be there, the nearest first: what this user was shown, then what was looked up."""
        found = []
        shown = self._lists.get((line.user, kind))
        if isinstance(shown, bytes):
            shown = self._lists[line.user, kind] = _read(shown)
        if shown is not None:
            found.append(shown)
        keys = [(scope, kind) for scope in dict.fromkeys((line.scope, ""))]
        return [*found, *(self._known[key] for key in keys if key in self._known)]


def _by_name(lists: Sequence[list[tuple[str, str]]], called: str) -> str | None:
    return next((found for shown in lists for found, name in shown if name == called), None)


def _lists(line: Line) -> bool:
    """Whether its answer is a list in which later requests may have found what they use."""
    return line.method == "GET" and kinds.is_collection(line.path)


def _kind(line: Line) -> Kind:
    return Kind(line.service, kinds.collection(line.path))


def _changed(line: Line) -> list[str]:
    return ID.findall(line.path)


def _change_key(number: int) -> str:
    return f"the end of request {number}"


def _list_key(number: int) -> str:
    return f"the list of request {number}"


def _read(body: bytes) -> list[tuple[str, str]]:
    try:
        return pairing.rows(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
