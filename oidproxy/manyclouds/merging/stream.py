"""One cloud's rows on their way into a page: what to ask it for, what came, and in which order.

Theory of operation. Within a cloud rows stay as they came: a row's key is the greatest of its own and all
before it, so that sorting the rows of all clouds by key never exchanges two rows of one cloud, and what is
taken of a cloud is always the beginning of what it gave. Then the last row taken is all that is needed to go
on behind it, whatever the cloud's database thinks of letters and nulls.

If that row is gone, the cloud is asked to go on behind the row taken before it, and the one before that. If
all that are remembered are gone, or the row to go on behind is another cloud's, rows are *skipped*: the list
is read from its start, and a row is left out if it comes before that place under every order that the cloud
has kept so far. A list is *gathered*, read as a whole and sorted here, if its API has no pages.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from oidproxy.manyclouds.merging.asking import Trouble
from oidproxy.manyclouds.merging.batch import Batch
from oidproxy.manyclouds.merging.cursor import Place
from oidproxy.manyclouds.merging.rows import Garbage, Reader, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.manyclouds.merging.question import Question
    from oidproxy.manyclouds.merging.ranking import Ranking

REMEMBERED, IN_DISORDER = 2, 8
"""Rows remembered behind the last one: of a cloud that keeps a known order, and of one that does not."""

READ_AT_MOST = 100_000
"""Rows of one cloud in one page, those left out included: a list without end is no list."""

_RESTARTS = 3
_NO_SUCH_MARKER = frozenset({400, 404})


class Reading(Enum):
    """How a cloud's list is read."""

    ON = "on"
    SKIPPING = "skipping"
    GATHERING = "gathering"


