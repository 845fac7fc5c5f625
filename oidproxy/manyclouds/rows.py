"""Rows of many clouds as their client may see them: links and ids put right as if each cloud were alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidproxy.rewrite.table import keys_for

if TYPE_CHECKING:
    from oidproxy.manyclouds.legs import Legs
    from oidproxy.manyclouds.parts import Answered
    from oidproxy.rewrite.scanner import Scanner

_LIST = b"rows"
_BEGINS = b'{"rows": ['
"""Stands before rows: rules name what is below a list, whatever the list is called."""

_OK = 200


class Rows:
    """Those of one union. Of a list without limit all rows are shown, so whole answers are put right at once;
    of one with a limit few may be, and each is when it is shown."""

    __slots__ = ("_answers", "_legs", "_linked", "_scanners", "_whole")

    def __init__(self, legs: Legs, *, whole: bool) -> None:
        self._legs = legs
        self._whole = whole
        self._answers: dict[str, Answered] = {}
        self._scanners: dict[str, Scanner | None] = {}
        self._linked: dict[bool, bool] = {}

    def body(self, leg: str, answered: Answered) -> bytes:
        """What the union is to read of an answer. Raises BadAnswer."""
        if answered.status != _OK or not self._needed(answered):
            return answered.body
        if self._whole:
            scanner = self._legs.scanner(answered)
            return answered.body if scanner is None else scanner.feed(answered.body) + scanner.finish()
        if leg not in self._answers:
            self._answers[leg] = answered
            if b"content-encoding" in answered.head.index:
                # It may be that links cannot be seen in it: then it is refused now.
                self._scanners[leg] = self._begun(answered)
        return answered.body

    def shown(self, leg: str, row: bytes) -> bytes:
        """A row as it is shown."""
        answered = self._answers.get(leg)
        if answered is None:
            return row
        if leg not in self._scanners:
            self._scanners[leg] = self._begun(answered)
        scanner = self._scanners[leg]
        if scanner is None:
            return row
        shown = scanner.feed(row)
        scanner.feed(b",")
        return shown

    def _needed(self, answered: Answered) -> bool:
        """Whether rows may hold anything to be put right. What stands beside the list is not shown at all."""
        if answered.ids:
            return True
        route = answered.route
        abroad = route.home != route.cloud
        known = self._linked.get(abroad)
        if known is None:
            rules = keys_for(route.service_type, route.rest, abroad=abroad)
            known = self._linked[abroad] = rules is not None and rules.root.child(_LIST).live
        return known

    def _begun(self, answered: Answered) -> Scanner | None:
        scanner = self._legs.scanner(answered)
        if scanner is not None:
            scanner.feed(_BEGINS)
        return scanner
