"""The union of a collection over many clouds: says what to ask, takes in what comes, and cuts the page.

The rooms above do the asking: they call `asks`, ask all that at once, hand every answer to `answered`, and
call `asks` again, until the union is `done` or time is up; then `page`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from oidproxy.manyclouds.merging.asking import Ask, Trouble
from oidproxy.manyclouds.merging.cursor import Cursor, Place, leg_key
from oidproxy.manyclouds.merging.page import Next, Page, Shown, next_of
from oidproxy.manyclouds.merging.rows import Reader
from oidproxy.manyclouds.merging.stream import Reading, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import msgspec

    from oidproxy.manyclouds.merging.question import Question

AT_MOST = 50_000
"""Rows in one answer to a client that gave no limit; what follows is a next page."""

_BATCH_AT_LEAST = 4
_SPREAD = 4
"""How many times the limit is asked for in all: some clouds have more of the first rows than others."""
_GROWTH = 4
_JUDGED_AT_MOST = 50
_COMPARED_AT_MOST = 2000
_BATCH_UNLIMITED = 1000
_LATE = 10
"""One cloud in so many may be late before others are asked for more."""
_UNKNOWN = "\0"


class Union:
    """One page in the making."""

    def __init__(
        self,
        question: Question,
        legs: Sequence[str],
        cursor: Cursor | None = None,
        *,
        at_most: int = AT_MOST,
    ) -> None:
        """`legs` are unique names in the plan's order; `cursor` is where the page begins."""
        self._question = question
        self._cursor = cursor or Cursor(question.binding)
        self._rankings = question.rankings()
        self._ranked = self._cursor.ranking
        reader = Reader(question.collection.list_key, question.collection.id_path, question.members)
        self._streams = {leg: Stream(leg, question, reader, self._rankings[self._ranked]) for leg in legs}
        self._limit = at_most if question.limit is None else min(question.limit, at_most)
        self._first_batch = min(
            self._limit, max(_BATCH_AT_LEAST, -(-_SPREAD * self._limit // max(1, len(legs))))
        )
        self._rows = 0
        self._unknown: list[tuple[str, str]] = []
        self._failed: dict[str, None] = {}
        self._ready: list[Stream] = list(self._streams.values())
        """To be asked without further thought."""
        self._waiting = 0
        self._look_at = max(len(legs) // _LATE, 1) if len(legs) > 2 else 0
        """With so few unanswered, it is time to see who has to be asked for more."""
        self._judged = question.collection.whole or bool(self._cursor.places or self._cursor.start)
        self._settled = False
        self._begin()

    @property
    def done(self) -> bool:
        """Whether nothing is left to be asked or waited for."""
        return self._settled and not self._waiting and not self._ready

    def asks(self) -> list[Ask]:
        """What to ask now that was not asked yet."""
        if not self._ready and not self._settled and self._waiting <= self._look_at:
            self._judge()
            waiting = self._waiting
            self._ready = self._blocking()
            self._look_at = waiting if self._ready else 0
            self._settled = not self._ready and not waiting
        ready, self._ready = self._ready, []
        asks = [Ask(stream.leg, stream.ask(self._batch(stream))) for stream in ready if not stream.failed]
        self._waiting += len(asks)
        return asks

    def hurry(self) -> None:
        """Wait no longer for late clouds before others are asked for more: time is getting short."""
        self._look_at = self._waiting

    def answered(self, ask: Ask, status: int, body: bytes) -> Trouble | None:
        """Take in an answer. On trouble the cloud counts as failed already."""
        stream = self._streams[ask.leg]
        if not stream.waiting:
            return None
        self._waiting -= 1
        before = len(stream.keys)
        trouble = stream.answered(status, body)
        self._rows += len(stream.keys) - before
        if trouble is not None:
            self._failed[ask.leg] = None
        elif stream.more and self._goes_on(stream):
            self._ready.append(stream)
        return trouble

    def failed(self, leg: str) -> None:
        """No answer comes from there. What was read of it stays."""
        stream = self._streams[leg]
        self._waiting -= stream.waiting
        stream.fail()
        self._failed[leg] = None

    def dropped(self, leg: str) -> None:
        """No answer comes from there, and what was read of it goes."""
        self.failed(leg)
        stream = self._streams[leg]
        self._rows -= len(stream.keys)
        stream.drop()

    def absent(self, rows: Iterable[tuple[str, str]]) -> None:
        """Rows (cloud, id) that silent clouds are known to have: shown behind all others, status UNKNOWN."""
        self._unknown = sorted(row for row in rows if _UNKNOWN.join(row) > self._cursor.unknown)

    def page(self, per_row: Callable[[str, bytes], bytes] | None = None, *, annotate: bool = False) -> Page:
        """The page, of what came so far; whoever was asked and did not answer counts as failed.

        `per_row` gets a cloud and a row of it, and gives what is shown in its place.
        """
        streams = list(self._streams.values())
        for stream in [*self._ready, *(one for one in streams if one.waiting)]:
            self.failed(stream.leg)
        list_key = self._agreed(streams)
        shown, taken = self._cut()
        remains = any(one.more or taken[one.leg] < len(one.keys) for one in streams)
        unknown = [] if remains else self._unknown[: self._limit - len(shown.ids)]
        remains = remains or len(unknown) < len(self._unknown)
        return Page(
            self._question,
            shown.made(self._question, per_row, annotate=annotate),
            list_key=list_key,
            unknown=unknown,
            failed=tuple(self._failed),
            disordered=tuple(
                one.leg for one in streams if one.disordered is not None and one.disordered < taken[one.leg]
            ),
            count=sum(stream.count for stream in streams),
            next=self._next(shown, unknown, taken) if remains or self._paging else None,
            last=not remains,
        )

    @property
    def _paging(self) -> bool:
        """Whether the client reads page by page; then it may well ask for one behind the last."""
        return self._question.limit is not None or bool(self._question.marker)

    def _next(
        self, shown: Shown, unknown: Sequence[tuple[str, str]], taken: Mapping[str, int]
    ) -> Next | None:
        """The page behind this one; none if this one is empty."""
        last = unknown[-1][1] if unknown else shown.ids[-1] if shown.ids else ""
        return next_of(self._question, self._advanced(taken, unknown), last) if last else None

    def _agreed(self, streams: Sequence[Stream]) -> str:
        """The name of the list, where it was found by looking: most clouds'. What others gave is no list."""
        names = Counter(one.list_key for one in streams if one.list_key)
        name = names.most_common(1)[0][0] if names else ""
        for stream in streams:
            if stream.list_key not in {"", name}:
                stream.drop()
                self._failed[stream.leg] = None
        return name

    def _begin(self) -> None:
        """Put every cloud behind the row where the page before ended."""
        start, start_leg = self._cursor.start, self._cursor.start_leg
        if start is None and not self._cursor.places:
            return
        passed = False
        for leg, stream in self._streams.items():
            place = self._cursor.place(leg)
            here = start is not None and leg_key(leg) == start_leg
            passed = passed or here
            if place is not None:
                stream.behind(place)
            elif start is not None and here:
                stream.behind(start)
            elif start is not None:
                stream.behind_another(start, tied=passed)

    def _goes_on(self, stream: Stream) -> bool:
        """Whether a cloud is asked for more whatever the others say."""
        if stream.reading is Reading.GATHERING or not stream.keys:
            return True
        return self._question.limit is None and self._rows < self._limit

    def _batch(self, stream: Stream) -> int | None:
        """How many rows to ask this cloud for; None is as many as it likes to give."""
        maximum = self._question.collection.maximum
        if self._question.limit is None:
            if stream.marked:
                return maximum or _BATCH_UNLIMITED  # Neutron takes no notice of a marker without a limit
            return maximum if self._question.collection.asks_maximum else None
        if stream.reading is Reading.SKIPPING and not stream.keys:
            return maximum or _BATCH_UNLIMITED
        held = len(stream.keys)
        wanted = min(self._limit - held, _GROWTH * held) if held else self._first_batch
        return max(1, wanted)

    def _blocking(self) -> list[Stream]:
        """The clouds that may have rows which belong into the page, behind all that they gave."""
        streams = [one for one in self._streams.values() if one.more and not one.waiting]
        if not streams or not self._limit:
            return []
        ranking = self._rankings[self._ranked]
        if self._rows < self._limit:
            return streams
        keys = sorted([key for one in self._streams.values() for key in one.keys], reverse=ranking.reverse)
        last = keys[self._limit - 1]
        return [one for one in streams if not one.keys or ranking.after(last, one.keys[-1])]

    def _judge(self) -> None:
        """Merge by the order that most clouds keep. Once, at the first page: the cursor keeps it."""
        if self._judged:
            return
        self._judged = True
        streams = [one for one in self._streams.values() if len(one.keys) > 1]
        if 2 * sum(one.disordered is not None for one in streams) <= len(streams):
            return
        sample = streams[:: len(streams) // _JUDGED_AT_MOST + 1]
        kept = [sum(one.keeps(ranking) for one in sample) for ranking in self._rankings]
        self._ranked = kept.index(max(kept))
        for stream in self._streams.values():
            stream.rank(self._rankings[self._ranked])

    def _cut(self) -> tuple[Shown, dict[str, int]]:
        """The rows of the page, and how many they are of each cloud."""
        keys: list[str] = []
        ids: list[str] = []
        raws: list[msgspec.Raw] = []
        legs: list[str] = []
        for leg, stream in self._streams.items():
            keys += stream.keys
            ids += stream.rows.ids
            raws += stream.rows.raws
            legs += [leg] * len(stream.keys)
        order = self._rankings[self._ranked].arrangement(keys)[: self._limit]
        shown = Shown([legs[at] for at in order], [ids[at] for at in order], [raws[at] for at in order])
        taken = dict.fromkeys(self._streams, 0)
        for leg in shown.legs:
            taken[leg] += 1
        return shown, taken

    def _advanced(self, taken: Mapping[str, int], unknown: Sequence[tuple[str, str]]) -> Cursor:
        """Where the next page begins. A cloud that was out of reach goes on where it was left."""
        places: dict[bytes, Place] = dict(self._cursor.places)
        # Without, more rows are remembered, which costs less than comparing so many.
        rankings = self._rankings if sum(taken.values()) <= _COMPARED_AT_MOST else ()
        for leg, stream in self._streams.items():
            place = stream.taken(taken[leg], rankings)
            if place is not None:
                places[leg_key(leg)] = place
        return Cursor(
            self._question.binding,
            places,
            self._ranked,
            self._cursor.start,
            self._cursor.start_leg,
            _UNKNOWN.join(unknown[-1]) if unknown else self._cursor.unknown,
        )