class Stream:
    """The rows of one cloud in one page."""

    __slots__ = (
        "_from_start",
        "_gathered",
        "_known",
        "_marker",
        "_question",
        "_ranking",
        "_read",
        "_reader",
        "_restarts",
        "_retry",
        "_start",
        "_tied",
        "count",
        "disordered",
        "failed",
        "keys",
        "leg",
        "list_key",
        "more",
        "place",
        "reading",
        "rows",
        "waiting",
    )

    def __init__(self, leg: str, question: Question, reader: Reader, ranking: Ranking) -> None:
        self.leg = leg
        self.place: Place | None = None
        """The last row that earlier pages took."""
        self.rows = Batch.empty(len(question.keys))
        self.keys: list[str] = []
        """Of every row; none comes before the one in front of it."""
        self.disordered: int | None = None
        """The first row that comes in another order than the page's."""
        self.more = True
        """Whether the cloud may have further rows."""
        self.failed = False
        self.waiting = False
        """Whether it was asked and has not answered."""
        self.reading = Reading.GATHERING if question.collection.whole else Reading.ON
        self.count = 0
        """How many rows it says there are in all."""
        self.list_key = ""
        self._question = question
        self._reader = reader
        self._ranking = ranking
        self._gathered: Batch | None = None
        self._marker = ""
        self._retry: list[str] | None = None
        """Where the row of the marker is gone: rows before it that are left to be tried."""
        self._known: frozenset[str] = frozenset()
        """Then also rows that were taken for sure."""
        self._from_start = True
        """Whether what is shown begins with the cloud's first row."""
        self._start: Place | None = None
        """The row up to which rows are left out, where the list is read from its start."""
        self._tied = False
        """Whether a row that equals `_start` is shown all the same: it is another cloud's."""
        self._read = 0
        self._restarts = 0

    def behind(self, place: Place) -> None:
        """Begin behind this row of the same cloud."""
        self.place = place
        if self.reading is Reading.ON:
            self._marker = place.id
        else:
            self._start = place

    def behind_another(self, place: Place, *, tied: bool) -> None:
        """Begin behind this row of another cloud; `tied`: an equal row of this one comes behind it."""
        self._start = place
        self._from_start = False
        self._tied = tied
        if self.reading is Reading.ON:
            self.reading = Reading.SKIPPING

    @property
    def marked(self) -> bool:
        """Whether it is asked for what is behind a row of its own."""
        return bool(self._marker)

    def ask(self, limit: int | None) -> bytes:
        """What to ask this cloud for now: path and query below the service."""
        self.waiting = True
        return self._question.target(None if self._question.collection.whole else limit, self._marker)

    def answered(self, status: int, body: bytes) -> Trouble | None:
        """Take in what it said. After trouble it counts as failed, with the rows that came before."""
        self.waiting = False
        if status in _NO_SUCH_MARKER and self._marker and self._restarts < _RESTARTS:
            self._restart()
            return None
        if not 200 <= status < 300:
            return self._trouble(status, f"{self.leg} answered with status {status}.")
        found = self._reader.read(body)
        if isinstance(found, Garbage):
            return self._trouble(status, f"The answer of {self.leg} is no list: {found.reason}.")
        self._read += len(found.batch)
        if self._read > READ_AT_MOST:
            return self._trouble(status, f"{self.leg} has more than {READ_AT_MOST} rows to be read at once.")
        self._take(found)
        return None

    def fail(self) -> None:
        """It will not answer. What was gathered of a list that is not complete is dropped."""
        self.waiting = False
        self.failed = True
        self.more = False

    def drop(self) -> None:
        """Count it as failed, with all that it gave."""
        self.fail()
        self.rows = Batch.empty(len(self._question.keys))
        self.keys = []
        self._gathered = None

    def rank(self, ranking: Ranking) -> None:
        """Compare by another ranking."""
        self._ranking = ranking
        self.disordered = None
        self.keys = []
        self._rank(self.rows)

    def keeps(self, ranking: Ranking) -> bool:
        """Whether the rows came in this order, ties aside."""
        return ranking.in_order(map(ranking.leading, ranking.keys(self.rows.columns, self.rows.ids)))

    def taken(self, count: int, rankings: Sequence[Ranking]) -> Place | None:
        """The place behind the first `count` rows."""
        before = self.place
        if not count:
            return before
        rows = Batch(
            self.rows.raws[:count], self.rows.ids[:count], [one[:count] for one in self.rows.columns]
        )
        orders = self._orders(rows, rankings)
        known = [] if before is None else [*reversed(before.earlier), before.id]
        earlier = [*known, *rows.ids[:-1]][::-1]
        at_most = REMEMBERED if orders else IN_DISORDER
        complete = self._from_start if before is None else before.complete
        return Place(
            rows.ids[-1],
            rows.values(count - 1),
            orders,
            tuple(earlier[:at_most]),
            complete and len(earlier) <= at_most,
        )

    def _orders(self, rows: Batch, rankings: Sequence[Ranking]) -> int:
        """The rankings that these rows, and those taken before them, kept; a bit for each."""
        before = self.place
        if self._question.collection.whole:
            return -1
        columns, ids = rows.columns, rows.ids
        if before is not None:
            columns = [[value, *column] for value, column in zip(before.values, columns, strict=True)]
            ids = [before.id, *ids]
        orders = -1 if before is None else before.orders
        if len(ids) > 1:
            kept = [ranking.in_order(ranking.keys(columns, ids)) for ranking in rankings]
            orders &= sum(1 << at for at, is_kept in enumerate(kept) if is_kept)
        return orders

    def _trouble(self, status: int, message: str) -> Trouble:
        self.fail()
        return Trouble(status, message)

    def _restart(self) -> None:
        """The row of the marker is gone."""
        if self.reading is Reading.ON and self._retry is None:
            place = self.taken(len(self.rows), self._question.rankings())
            self._retry = [] if place is None else list(place.earlier)
            self._known = frozenset() if place is None else frozenset((place.id, *place.earlier))
            self._start = None if place is None or place.complete else place
        if self.reading is Reading.ON and self._retry:
            self._marker = self._retry.pop(0)
            return
        self._restarts += 1
        self._marker = ""
        if self.reading is Reading.GATHERING:
            self._gathered = None
        elif self.reading is Reading.ON and self._start is not None:
            self.reading = Reading.SKIPPING
        elif self.rows:
            self._start = self.taken(len(self.rows), self._question.rankings())
            self._tied = False

    def _take(self, found: Rows) -> None:
        self._retry = None
        self.list_key = found.list_key
        self.count = self.count or found.count
        ids = found.batch.ids
        again = self._again(ids)
        # A cloud that gives the same rows whatever the marker would never come to an end.
        self.more = bool(found.next) and again < len(ids)
        if ids:
            self._marker = (self._question.collection.whole and found.marker) or ids[-1]
        batch = found.batch.since(again)
        if self._known and not self._known.isdisjoint(batch.ids):
            batch = batch.where([identity not in self._known for identity in batch.ids])
        if self.reading is Reading.ON:
            self._show(batch)
        elif self.reading is Reading.SKIPPING:
            self._show(batch if self._start is None else batch.where(self._wanted(self._start, batch)))
        else:
            if self._gathered is None:
                self._gathered = batch
            else:
                self._gathered.add(batch)
            if not self.more:
                self._settle(self._gathered)

    def _again(self, ids: Sequence[str]) -> int:
        """How many of the rows came before already: an API that takes no notice of the marker."""
        marker = self._marker
        return len(ids) - ids[::-1].index(marker) if marker and marker in ids else 0

    def _settle(self, gathered: Batch) -> None:
        """A list that was gathered is complete."""
        keys = self._ranking.keys(gathered.columns, gathered.ids)
        batch = gathered.arranged(self._ranking.arrangement(keys))
        self._show(batch if self._start is None else batch.where(self._wanted(self._start, batch)))

    def _show(self, batch: Batch) -> None:
        if self.keys:
            self.rows.add(batch)
        else:
            self.rows = batch
        self._rank(batch)

    def _wanted(self, start: Place, batch: Batch) -> list[bool]:
        """Of each row, whether it comes behind the start, by any of the orders that the cloud may have."""
        rankings = self._question.rankings()
        orders = [one for at, one in enumerate(rankings) if start.orders >> at & 1] or [self._ranking]
        if self._question.collection.whole:
            orders = [self._ranking]
        wanted = [False] * len(batch)
        for order in orders:
            mark = order.key(start.values, start.id)
            for at, key in enumerate(order.keys(batch.columns, batch.ids)):
                if order.after(key, mark) or (self._tied and key == mark):
                    wanted[at] = True
        return wanted

    def _rank(self, batch: Batch) -> None:
        keys = self._ranking.keys(batch.columns, batch.ids)
        if not keys:
            return
        held, after = self.keys, self._ranking.after
        if keys != sorted(keys, reverse=self._ranking.reverse) or (held and after(held[-1], keys[0])):
            keys = self._in_line(keys)
        elif not held and self._jumps_back(keys[0]):
            self.disordered = 0
        held += keys

    def _jumps_back(self, first: str) -> bool:
        """Whether the first row belongs before the last one of the page before."""
        place, ranking = self.place, self._ranking
        if place is None or self._question.collection.whole:
            return False
        return ranking.after(ranking.leading(ranking.key(place.values, place.id)), ranking.leading(first))

    def _in_line(self, keys: list[str]) -> list[str]:
        """Every key raised to the greatest so far; remembers the first row that is really out of order."""
        after, leading = self._ranking.after, self._ranking.leading
        lined = []
        greatest = self.keys[-1] if self.keys else keys[0]
        for at, key in enumerate(keys, len(self.keys)):
            if not after(greatest, key):
                greatest = key
            elif self.disordered is None and after(leading(greatest), leading(key)):
                self.disordered = at
            lined.append(greatest)
        return lined
