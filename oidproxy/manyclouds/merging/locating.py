"""A plain row id as marker, of which nothing is remembered: whose row it is, and what it is sorted by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.errors import BadRequest
from oidproxy.manyclouds.merging.asking import Ask, Trouble
from oidproxy.manyclouds.merging.cursor import Cursor, Place, leg_key
from oidproxy.manyclouds.merging.rows import values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidproxy.manyclouds.merging.question import Question


class Locating:
    """Asks every cloud for the row. Driven as a `Union` is; then `cursor` is where the page begins."""

    def __init__(self, question: Question, legs: Sequence[str], identity: str) -> None:
        self._question = question
        self._id = identity
        self._legs = list(legs)
        self._asked = not question.keys  # then the id says it all
        self._waiting: set[str] = set()
        self._found: dict[str, Place] = {}

    @property
    def done(self) -> bool:
        """Whether nothing is left to be asked or waited for."""
        return self._asked and not self._waiting

    def asks(self) -> list[Ask]:
        """What to ask now that was not asked yet."""
        if self._asked:
            return []
        self._asked = True
        self._waiting.update(self._legs)
        target = self._question.collection.item(self._id)
        return [Ask(leg, target) for leg in self._legs]

    def answered(self, ask: Ask, status: int, body: bytes) -> Trouble | None:
        """Take in an answer. A cloud without the row is no trouble, nor is one that fails."""
        self._waiting.discard(ask.leg)
        question = self._question
        if status == 200:
            values = values_of(body, question.collection.id_path, question.members)
            if values is not None:
                self._found[ask.leg] = self._place(values)
        return None

    def failed(self, leg: str) -> None:
        """No answer comes from there."""
        self._waiting.discard(leg)

    def dropped(self, leg: str) -> None:
        """Nor is of use what came."""
        self.failed(leg)
        self._found.pop(leg, None)

    def hurry(self) -> None:
        """Every cloud was asked at once: there is nothing more to be begun."""

    def cursor(self) -> Cursor:
        """Behind the row. Of several with this id (flavors have names for ids) the last cloud's.

        With the first one's, a client that pages by ids would come back to the same rows forever.

        Raises:
            BadRequest: no cloud that answered has such a row.
        """
        question = self._question
        if not question.keys:
            return Cursor(question.binding, start=self._place(()))
        leg = next((leg for leg in reversed(self._legs) if leg in self._found), None)
        if leg is None:
            raise BadRequest("The marker is the id of no row that any of the clouds has.")
        return Cursor(question.binding, start=self._found[leg], start_leg=leg_key(leg))

    def _place(self, values: tuple[str | int | float | bool | None, ...]) -> Place:
        return Place(self._id, values, orders=1)
