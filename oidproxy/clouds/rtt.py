"""Round-trip times between clouds, from ENOSlib's dictionary of one-way delays."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NO_GROUPS: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """One-way delays in microseconds between clouds or groups; a cloud's own entry beats its group's."""

    default_us: int = 0
    one_way_us: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    only: frozenset[str] | None = None
    """Where given, the default holds between these clouds and groups alone; other pairs have no delay."""
    excepted: frozenset[str] = frozenset()
    """Clouds and groups that the default does not hold for."""

    def round_trip_us(
        self, a: str, b: str, a_groups: Sequence[str] = NO_GROUPS, b_groups: Sequence[str] = NO_GROUPS
    ) -> int:
        """The delay from `a` to `b` plus the delay back, in microseconds; a cloud is no way from itself.

        The cost depends on the groups of the two clouds, not on how many clouds or entries there are.
        """
        if a == b:
            return 0
        return self.delay_us(a, b, a_groups, b_groups) + self.delay_us(b, a, b_groups, a_groups)

    def delay_us(
        self, src: str, dst: str, src_groups: Sequence[str] = NO_GROUPS, dst_groups: Sequence[str] = NO_GROUPS
    ) -> int:
        """The delay one way, in microseconds."""
        if self.one_way_us:
            for pair in _pairs(src, dst, src_groups, dst_groups):
                delay = self.one_way_us.get(pair)
                if delay is not None:
                    return delay
        return self.default_us if self._by_default(src, src_groups, dst, dst_groups) else 0

    def _by_default(self, a: str, a_groups: Sequence[str], b: str, b_groups: Sequence[str]) -> bool:
        if self.only is None and not self.excepted:
            return True
        ends = ({a, *a_groups}, {b, *b_groups})
        if any(end & self.excepted for end in ends):
            return False
        return self.only is None or all(end & self.only for end in ends)


def _pairs(
    src: str, dst: str, src_groups: Sequence[str], dst_groups: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The entries that may hold for a pair, most particular first; groups in the order declared."""
    yield src, dst
    yield from ((src, group) for group in dst_groups)
    yield from ((group, dst) for group in src_groups)
    yield from product(src_groups, dst_groups)
